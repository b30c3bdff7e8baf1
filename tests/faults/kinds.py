"""Every kind of fault by name, and the seeded order in which a run injects them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from tests.faults import broker_faults, event_faults, flink_faults, store_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.rig import Rig

Inject = Callable[["Rig", Random], str]
"""Injects one fault and takes it away again; returns what the line about it should say besides."""

KINDS: dict[str, Inject] = {
    inject.__name__: inject
    for inject in (
        flink_faults.taskmanager_killed,
        flink_faults.taskmanager_killed_in_checkpoint,
        flink_faults.jobmanager_killed,
        flink_faults.jobmanager_killed_in_checkpoint,
        flink_faults.cluster_killed,
        flink_faults.python_worker_killed,
        flink_faults.taskmanager_frozen,
        flink_faults.resumed_from_savepoint,
        flink_faults.rescaled,
        flink_faults.replayed_in_full,
        store_faults.clickhouse_killed,
        store_faults.clickhouse_frozen,
        store_faults.clickhouse_reply_lost,
        store_faults.clickhouse_killed_after_commit,
        store_faults.clickhouse_resetting,
        store_faults.clickhouse_refusing,
        store_faults.clickhouse_slow,
        store_faults.clickhouse_disk_full,
        store_faults.redis_killed,
        store_faults.redis_frozen,
        store_faults.redis_flushed,
        store_faults.redis_unreachable,
        broker_faults.broker_killed,
        broker_faults.broker_restarted,
        broker_faults.broker_frozen,
        broker_faults.serving_killed,
        broker_faults.serving_frozen,
        event_faults.poison_storm,
        event_faults.duplicates,
        event_faults.reordered,
        event_faults.late,
        event_faults.clock_behind,
        event_faults.clock_ahead,
        event_faults.schema_versions,
    )
}


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault to inject. All that is random in it comes from `random`, a function of the run's seed and `number`."""

    number: int
    """Counted from 1."""
    kind: str
    seed: int

    @property
    def random(self) -> Random:
        """Return a new generator of this injection."""
        return Random(f"{self.seed}/{self.number}/{self.kind}")


def plan(seed: int, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Injection]:
    """Return injections without end: every kind once in a random order, then every kind again in another.

    Raises:
        ValueError: a kind is not known.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown or not kinds:
        raise ValueError(f"kinds: {sorted(unknown)} not known; allowed: {', '.join(KINDS)}")
    return _plan(seed, kinds)


def _plan(seed: int, kinds: Sequence[str]) -> Iterator[Injection]:
    numbers, order = count(1), Random(f"{seed}/order")
    while True:
        for kind in order.sample(list(kinds), len(kinds)):
            yield Injection(next(numbers), kind, seed)
