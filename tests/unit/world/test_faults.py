"""Every fault does what it is called, as the oracle judges it, and nothing else goes wrong."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from bench.world.clock import LiveClock
from bench.world.edge_cases import DAY_MS
from bench.world.faults.catalog import DELAYS, FAULTS, INVALID, POISON
from bench.world.stream import Stream
from tests.oracle import Answer
from tests.oracle.messages import FRAMING_REASONS

START = 1_795_000_000_000
COUNT = 5_000


@pytest.fixture(scope="module")
def lines(faulty_plan):
    stream = Stream(faulty_plan, LiveClock(START, 1_000))
    return list(stream.lines(0, COUNT, None, 0))


@pytest.fixture(scope="module")
def judged(lines, tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "record.jsonl"
    path.write_bytes(b"".join(lines))
    with Answer(path) as answer:
        return [set(reasons) for (reasons,) in answer.rows("SELECT reasons FROM messages ORDER BY n")]


def test_every_fault_occurs(lines):
    found = {json.loads(line)["fault"] for line in lines}
    assert found - {None} == FAULTS - {"too_large"}


def test_messages_get_the_reason_of_their_fault_and_no_other(lines, judged):
    for line, reasons in zip(map(json.loads, lines), judged, strict=True):
        fault = line["fault"]
        if fault == "several_reasons":
            assert len(reasons) >= 3
        elif fault in INVALID:
            assert reasons == {fault}
        elif fault in POISON:
            assert reasons == {POISON[fault]}
        else:
            assert reasons == set(), fault


def test_oracle_and_world_agree_on_poison():
    assert FRAMING_REASONS == POISON


def test_every_reason_of_several_kinds_is_met(judged):
    assert len({reason for reasons in judged for reason in reasons}) == len(INVALID) - 1 + len(set(POISON.values())) - 1


def test_duplicates_are_copies_to_the_last_byte_and_conflicts_are_not(lines):
    values, ids = defaultdict(list), defaultdict(list)
    for line in map(json.loads, lines):
        if line["fault"] in {None, "dup_near", "dup_far", "conflict"} and line["record"]:
            envelope = line["record"]["envelope"]
            name = envelope["tenant_id"], envelope["event_id"]
            if line["fault"] == "conflict":
                assert line["value_b64"] not in values[name]
                assert ids[name]
            elif line["fault"]:
                assert line["value_b64"] in values[name]
            if line["fault"] == "dup_near":
                # Other faults stand in between, and have no part in the count.
                assert any(line["n"] - earlier <= 20 for earlier in ids[name])
            ids[name].append(line["n"])
            values[name].append(line["value_b64"])


def test_delays_have_their_length(lines):
    limits = {
        "out_of_order": (0, 2_000),
        "late_minutes": (60_000, 59 * 60_000),
        "late_hours": (3_600_000, 48 * 3_600_000),
        "late_days": (2 * DAY_MS, 45 * DAY_MS),
    }
    assert set(limits) == set(DELAYS)
    for line in map(json.loads, lines):
        if line["fault"] in limits:
            delay = line["record"]["envelope"]["created_at"] - line["record"]["envelope"]["event_time"]
            low, high = limits[line["fault"]]
            assert low <= delay <= high


def test_messages_too_large_are_as_large_as_asked(new_plan):
    plan = new_plan(50, faults="too_large=0.2", too_large_bytes=2_000_000)
    large = [message for message in plan.lap if message.label.fault == "too_large"]
    assert large
    for message in large:
        assert 2_000_000 < len(message.value) < 2_001_000
        assert b'"record":null' in message.line


def test_rates_are_kept(new_plan, seed):
    plan = new_plan(20_000, faults="dup=0.1,missing_channel=0.02", with_lines=False, seed=seed)
    shares = {
        fault: sum(message.label.fault == fault for message in plan.lap) / 20_000
        for fault in ("dup_near", "dup_far", "missing_channel", "")
    }
    assert shares == pytest.approx({"dup_near": 0.05, "dup_far": 0.05, "missing_channel": 0.02, "": 0.88}, abs=0.015)
