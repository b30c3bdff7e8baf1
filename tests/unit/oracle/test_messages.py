"""Verdicts: which rules a message breaks, which copy of an event is accepted; by hand from the data contract."""

from __future__ import annotations

import hashlib

import pytest

from tests.oracle import Answer
from tests.oracle.messages import RecordFileError
from tests.unit.oracle.hand_written import NOW, campaign, conversion, personalization, poison, touch, write

DAY = 86_400_000


def with_(message, part, **changes):
    message["record"][part] |= changes
    return message


def with_record(message, **parts):
    message["record"] |= parts
    return message


CASES = {
    "valid": (campaign("e1", impressions=1), []),
    "no event id": (campaign(""), ["missing_event_id"]),
    "no tenant": (campaign("e1", tenant=""), ["missing_tenant_id"]),
    "tenant with a space": (campaign("e1", tenant="ac me"), ["invalid_tenant_id"]),
    "tenant of 65 characters": (campaign("e1", tenant="a" * 65), ["invalid_tenant_id"]),
    "tenant of 64 characters": (campaign("e1", tenant="a" * 64), []),
    "tenant with all that is allowed": (campaign("e1", tenant="A.b_c-9"), []),
    "tenant without a key": (campaign("e1", tenant="b") | {"key": None}, []),
    "tenant with an empty key": (campaign("e1", tenant="b") | {"key": ""}, []),
    "tenant of another key": (campaign("e1", tenant="other") | {"key": "acme"}, ["tenant_mismatch"]),
    "key in capital letters": (campaign("e1") | {"key": "ACME"}, ["tenant_mismatch"]),
    "tenant with a line break behind": (campaign("e1", tenant="acme\n"), ["invalid_tenant_id"]),
    "no type": (with_(campaign("e1"), "envelope", event_type=""), ["missing_event_type"]),
    "type of another record": (with_(campaign("e1"), "envelope", event_type="campaign_launch"), ["unknown_event_type"]),
    "time zero": (campaign("e1", 0), ["missing_event_time"]),
    "time below zero": (campaign("e1", -5), ["missing_event_time"]),
    "ten minutes ahead": (campaign("e1", NOW + 600_000), ["event_time_in_future"]),
    "three minutes ahead": (campaign("e1", NOW + 180_000), []),
    "91 days old": (campaign("e1", NOW - 91 * DAY), ["event_time_too_old"]),
    "89 days old": (campaign("e1", NOW - 89 * DAY), []),
    "touch without a customer": (touch("e1", NOW, customer=""), ["missing_customer_id"]),
    "personalization without a customer": (personalization("e1", customer_id=""), ["missing_customer_id"]),
    "no campaign": (with_(campaign("e1"), "campaign", campaign_id=""), ["missing_campaign_id"]),
    "touch without a channel": (touch("e1", NOW, ""), ["missing_channel"]),
    "currency in small letters": (campaign("e1", currency="eur"), ["invalid_currency"]),
    "conversion without a currency": (with_(conversion("e1", NOW, 1), "conversion", currency=""), ["invalid_currency"]),
    "negative cost": (campaign("e1", cost_micros=-1), ["negative_metric"]),
    "negative views": (
        personalization(
            "e1", variants=[{"views": 1, "clicks": 0, "conversions": 0}, {"views": -1, "clicks": 0, "conversions": 0}]
        ),
        ["negative_metric"],
    ),
    "largest cost": (campaign("e1", cost_micros=10**16), []),
    "cost above the largest": (campaign("e1", cost_micros=10**16 + 1), ["metric_out_of_range"]),
    "largest value": (conversion("e1", NOW, 10**16), []),
    "value above the largest": (conversion("e1", NOW, 10**16 + 1), ["metric_out_of_range"]),
    "more views than can be": (
        personalization("e1", variants=[{"views": 2**63 - 1, "clicks": -1, "conversions": 0}]),
        ["metric_out_of_range", "negative_metric"],
    ),
    "budget above the largest": (
        with_record(campaign("e1"), changes={"budget_allocation_micros": 10**16 + 1}),
        ["metric_out_of_range"],
    ),
    "report with too many clicks": (campaign("e1", kind="report", clicks=1), ["clicks_exceed_impressions"]),
    "increment of a click": (campaign("e1", clicks=1), []),
    "report with too many conversions": (
        campaign("e1", kind="report", impressions=1, conversions=1),
        ["conversions_exceed_clicks"],
    ),
    "negative value": (conversion("e1", NOW, -1), ["negative_value"]),
    "refund of nothing": (conversion("e1", NOW, 1, kind="refund"), ["missing_original_event_id"]),
    "cancellation of nothing": (conversion("e1", NOW, 1, kind="cancellation", of=""), ["missing_original_event_id"]),
    "several": (
        campaign("", kind="report", impressions=-1, clicks=2, conversions=3, currency="x"),
        [
            "clicks_exceed_impressions",
            "conversions_exceed_clicks",
            "invalid_currency",
            "missing_event_id",
            "negative_metric",
        ],
    ),
    "null": (poison("null_value", None), ["empty"]),
    "no bytes": (poison("empty_value", b""), ["empty"]),
    "cut off": (poison("truncated"), ["undecodable"]),
    "noise": (poison("random_bytes"), ["bad_magic"]),
    "stranger": (poison("unknown_schema"), ["unknown_schema_id"]),
    "giant": (poison("too_large"), ["too_large"]),
}


