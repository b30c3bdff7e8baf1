"""Answers that many callers want at the same moment: computed once, kept for a moment."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

V = TypeVar("V")


class Memo(Generic[V]):
    """Keeps the newest `size` values by key and computes each only once at a time.

    A value that could not be computed is not kept: all who wait for it get the error.
    """

    def __init__(self, size: int) -> None:
        """Start empty."""
        self._size = size
        self._values: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()
        self._running: dict[Hashable, asyncio.Task[V]] = {}

    async def get(self, key: Hashable, oldest: float, compute: Callable[[], Awaitable[V]]) -> tuple[V, float]:
        """Return a value that is at most `oldest` seconds old, and its age in seconds. Raises what `compute` raises.

        The computation goes on when a caller is cancelled, because others may wait for it; `compute` must have its
        own time limit.
        """
        held = self.last(key)
        if held is not None and held[1] <= oldest:
            return held
        return await asyncio.shield(self.refresh(key, compute)), 0.0

    def refresh(self, key: Hashable, compute: Callable[[], Awaitable[V]]) -> asyncio.Task[V]:
        """Begin to compute a value, unless that is under way; return the task."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(self._compute(key, compute))
            self._running[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def last(self, key: Hashable) -> tuple[V, float] | None:
        """Return the last value, however old, and its age in seconds; None when there was none."""
        held = self._values.get(key)
        return None if held is None else (held[1], time.monotonic() - held[0])

    async def _compute(self, key: Hashable, compute: Callable[[], Awaitable[V]]) -> V:
        began = time.monotonic()
        value = await compute()
        self._values[key] = (began, value)
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)
        return value

    def _ended(self, key: Hashable, task: asyncio.Task[V]) -> None:
        del self._running[key]
        # Callers may all have gone; the error, if there is one, was theirs to see.
        if not task.cancelled():
            task.exception()
