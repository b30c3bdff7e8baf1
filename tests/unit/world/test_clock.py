"""Due times and event times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.world.clock import FixedClock, LiveClock
from bench.world.seasonality import INTENSITY, WEEK_MS, busy_ms_until, moment_of_busy_ms

START = 1_795_000_000_000
CLOCKS = st.one_of(
    st.builds(LiveClock, st.just(START), st.floats(0.1, 50_000), st.booleans()),
    st.builds(
        FixedClock,
        st.just(START),
        st.floats(0.1, 50_000),
        st.just(START - WEEK_MS),
        st.floats(0.1, 5_000),
        st.booleans(),
    ),
)


def test_a_live_event_happens_when_it_is_due():
    clock = LiveClock(START, 4)
    assert [clock.created_ms(number) - START for number in range(5)] == [0, 250, 500, 750, 1000]
    assert clock.event_ms(3) == clock.created_ms(3)
    assert [clock.due(START + ms) for ms in (-1, 0, 249, 250, 1000)] == [0, 1, 1, 2, 5]


def test_virtual_time_runs_at_its_own_speed():
    clock = FixedClock(START, 10, 1_000_000_000_000, speed=60, seasonal=False)
    assert clock.created_ms(10) == START + 1000
    assert clock.event_ms(10) == 1_000_000_000_000 + 60_000


@given(clock=CLOCKS, number=st.integers(0, 10_000_000))
def test_messages_are_due_from_their_time_on_and_never_before(clock, number):
    created = clock.created_ms(number)
    # The time is cut to whole milliseconds.
    assert clock.due(created - 0.01) <= number + clock.rate / 1000
    assert clock.due(created + 1) > number


@given(clock=CLOCKS, number=st.integers(0, 10_000_000), step=st.integers(1, 1000))
def test_times_never_go_back(clock, number, step):
    assert clock.created_ms(number + step) >= clock.created_ms(number)
    assert clock.event_ms(number + step) >= clock.event_ms(number)


@given(st.integers(0, 4_000_000_000_000))
def test_busy_time_has_an_inverse(moment):
    assert abs(moment_of_busy_ms(busy_ms_until(moment)) - moment) < 0.01


def test_a_week_of_busy_time_is_a_week():
    assert busy_ms_until(START + WEEK_MS) - busy_ms_until(START) == pytest.approx(WEEK_MS)
    assert sum(INTENSITY) / len(INTENSITY) == pytest.approx(1)


def test_evenings_have_more_events_than_nights():
    monday = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp() * 1000)
    clock = FixedClock(START, 1000, monday, speed=86_400 / 10)
    hours = [datetime.fromtimestamp(clock.event_ms(number) / 1000, UTC).hour for number in range(10_000)]
    assert hours.count(20) > 5 * hours.count(3) > 0