def test_each_message_gets_the_reasons_it_deserves(tmp_path):
    with Answer(write(tmp_path / "r", *(message for message, _ in CASES.values()))) as answer:
        found = [reasons for (reasons,) in answer.rows("SELECT reasons FROM messages ORDER BY n")]
    assert dict(zip(CASES, found, strict=True)) == {name: reasons for name, (_, reasons) in CASES.items()}


def test_refused_messages_belong_to_the_tenant_of_the_record_or_of_the_key(tmp_path):
    messages = [
        campaign("", tenant="bad id") | {"key": "acme"},
        campaign("", tenant=""),
        poison("truncated", b"\x00\x01"),
        campaign("e1", tenant="other") | {"key": "acme"},
    ]
    with Answer(write(tmp_path / "r", *messages)) as answer:
        rows = answer.rows("SELECT tenant_id, raw_md5 FROM messages ORDER BY n")
    assert [tenant for tenant, _ in rows] == ["bad id", "acme", "acme", "acme"]
    assert rows[2][1] == hashlib.md5(b"\x00\x01").hexdigest()


def test_the_first_valid_copy_is_accepted_in_each_tenant(tmp_path):
    refused = campaign("e1", kind="report", clicks=9)
    messages = [refused, campaign("e1", clicks=1), campaign("e1", clicks=2), campaign("e1", clicks=3, tenant="other")]
    second = tmp_path / "second"
    files = [write(tmp_path / "first", *messages), write(second, campaign("e1", clicks=4), campaign("e2", clicks=5))]
    with Answer(*files) as answer:
        accepted = answer.rows("SELECT tenant_id, event_id, clicks FROM accepted ORDER BY ALL")
        counts = answer.counts()
    assert accepted == [("acme", "e1", 1), ("acme", "e2", 5), ("other", "e1", 3)]
    assert counts == {
        ("acme", "valid", ""): 4,
        ("acme", "accepted", ""): 2,
        ("acme", "quarantined", "clicks_exceed_impressions"): 1,
        ("other", "valid", ""): 1,
        ("other", "accepted", ""): 1,
    }


def test_a_time_of_making_that_cannot_be_true_is_unknown(tmp_path):
    messages = [campaign("e1"), with_(campaign("e2"), "envelope", created_at=NOW + DAY)]
    with Answer(write(tmp_path / "r", *messages)) as answer:
        assert answer.rows("SELECT created_at FROM accepted ORDER BY event_id") == [(NOW,), (0,)]


@pytest.mark.parametrize("time", [NOW + 300_000 + 30_000, NOW - 90 * DAY - 30_000], ids=["future", "past"])
def test_what_depends_on_the_brokers_clock_is_refused(tmp_path, time):
    with pytest.raises(RecordFileError, match="broker's clock"):
        Answer(write(tmp_path / "r", campaign("e1", time)))


def test_an_unknown_fault_is_refused(tmp_path):
    with pytest.raises(RecordFileError, match="gamma_rays"):
        Answer(write(tmp_path / "r", poison("gamma_rays")))
