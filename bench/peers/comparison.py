"""Whether an engine's windows are the oracle's, and what they cost: one row of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.peers.measured_run import PeerError
from local.component import StackError

if TYPE_CHECKING:
    from bench.peers.engines import Engine, Task
    from bench.peers.events import Windows
    from bench.peers.measured_run import Cost


@dataclass(frozen=True, slots=True)
class Row:
    """One engine's figures; None where it was not timed or failed."""

    name: str
    does: str
    small: int
    large: int
    """Messages of the two sets."""
    events_per_second: float | None = None
    cpu_micros_per_event: float | None = None
    windows: int = 0
    error: str = ""
    """Empty: every window is the oracle's."""


def differences(found: Windows, right: Windows) -> str:
    """Return how many windows are not the oracle's and the first of them, empty if all are."""
    unlike = {at for at in found.keys() | right.keys() if found.get(at) != right.get(at)}
    if not unlike:
        return ""
    first = min(unlike)
    return f"{len(unlike)} of {len(right)} windows differ, first {first}: {found.get(first)}, right {right.get(first)}"


def slope(small: Cost, large: Cost, more: int) -> tuple[float | None, float]:
    """Return events a second and processor µs an event of the `more` events that the large run had.

    The rate is None if the large run was no longer than the small one: then the clock says nothing.
    """
    seconds = large.wall - small.wall
    return more / seconds if seconds > 0 else None, (large.cpu - small.cpu) / more * 1e6


def measure(engine: Engine, small: Task, large: Task | None) -> Row:
    """Run an engine over one or two sizes and compare its windows; raises nothing for an engine that fails."""
    sizes = (small.events.messages, (large or small).events.messages)
    costs: list[Cost] = []
    windows = 0
    for task in (small, large):
        if task is None:
            continue
        try:
            task.folder.mkdir(parents=True)
            cost, found = engine.run(task)
            unlike = differences(found, task.right)
        except (PeerError, StackError, OSError, ValueError) as error:
            return Row(engine.name, engine.does, *sizes, error=str(error)[-1500:])
        if unlike:
            return Row(engine.name, engine.does, *sizes, windows=len(found), error=unlike)
        windows = len(found)
        costs.append(cost)
        print(
            f"  {engine.name}, {task.events.messages} events: {cost.wall:.1f} s, processor {cost.cpu:.1f} s, "
            f"{windows} windows equal",
            flush=True,
        )
    if len(costs) == 1:
        return Row(engine.name, engine.does, *sizes, windows=windows)
    rate, micros = slope(costs[0], costs[1], sizes[1] - sizes[0])
    return Row(engine.name, engine.does, *sizes, rate, micros, windows)
