"""The live streams of signed-in browsers that are open now, so that they end when their session does."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True, eq=False)
class OpenStream:
    """One stream. `limit` is the time limit of the wait for its next message, while there is such a wait."""

    ended: bool = False
    limit: asyncio.Timeout | None = None


class OpenStreams:
    """Streams by the hash of their session. Used from one event loop."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_session: dict[str, set[OpenStream]] = {}

    @contextmanager
    def opened(self, session: str | None) -> Iterator[OpenStream]:
        """Hold a stream of a session (None: of none) for the length of the context."""
        stream = OpenStream()
        if session is None:
            yield stream
            return
        held = self._by_session.setdefault(session, set())
        held.add(stream)
        try:
            yield stream
        finally:
            held.discard(stream)
            if not held and self._by_session.get(session) is held:
                del self._by_session[session]

    def end(self, session: str) -> None:
        """End the streams of a session: each is told at once, also while it waits."""
        now = asyncio.get_running_loop().time()
        for stream in self._by_session.get(session, ()):
            stream.ended = True
            if stream.limit is not None:
                # A limit that has just passed can be set no more: that wait is over too.
                with suppress(RuntimeError):
                    stream.limit.reschedule(now)
