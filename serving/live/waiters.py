"""Those who wait for something to happen, each with an event of its own."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# All are told of a change within this time, and have some more to send it, also when the event loop is busy.
ROUND_SECONDS = 0.5


class Waiters:
    """Wakes all who wait. Used from one event loop."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._waiting: set[asyncio.Event] = set()
        self._waking = False
        self._woken_anew = False

    @property
    def idle(self) -> bool:
        """True when nobody waits."""
        return not self._waiting

    def wake(self) -> None:
        """Wake all: one in each turn of the event loop, or as many as it takes to have woken all within ROUND_SECONDS.

        A gRPC server takes in one call in two turns: while it sent a change to a thousand streams at once, calls would
        wait for a second.
        """
        if self._waking:
            # Those who were woken before this change came have to be woken again.
            self._woken_anew = True
        else:
            self._waking = True
            self._wake_next(list(self._waiting), len(self._waiting), time.monotonic())

    def _wake_next(self, waiting: list[asyncio.Event], count: int, began: float) -> None:
        if not waiting and self._woken_anew:
            self._woken_anew = False
            waiting, began = list(self._waiting), time.monotonic()
            count = len(waiting)
        due = max(1, math.ceil(count * (time.monotonic() - began) / ROUND_SECONDS) - (count - len(waiting)))
        for event in waiting[-due:]:
            event.set()
        del waiting[-due:]
        if waiting or self._woken_anew:
            asyncio.get_running_loop().call_soon(self._wake_next, waiting, count, began)
        else:
            self._waking = False

    @contextmanager
    def waiter(self) -> Iterator[asyncio.Event]:
        """Give an event that is set at each call of `wake` while the context lasts."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)
