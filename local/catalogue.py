"""The components of a stack in the order in which they are listed, and the names under which a user chooses them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from local import (
    clickhouse_server,
    flink_cluster,
    flink_job,
    kafka_broker,
    prometheus_server,
    redis_server,
    serving_server,
    simulator,
)
from local.component import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.component import Component
    from local.config import StackConfig

JOB = "job"
# A group stands for several components.
FLINK = "flink"
# Started by `run` alone: whoever brings up a stack to work on it brings their own events.
SIMULATOR = "simulator"


def builders(config: StackConfig) -> dict[str, Callable[[], Component]]:
    """Return how each component of the stack is described, in starting order; it is stopped in reverse."""
    made: dict[str, Callable[[], Component]] = {
        "kafka": lambda: kafka_broker.component(config),
        "clickhouse": lambda: clickhouse_server.component(config),
        "redis": lambda: redis_server.component(config),
        "jobmanager": lambda: flink_cluster.jobmanager(config),
    }
    for number in range(1, config.taskmanagers + 1):
        made[flink_cluster.taskmanager_name(number)] = partial(flink_cluster.taskmanager, config, number)
    return made | {
        JOB: lambda: flink_job.component(config),
        "serving": lambda: serving_server.component(config),
        "prometheus": lambda: prometheus_server.component(config),
        SIMULATOR: lambda: simulator.component(config),
    }


def choose(config: StackConfig, only: Iterable[str] = (), without: Iterable[str] = ()) -> list[str]:
    """Return the names of the chosen components in starting order; all but the simulator if `only` is empty.

    Raises:
        StackError: a name is not known.
    """
    known = list(builders(config))
    wanted = _expand(known, only) or set(known) - {SIMULATOR}
    if not only and not prometheus_server.installed():
        wanted.discard("prometheus")
    wanted -= _expand(known, without)
    return [name for name in known if name in wanted]


def _expand(known: list[str], names: Iterable[str]) -> set[str]:
    expanded: set[str] = set()
    for name in names:
        if name == FLINK:
            expanded |= {one for one in known if one.startswith(("jobmanager", "taskmanager"))}
        elif name in known:
            expanded.add(name)
        else:
            raise StackError(f"there is no component {name!r}; there are: {', '.join([*known, FLINK])}")
    return expanded
