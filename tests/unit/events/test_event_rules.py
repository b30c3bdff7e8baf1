"""Every validation rule: an event that breaks it, one that just does not, and nothing else reported."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.codec import subject_of
from tests.unit.events.sample_events import APPENDED_MS, REGISTRY, changed, event, types_of, values
from udfs.events.envelope import EventType, Family
from udfs.events.reasons import Reason, in_order
from udfs.events.rules import LARGEST_METRIC, check

MINUTES_5 = 300_000
DAYS_90 = 7_776_000_000
LARGEST = 10_000_000_000_000_000

FRAMING = {Reason.EMPTY, Reason.TOO_LARGE, Reason.BAD_MAGIC, Reason.UNKNOWN_SCHEMA_ID, Reason.UNDECODABLE}

ALL = list(EventType)
CAMPAIGN = types_of(Family.CAMPAIGN)
JOURNEY = types_of(Family.JOURNEY)
PERSONALIZATION = types_of(Family.PERSONALIZATION)
TOUCH, CONVERSION = EventType.TOUCHPOINT_INTERACTION, EventType.CONVERSION_EVENT

# Types that the rule is for, the value's path, values that break the rule, values that just do not.
RULES: list[tuple[Reason, list[EventType], str, list[Any], list[Any]]] = [
    (Reason.MISSING_EVENT_ID, ALL, "envelope.event_id", [""], [" ", "x"]),
    (Reason.MISSING_TENANT_ID, ALL, "envelope.tenant_id", [""], ["a"]),
    (
        Reason.INVALID_TENANT_ID,
        ALL,
        "envelope.tenant_id",
        ["a" * 65, "a b", "a/b", " a", "a\n", "ténant", "a:b", "٣"],
        ["a" * 64, "A.b_c-9", ".", "0"],
    ),
    (Reason.MISSING_EVENT_TYPE, ALL, "envelope.event_type", [""], []),
    (Reason.UNKNOWN_EVENT_TYPE, ALL, "envelope.event_type", ["page_view", "CampaignLaunch", " "], []),
    (Reason.MISSING_EVENT_TIME, ALL, "envelope.event_time", [0, -1, -(2**63)], []),
    (
        Reason.EVENT_TIME_IN_FUTURE,
        ALL,
        "envelope.event_time",
        [APPENDED_MS + MINUTES_5 + 1, 2**63 - 1],
        [APPENDED_MS + MINUTES_5],
    ),
    (
        Reason.EVENT_TIME_TOO_OLD,
        ALL,
        "envelope.event_time",
        [APPENDED_MS - DAYS_90 - 1, 1],
        [APPENDED_MS - DAYS_90],
    ),
    (Reason.MISSING_CUSTOMER_ID, JOURNEY, "journey.customer_id", [""], ["x"]),
    (Reason.MISSING_CUSTOMER_ID, PERSONALIZATION, "customer_id", [""], ["x"]),
    (Reason.MISSING_CAMPAIGN_ID, CAMPAIGN, "campaign.campaign_id", [""], ["x"]),
    (Reason.MISSING_CHANNEL, [TOUCH], "touchpoint.channel", [""], ["direct", "x"]),
    (Reason.MISSING_EVENT_TIME, [TOUCH], "touchpoint.interaction_time", [0, -1], [1, APPENDED_MS - DAYS_90 - 1]),
    (
        Reason.EVENT_TIME_IN_FUTURE,
        [TOUCH],
        "touchpoint.interaction_time",
        [APPENDED_MS + MINUTES_5 + 1],
        [APPENDED_MS + MINUTES_5],
    ),
    (
        Reason.INVALID_CURRENCY,
        CAMPAIGN,
        "metrics.currency",
        ["", "eur", "EU", "EURO", "E1R", "EUR\n", "ÄÖÜ"],
        ["EUR", "XXX"],
    ),
    (Reason.INVALID_CURRENCY, [CONVERSION], "conversion.currency", ["", "eur", "€UR"], ["JPY"]),
    (Reason.NEGATIVE_METRIC, CAMPAIGN, "metrics.conversions", [-1], [0]),
    (Reason.NEGATIVE_METRIC, CAMPAIGN, "metrics.cost_micros", [-1, -(2**63)], [0]),
    (Reason.NEGATIVE_METRIC, CAMPAIGN, "metrics.revenue_micros", [-1], [0]),
    (Reason.NEGATIVE_METRIC, [EventType.CAMPAIGN_LAUNCH], "budget_micros", [-1], [0]),
    (Reason.NEGATIVE_METRIC, [EventType.CAMPAIGN_OPTIMIZATION], "changes.budget_allocation_micros", [-1], [0, None]),
    (Reason.NEGATIVE_METRIC, PERSONALIZATION, "variants.0.views", [-1], [0]),
    (Reason.NEGATIVE_METRIC, PERSONALIZATION, "variants.0.clicks", [-1], [0, 11]),
    (Reason.NEGATIVE_METRIC, PERSONALIZATION, "variants.0.conversions", [-1], [0, 3]),
    (Reason.METRIC_OUT_OF_RANGE, CAMPAIGN, "metrics.impressions", [LARGEST + 1, 2**63 - 1], [LARGEST]),
    (Reason.METRIC_OUT_OF_RANGE, CAMPAIGN, "metrics.cost_micros", [LARGEST + 1], [LARGEST]),
    (Reason.METRIC_OUT_OF_RANGE, CAMPAIGN, "metrics.revenue_micros", [LARGEST + 1], [LARGEST]),
    (Reason.METRIC_OUT_OF_RANGE, [EventType.CAMPAIGN_LAUNCH], "budget_micros", [LARGEST + 1], [LARGEST]),
    (
        Reason.METRIC_OUT_OF_RANGE,
        [EventType.CAMPAIGN_OPTIMIZATION],
        "changes.budget_allocation_micros",
        [LARGEST + 1],
        [LARGEST, None],
    ),
    (Reason.METRIC_OUT_OF_RANGE, PERSONALIZATION, "variants.0.views", [LARGEST + 1], [LARGEST]),
    (Reason.METRIC_OUT_OF_RANGE, PERSONALIZATION, "variants.0.clicks", [LARGEST + 1], [LARGEST]),
    (Reason.METRIC_OUT_OF_RANGE, PERSONALIZATION, "variants.0.conversions", [LARGEST + 1], [LARGEST]),
    (Reason.METRIC_OUT_OF_RANGE, [CONVERSION], "conversion.value_micros", [LARGEST + 1, 2**63 - 1], [LARGEST]),
    (Reason.CLICKS_EXCEED_IMPRESSIONS, CAMPAIGN, "metrics.clicks", [1001], [1000]),
    (Reason.CONVERSIONS_EXCEED_CLICKS, CAMPAIGN, "metrics.conversions", [101], [100]),
    (Reason.NEGATIVE_VALUE, [CONVERSION], "conversion.value_micros", [-1, -(2**63)], [0]),
    (Reason.MISSING_ORIGINAL_EVENT_ID, [CONVERSION], "conversion.kind", ["refund", "cancellation"], ["conversion"]),
]
BROKEN = [(kind, path, value, reason) for reason, kinds, path, broken, _ in RULES for kind in kinds for value in broken]
KEPT = [(kind, path, value) for _, kinds, path, _, kept in RULES for kind in kinds for value in kept]


@pytest.mark.parametrize("kind", EventType)
def test_a_sound_event_breaks_no_rule(kind: EventType) -> None:
    assert check(kind, event(kind), APPENDED_MS) == ()


@pytest.mark.parametrize(("kind", "path", "value", "reason"), BROKEN)
def test_a_broken_rule_is_reported_and_no_other(kind: EventType, path: str, value: Any, reason: Reason) -> None:
    assert check(kind, changed(kind, path, value), APPENDED_MS) == (reason,)


@pytest.mark.parametrize(("kind", "path", "value"), KEPT)
def test_a_value_at_the_limit_is_allowed(kind: EventType, path: str, value: Any) -> None:
    assert check(kind, changed(kind, path, value), APPENDED_MS) == ()


def test_every_reason_against_the_rules_is_tried() -> None:
    # A tenant that does not fit its key has tests of its own: it takes a key.
    assert {reason for reason, *_ in RULES} == set(Reason) - FRAMING - {Reason.TENANT_MISMATCH}


@pytest.mark.parametrize("kind", EventType)
def test_the_tenant_is_that_of_the_key(kind: EventType) -> None:
    assert check(kind, event(kind), APPENDED_MS, "acme") == ()
    for other in ("acm", "ACME", "acme ", " ", "other"):
        assert check(kind, event(kind), APPENDED_MS, other) == (Reason.TENANT_MISMATCH,)


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_the_tenant_stands(key: str | None) -> None:
    assert check(TOUCH, event(TOUCH), APPENDED_MS, key) == ()


@pytest.mark.parametrize(("tenant", "reason"), [("", Reason.MISSING_TENANT_ID), ("a b", Reason.INVALID_TENANT_ID)])
def test_what_is_no_tenant_does_not_differ_from_the_key(tenant: str, reason: Reason) -> None:
    assert check(TOUCH, changed(TOUCH, "envelope.tenant_id", tenant), APPENDED_MS, "acme") == (reason,)


@pytest.mark.parametrize("kind", CAMPAIGN)
@pytest.mark.parametrize("name", ["clicks", "conversions"])
def test_a_count_of_an_increment_has_a_limit(kind: EventType, name: str) -> None:
    record = changed(kind, f"metrics.{name}", LARGEST)
    record["metrics"]["kind"] = "increment"
    assert check(kind, record, APPENDED_MS) == ()
    record["metrics"][name] += 1
    assert check(kind, record, APPENDED_MS) == (Reason.METRIC_OUT_OF_RANGE,)


def test_sums_of_the_largest_metrics_fit() -> None:
    assert LARGEST_METRIC == LARGEST
    assert LARGEST * 922 < 2**63


def test_variants_break_each_rule_once() -> None:
    record = event(EventType.SEGMENT_UPDATE)
    broken = {"views": LARGEST + 1, "clicks": -1, "conversions": 0}
    record["variants"] = [record["variants"][0] | broken for _ in range(3)]
    reasons = (Reason.NEGATIVE_METRIC, Reason.METRIC_OUT_OF_RANGE)
    assert check(EventType.SEGMENT_UPDATE, record, APPENDED_MS) == reasons


@pytest.mark.parametrize("kind", EventType)
def test_the_type_of_another_record_is_unknown_to_this_one(kind: EventType) -> None:
    for other in set(EventType) - {kind}:
        record = changed(kind, "envelope.event_type", other.value)
        assert check(kind, record, APPENDED_MS) == (Reason.UNKNOWN_EVENT_TYPE,)


@pytest.mark.parametrize("kind", CAMPAIGN)
def test_increments_stand_alone(kind: EventType) -> None:
    record = event(kind)
    record["metrics"] |= {"kind": "increment", "impressions": 0, "clicks": 1, "conversions": 2}
    assert check(kind, record, APPENDED_MS) == ()


@pytest.mark.parametrize("name", ["impressions", "clicks"])
def test_a_negative_count_of_an_increment_breaks_one_rule(name: str) -> None:
    record = changed(EventType.CAMPAIGN_TERMINATION, f"metrics.{name}", -1)
    record["metrics"]["kind"] = "increment"
    assert check(EventType.CAMPAIGN_TERMINATION, record, APPENDED_MS) == (Reason.NEGATIVE_METRIC,)


@pytest.mark.parametrize("original", [None, ""])
@pytest.mark.parametrize("kind", ["refund", "cancellation"])
def test_a_refund_names_what_it_takes_back(kind: str, original: str | None) -> None:
    record = event(CONVERSION)
    record["conversion"] |= {"kind": kind, "original_event_id": original}
    assert check(CONVERSION, record, APPENDED_MS) == (Reason.MISSING_ORIGINAL_EVENT_ID,)
    record["conversion"]["original_event_id"] = "e-0"
    assert check(CONVERSION, record, APPENDED_MS) == ()


def test_an_event_carries_every_rule_it_breaks_once_and_in_order() -> None:
    record = event(TOUCH)
    record["envelope"] |= {"event_id": "", "tenant_id": "a b", "event_type": "x", "event_time": 0}
    record["journey"]["customer_id"] = ""
    record["touchpoint"] |= {"channel": "", "interaction_time": 0}
    assert check(TOUCH, record, APPENDED_MS) == (
        Reason.MISSING_EVENT_ID,
        Reason.INVALID_TENANT_ID,
        Reason.UNKNOWN_EVENT_TYPE,
        Reason.MISSING_EVENT_TIME,
        Reason.MISSING_CUSTOMER_ID,
        Reason.MISSING_CHANNEL,
    )


def test_all_rules_of_a_report_at_once() -> None:
    record = event(EventType.CAMPAIGN_LAUNCH)
    record["campaign"]["campaign_id"] = ""
    record["metrics"] |= {"impressions": 1, "clicks": 2, "conversions": 3, "cost_micros": -1, "currency": "x"}
    record["metrics"]["revenue_micros"] = LARGEST + 1
    record["budget_micros"] = -1
    assert check(EventType.CAMPAIGN_LAUNCH, record, APPENDED_MS) == (
        Reason.MISSING_CAMPAIGN_ID,
        Reason.INVALID_CURRENCY,
        Reason.NEGATIVE_METRIC,
        Reason.METRIC_OUT_OF_RANGE,
        Reason.CLICKS_EXCEED_IMPRESSIONS,
        Reason.CONVERSIONS_EXCEED_CLICKS,
    )


any_record = st.sampled_from(EventType).flatmap(
    lambda kind: st.tuples(st.just(kind), values(REGISTRY.latest(subject_of(kind)).definition))
)


@given(any_record, st.integers(-(2**62), 2**62))
def test_any_record_has_an_answer_that_is_in_order(drawn: tuple[EventType, dict[str, Any]], appended: int) -> None:
    kind, record = drawn
    reasons = check(kind, record, appended)
    assert reasons == in_order(reasons)
    assert not FRAMING & set(reasons)


@given(st.text(max_size=70))
def test_a_tenant_id_is_what_the_contract_says(text: str) -> None:
    letters = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    reasons = check(TOUCH, changed(TOUCH, "envelope.tenant_id", text), APPENDED_MS)
    if not text:
        assert reasons == (Reason.MISSING_TENANT_ID,)
    elif len(text) <= 64 and set(text) <= letters:
        assert reasons == ()
    else:
        assert reasons == (Reason.INVALID_TENANT_ID,)
