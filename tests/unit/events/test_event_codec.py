"""Encoding and decoding with framing: round trips, versions side by side, and every way a message can be no event."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.codec import DecodeError, EncodeError, EventDecoder, EventEncoder, subject_of
from connectors.schema_registry import RegisteredSchema, RegistryUnavailableError, UnknownSchemaError
from tests.unit.events.sample_events import REGISTRY, event, values
from udfs.events.envelope import EventType
from udfs.events.reasons import Reason

ENCODER = EventEncoder(REGISTRY)
DECODER = EventDecoder(REGISTRY)
VERSIONS = [(kind, version) for kind in EventType for version in REGISTRY.subjects()[subject_of(kind)]]

versioned_record = st.sampled_from(VERSIONS).flatmap(
    lambda drawn: st.tuples(st.just(drawn), values(REGISTRY.version(subject_of(drawn[0]), drawn[1]).definition))
)


def reason_for(message: bytes | None) -> Reason:
    with pytest.raises(DecodeError) as raised:
        DECODER.decode(message)
    return raised.value.reason


@given(versioned_record)
def test_any_record_comes_back_as_it_went(drawn: tuple[tuple[EventType, int], dict[str, Any]]) -> None:
    (kind, version), record = drawn
    decoded = DECODER.decode(ENCODER.encode(record, version, kind))
    assert decoded.record == record
    assert decoded.event_type is kind
    assert decoded.schema_id == REGISTRY.version(subject_of(kind), version).schema_id


@pytest.mark.parametrize("kind", EventType)
def test_a_sound_event_comes_back_through_its_own_type(kind: EventType) -> None:
    decoded = DECODER.decode(ENCODER.encode(event(kind)))
    assert (decoded.event_type, decoded.record) == (kind, event(kind))


def test_the_bytes_are_those_of_the_framing_and_the_avro_specification() -> None:
    record = event(EventType.CAMPAIGN_TERMINATION)
    record["envelope"] |= {"identifiers": {}, "metadata": {}, "event_time": 1, "created_at": 0}
    assert ENCODER.encode(record) == b"".join(
        [
            b"\x00\x00\x00\x00\x03",
            *(b"\x06e-1", b"\x08acme", b"\x28campaign_termination", b"\x02", b"\x00", b"\x08shop"),
            *(b"\x01\x00\x01", b"\x00", b"\x00"),
            *(b"\x06c-1", b"\x0cSpring", b"\x02"),
            *(b"\x00", b"\xd0\x0f", b"\xc8\x01", b"\x14", b"\x80\xad\xe2\x04", b"\x80\xb4\x89\x13", b"\x06EUR"),
            b"\x12completed",
        ]
    )


def test_versions_flow_side_by_side() -> None:
    newer = event(EventType.TOUCHPOINT_INTERACTION)
    older = {name: value for name, value in newer.items() if name != "session_id"}
    first, second, third = ENCODER.encode(older, 1), ENCODER.encode(newer, 2), ENCODER.encode(older)
    decoded = [DECODER.decode(message) for message in (second, first, third, first, second)]
    assert [found.schema_id for found in decoded] == [11, 5, 11, 5, 11]
    assert decoded[1].record == older
    assert decoded[0].record == newer
    assert decoded[2].record == newer | {"session_id": None}


def test_what_has_a_default_may_be_left_out() -> None:
    sparse = {
        "envelope": {"event_type": "touchpoint_interaction"},
        "journey": {"stage": "intent"},
        "touchpoint": {},
    }
    record = DECODER.decode(ENCODER.encode(sparse)).record
    assert record["envelope"]["event_id"] == ""
    assert record["envelope"]["consent"] == {"marketing": False, "analytics": False, "personalization": False}
    assert record["envelope"]["created_at"] == 0
    assert record["touchpoint"]["interaction_type"] == "other"
    assert record["touchpoint"]["metadata"] == {}
    assert record["session_id"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": {"clicks": 1.0}}, "metrics.clicks must be long"),
        ({"metrics": {"clicks": True}}, "metrics.clicks must be long"),
        ({"metrics": {"clicks": "1"}}, "metrics.clicks must be long"),
        ({"metrics": {"clicks": 1 << 63}}, "metrics.clicks must be long"),
        ({"metrics": {"kind": "total"}}, "metrics.kind must be tributary.events.MetricsKind"),
        ({"metrics": {"klicks": 1}}, "metrics.klicks is not a field of tributary.events.CampaignMetrics"),
        ({"metrics": {"currency": None}}, "metrics.currency must be string"),
        ({"metrics": None}, "metrics must be a record"),
        ({"session_id": "s"}, "session_id is not a field of tributary.events.CampaignTermination"),
        ({"envelope": {"metadata": {"a": 1}}}, "envelope.metadata must be map"),
        ({"reason": "\ud800"}, "no valid Unicode"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    record = event(EventType.CAMPAIGN_TERMINATION)
    for name, value in change.items():
        record[name] = record[name] | value if isinstance(value, dict) else value
    with pytest.raises(EncodeError, match=message):
        ENCODER.encode(record)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (EventType.CAMPAIGN_LAUNCH, {"duration_days": 2**31}, "duration_days must be int"),
        (EventType.CAMPAIGN_LAUNCH, {"duration_days": -(2**31) - 1}, "duration_days must be int"),
        (EventType.CAMPAIGN_LAUNCH, {"creative_ids": ["a", 1]}, "creative_ids must be array"),
        (EventType.SEGMENT_UPDATE, {"variants": [{}, {"views": 1.5}]}, r"variants\.1\.views must be long"),
        (EventType.SEGMENT_UPDATE, {"variants": [{"view": 1}]}, r"variants\.0\.view is not a field of"),
        (EventType.SEGMENT_UPDATE, {"variants": [None]}, r"variants\.0 must be a record"),
        (EventType.SEGMENT_UPDATE, {"variants": None}, "variants must be array"),
        (EventType.JOURNEY_STAGE_CHANGE, {"previous_stage": "won"}, "previous_stage must be null or tributary"),
    ],
)
def test_numbers_lists_and_choices_are_checked_too(kind: EventType, change: dict[str, Any], message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        ENCODER.encode(event(kind) | change)


def test_a_missing_field_without_default_is_named() -> None:
    record = event(EventType.CAMPAIGN_TERMINATION)
    del record["metrics"]["kind"]
    with pytest.raises(EncodeError, match=r"metrics\.kind is missing"):
        ENCODER.encode(record)


@pytest.mark.parametrize("record", [{}, {"envelope": {}}, {"envelope": None}, {"envelope": {"event_type": []}}])
def test_a_record_without_a_type_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(EncodeError, match="no envelope with an event_type"):
        ENCODER.encode(record)


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EncodeError, match="unknown event type 'page_view', known: campaign_launch, "):
        ENCODER.encode({"envelope": {"event_type": "page_view"}})


def test_an_error_never_shows_a_value() -> None:
    record = event(EventType.CONVERSION_EVENT)
    record["conversion"]["weight"] = "jane@example.com"
    with pytest.raises(EncodeError) as raised:
        ENCODER.encode(record)
    assert "jane" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(UnknownSchemaError, match=r"versions \[1\], not 7"):
        ENCODER.encode(event(EventType.CAMPAIGN_LAUNCH), 7)


SOUND = ENCODER.encode(event(EventType.CONVERSION_EVENT))


@pytest.mark.parametrize(
    ("message", "reason", "schema_id"),
    [
        (None, Reason.EMPTY, 0),
        (b"", Reason.EMPTY, 0),
        (SOUND[:5] + b"\0" * (1 << 20), Reason.TOO_LARGE, 0),
        (b"\x01" + SOUND[1:], Reason.BAD_MAGIC, 0),
        (b"{}", Reason.BAD_MAGIC, 0),
        (b"\x00", Reason.UNDECODABLE, 0),
        (b"\x00\x00\x00\x00", Reason.UNDECODABLE, 0),
        (SOUND[:5], Reason.UNDECODABLE, 6),
        (struct.pack(">BI", 0, 12) + SOUND[5:], Reason.UNKNOWN_SCHEMA_ID, 12),
        (struct.pack(">BI", 0, 0) + SOUND[5:], Reason.UNKNOWN_SCHEMA_ID, 0),
        # Ids are signed 32-bit integers: the column of the id has no room for more.
        (struct.pack(">BI", 0, 2**31 - 1) + SOUND[5:], Reason.UNKNOWN_SCHEMA_ID, 2**31 - 1),
        (struct.pack(">BI", 0, 2**31) + SOUND[5:], Reason.UNKNOWN_SCHEMA_ID, 0),
        (SOUND + b"\0", Reason.UNDECODABLE, 6),
        (SOUND[:-1], Reason.UNDECODABLE, 6),
    ],
)
def test_what_is_no_event_has_a_reason(message: bytes | None, reason: Reason, schema_id: int) -> None:
    with pytest.raises(DecodeError) as raised:
        DECODER.decode(message)
    assert (raised.value.reason, raised.value.schema_id) == (reason, schema_id)


def test_a_message_of_exactly_the_largest_size_is_decoded() -> None:
    record = event(EventType.CAMPAIGN_TERMINATION) | {"reason": ""}
    room = (1 << 20) - len(ENCODER.encode(record))
    # The text's length takes two bytes more than that of the empty text.
    record["reason"] = "x" * (room - 2)
    message = ENCODER.encode(record)
    assert len(message) == 1 << 20
    assert DECODER.decode(message).record == record
    assert reason_for(ENCODER.encode(record | {"reason": "x" * (room - 1)})) is Reason.TOO_LARGE


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_with_a_reason(message: bytes) -> None:
    assert reason_for(message) in {Reason.EMPTY, Reason.BAD_MAGIC, Reason.UNKNOWN_SCHEMA_ID, Reason.UNDECODABLE}


class StubRegistry:
    """A registry that knows one schema under any id, or gives no answer."""

    def __init__(self, definition: dict[str, Any] | None) -> None:
        self.definition = definition
        self.asked = 0

    def schema(self, schema_id: int) -> RegisteredSchema:
        self.asked += 1
        if self.definition is None:
            raise RegistryUnavailableError("down")
        return RegisteredSchema(schema_id, self.definition)

    def version(self, subject: str, version: int) -> RegisteredSchema:
        raise NotImplementedError

    def latest(self, subject: str) -> RegisteredSchema:
        raise NotImplementedError


def test_no_answer_from_the_registry_says_nothing_about_the_message() -> None:
    registry = StubRegistry(None)
    with pytest.raises(RegistryUnavailableError):
        EventDecoder(registry).decode(SOUND)


def test_a_schema_is_asked_for_once() -> None:
    registry = StubRegistry(REGISTRY.schema(6).definition)
    decoder = EventDecoder(registry)
    for _ in range(3):
        assert decoder.decode(SOUND).record == event(EventType.CONVERSION_EVENT)
    assert registry.asked == 1


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "record", "name": "other.Thing", "fields": []},
        {"type": "string"},
        REGISTRY.schema(6).definition | {"fields": [{"name": "x", "type": "bytes"}]},
    ],
    ids=["another record", "no record", "a type events do not have"],
)
def test_a_schema_that_is_no_events_is_as_good_as_none(definition: dict[str, Any]) -> None:
    with pytest.raises(DecodeError) as raised:
        EventDecoder(StubRegistry(definition)).decode(SOUND)
    assert raised.value.reason is Reason.UNKNOWN_SCHEMA_ID
