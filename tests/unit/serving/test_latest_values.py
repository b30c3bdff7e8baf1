"""What a watcher is told after any break equals what a plain log would tell it, or it is told that nobody knows."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from serving.live.latest_values import LatestValues, Position

# (key, version): records in the order of the topic.
records = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 5)), max_size=60)


def filled(log, size=1000, begin=10):
    values = LatestValues(lambda _: begin, lambda value: value[1], size=size, seconds=1000, clock=lambda: 0.0)
    for offset, record in enumerate(log, begin):
        values.put(record[0], record, Position(0, offset))
    return values


def newest(log):
    held = {}
    for key, version in log:
        if key not in held or version >= held[key][1]:
            held[key] = (key, version)
    return held


@given(records)
def test_values_are_the_newest_version_of_each_key(log):
    assert {v[0]: v for v in filled(log).values()} == newest(log)


@given(records, st.integers(0, 60))
def test_changes_since_a_position_bring_a_watcher_up_to_date(log, seen):
    seen = min(seen, len(log))
    values = filled(log)
    # The cursor of a watcher that saw the first `seen` records; before the first it has seen the offset before.
    position = Position(0, 10 + seen - 1)
    changes = values.since(position)
    if not log:
        assert changes == []
        return
    state = newest(log[:seen])
    for key, version in changes:
        assert version >= state.get(key, (key, -1))[1]
        state[key] = (key, version)
    assert state == newest(log)
    assert len(changes) == len({key for key, _ in changes})


@example(log=[("a", 0), ("b", 1), ("a", 0), ("b", 0)], size=1, seen=3)
@given(records, st.integers(1, 3), st.integers(0, 60))
def test_with_little_room_it_is_right_or_unknown(log, size, seen):
    seen = min(seen, len(log))
    values = filled(log, size)
    changes = values.since(Position(0, 10 + seen - 1))
    assert len(values.values()) <= size
    if changes is not None and log:
        state = newest(log[:seen]) | {key: (key, version) for key, version in changes}
        assert state == newest(log)


def test_positions_that_say_nothing_here():
    values = filled([("a", 1), ("b", 1)])
    assert values.since(Position(0, 8)) is None  # before reading began
    assert values.since(Position(0, 12)) is None  # ahead: the topic was made anew, or another server is further on
    assert values.since(Position(1, 11)) is None  # another partition
    assert values.since(None) == [("a", 1), ("b", 1)]  # since this object was made
    values.put("c", ("c", 1), Position(3, 500))
    assert values.since(Position(0, 11)) is None
    assert values.since(None) is None


def test_a_topic_that_begins_anew_makes_old_positions_unknown():
    values = filled([("a", 1), ("b", 1), ("c", 1)])
    values.put("a", ("a", 2), Position(0, 10))
    assert values.since(Position(0, 9)) is None or ("b", 1) in values.since(Position(0, 9))
    assert values.since(Position(0, 12)) is None


def test_old_values_are_forgotten():
    now = 0.0
    values = LatestValues(lambda _: 0, lambda value: value, size=10, seconds=5, clock=lambda: now)
    values.put("a", 1, Position(0, 0))
    now = 4.0
    values.put("b", 1, Position(0, 1))
    now = 6.0
    assert values.values() == [1]
    assert values.since(Position(0, 0)) == [1]
    assert values.since(Position(0, -1)) is None
    now = 20.0
    assert values.values() == []
    assert values.idle
    assert values.since(Position(0, 1)) == []
