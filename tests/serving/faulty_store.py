"""A store that fails on cue: a TCP proxy before the real one."""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum


class Mood(Enum):
    """How the proxy treats connections."""

    FORWARD = "forward"
    REFUSE = "refuse"
    """Closes every connection at once, as a server that is down behind a load balancer."""
    HANG = "hang"
    """Accepts, reads, and never answers."""
    GARBLE = "garble"
    """Answers with bytes of no protocol."""
    SQL_ERROR = "sql_error"
    """Answers as ClickHouse does for a failed query, with the query and a stack in the text."""


GARBAGE = b"\x00\xffHELO this is neither Redis nor HTTP\r\n" * 3
ERROR_BODY = (
    b"Code: 47. DB::Exception: Missing columns while processing query: "
    b"SELECT secret_column FROM t WHERE tenant_id = 'x'. (UNKNOWN_IDENTIFIER)"
)
SQL_ERROR = (
    b"HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 47\r\nContent-Length: "
    + str(len(ERROR_BODY)).encode()
    + b"\r\nConnection: close\r\n\r\n"
    + ERROR_BODY
)


class FaultyStore:
    """Use as an async context manager; `port` is where it listens. `set` cuts the connections that are open."""

    def __init__(self, target_port: int, mood: Mood = Mood.FORWARD) -> None:
        self._target = target_port
        self._mood = mood
        self._open: set[asyncio.StreamWriter] = set()
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self._cut()

    def set(self, mood: Mood) -> None:
        self._mood = mood
        self._cut()

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            if self._mood is Mood.FORWARD:
                await self._forward(reader, writer)
            elif self._mood is Mood.HANG:
                while await reader.read(65536):
                    pass
            elif self._mood in (Mood.GARBLE, Mood.SQL_ERROR):
                await reader.read(65536)
                writer.write(GARBAGE if self._mood is Mood.GARBLE else SQL_ERROR)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort() if self._mood is Mood.REFUSE else writer.close()

    async def _forward(self, reader, writer) -> None:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._open.add(target_writer)

        async def pump(source, sink, before=None):
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    if before is not None:
                        await before(data)
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, target_writer, self._before_request), pump(target_reader, writer))
        self._open.discard(target_writer)

    async def _before_request(self, data: bytes) -> None:
        """Do what is to be done before a piece of a request is sent on."""
