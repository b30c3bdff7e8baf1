"""Records that decode and break a rule, one generator a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.world.campaigns import increment, optimization, report
from bench.world.channels import CHANNELS
from bench.world.edge_cases import DAY_MS
from bench.world.personalization import personalization
from bench.world.records import NAMES, Draft, Record, conversion

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from bench.world.customers import Customer
    from bench.world.journeys import JourneyMaker

_OTHER_TENANTS = ("tenant-01", "tenant-02", "tenant-03", "somebody-else")
# The most that the data contract allows; stated again, so that this and the rules cannot be wrong together.
_LARGEST_METRIC = 10**16


class Specimens:
    """Sound events of a tenant that belong to no journey of the world, to be broken or repeated."""

    def __init__(self, maker: JourneyMaker) -> None:
        """Use the tenant and the random numbers of `maker`."""
        self.maker = maker
        self.rng: Random = maker.rng

    def of_type(self, event_type: str) -> Draft:
        """A sound event of this type, of campaign_launch and campaign_termination as campaign_optimization."""
        if event_type in NAMES["campaign"]:
            return self.campaign("increment")
        if event_type in NAMES["personalization"]:
            return personalization(self.maker.tenant, self.rng, event_type)
        if event_type == "journey_start":
            return self.maker.start(self._customer(), self.maker.tenant.next_id("j"), CHANNELS[0])
        return self.conversion() if event_type == "conversion_event" else self.touch()

    def any(self) -> Draft:
        """A sound event of a random type."""
        types = ("campaign_optimization", "touchpoint_interaction", "conversion_event", "content_optimization")
        return self.of_type(self.rng.choice(types))

    def campaign(self, kind: str) -> Draft:
        """A campaign_optimization with a report or an increment."""
        tenant = self.maker.tenant
        plan = self.rng.choice(tenant.campaigns)
        numbers = report(plan, self.rng) if kind == "report" else increment(plan, tenant.mean_value_micros, self.rng)
        return optimization(tenant, plan, numbers, self.rng)

    def touch(self) -> Draft:
        """A touchpoint_interaction."""
        journey_id = self.maker.tenant.next_id("j")
        return self.maker.touch(self._customer(), journey_id, "intent", self.rng.choice(CHANNELS))

    def conversion(self, kind: str = "conversion", original_event_id: str | None = None) -> Draft:
        """A conversion_event."""
        tenant = self.maker.tenant
        value = conversion(tenant.mean_value_micros, tenant.currency, kind=kind, original_event_id=original_event_id)
        return self.maker.convert(self._customer(), tenant.next_id("j"), value)

    def _customer(self) -> Customer:
        return self.rng.choice(self.maker.tenant.customers)


def invalid(fault: str, specimens: Specimens) -> Draft:
    """An event that breaks the rule `fault`. Raises KeyError for a fault that is not one of records."""
    draft = _BREAKERS[fault](specimens)
    draft.fault = fault
    return draft


def too_large(specimens: Specimens, size: int) -> Draft:
    """A sound event whose metadata alone has `size` bytes."""
    draft = specimens.touch()
    _body(draft)["envelope"]["metadata"] = {"note": "x" * size}
    draft.fault = "too_large"
    return draft


def _body(draft: Draft) -> Record:
    if draft.record is None:
        raise ValueError("the draft carries no record")
    return draft.record


def _envelope(specimens: Specimens, **changes: object) -> Draft:
    draft = specimens.any()
    _body(draft)["envelope"] |= changes
    return draft


def _metrics(specimens: Specimens, kind: str, **changes: object) -> Draft:
    draft = specimens.campaign(kind)
    _body(draft)["metrics"] |= changes
    return draft


def _at(specimens: Specimens, shift_ms: int) -> Draft:
    draft = specimens.any()
    draft.from_created, draft.shift_ms = True, shift_ms
    return draft


def _invalid_tenant_id(specimens: Specimens) -> Draft:
    return _envelope(specimens, tenant_id=specimens.rng.choice(("two words", "a/b", "ténant", "t" * 65, "semi;colon")))


def _tenant_mismatch(specimens: Specimens) -> Draft:
    own = specimens.maker.tenant.tenant_id
    # The tenants of a world are numbered by default: most of the time the one that is named is a neighbour.
    return _envelope(specimens, tenant_id=specimens.rng.choice([name for name in _OTHER_TENANTS if name != own]))


def _unknown_event_type(specimens: Specimens) -> Draft:
    # The name of another record is as unknown to this one as a name that does not exist.
    return _envelope(specimens, event_type=specimens.rng.choice(("page_view", "CampaignLaunch", "campaign_launch")))


def _missing_customer_id(specimens: Specimens) -> Draft:
    if specimens.rng.random() < 0.5:
        draft = specimens.touch()
        _body(draft)["journey"]["customer_id"] = ""
    else:
        draft = personalization(specimens.maker.tenant, specimens.rng)
        _body(draft)["customer_id"] = ""
    return draft


def _missing_campaign_id(specimens: Specimens) -> Draft:
    draft = specimens.campaign("increment")
    _body(draft)["campaign"]["campaign_id"] = ""
    return draft


def _missing_channel(specimens: Specimens) -> Draft:
    draft = specimens.touch()
    _body(draft)["touchpoint"]["channel"] = ""
    return draft


def _invalid_currency(specimens: Specimens) -> Draft:
    currency = specimens.rng.choice(("", "eur", "EURO", "E1R", "EU", "€UR"))
    if specimens.rng.random() < 0.5:
        return _metrics(specimens, "increment", currency=currency)
    draft = specimens.conversion()
    _body(draft)["conversion"]["currency"] = currency
    return draft


def _number(specimens: Specimens, value: int) -> Draft:
    """An event with `value` for one of its metrics."""
    of_metrics = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")
    name = specimens.rng.choice((*of_metrics, "new budget", "views", "variant clicks"))
    if name in {"views", "variant clicks"}:
        draft = personalization(specimens.maker.tenant, specimens.rng)
        _body(draft)["variants"][-1][name.removeprefix("variant ")] = value
        return draft
    if name == "new budget":
        draft = specimens.campaign("increment")
        _body(draft)["changes"] |= {"budget_allocation_micros": value}
        return draft
    return _metrics(specimens, "increment", **{name: value})


def _metric_out_of_range(specimens: Specimens) -> Draft:
    value = specimens.rng.choice((_LARGEST_METRIC + 1, 1 << 60, (1 << 63) - 1))
    if specimens.rng.random() < 0.8:
        return _number(specimens, value)
    draft = specimens.conversion()
    _body(draft)["conversion"]["value_micros"] = value
    return draft


def _negative_value(specimens: Specimens) -> Draft:
    draft = specimens.conversion()
    _body(draft)["conversion"]["value_micros"] = -1
    return draft


def _missing_original(specimens: Specimens) -> Draft:
    return specimens.conversion(specimens.rng.choice(("refund", "cancellation")), specimens.rng.choice((None, "")))


def _several_reasons(specimens: Specimens) -> Draft:
    kind = specimens.rng.randrange(3)
    if kind == 0:
        draft = specimens.touch()
        _body(draft)["touchpoint"]["channel"] = ""
        _body(draft)["journey"]["customer_id"] = ""
        _body(draft)["envelope"] |= {"event_id": "", "event_time": 0}
        return draft
    if kind == 1:
        return _metrics(specimens, "report", impressions=1, clicks=2, conversions=3, currency="x", cost_micros=-5)
    draft = specimens.conversion("refund")
    _body(draft)["conversion"] |= {"value_micros": -7, "currency": ""}
    return draft


_BREAKERS: dict[str, Callable[[Specimens], Draft]] = {
    "missing_event_id": lambda specimens: _envelope(specimens, event_id=""),
    "missing_tenant_id": lambda specimens: _envelope(specimens, tenant_id=""),
    "invalid_tenant_id": _invalid_tenant_id,
    "tenant_mismatch": _tenant_mismatch,
    "missing_event_type": lambda specimens: _envelope(specimens, event_type=""),
    "unknown_event_type": _unknown_event_type,
    "missing_event_time": lambda specimens: _envelope(specimens, event_time=specimens.rng.choice((0, -1))),
    # Far from the limits (5 minutes, 90 days), so that the time a message spends on the way cannot decide.
    "event_time_in_future": lambda specimens: _at(specimens, specimens.rng.randint(2, 300) * DAY_MS),
    "event_time_too_old": lambda specimens: _at(specimens, -specimens.rng.randint(92, 3000) * DAY_MS),
    "missing_customer_id": _missing_customer_id,
    "missing_campaign_id": _missing_campaign_id,
    "missing_channel": _missing_channel,
    "invalid_currency": _invalid_currency,
    "negative_metric": lambda specimens: _number(specimens, -1),
    "metric_out_of_range": _metric_out_of_range,
    "clicks_exceed_impressions": lambda specimens: _metrics(
        specimens, "report", impressions=10, clicks=11, conversions=1
    ),
    "conversions_exceed_clicks": lambda specimens: _metrics(
        specimens, "report", impressions=10, clicks=2, conversions=3
    ),
    "negative_value": _negative_value,
    "missing_original_event_id": _missing_original,
    "several_reasons": _several_reasons,
}
