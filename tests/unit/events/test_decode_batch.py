"""Batches of messages to columns: outcomes, what is known of refused ones, clock ticks, and no personal data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.codec import EventEncoder, subject_of
from connectors.kafka.decode_batch import COLUMNS, BatchDecoder
from connectors.kafka.topics import CLOCK_TICK_KEY
from connectors.schema_registry import RegisteredSchema, RegistryUnavailableError
from tests.unit.events.sample_events import APPENDED_MS, REGISTRY, changed, event, values
from udfs.events.columns import EVENT_COLUMNS, NO_EVENT, event_columns, journey_fact
from udfs.events.envelope import EventType, Family
from udfs.events.reasons import Reason
from udfs.events.rules import check

ENCODER = EventEncoder(REGISTRY)
BATCHES = BatchDecoder(REGISTRY)
DDL = Path(__file__).resolve().parents[3] / "connectors" / "clickhouse" / "schema" / "001_events.sql"

Row = dict[str, Any]


def rows(*messages: tuple[bytes | None, str | None], decoder: BatchDecoder = BATCHES) -> list[Row]:
    columns = decoder.decode_batch(
        [value for value, _ in messages], [key for _, key in messages], [APPENDED_MS] * len(messages)
    )
    assert tuple(columns) == COLUMNS
    assert {len(column) for column in columns.values()} == {len(messages)}
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def row(value: bytes | None, key: str | None = "acme") -> Row:
    return rows((value, key))[0]


NOTHING_KNOWN = dict(zip(EVENT_COLUMNS, NO_EVENT, strict=True)) | {"payload": "", "journey_fact": None}


def test_the_columns_are_in_the_order_of_the_contract() -> None:
    assert (
        *("outcome", "reasons", "tenant_id", "event_id", "event_type", "event_time", "created_at", "source_platform"),
        *("customer_id", "journey_id", "campaign_id", "channel", "kind", "impressions", "clicks", "conversions"),
        *("cost_micros", "revenue_micros", "value_micros", "currency", "schema_id", "payload", "journey_fact", "raw"),
    ) == COLUMNS


def test_the_events_table_has_every_column_of_an_event() -> None:
    table = set(re.findall(r"^    (\w+) ", DDL.read_text(), re.MULTILINE))
    assert {*EVENT_COLUMNS, "schema_id", "payload"} <= table


@pytest.mark.parametrize("kind", EventType)
def test_a_valid_event(kind: EventType) -> None:
    record = event(kind)
    assert row(ENCODER.encode(record)) == {
        "outcome": "valid",
        "reasons": "",
        **dict(zip(EVENT_COLUMNS, event_columns(kind, record), strict=True)),
        "schema_id": REGISTRY.latest(subject_of(kind)).schema_id,
        "payload": orjson.dumps(record).decode(),
        "journey_fact": journey_fact(kind, record),
        "raw": None,
    }


def test_journey_events_and_no_others_carry_a_fact() -> None:
    for kind in EventType:
        assert (row(ENCODER.encode(event(kind)))["journey_fact"] is not None) == (kind.family is Family.JOURNEY)


def test_an_event_that_breaks_rules_is_known_and_kept() -> None:
    record = changed(EventType.CONVERSION_EVENT, "conversion.value_micros", -1)
    record["envelope"]["event_id"] = ""
    message = ENCODER.encode(record)
    found = row(message)
    assert found["outcome"] == "quarantined"
    assert found["reasons"] == "missing_event_id,negative_value"
    assert (found["tenant_id"], found["customer_id"], found["value_micros"]) == ("acme", "p-1", -1)
    assert (found["schema_id"], found["raw"], found["journey_fact"]) == (6, message, None)
    assert orjson.loads(found["payload"]) == record


@pytest.mark.parametrize(("key", "tenant"), [("acme", "acme"), (None, "")])
def test_without_a_tenant_in_the_event_the_key_has_it(key: str | None, tenant: str) -> None:
    message = ENCODER.encode(changed(EventType.JOURNEY_START, "envelope.tenant_id", ""))
    found = row(message, key)
    assert (found["reasons"], found["tenant_id"]) == ("missing_tenant_id", tenant)


def test_an_invalid_tenant_in_the_event_goes_before_the_key() -> None:
    message = ENCODER.encode(changed(EventType.JOURNEY_START, "envelope.tenant_id", "a/b"))
    assert row(message, "acme")["tenant_id"] == "a/b"


@pytest.mark.parametrize("kind", EventType)
def test_an_event_of_another_tenant_than_its_key_is_filed_under_the_key(kind: EventType) -> None:
    message = ENCODER.encode(event(kind))
    found = row(message, "other")
    assert (found["outcome"], found["reasons"], found["tenant_id"]) == ("quarantined", "tenant_mismatch", "other")
    assert (found["event_id"], found["journey_fact"], found["raw"]) == ("e-1", None, message)


def test_a_tenant_that_does_not_fit_its_key_is_one_reason_among_others() -> None:
    record = changed(EventType.CONVERSION_EVENT, "conversion.value_micros", 10**16 + 1)
    found = row(ENCODER.encode(record), "other")
    assert (found["reasons"], found["tenant_id"]) == ("tenant_mismatch,metric_out_of_range", "other")


SOUND = ENCODER.encode(event(EventType.CAMPAIGN_LAUNCH))


@pytest.mark.parametrize("key", ["acme", None, ""])
@pytest.mark.parametrize(
    ("message", "reason", "schema_id"),
    [
        (None, Reason.EMPTY, 0),
        (b"", Reason.EMPTY, 0),
        (b"\0" * ((1 << 20) + 1), Reason.TOO_LARGE, 0),
        (b"\x07" + SOUND[1:], Reason.BAD_MAGIC, 0),
        (b"\0\0\0\0\x63" + SOUND[5:], Reason.UNKNOWN_SCHEMA_ID, 99),
        (b"\0\xff\xff\xff\xff" + SOUND[5:], Reason.UNKNOWN_SCHEMA_ID, 0),
        (SOUND[:-1], Reason.UNDECODABLE, 1),
        (SOUND + b"\0", Reason.UNDECODABLE, 1),
        (SOUND.replace(b"\x08acme", b"\x08ac\xffe"), Reason.UNDECODABLE, 1),
        (SOUND[:5] + b"\x80\x80\x80\x80\x80\x80\x80\x80\x20" + b"x" * 32, Reason.UNDECODABLE, 1),
    ],
)
def test_what_is_no_event_is_kept_as_it_came(
    message: bytes | None, reason: Reason, schema_id: int, key: str | None
) -> None:
    assert row(message, key) == NOTHING_KNOWN | {
        "outcome": "quarantined",
        "reasons": reason.value,
        "tenant_id": key or "",
        "schema_id": schema_id,
        "raw": message or b"",
    }


def test_a_clock_tick_is_no_event() -> None:
    expected = NOTHING_KNOWN | {"outcome": "tick", "reasons": "", "schema_id": 0, "raw": None}
    assert row(None, CLOCK_TICK_KEY) == expected
    assert row(b"", CLOCK_TICK_KEY) == expected


def test_a_value_under_the_clocks_key_is_judged_as_any_other() -> None:
    assert row(SOUND, CLOCK_TICK_KEY)["reasons"] == "tenant_mismatch"
    assert row(b"x", CLOCK_TICK_KEY)["reasons"] == "bad_magic"


def test_rows_stay_in_order_and_one_bad_message_harms_no_other() -> None:
    older = {name: value for name, value in event(EventType.TOUCHPOINT_INTERACTION).items() if name != "session_id"}
    found = rows(
        (SOUND, "acme"),
        (b"junk", "acme"),
        (None, CLOCK_TICK_KEY),
        (ENCODER.encode(older, 1), "acme"),
        (ENCODER.encode(event(EventType.TOUCHPOINT_INTERACTION), 2), "acme"),
        (SOUND, "acme"),
    )
    assert [entry["outcome"] for entry in found] == ["valid", "quarantined", "tick", "valid", "valid", "valid"]
    assert [entry["schema_id"] for entry in found] == [1, 0, 0, 5, 11, 1]
    assert "session_id" not in found[3]["payload"]
    assert orjson.loads(found[4]["payload"])["session_id"] == "s-1"


def test_an_empty_batch_has_every_column() -> None:
    assert BATCHES.decode_batch([], [], []) == {name: [] for name in COLUMNS}


def test_each_message_is_judged_by_its_own_append_time() -> None:
    late = APPENDED_MS + 91 * 86_400_000
    found = BATCHES.decode_batch([SOUND, SOUND], ["acme", "acme"], [APPENDED_MS, late])
    assert found["reasons"] == ["", "event_time_too_old"]


@pytest.mark.parametrize(
    ("created_at", "column"),
    [
        (0, 0),
        (-1, 0),
        (APPENDED_MS, APPENDED_MS),
        (APPENDED_MS + 300_000, APPENDED_MS + 300_000),
        (APPENDED_MS + 300_001, 0),
        (APPENDED_MS - 7_776_000_000, APPENDED_MS - 7_776_000_000),
        (APPENDED_MS - 7_776_000_001, 0),
        (2**63 - 1, 0),
    ],
)
def test_a_creation_time_that_cannot_be_is_unknown(created_at: int, column: int) -> None:
    found = row(ENCODER.encode(changed(EventType.CONVERSION_EVENT, "envelope.created_at", created_at)))
    assert (found["outcome"], found["created_at"]) == ("valid", column)
    assert orjson.loads(found["journey_fact"])[7] == column


def test_no_personal_data_leaves() -> None:
    record = event(EventType.CONVERSION_EVENT)
    record["envelope"] |= {
        "event_id": "order-of-jane@example.com",
        "identifiers": {"email": "Jane@example.com", "phone": "+49 151 23456789", "ip": "203.0.113.7", "name": "Jane"},
        "metadata": {"note": "call +49151, jane@example.com", "from": "203.0.113.7", "phone": "015123456789"},
    }
    record["journey"]["customer_id"] = "jane@example.com"
    found = row(ENCODER.encode(record))
    assert found["outcome"] == "valid"
    text = repr(found).lower()
    for personal in ("jane", "23456789", "203.0.113"):
        assert personal not in text
    # The same person has one id in the column, the fact and the payload.
    assert found["customer_id"] == orjson.loads(found["journey_fact"])[2]
    assert found["customer_id"] == orjson.loads(found["payload"])["journey"]["customer_id"]
    assert found["event_id"] == orjson.loads(found["payload"])["envelope"]["event_id"]


def test_no_personal_data_leaves_with_a_refused_event_but_in_its_bytes() -> None:
    record = changed(EventType.CONVERSION_EVENT, "conversion.currency", "?")
    record["journey"]["customer_id"] = "jane@example.com"
    found = row(ENCODER.encode(record))
    assert found["outcome"] == "quarantined"
    assert b"jane@example.com" in found.pop("raw")
    assert "jane" not in repr(found)


class OneSchema:
    """A registry that gives one definition for every id."""

    def __init__(self, definition: dict[str, Any] | None) -> None:
        self.definition = definition

    def schema(self, schema_id: int) -> RegisteredSchema:
        if self.definition is None:
            raise RegistryUnavailableError("down")
        return RegisteredSchema(schema_id, self.definition)

    def version(self, subject: str, version: int) -> RegisteredSchema:
        return self.schema(version)

    def latest(self, subject: str) -> RegisteredSchema:
        return self.schema(1)


def test_an_event_schema_without_a_field_that_is_needed_is_unknown() -> None:
    definition = REGISTRY.schema(3).definition
    fields = [field for field in definition["fields"] if field["name"] != "metrics"]
    registry = OneSchema(definition | {"fields": fields})
    record = event(EventType.CAMPAIGN_TERMINATION)
    del record["metrics"]
    message = EventEncoder(registry).encode(record)
    found = rows((message, "acme"), decoder=BatchDecoder(registry))[0]
    assert (found["outcome"], found["reasons"], found["raw"]) == ("quarantined", "unknown_schema_id", message)


def test_a_registry_without_an_answer_fails_the_batch_and_no_message() -> None:
    with pytest.raises(RegistryUnavailableError):
        rows((SOUND, "acme"), decoder=BatchDecoder(OneSchema(None)))


any_message = st.one_of(
    st.none(),
    st.binary(max_size=60),
    st.builds(lambda schema_id, body: b"\0\0\0\0" + bytes((schema_id,)) + body, st.integers(0, 12), st.binary()),
    st.sampled_from(EventType).flatmap(
        lambda kind: st.builds(
            ENCODER.encode,
            values(REGISTRY.latest(subject_of(kind)).definition),
            st.none(),
            st.just(kind.value),
        )
    ),
)


@given(st.lists(st.tuples(any_message, st.one_of(st.none(), st.text(max_size=5), st.just(CLOCK_TICK_KEY))), max_size=5))
def test_any_batch_gives_typed_rows_with_an_outcome(messages: list[tuple[bytes | None, str | None]]) -> None:
    if not messages:
        return
    texts = {"outcome", "reasons", "payload"} | {
        name for name, value in zip(EVENT_COLUMNS, NO_EVENT, strict=True) if value == ""
    }
    for (value, key), found in zip(messages, rows(*messages), strict=True):
        assert all(type(found[name]) is str for name in texts)
        assert all(type(found[name]) is int for name in set(EVENT_COLUMNS) - texts | {"schema_id"})
        assert (found["outcome"] == "tick") == (not value and key == CLOCK_TICK_KEY)
        assert (found["outcome"] == "quarantined") == bool(found["reasons"])
        assert (found["raw"] is not None) == (found["outcome"] == "quarantined")
        assert all(Reason(code) for code in found["reasons"].split(",") if code)


@given(
    st.sampled_from(EventType).flatmap(
        lambda kind: st.tuples(st.just(kind), values(REGISTRY.latest(subject_of(kind)).definition))
    )
)
def test_the_reasons_of_a_batch_are_those_of_the_rules(drawn: tuple[EventType, dict[str, Any]]) -> None:
    kind, record = drawn
    found = row(ENCODER.encode(record, None, kind))
    assert found["reasons"] == ",".join(check(kind, record, APPENDED_MS, "acme"))
