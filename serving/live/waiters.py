"""Those who wait for something to happen, each with an event of its own."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Waiters:
    """Wakes all who wait. Used from one event loop."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._waiting: set[asyncio.Event] = set()

    @property
    def idle(self) -> bool:
        """True when nobody waits."""
        return not self._waiting

    def wake(self) -> None:
        """Wake all."""
        for event in self._waiting:
            event.set()

    @contextmanager
    def waiter(self) -> Iterator[asyncio.Event]:
        """Give an event that is set at each call of `wake` while the context lasts."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)
