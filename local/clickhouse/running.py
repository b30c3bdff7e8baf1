"""The statements that run at this moment: admission, unique ids, and cancelling those whose client has gone."""

from __future__ import annotations

import logging
import select
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)
# A statement holds a handle and some engine threads. Beyond this the machine only switches between them; others wait.
MAX_RUNNING = 64
# Longer than a burst takes to drain, shorter than the clients' time-outs.
MAX_WAIT_SECONDS = 20.0
# How often the sockets of running statements are looked at: a client that has gone costs this much work for nobody.
_WATCH_SECONDS = 0.25


@dataclass(slots=True, eq=False)
class Running:
    """One statement that was admitted."""

    query_id: str
    connection: socket.socket
    cancel_on_disconnect: bool = False
    """Set once it is known that the statement only reads."""


class RunningStatements:
    """Admits statements and watches their clients."""

    def __init__(self, kill: Callable[[str], object]) -> None:
        """`kill` cancels the statement of an id; called from the watching thread, it may raise ClickHouseError."""
        self._kill = kill
        self._running: dict[str, Running] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._watch, name="disconnect-watch", daemon=True).start()

    @contextmanager
    def admitted(self, query_id: str, connection: socket.socket) -> Iterator[Running]:
        """Hold a place for a statement; waits for one when all are taken.

        Raises:
            ClickHouseError: no place within MAX_WAIT_SECONDS, or a statement of that id is running.
        """
        running = Running(query_id, connection)
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._running) < MAX_RUNNING, MAX_WAIT_SECONDS):
                raise ClickHouseError.of(
                    ErrorCode.TOO_MANY_SIMULTANEOUS_QUERIES, f"Too many simultaneous queries. Maximum: {MAX_RUNNING}"
                )
            if query_id in self._running:
                raise ClickHouseError.of(
                    ErrorCode.QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING, f"Query with id = {query_id} is already running."
                )
            self._running[query_id] = running
            self._changed.notify_all()
        try:
            yield running
        finally:
            with self._changed:
                del self._running[query_id]
                self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait for the running statements to end; tells whether all did."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)

    def kill_all(self) -> None:
        """Cancel everything that runs."""
        with self._changed:
            query_ids = list(self._running)
        for query_id in query_ids:
            self._kill_quietly(query_id)

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running)
                watched = {
                    item.connection.fileno(): item.query_id
                    for item in self._running.values()
                    if item.cancel_on_disconnect
                }
            poll = select.poll()
            for number in watched:
                if number >= 0:
                    poll.register(number, select.POLLRDHUP)
            # The kill repeats each round: one that comes before the engine knows the statement has no effect.
            for number, _ in poll.poll(0):
                self._kill_quietly(watched[number])
            time.sleep(_WATCH_SECONDS)

    def _kill_quietly(self, query_id: str) -> None:
        try:
            self._kill(query_id)
        except ClickHouseError as error:
            log.warning("cannot cancel a statement: %s", error.text)
