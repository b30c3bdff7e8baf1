"""Journeys: how a customer comes to convert, or does not."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from bench.world.channels import CHANNELS, SEEKING_AT_START, SEEKING_SHARE, Channel
from bench.world.records import Draft, Record, conversion, touchpoint

if TYPE_CHECKING:
    from random import Random

    from bench.world.customers import Customer
    from bench.world.tenants import Tenant
    from bench.world.truth import Truth

STAGES = ("awareness", "consideration", "intent", "purchase", "retention", "advocacy")
# Path lengths: lognormal with median 4 and mean 5, as in published path reports most are short and a few very long.
_LENGTH_MU, _LENGTH_SIGMA, _LONGEST_PATH = 1.386, 0.67, 40
_TOUCHLESS_SHARE = 0.01
_BROWSING = list(accumulate(channel.browsing for channel in CHANNELS))
_SEEKING = list(accumulate(channel.seeking for channel in CHANNELS))
_STAGE_CHANGE_SHARE = 0.3
_REFUND_SHARE, _CANCELLATION_SHARE, _SECOND_CONVERSION_SHARE, _LATER_TOUCH_SHARE = 0.06, 0.02, 0.08, 0.2


@dataclass(slots=True)
class Step:
    """One event of a journey, and the pause before it relative to the usual one."""

    draft: Draft
    pause: float


class JourneyMaker:
    """Makes the journeys of one tenant and tells `truth` what caused their conversions."""

    def __init__(
        self,
        tenant: Tenant,
        truth: Truth,
        *,
        v2_share: float,
        anonymous_share: float,
        opt_out_share: float,
        rng: Random,
    ) -> None:
        """`v2_share` of the touchpoints use schema version 2, `anonymous_share` carry a device id as customer id, and
        `opt_out_share` of the journeys end with a consent taken back.
        """
        self.tenant = tenant
        self.rng = rng
        self._truth = truth
        self._v2_share = v2_share
        self._anonymous_share = anonymous_share
        self._opt_out_share = opt_out_share
        self._campaigns = {
            channel.name: [plan for plan in tenant.campaigns if plan.channel is channel] for channel in CHANNELS
        }

    def journey(self) -> list[Step]:
        """A whole journey in the order of its events."""
        rng, tenant = self.rng, self.tenant
        customer = rng.choice(tenant.customers)
        journey_id = tenant.next_id("j")
        path = [] if rng.random() < _TOUCHLESS_SHARE else channels_met(rng)
        chance = self._truth.conversion_chance(tenant, [channel.name for channel in path])
        converts = rng.random() < chance
        steps = [Step(self.start(customer, journey_id, path[0] if path else None), 0.0)]
        stage = STAGES[0]
        for at, channel in zip(positions(len(path)), path, strict=True):
            reached = STAGES[min(2, int(at * 3))]
            if reached != stage and rng.random() < _STAGE_CHANGE_SHARE:
                steps.append(Step(self._stage_change(customer, journey_id, stage, reached), rng.random()))
            stage = reached
            steps.append(Step(self.touch(customer, journey_id, stage, channel), rng.lognormvariate(-0.5, 1.0)))
        value = order_value_micros(tenant.mean_value_micros, rng) if converts else 0
        self._truth.count(tenant, [channel.name for channel in path], value_micros=value, converted=converts)
        if converts:
            steps += self._purchase(customer, journey_id, value)
        if self._opt_out_share and rng.random() < self._opt_out_share:
            steps.append(Step(self.refusal(customer, journey_id, stage), 1.0))
        return steps

    def start(self, customer: Customer, journey_id: str, channel: Channel | None) -> Draft:
        """A journey_start event; `channel` is the first one met, if any."""
        rng = self.rng
        plans = self._campaigns[channel.name] if channel else []
        device = rng.randrange(len(customer.devices))
        record = {
            "envelope": self.tenant.envelope("journey_start", "posthog", customer, device),
            "journey": journey_record(customer.known_as(device), journey_id, STAGES[0]),
            "entry_point": {
                "source": rng.choice(channel.platforms) if channel else None,
                "medium": channel.name if channel else None,
                "campaign": rng.choice(plans).campaign_id if plans else None,
                "content": None,
                "term": "running shoes" if channel and channel.name == "search" else None,
            },
            "context": {
                "device_type": customer.devices[device].device_type,
                "location": customer.geo,
                "referral_source": None,
            },
        }
        return Draft(self.tenant.tenant_id, "journey_start", record)

    def touch(self, customer: Customer, journey_id: str, stage: str, channel: Channel) -> Draft:
        """A touchpoint_interaction event, of schema version 1 or 2."""
        rng = self.rng
        device = rng.randrange(len(customer.devices))
        plans = self._campaigns[channel.name]
        plan = rng.choice(plans) if plans else None
        platform = rng.choice(channel.platforms)
        customer_id = customer.known_as(device)
        if self._anonymous_share and rng.random() < self._anonymous_share:
            customer_id = customer.devices[device].device_id
        record: Record = {
            "envelope": self.tenant.envelope("touchpoint_interaction", platform, customer, device),
            "journey": journey_record(customer_id, journey_id, stage),
            "touchpoint": touchpoint(
                channel.name,
                rng.choice(channel.interactions),
                plan.campaign_id if plan else None,
                f"{plan.campaign_id}/cr-{rng.randint(1, 3)}" if plan else None,
                None if channel.name == "direct" else platform,
            ),
        }
        version = 2 if rng.random() < self._v2_share else 1
        if version > 1:
            record["session_id"] = f"s-{rng.getrandbits(32):08x}" if rng.random() < 0.9 else None
        return Draft(self.tenant.tenant_id, "touchpoint_interaction", record, version)

    def convert(self, customer: Customer, journey_id: str, converted: Record) -> Draft:
        """A conversion_event with this Conversion record."""
        record = {
            "envelope": self.tenant.envelope("conversion_event", "shop", customer),
            "journey": journey_record(customer.customer_id, journey_id, "purchase"),
            "conversion": converted,
        }
        return Draft(self.tenant.tenant_id, "conversion_event", record)

    def _stage_change(self, customer: Customer, journey_id: str, previous: str | None, stage: str) -> Draft:
        record = {
            "envelope": self.tenant.envelope("journey_stage_change", "crm", customer),
            "journey": journey_record(customer.customer_id, journey_id, stage),
            "previous_stage": previous,
            "reason": self.rng.choice((None, "score threshold", "sales call")),
        }
        return Draft(self.tenant.tenant_id, "journey_stage_change", record)

    def refusal(self, customer: Customer, journey_id: str, stage: str) -> Draft:
        """An event that says that the customer consents to nothing, or no longer."""
        draft = self._stage_change(customer, journey_id, stage, stage)
        refused = {"marketing": False, "analytics": False, "personalization": False}
        (draft.record or {})["envelope"]["consent"] = refused
        return draft

    def _purchase(self, customer: Customer, journey_id: str, value: int) -> list[Step]:
        """The conversion, and what may follow it: a change of stage, touches, another conversion, a refund or a
        cancellation.
        """
        rng, currency = self.rng, self.tenant.currency
        kind = "signup" if value == 0 else "purchase"
        won = self.convert(customer, journey_id, conversion(value, currency, conversion_type=kind))
        steps = [Step(won, rng.random())]
        if rng.random() < _STAGE_CHANGE_SHARE:
            steps.append(Step(self._stage_change(customer, journey_id, "intent", "purchase"), 0.1))
        if rng.random() < _LATER_TOUCH_SHARE:
            steps.append(Step(self.touch(customer, journey_id, "retention", _channel(rng, 0.5)), rng.random()))
        if rng.random() < _SECOND_CONVERSION_SHARE:
            again = conversion(order_value_micros(self.tenant.mean_value_micros, rng), currency)
            steps.append(Step(self.convert(customer, journey_id, again), 1.0))
        taken_back = rng.random()
        if taken_back < _REFUND_SHARE + _CANCELLATION_SHARE and won.record and value:
            cancelled = taken_back < _CANCELLATION_SHARE
            back = conversion(
                value if cancelled or rng.random() < 0.3 else rng.randrange(1, value + 1),
                currency,
                kind="cancellation" if cancelled else "refund",
                original_event_id=won.record["envelope"]["event_id"],
            )
            steps.append(Step(self.convert(customer, journey_id, back), 2.0))
        return steps


def journey_record(customer_id: str, journey_id: str, stage: str) -> Record:
    """A Journey record."""
    return {"customer_id": customer_id, "journey_id": journey_id, "stage": stage}


def channels_met(rng: Random) -> list[Channel]:
    """The channels of a journey that has touches. Who seeks something meets more and more of the seekers' channels."""
    seeking = rng.random() < SEEKING_SHARE
    return [
        _channel(rng, SEEKING_AT_START + (1 - SEEKING_AT_START) * at if seeking else 0.0)
        for at in positions(path_length(rng))
    ]


def _channel(rng: Random, seeking: float) -> Channel:
    """A channel that is met, with the probability `seeking` as by those who seek."""
    table = _SEEKING if rng.random() < seeking else _BROWSING
    return CHANNELS[min(bisect(table, rng.random() * table[-1]), len(CHANNELS) - 1)]


def path_length(rng: Random) -> int:
    """Number of touches of a journey that has any."""
    return min(_LONGEST_PATH, max(1, round(rng.lognormvariate(_LENGTH_MU, _LENGTH_SIGMA))))


def positions(length: int) -> list[float]:
    """Relative positions of the touches of a path: 0 for the first, 1 for the last."""
    return [at / (length - 1) if length > 1 else 1.0 for at in range(length)]


def order_value_micros(mean_micros: int, rng: Random) -> int:
    """Value of a conversion: mostly whole cents, sometimes what a currency conversion leaves, sometimes nothing."""
    value = int(mean_micros * rng.lognormvariate(-0.18, 0.6))
    kind = rng.random()
    if kind < 0.05:
        return 0
    return value if kind < 0.25 else value // 10_000 * 10_000
