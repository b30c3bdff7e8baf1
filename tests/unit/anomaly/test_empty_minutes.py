"""Minutes without events are filled in, once, in order, and not for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from udfs.anomaly.empty_minutes import MINUTE_MS, MINUTES, Campaign, is_expected, key_of
from udfs.anomaly.seasonal import METRICS, MINIMUM_SAMPLES, check_minute

KEY = {"tenant_id": "t", "campaign_id": "c", "channel": "email", "currency": "EUR"}
START = 1_760_000_040_000


def campaign(start=START):
    return Campaign(dict(KEY), start)


def starts(minutes):
    return [(minute["bucket_start"] - START) // MINUTE_MS for minute in minutes]


def test_a_gap_between_two_minutes_is_filled_before_the_second():
    seen = campaign()
    assert starts(seen.saw(START + MINUTE_MS)) == []
    assert starts(seen.saw(START + 4 * MINUTE_MS)) == [2, 3]


def test_the_clock_fills_what_is_over_and_no_more():
    seen = campaign()
    assert starts(seen.fill(START + 2 * MINUTE_MS - 1)) == []
    assert starts(seen.fill(START + 2 * MINUTE_MS)) == [1]
    assert starts(seen.fill(START + 2 * MINUTE_MS)) == []
    assert starts(seen.fill(START + 4 * MINUTE_MS)) == [2, 3]
    assert starts(seen.saw(START + 5 * MINUTE_MS)) == [4]


def test_a_silent_campaign_ends_and_begins_again():
    seen = campaign()
    assert len(list(seen.fill(START + 1_000 * MINUTE_MS))) == MINUTES
    assert seen.due() is None
    assert starts(seen.saw(START + 2_000 * MINUTE_MS)) == []
    assert starts(seen.fill(START + 2_002 * MINUTE_MS)) == [2_001]


@given(st.sets(st.integers(1, 80), max_size=20), st.lists(st.integers(1, 120), max_size=30))
def test_what_is_filled_depends_on_the_minutes_alone(with_events, moments):
    """However the clock moves between them: in steps, in one jump, or not at all before the next minute."""
    last = max(with_events, default=0)
    wanted = []
    before = 0
    for minute in [*sorted(with_events), last + 100]:
        wanted += [m for m in range(before + 1, minute) if m - before <= MINUTES]
        before = minute
    seen, filled = campaign(), []
    for minute in sorted(with_events):
        # The clock is never ahead of a minute that is still to come.
        for moment in sorted(m for m in moments if m <= minute):
            filled += starts(seen.fill(START + moment * MINUTE_MS))
        filled += starts(seen.saw(START + minute * MINUTE_MS))
    filled += starts(seen.fill(START + (last + 100) * MINUTE_MS))
    assert filled == wanted


def test_the_silence_after_a_termination_is_expected():
    (empty,) = campaign().fill(START + 2 * MINUTE_MS)
    assert is_expected(empty, START + 100)
    assert not is_expected(empty, START - 1), "it went on after that termination"
    assert not is_expected(empty, 0)
    assert not is_expected(KEY | {"bucket_start": START + MINUTE_MS}, START + 100), "a minute with events"


def test_a_drop_to_zero_is_flagged():
    state: dict = {}
    seen = campaign(START)
    found = []
    for number in range(MINIMUM_SAMPLES + 1):
        minute = KEY | {"bucket_start": START + number * MINUTE_MS} | dict.fromkeys(METRICS, 1_000 + number % 7)
        assert key_of(minute) == KEY
        for one in [*seen.saw(minute["bucket_start"]), minute]:
            found += check_minute(state, one)
    assert found == []
    for empty in seen.fill(START + (MINIMUM_SAMPLES + 2) * MINUTE_MS):
        found += check_minute(state, empty)
    assert {anomaly["metric"] for anomaly in found} == set(METRICS)
    assert all(anomaly["value"] == 0 and anomaly["deviations"] <= -3 for anomaly in found)
