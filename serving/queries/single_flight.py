"""One computation for all who ask the same question at the same moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

V = TypeVar("V")


@dataclass(slots=True)
class _Flight(Generic[V]):
    task: asyncio.Future[V]
    waiting: int = 0


class SingleFlight(Generic[V]):
    """Shares computations that are under way. Used from one event loop.

    A computation goes on as long as anybody waits for it; when the last one gives up it is cancelled, so that its query
    is stopped.
    """

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._flights: dict[Hashable, _Flight[V]] = {}

    def under_way(self, key: Hashable) -> bool:
        """Tell whether a computation is shared now."""
        return key in self._flights

    async def run(self, key: Hashable, compute: Callable[[], Awaitable[V]]) -> V:
        """Return what `compute` returns, or the computation that is under way. Raises what it raises."""
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(asyncio.ensure_future(compute()))
            self._flights[key] = flight
            flight.task.add_done_callback(lambda task: self._landed(key, task))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._flights.pop(key, None)
                flight.task.cancel()

    def _landed(self, key: Hashable, task: asyncio.Future[V]) -> None:
        held = self._flights.get(key)
        if held is not None and held.task is task:
            del self._flights[key]
        # All who waited may have gone; the error, if there is one, was theirs to see.
        if not task.cancelled():
            task.exception()
