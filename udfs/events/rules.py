"""The validation rules of the data contract.

A record is a decoded Avro event: nested dicts, times in UTC ms, money in micros. The rules trust the schema for the
types and judge the values only. A missing value breaks the rule about being there and no other: an empty tenant id is
missing and not invalid as well, an event time of 0 is missing and not too old as well.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from udfs.events.envelope import EventType
from udfs.events.reasons import Reason, in_order

Record = Mapping[str, Any]

LATEST_AHEAD_MS = 5 * 60 * 1000
OLDEST_BEHIND_MS = 90 * 24 * 60 * 60 * 1000

# Micros, or a count. Sums are 64-bit integers, which pass their end without a word: 922 events at this limit still fit
# into one sum. Real figures are nowhere near: in dong or rupiah, the most micros for the least money, the limit is
# several hundred thousand US dollars in a single event. A tenth of it would refuse sound budgets in these currencies.
LARGEST_METRIC = 10**16

_LONGEST_TENANT_ID = 64
_TENANT_ID = re.compile(r"[A-Za-z0-9._-]+")
_CURRENCY = re.compile(r"[A-Z]+")
_CURRENCY_LENGTH = 3


def check(event_type: EventType, record: Record, append_time_ms: int, key: str | None = None) -> tuple[Reason, ...]:
    """Every rule that the event breaks, each once and in the order of Reason; empty for a valid event.

    `event_type` is the type that the record's schema stands for, `append_time_ms` the broker's append time, `key` the
    message's key, which names the tenant whose event it is; without one the record's own tenant id stands.
    """
    found: list[Reason] = []
    _check_envelope(event_type, record["envelope"], append_time_ms, key, found)
    _CHECKS[event_type](record, append_time_ms, found)
    return in_order(found) if found else ()


def is_tenant_id(text: str) -> bool:
    """Whether the text can be a tenant id."""
    # The length goes first: it keeps what the cache holds small.
    return len(text) <= _LONGEST_TENANT_ID and _matches_tenant_id(text)


def is_currency(text: str) -> bool:
    """Whether the text has the form of an ISO 4217 code."""
    return len(text) == _CURRENCY_LENGTH and _matches_currency(text)


@lru_cache(maxsize=4096)  # tenants repeat; a look-up costs a third of the match
def _matches_tenant_id(text: str) -> bool:
    return _TENANT_ID.fullmatch(text) is not None


@lru_cache(maxsize=512)  # there are about 180 currencies
def _matches_currency(text: str) -> bool:
    return _CURRENCY.fullmatch(text) is not None


def _check_envelope(
    event_type: EventType, envelope: Record, append_time_ms: int, key: str | None, found: list[Reason]
) -> None:
    if not envelope["event_id"]:
        found.append(Reason.MISSING_EVENT_ID)
    tenant_id = envelope["tenant_id"]
    if not tenant_id:
        found.append(Reason.MISSING_TENANT_ID)
    elif not is_tenant_id(tenant_id):
        found.append(Reason.INVALID_TENANT_ID)
    elif tenant_id != key and key:
        found.append(Reason.TENANT_MISMATCH)
    stated_type = envelope["event_type"]
    if not stated_type:
        found.append(Reason.MISSING_EVENT_TYPE)
    elif stated_type != event_type:
        found.append(Reason.UNKNOWN_EVENT_TYPE)
    event_time = envelope["event_time"]
    _check_present_time(event_time, append_time_ms, found)
    if 0 < event_time < append_time_ms - OLDEST_BEHIND_MS:
        found.append(Reason.EVENT_TIME_TOO_OLD)


def _check_present_time(time_ms: int, append_time_ms: int, found: list[Reason]) -> None:
    if time_ms <= 0:
        found.append(Reason.MISSING_EVENT_TIME)
    elif time_ms > append_time_ms + LATEST_AHEAD_MS:
        found.append(Reason.EVENT_TIME_IN_FUTURE)


def _check_campaign(record: Record, append_time_ms: int, found: list[Reason]) -> None:  # noqa: ARG001 - one shape for all
    if not record["campaign"]["campaign_id"]:
        found.append(Reason.MISSING_CAMPAIGN_ID)
    metrics = record["metrics"]
    impressions, clicks, conversions = metrics["impressions"], metrics["clicks"], metrics["conversions"]
    cost, revenue = metrics["cost_micros"], metrics["revenue_micros"]
    if impressions < 0 or clicks < 0 or conversions < 0 or cost < 0 or revenue < 0:
        found.append(Reason.NEGATIVE_METRIC)
    most = LARGEST_METRIC
    if impressions > most or clicks > most or conversions > most or cost > most or revenue > most:
        found.append(Reason.METRIC_OUT_OF_RANGE)
    if not is_currency(metrics["currency"]):
        found.append(Reason.INVALID_CURRENCY)
    # An increment stands alone: a click may come in another event than its impression.
    if metrics["kind"] == "report":
        if clicks > impressions:
            found.append(Reason.CLICKS_EXCEED_IMPRESSIONS)
        if conversions > clicks:
            found.append(Reason.CONVERSIONS_EXCEED_CLICKS)


def _check_launch(record: Record, append_time_ms: int, found: list[Reason]) -> None:
    _check_campaign(record, append_time_ms, found)
    _check_budget(record["budget_micros"], found)


def _check_optimization(record: Record, append_time_ms: int, found: list[Reason]) -> None:
    _check_campaign(record, append_time_ms, found)
    budget = record["changes"]["budget_allocation_micros"]
    if budget is not None:
        _check_budget(budget, found)


def _check_budget(budget_micros: int, found: list[Reason]) -> None:
    if budget_micros < 0:
        found.append(Reason.NEGATIVE_METRIC)
    elif budget_micros > LARGEST_METRIC:
        found.append(Reason.METRIC_OUT_OF_RANGE)


def _check_journey(record: Record, append_time_ms: int, found: list[Reason]) -> None:  # noqa: ARG001 - one shape for all
    if not record["journey"]["customer_id"]:
        found.append(Reason.MISSING_CUSTOMER_ID)


def _check_touchpoint(record: Record, append_time_ms: int, found: list[Reason]) -> None:
    _check_journey(record, append_time_ms, found)
    touchpoint = record["touchpoint"]
    if not touchpoint["channel"]:
        found.append(Reason.MISSING_CHANNEL)
    _check_present_time(touchpoint["interaction_time"], append_time_ms, found)


def _check_conversion(record: Record, append_time_ms: int, found: list[Reason]) -> None:
    _check_journey(record, append_time_ms, found)
    conversion = record["conversion"]
    if not is_currency(conversion["currency"]):
        found.append(Reason.INVALID_CURRENCY)
    value = conversion["value_micros"]
    if value < 0:
        found.append(Reason.NEGATIVE_VALUE)
    elif value > LARGEST_METRIC:
        found.append(Reason.METRIC_OUT_OF_RANGE)
    if conversion["kind"] != "conversion" and not conversion["original_event_id"]:
        found.append(Reason.MISSING_ORIGINAL_EVENT_ID)


def _check_personalization(record: Record, append_time_ms: int, found: list[Reason]) -> None:  # noqa: ARG001 - one shape for all
    if not record["customer_id"]:
        found.append(Reason.MISSING_CUSTOMER_ID)
    most = LARGEST_METRIC
    for variant in record["variants"]:
        views, clicks, conversions = variant["views"], variant["clicks"], variant["conversions"]
        if views < 0 or clicks < 0 or conversions < 0:
            found.append(Reason.NEGATIVE_METRIC)
        if views > most or clicks > most or conversions > most:
            found.append(Reason.METRIC_OUT_OF_RANGE)


_CHECKS: Mapping[EventType, Callable[[Record, int, list[Reason]], None]] = {
    EventType.CAMPAIGN_LAUNCH: _check_launch,
    EventType.CAMPAIGN_OPTIMIZATION: _check_optimization,
    EventType.CAMPAIGN_TERMINATION: _check_campaign,
    EventType.JOURNEY_START: _check_journey,
    EventType.TOUCHPOINT_INTERACTION: _check_touchpoint,
    EventType.CONVERSION_EVENT: _check_conversion,
    EventType.JOURNEY_STAGE_CHANGE: _check_journey,
    EventType.PERSONALIZATION_TRIGGER: _check_personalization,
    EventType.CONTENT_OPTIMIZATION: _check_personalization,
    EventType.SEGMENT_UPDATE: _check_personalization,
}
