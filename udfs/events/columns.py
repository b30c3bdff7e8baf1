"""From an event record to flat columns: one value a column, empty text or 0 where a type has none.

A record is a decoded Avro event: nested dicts, times in UTC ms, money in micros. Facts of journey events are JSON
arrays of fixed positions, because one text travels through the stream unharmed and cheaply.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import orjson

from udfs.events.envelope import EventType

Record = Mapping[str, Any]
Columns = tuple[str | int, ...]

EVENT_COLUMNS = (
    *("tenant_id", "event_id", "event_type", "event_time", "created_at", "source_platform"),
    *("customer_id", "journey_id", "campaign_id", "channel", "kind"),
    *("impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "value_micros", "currency"),
)
NO_EVENT: Columns = ("", "", "", 0, 0, "", "", "", "", "", "", 0, 0, 0, 0, 0, 0, "")
"""The columns of a message of which nothing is known."""

_envelope_columns = itemgetter(*EVENT_COLUMNS[:6])
_counts_and_money = itemgetter("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")
_NO_COUNTS_NOR_MONEY = (0, 0, 0, 0, 0)


def event_columns(event_type: EventType, record: Record) -> Columns:
    """The values of EVENT_COLUMNS for a record of the schema that stands for `event_type`."""
    return _COLUMNS[event_type](record)


def journey_fact(event_type: EventType, record: Record) -> str | None:
    """What journeys and attribution need of an event, as a JSON array in one line; None outside the journey family.

    [kind, tenant_id, customer_id, journey_id, stage, event_id, time_ms, created_at, consent_bits], then by kind:
    `s` journey start or stage change: nothing more; `t` touch (its time is the interaction time): channel, campaign_id,
    creative_id, source (empty for null), interaction_type; `c` conversion: conversion_type, value_micros, currency,
    weight or null; `r` refund and `x` cancellation: original_event_id, value_micros. Consent bits: 1 marketing, 2
    analytics, 4 personalization.
    """
    make = _FACTS.get(event_type)
    return None if make is None else orjson.dumps(make(record)).decode()


def _campaign_columns(record: Record) -> Columns:
    campaign, metrics = record["campaign"], record["metrics"]
    return (
        *_envelope_columns(record["envelope"]),
        "",
        "",
        campaign["campaign_id"],
        campaign["channel"],
        metrics["kind"],
        *_counts_and_money(metrics),
        0,
        metrics["currency"],
    )


def _journey_columns(record: Record) -> Columns:
    journey = record["journey"]
    return (
        *_envelope_columns(record["envelope"]),
        journey["customer_id"],
        journey["journey_id"],
        "",
        "",
        "",
        *_NO_COUNTS_NOR_MONEY,
        0,
        "",
    )


def _touchpoint_columns(record: Record) -> Columns:
    journey, touchpoint = record["journey"], record["touchpoint"]
    return (
        *_envelope_columns(record["envelope"]),
        journey["customer_id"],
        journey["journey_id"],
        touchpoint["campaign_id"] or "",
        touchpoint["channel"],
        "",
        *_NO_COUNTS_NOR_MONEY,
        0,
        "",
    )


def _conversion_columns(record: Record) -> Columns:
    journey, conversion = record["journey"], record["conversion"]
    return (
        *_envelope_columns(record["envelope"]),
        journey["customer_id"],
        journey["journey_id"],
        "",
        "",
        conversion["kind"],
        *_NO_COUNTS_NOR_MONEY,
        conversion["value_micros"],
        conversion["currency"],
    )


def _personalization_columns(record: Record) -> Columns:
    return (
        *_envelope_columns(record["envelope"]),
        record["customer_id"],
        "",
        "",
        "",
        "",
        *_NO_COUNTS_NOR_MONEY,
        0,
        "",
    )


_COLUMNS: Mapping[EventType, Callable[[Record], Columns]] = {
    EventType.CAMPAIGN_LAUNCH: _campaign_columns,
    EventType.CAMPAIGN_OPTIMIZATION: _campaign_columns,
    EventType.CAMPAIGN_TERMINATION: _campaign_columns,
    EventType.JOURNEY_START: _journey_columns,
    EventType.TOUCHPOINT_INTERACTION: _touchpoint_columns,
    EventType.CONVERSION_EVENT: _conversion_columns,
    EventType.JOURNEY_STAGE_CHANGE: _journey_columns,
    EventType.PERSONALIZATION_TRIGGER: _personalization_columns,
    EventType.CONTENT_OPTIMIZATION: _personalization_columns,
    EventType.SEGMENT_UPDATE: _personalization_columns,
}


def _fact_head(kind: str, record: Record, time_ms: int) -> tuple[Any, ...]:
    envelope, journey = record["envelope"], record["journey"]
    consent = envelope["consent"]
    return (
        kind,
        envelope["tenant_id"],
        journey["customer_id"],
        journey["journey_id"],
        journey["stage"],
        envelope["event_id"],
        time_ms,
        envelope["created_at"],
        consent["marketing"] | consent["analytics"] << 1 | consent["personalization"] << 2,
    )


def _stage_fact(record: Record) -> tuple[Any, ...]:
    return _fact_head("s", record, record["envelope"]["event_time"])


def _touch_fact(record: Record) -> tuple[Any, ...]:
    touchpoint = record["touchpoint"]
    return (
        *_fact_head("t", record, touchpoint["interaction_time"]),
        touchpoint["channel"],
        touchpoint["campaign_id"] or "",
        touchpoint["creative_id"] or "",
        touchpoint["source"] or "",
        touchpoint["interaction_type"],
    )


_CONVERSION_FACT_KINDS = {"conversion": "c", "refund": "r", "cancellation": "x"}


def _conversion_fact(record: Record) -> tuple[Any, ...]:
    conversion = record["conversion"]
    kind = _CONVERSION_FACT_KINDS[conversion["kind"]]
    head = _fact_head(kind, record, record["envelope"]["event_time"])
    if kind == "c":
        weight = conversion["weight"]
        return (*head, conversion["conversion_type"], conversion["value_micros"], conversion["currency"], weight)
    return (*head, conversion["original_event_id"], conversion["value_micros"])


_FACTS: Mapping[EventType, Callable[[Record], tuple[Any, ...]]] = {
    EventType.JOURNEY_START: _stage_fact,
    EventType.JOURNEY_STAGE_CHANGE: _stage_fact,
    EventType.TOUCHPOINT_INTERACTION: _touch_fact,
    EventType.CONVERSION_EVENT: _conversion_fact,
}
