"""Copies of an event in a real ClickHouse: readers see the first, whatever the others say."""

from __future__ import annotations

import time

import pytest

from connectors.clickhouse.copies import COPIES_PER_STATEMENT, Copy, withdraw_copies
from connectors.clickhouse.event_rows import EVENT_ROW, FORMAT, event_lines, version
from connectors.kafka.decode_batch import VALID

NOW_MS = int(time.time()) * 1000
NUMBERS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "value_micros", "schema_id")


class Events:
    """Copies of events of one tenant, which arrive one after the other."""

    def __init__(self, sink, tenant_id):
        self.sink = sink
        self.tenant_id = tenant_id
        self.offset = 0

    def arrive(self, *events):
        """Store copies given by (event id, event time, clicks), all in one ms; return them as copies."""
        columns = {name: [0 if name in NUMBERS else ""] * len(events) for name in EVENT_ROW}
        offsets = [self.offset + number for number in range(1, len(events) + 1)]
        self.offset = offsets[-1]
        columns |= {
            "outcome": [VALID] * len(events),
            "tenant_id": [self.tenant_id] * len(events),
            "event_id": [event[0] for event in events],
            "event_time": [event[1] for event in events],
            "clicks": [event[2] for event in events],
            "event_type": ["campaign_optimization"] * len(events),
            "received_at": [NOW_MS] * len(events),
            "created_at": [NOW_MS] * len(events),
            "version": [version(NOW_MS, offset) for offset in offsets],
        }
        lines = event_lines(columns, [0] * len(events), offsets)
        self.sink.write_lines("events", EVENT_ROW, lines, FORMAT)
        return [
            Copy(self.tenant_id, event[1], event[0], number)
            for event, number in zip(events, columns["version"], strict=True)
        ]

    def seen(self):
        """Return (event id, event time, clicks) of what readers see."""
        return self.sink.rows(
            "SELECT event_id, toUnixTimestamp64Milli(event_time), clicks FROM events FINAL "
            "WHERE tenant_id = {tenant:String} AND event_type != '' ORDER BY event_id, event_time",
            {"tenant": self.tenant_id},
            "reading of events",
        )


@pytest.fixture
def events(store, tenant):
    return Events(store, tenant)


def test_of_copies_with_one_time_the_first_is_kept_without_help(events):
    _, later = events.arrive(("a", NOW_MS, 1), ("a", NOW_MS, 2))
    assert events.seen() == [("a", NOW_MS, 1)]
    assert withdraw_copies(events.sink, [later]) == set()
    assert events.seen() == [("a", NOW_MS, 1)]


def test_a_copy_with_another_time_is_withdrawn_and_stays_so_when_it_is_stored_again(events):
    events.arrive(("a", NOW_MS, 1), ("b", NOW_MS, 10))
    later = events.arrive(("a", NOW_MS - 60_000, 2), ("a", NOW_MS - 60_000, 3))
    assert withdraw_copies(events.sink, later) == {later[0]}
    assert events.seen() == [("a", NOW_MS, 1), ("b", NOW_MS, 10)]
    # A replay stores the same rows again, and is told of the same copies.
    events.offset = 2
    assert events.arrive(("a", NOW_MS - 60_000, 2), ("a", NOW_MS - 60_000, 3)) == later
    assert events.seen() == [("a", NOW_MS, 1), ("b", NOW_MS, 10)]
    # Whoever was told the first time may have died before it could act on it.
    assert withdraw_copies(events.sink, later) == {later[0]}
    assert events.seen() == [("a", NOW_MS, 1), ("b", NOW_MS, 10)]


def test_more_copies_than_a_statement_takes(events):
    number = 2 * COPIES_PER_STATEMENT + 1
    first = [(f"id-{n:04}", NOW_MS + n, n) for n in range(number)]
    events.arrive(*first)
    later = events.arrive(*((name, moment - 1_000_000, clicks) for name, moment, clicks in first))
    assert withdraw_copies(events.sink, later) == set(later)
    assert events.seen() == first


def test_nothing_is_asked_for_no_copies():
    assert withdraw_copies(sink=None, copies=[]) == set()
