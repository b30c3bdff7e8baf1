"""Sessions: what SET, USE and temporary tables leave behind for the next request with the same `session_id`.

clickhouse-connect gives every client a session id, and hardly a client leaves anything in its session. So a session is
kept only from the first statement that leaves something; all other statements run on a handle of their own.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from local.clickhouse.engine import Engine, Handle

# The server's own figures.
DEFAULT_TIMEOUT_SECONDS = 60
MAX_TIMEOUT_SECONDS = 3600
_DEFAULT_DATABASE = "default"
# Each kept session holds a handle, and its temporary tables in memory.
MAX_SESSIONS = 256


@dataclass(slots=True)
class Session:
    """One kept session: its handle, and the statements that made its settings, oldest first."""

    handle: Handle
    busy: bool = False
    expires_at: float = 0.0
    statements: dict[bytes, Mapping[str, str]] = field(default_factory=dict)

    def remember(self, statement: bytes, parameters: Mapping[str, str]) -> None:
        """Keep a SET or USE statement for `restore`."""
        self.statements.pop(statement, None)
        self.statements[statement] = parameters

    def restore(self, settings: Iterable[str]) -> None:
        """Undo the settings and the database that a request brought along: they hold for that request only."""
        for name in settings:
            # The request may have failed because there is no such setting.
            with suppress(ClickHouseError):
                self.handle.reset(name)
        self.handle.use(_DEFAULT_DATABASE)
        for statement, parameters in self.statements.items():
            self.handle.run(statement, parameters)


class Sessions:
    """The kept sessions of an engine."""

    def __init__(self, engine: Engine) -> None:
        """Start without sessions."""
        self._engine = engine
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, session_id: str, timeout_seconds: int, *, make: bool) -> Iterator[Session | None]:
        """Hold a session for one statement; gives None when there is none of that id and `make` is False.

        Raises:
            ClickHouseError: another statement holds the session, too long a time-out, or too many sessions are kept.
        """
        if timeout_seconds > MAX_TIMEOUT_SECONDS:
            reason = f"Session timeout {timeout_seconds} is larger than max_session_timeout: {MAX_TIMEOUT_SECONDS}"
            raise ClickHouseError.of(ErrorCode.INVALID_SESSION_TIMEOUT, reason)
        session = self._take(session_id, make=make)
        try:
            yield session
        finally:
            if session is not None:
                with self._lock:
                    session.expires_at = time.monotonic() + timeout_seconds
                    session.busy = False

    def end(self, session_id: str) -> None:
        """End a session that no statement holds."""
        with self._lock:
            session = self._sessions.get(session_id)
            if session is not None and not session.busy:
                del self._sessions[session_id]
                session.handle.close()

    def close(self) -> None:
        """End all sessions; no statement may be running."""
        with self._lock:
            for session in self._sessions.values():
                session.handle.close()
            self._sessions.clear()

    def _take(self, session_id: str, *, make: bool) -> Session | None:
        with self._lock:
            self._expire()
            session = self._sessions.get(session_id)
            if session is None:
                if not make:
                    return None
                if len(self._sessions) >= MAX_SESSIONS:
                    reason = f"Too many sessions that keep settings or temporary tables. Maximum: {MAX_SESSIONS}"
                    raise ClickHouseError.of(ErrorCode.TOO_MANY_SIMULTANEOUS_QUERIES, reason)
                session = self._sessions[session_id] = Session(self._engine.open())
            elif session.busy:
                raise ClickHouseError.of(ErrorCode.SESSION_IS_LOCKED, "Session is locked by a concurrent client.")
            session.busy = True
            return session

    def _expire(self) -> None:
        now = time.monotonic()
        for session_id, session in list(self._sessions.items()):
            if not session.busy and session.expires_at < now:
                del self._sessions[session_id]
                session.handle.close()
