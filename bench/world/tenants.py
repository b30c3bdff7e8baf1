"""Tenants: their sizes, currencies, campaigns and customers, and the events' envelopes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.world.channels import CHANNELS, PAID_CHANNELS, Channel
from bench.world.records import CREATED_AT, EVENT_TIME, LAP, Record

if TYPE_CHECKING:
    from random import Random

    from bench.world.customers import Customer
    from bench.world.options import WorldOptions

_CURRENCIES = ("EUR", "USD", "GBP", "JPY", "CHF")
# An odd multiplier shuffles a counter without repeating: ids look random, so that they neither sort by age nor
# compress away.
_SHUFFLE = 2_654_435_761


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """A campaign of a tenant. `campaign_id` is unique within the tenant only. `budget_micros` is in `currency`."""

    campaign_id: str
    name: str
    channel: Channel
    currency: str
    budget_micros: int
    weight: float
    quality: float

    def record(self) -> Record:
        """The Campaign record."""
        return {"campaign_id": self.campaign_id, "name": self.name, "channel": self.channel.name}


@dataclass(slots=True)
class Tenant:
    """A company with its world. `share` of all events is its own; `effects` are its true channel effects."""

    tenant_id: str
    share: float
    run: str
    currency: str
    mean_value_micros: int
    effects: dict[str, float]
    campaigns: list[CampaignPlan] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    _ids: int = 0

    def next_id(self, prefix: str) -> str:
        """An id new in this tenant. Other tenants use the same ones, as real tenants may."""
        self._ids += 1
        return f"{prefix}{self.run}-{self._ids * _SHUFFLE % (1 << 32):08x}-{LAP}"

    def envelope(self, event_type: str, platform: str, customer: Customer | None = None, device: int = 0) -> Record:
        """An Envelope record, of a customer on one of the customer's devices when one is given."""
        return {
            "event_id": self.next_id("e"),
            "tenant_id": self.tenant_id,
            "event_type": event_type,
            "event_time": EVENT_TIME,
            "created_at": CREATED_AT,
            "source_platform": platform,
            "consent": customer.consent
            if customer
            else {"marketing": True, "analytics": True, "personalization": True},
            "identifiers": customer.identifiers(device) if customer else {},
            "metadata": {},
        }


def make_tenants(options: WorldOptions, run: str, rng: Random) -> list[Tenant]:
    """The tenants with their campaigns, largest first. `run` goes into their ids."""
    names = (
        options.tenants
        if not isinstance(options.tenants, int)
        else tuple(f"tenant-{number:02d}" for number in range(1, options.tenants + 1))
    )
    tenants = []
    for rank, (name, share) in enumerate(zip(names, _shares(options, len(names)), strict=True)):
        tenant = Tenant(
            tenant_id=name,
            share=share,
            run=run,
            currency=_CURRENCIES[rank % len(_CURRENCIES)],
            mean_value_micros=int(rng.lognormvariate(17.9, 0.5)),  # median 60 units of the currency
            effects={channel.name: min(0.5, channel.effect * rng.lognormvariate(0, 0.25)) for channel in CHANNELS},
        )
        # Small tenants have fewer campaigns, but never none.
        for _ in range(max(2, round(options.campaigns * (rank + 1) ** -0.5))):
            tenant.campaigns.append(_campaign(tenant, f"cmp-{len(tenant.campaigns) + 1:03d}", rng))
        tenants.append(tenant)
    return tenants


def flight(tenant: Tenant, number: int, rng: Random) -> CampaignPlan:
    """A campaign that lives within one lap only."""
    return _campaign(tenant, f"flight-{tenant.run}-{number:03d}-{LAP}", rng)


def _campaign(tenant: Tenant, campaign_id: str, rng: Random) -> CampaignPlan:
    channel = rng.choice(PAID_CHANNELS)
    # A few campaigns are billed in another currency than the tenant's own.
    currency = tenant.currency if rng.random() < 0.9 else rng.choice(_CURRENCIES)
    return CampaignPlan(
        campaign_id=campaign_id,
        name=f"{channel.name.title()} {rng.choice(('spring', 'brand', 'retargeting', 'launch', 'loyalty'))}",
        channel=channel,
        currency=currency,
        budget_micros=int(rng.lognormvariate(22.0, 1.0)),  # median 3,600 units
        weight=rng.lognormvariate(0, 0.8),
        quality=rng.lognormvariate(0, 0.4),
    )


def _shares(options: WorldOptions, count: int) -> list[float]:
    weights = [(rank + 1) ** -options.zipf for rank in range(count)]
    if options.top_share is None or count == 1:
        return [weight / sum(weights) for weight in weights]
    rest = sum(weights[1:])
    return [options.top_share, *((1 - options.top_share) * weight / rest for weight in weights[1:])]
