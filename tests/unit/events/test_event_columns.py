"""From records to columns and journey facts, written out by hand for each type."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.unit.events.sample_events import APPENDED_MS, event, types_of
from udfs.events.columns import EVENT_COLUMNS, NO_EVENT, event_columns, journey_fact
from udfs.events.envelope import EventType, Family

EMPTY = dict(zip(EVENT_COLUMNS, NO_EVENT, strict=True))
ENVELOPE = {
    "tenant_id": "acme",
    "event_id": "e-1",
    "event_time": APPENDED_MS - 1_000,
    "created_at": APPENDED_MS - 500,
    "source_platform": "shop",
}
CAMPAIGN = {
    "campaign_id": "c-1",
    "channel": "social",
    "kind": "report",
    "impressions": 1000,
    "clicks": 100,
    "conversions": 10,
    "cost_micros": 5_000_000,
    "revenue_micros": 20_000_000,
    "currency": "EUR",
}
JOURNEY = {"customer_id": "p-1", "journey_id": "j-1"}
PERSON = {"customer_id": "p-1"}
EXPECTED: dict[EventType, dict[str, Any]] = {
    EventType.CAMPAIGN_LAUNCH: CAMPAIGN,
    EventType.CAMPAIGN_OPTIMIZATION: CAMPAIGN,
    EventType.CAMPAIGN_TERMINATION: CAMPAIGN,
    EventType.JOURNEY_START: JOURNEY,
    EventType.TOUCHPOINT_INTERACTION: JOURNEY | {"campaign_id": "c-1", "channel": "email"},
    EventType.CONVERSION_EVENT: JOURNEY | {"kind": "conversion", "value_micros": 49_990_000, "currency": "EUR"},
    EventType.JOURNEY_STAGE_CHANGE: JOURNEY,
    EventType.PERSONALIZATION_TRIGGER: PERSON,
    EventType.CONTENT_OPTIMIZATION: PERSON,
    EventType.SEGMENT_UPDATE: PERSON,
}


@pytest.mark.parametrize("kind", EventType)
def test_the_columns_of_each_type(kind: EventType) -> None:
    columns = dict(zip(EVENT_COLUMNS, event_columns(kind, event(kind)), strict=True))
    assert columns == EMPTY | ENVELOPE | {"event_type": kind.value} | EXPECTED[kind]


def test_a_touch_without_campaign_has_an_empty_one() -> None:
    record = event(EventType.TOUCHPOINT_INTERACTION)
    record["touchpoint"]["campaign_id"] = None
    assert event_columns(EventType.TOUCHPOINT_INTERACTION, record)[EVENT_COLUMNS.index("campaign_id")] == ""


def test_the_columns_are_in_the_order_of_the_contract() -> None:
    assert " ".join(EVENT_COLUMNS) == (
        "tenant_id event_id event_type event_time created_at source_platform customer_id journey_id campaign_id "
        "channel kind impressions clicks conversions cost_micros revenue_micros value_micros currency"
    )


def fact(kind: EventType, record: dict[str, Any]) -> list[Any]:
    text = journey_fact(kind, record)
    assert text is not None
    assert "\n" not in text
    found = orjson.loads(text)
    assert isinstance(found, list)
    return found


def head(kind: str, time_ms: int = APPENDED_MS - 1_000, stage: str = "intent") -> list[Any]:
    return [kind, "acme", "p-1", "j-1", stage, "e-1", time_ms, APPENDED_MS - 500, 5]


@pytest.mark.parametrize("kind", [EventType.JOURNEY_START, EventType.JOURNEY_STAGE_CHANGE])
def test_a_stage_fact(kind: EventType) -> None:
    assert fact(kind, event(kind)) == head("s")


def test_a_touch_fact_has_the_time_of_the_interaction() -> None:
    record = event(EventType.TOUCHPOINT_INTERACTION)
    start = head("t", APPENDED_MS - 2_000)
    assert fact(EventType.TOUCHPOINT_INTERACTION, record) == [*start, "email", "c-1", "", "newsletter", "click"]
    record["touchpoint"] |= {"campaign_id": None, "creative_id": "k-1", "source": None}
    assert fact(EventType.TOUCHPOINT_INTERACTION, record) == [*start, "email", "", "k-1", "", "click"]


@pytest.mark.parametrize(("weight", "written"), [(None, None), (2.5, 2.5), (float("nan"), None), (float("inf"), None)])
def test_a_conversion_fact(weight: float | None, written: float | None) -> None:
    record = event(EventType.CONVERSION_EVENT)
    record["conversion"]["weight"] = weight
    expected = [*head("c"), "purchase", 49_990_000, "EUR", written]
    assert fact(EventType.CONVERSION_EVENT, record) == expected


@pytest.mark.parametrize(("kind", "letter"), [("refund", "r"), ("cancellation", "x")])
def test_a_refund_fact(kind: str, letter: str) -> None:
    record = event(EventType.CONVERSION_EVENT)
    record["conversion"] |= {"kind": kind, "original_event_id": "e-0"}
    assert fact(EventType.CONVERSION_EVENT, record) == [*head(letter), "e-0", 49_990_000]


@pytest.mark.parametrize("bits", range(8))
def test_consent_is_written_in_bits(bits: int) -> None:
    record = event(EventType.JOURNEY_START)
    flags = {"marketing": bool(bits & 1), "analytics": bool(bits & 2), "personalization": bool(bits & 4)}
    record["envelope"]["consent"] = flags
    assert fact(EventType.JOURNEY_START, record)[8] == bits


@pytest.mark.parametrize("kind", types_of(Family.CAMPAIGN, Family.PERSONALIZATION))
def test_other_families_have_no_fact(kind: EventType) -> None:
    assert journey_fact(kind, event(kind)) is None


def test_a_fact_survives_any_text() -> None:
    record = event(EventType.JOURNEY_START)
    record["journey"]["customer_id"] = 'a|b,"c"\n\x00\u2028\\'
    assert fact(EventType.JOURNEY_START, record)[2] == 'a|b,"c"\n\x00\u2028\\'
