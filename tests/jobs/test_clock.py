"""The moments at which quiet partitions are ticked."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.clock import moments

NOW = 1_700_000_000_123


def test_moments_are_whole_multiples_and_every_second_begins_at_one():
    assert list(moments(NOW, 500)) == [NOW - 123 + after for after in (500, 1_000, 1_500, 2_000)]


@given(st.integers(1, 10_000), st.lists(st.integers(1, 1_999), min_size=1, max_size=20))
def test_no_moment_is_left_out_when_calls_are_less_than_two_seconds_apart(every_ms, pauses):
    calls = [NOW]
    for pause in pauses:
        calls.append(calls[-1] + pause)
    set_timers = {moment for call in calls for moment in moments(call, every_ms)}
    assert set_timers.issuperset(range(NOW - NOW % every_ms + every_ms, calls[-1] + 1, every_ms))
    assert all(moment > NOW for moment in set_timers)
