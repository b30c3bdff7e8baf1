"""Which partitions the clock ticks."""

from __future__ import annotations

from connectors.kafka.clock import LINGER_SECONDS, QuietPartitions


def test_a_quiet_partition_is_ticked_while_another_has_events() -> None:
    clock = QuietPartitions(now=0)
    assert clock.look({0: 5, 1: 5}, 0.5) == []
    assert clock.look({0: 6, 1: 5}, 1.0) == [1]
    clock.ticked(1, 5)
    assert clock.look({0: 9, 1: 6}, 1.5) == [1]


def test_ticks_stop_when_all_has_been_quiet_for_long() -> None:
    clock = QuietPartitions(now=0)
    ends = {0: 7}
    last = 0.0
    for step in range(1, 1000):
        for partition in clock.look(ends, step * 0.5):
            clock.ticked(partition, ends[partition])
            ends[partition] += 1
            last = step * 0.5
    assert LINGER_SECONDS - 1 <= last <= LINGER_SECONDS


def test_an_event_beside_the_tick_is_not_missed() -> None:
    clock = QuietPartitions(now=0)
    clock.look({0: 5}, 0.5)
    assert clock.look({0: 5}, 1.0) == [0]
    clock.ticked(0, 6)  # an event took offset 5 before the tick
    assert clock.look({0: 7}, 200.0) == []
    assert clock.look({0: 7}, 200.5) == [0]
