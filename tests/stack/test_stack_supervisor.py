"""What dies again and again is started ever more rarely."""

from __future__ import annotations

from itertools import pairwise

from local.supervisor import Failures


def test_the_delay_grows_to_half_a_minute_and_not_beyond():
    failures = Failures()
    delays = [failures.note(now=float(second)) for second in range(12)]
    assert 0.4 <= delays[0] <= 0.5
    assert all(later > earlier for earlier, later in pairwise(delays[:6]))
    assert all(24.0 <= delay <= 30.0 for delay in delays[7:])


def test_after_a_healthy_minute_it_starts_over():
    failures = Failures()
    for second in range(10):
        failures.note(now=float(second))
    assert failures.note(now=100.0) <= 0.5


def test_the_next_attempt_is_due_after_the_delay():
    failures = Failures()
    delay = failures.note(now=50.0)
    assert failures.due == 50.0 + delay
