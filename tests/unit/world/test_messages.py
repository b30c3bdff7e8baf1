"""What is sent: the stand-ins are replaced, and the bytes say what the record file says."""

from __future__ import annotations

import base64
import json
from collections import Counter
from io import BytesIO

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.world.clock import FixedClock, LiveClock
from bench.world.message import avro_long
from bench.world.probes import Probes
from bench.world.records import LAP
from bench.world.stream import Stream
from connectors.kafka.codec import EventDecoder
from connectors.schema_registry import open_registry
from tests.unit.world.conftest import SCHEMAS

START = 1_795_000_000_000
LENGTH = 5_000


@pytest.fixture(scope="module")
def stream(faulty_plan):
    return Stream(faulty_plan, LiveClock(START, 1_000))


def lines_of(stream, first, last, **options):
    return [json.loads(line) for line in stream.lines(first, last, options.get("produced_at"), 0)]


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-70, 70)))
def test_longs_are_written_as_avro_writes_them(number):
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, "long", number)
    assert avro_long(number) == buffer.getvalue()


def test_the_bytes_decode_to_the_record_of_the_file(stream):
    decoder = EventDecoder(open_registry(str(SCHEMAS)))
    seen = Counter()
    for line in lines_of(stream, 0, 3 * LENGTH):
        if line["record"] is None:
            seen[line["fault"]] += 1
            continue
        event = decoder.decode(base64.b64decode(line["value_b64"]))
        seen[line["schema"]] += 1
        assert event.record == line["record"]
        assert line["schema"] == f"{event.event_type}.v{2 if 'session_id' in line['record'] else 1}"
    assert {"touchpoint_interaction.v1", "touchpoint_interaction.v2", "truncated"} <= set(seen)


def test_messages_are_those_of_the_file(stream):
    sent = list(stream.messages(0, 2 * LENGTH))
    for (key, value), line in zip(sent, lines_of(stream, 0, 2 * LENGTH), strict=True):
        assert key.decode() == line["key"]
        assert value == (None if line["value_b64"] is None else base64.b64decode(line["value_b64"]))


def test_nothing_is_left_of_a_stand_in(stream):
    for line in stream.lines(0, 2 * LENGTH, None, 0):
        record = json.dumps(json.loads(line)["record"])
        assert LAP not in record
        assert "1234567890123" not in record
        assert "1345678901234" not in record


def test_a_stream_may_be_asked_in_parts(stream):
    whole = list(stream.messages(0, 300))
    assert list(stream.messages(0, 100)) + list(stream.messages(100, 300)) == whole


def test_created_at_is_when_the_message_is_due(new_plan):
    stream = Stream(new_plan(500), LiveClock(START, 100))
    for number, line in enumerate(lines_of(stream, 0, 800)):
        envelope = line["record"]["envelope"]
        assert line["produced_at"] == envelope["created_at"] == START + number * 10
        if "c-r-5" not in json.dumps(line["record"]):  # edge cases have times of their own
            assert envelope["event_time"] == envelope["created_at"]


def test_the_interaction_is_at_the_time_of_the_event(stream):
    touches = [
        line["record"] for line in lines_of(stream, 0, LENGTH) if line["record"] and "touchpoint" in line["record"]
    ]
    for touch in touches:
        if touch["envelope"]["event_time"] > 0:
            assert touch["touchpoint"]["interaction_time"] == touch["envelope"]["event_time"]


def test_virtual_time_moves_the_events_and_not_their_making(new_plan):
    clock = FixedClock(START, 100, START - 10**9, speed=50, seasonal=False)
    lines = lines_of(Stream(new_plan(500, edge_share=0), clock), 0, 500)
    assert [line["record"]["envelope"]["created_at"] for line in lines] == [START + n * 10 for n in range(500)]
    assert [line["record"]["envelope"]["event_time"] for line in lines] == [START - 10**9 + n * 500 for n in range(500)]


def test_event_ids_differ_from_lap_to_lap_and_from_run_to_run(new_plan):
    ids = Counter()
    for run in ("a", "b"):
        stream = Stream(new_plan(500, run=run), LiveClock(START, 100))
        for line in lines_of(stream, 0, 2_100):
            envelope = line["record"]["envelope"]
            ids[envelope["tenant_id"], envelope["event_id"]] += 1
    assert set(ids.values()) == {1}


def test_tenants_share_ids_on_purpose(stream):
    by_tenant = {}
    for line in lines_of(stream, 0, LENGTH):
        if line["record"]:
            kept = by_tenant.setdefault(line["key"], {"events": set(), "campaigns": set(), "customers": set()})
            kept["events"].add(line["record"]["envelope"]["event_id"])
            kept["campaigns"].add(line["record"].get("campaign", {}).get("campaign_id"))
            kept["customers"].add(line["record"].get("journey", {}).get("customer_id"))
    one, two = by_tenant["tenant-01"], by_tenant["tenant-02"]
    for kind in one:
        assert len((one[kind] & two[kind]) - {None, ""}) >= 2


def test_counts_are_those_of_the_messages(faulty_plan, encoder):
    probes = Probes("tenant-01", "r", 700, encoder, with_lines=True)
    stream = Stream(faulty_plan, LiveClock(START, 1_000), probes)
    for last in (1, 50, 700, 701, 2 * LENGTH + 123):
        counted = Counter()
        for line in lines_of(stream, 0, last):
            counted[line["key"], (line["schema"] or "").partition(".")[0], line["fault"] or ""] += 1
        assert counted == {(la.tenant, la.event_type, la.fault): n for la, n in stream.counts(last).items()}


def test_probes_are_tagged_and_due_in_time(faulty_plan, encoder):
    stream = Stream(faulty_plan, LiveClock(START, 1_000), Probes("tenant-02", "r", 500, encoder, with_lines=True))
    probes = [
        line
        for line in lines_of(stream, 0, 2_000)
        if line["record"] and "probe" in line["record"]["envelope"]["metadata"]
    ]
    assert [line["schema"].partition(".")[0] for line in probes[:3]] == [
        "touchpoint_interaction",
        "conversion_event",
        "campaign_optimization",
    ]
    assert len(probes) == 4 * 3
    for place, line in enumerate(probes):
        envelope = line["record"]["envelope"]
        assert line["key"] == envelope["tenant_id"] == "tenant-02"
        assert envelope["created_at"] == envelope["event_time"] == START + place // 3 * 500
        assert envelope["event_id"].startswith(f"probe-r-{place // 3 * 500}-")
    assert len({line["record"]["envelope"]["event_id"] for line in probes}) == len(probes)
