"""A TCP proxy that misbehaves on cue, between the job and a store that itself is sound."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 16
# Far more than it takes: a machine may be too busy to run the thread for a while.
_ANSWER_SECONDS = 120.0


class Conduct(Enum):
    """What the proxy does with connections."""

    FORWARD = "forward"
    REFUSE = "refuse"
    """Ends every connection as soon as it is made, and those that are open: a server that is down."""
    RESET = "reset"
    """Takes the beginning of a request and resets the connection: the store sees a part of it, or nothing."""
    DELAY = "delay"
    """Holds each part of an answer back for `seconds`."""
    LOSE_REPLIES = "lose_replies"
    """Forwards the whole request, waits for the store's answer, and resets the connection instead of handing it on."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A conduct and its measures. `marker` chooses the requests that lose their reply: those that hold these bytes."""

    conduct: Conduct = Conduct.FORWARD
    seconds: float = 0.0
    marker: bytes = b""
    replies: int = 0
    """How many replies are lost before all is well again."""
    before_loss: Callable[[], object] | None = None
    """Called in a thread once the store has answered and before the connection is reset."""


@dataclass(slots=True)
class _Exchange:
    """One client's connection: whether a request with the marker is under way."""

    client: asyncio.StreamWriter
    store: asyncio.StreamWriter | None = None
    marked: bool = False
    tail: bytes = b""

    def abort(self) -> None:
        """Reset both sides."""
        for writer in (self.client, self.store):
            if writer is not None:
                writer.transport.abort()


@dataclass
class TcpProxy:
    """Listens on a free port of 127.0.0.1 (`port`) and forwards to `target_port`; a context manager.

    Works in a thread of its own, so `behave` takes effect whatever the caller does meanwhile.
    """

    target_port: int
    port: int = 0
    lost: int = 0
    """Replies lost since `behave` was last called."""
    _behaviour: Behaviour = field(default_factory=Behaviour)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._open: dict[int, _Exchange] = {}
        self._all_lost = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="tcp-proxy")
        self._thread.start()
        self._server = self._ask(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        """Reset what is open and stop."""
        self._ask(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ANSWER_SECONDS)
        self._loop.close()

    def behave(self, behaviour: Behaviour | None = None) -> None:
        """From now on: without an argument, forward. Open connections are reset when the proxy begins to refuse."""
        self._ask(self._set(behaviour or Behaviour()))

    def wait_lost(self, seconds: float) -> bool:
        """Wait until all replies that were to be lost are lost; returns False if they are not in time."""
        return self._all_lost.wait(seconds)

    def _ask(self, action: object) -> object:
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(_ANSWER_SECONDS)

    async def _set(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.lost = 0
        self._all_lost.clear()
        if behaviour.conduct is Conduct.REFUSE:
            self._cut()

    async def _stop(self) -> None:
        self._server.close()
        self._cut()
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _cut(self) -> None:
        for exchange in self._open.values():
            exchange.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = _Exchange(writer)
        self._open[id(exchange)] = exchange
        try:
            if self._behaviour.conduct is Conduct.REFUSE:
                return
            with contextlib.suppress(OSError):
                store_reader, exchange.store = await asyncio.open_connection("127.0.0.1", self.target_port)
                pumps = [
                    asyncio.create_task(self._requests(exchange, reader)),
                    asyncio.create_task(self._replies(exchange, store_reader)),
                ]
                _, rest = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in rest:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            del self._open[id(exchange)]
            exchange.abort()

    async def _requests(self, exchange: _Exchange, reader: asyncio.StreamReader) -> None:
        assert exchange.store is not None
        while data := await reader.read(_CHUNK):
            now = self._behaviour
            if now.conduct is Conduct.RESET:
                return
            if now.marker:
                # The marker may lie across two parts.
                seen = exchange.tail + data
                exchange.marked = exchange.marked or now.marker in seen
                exchange.tail = seen[-len(now.marker) :]
            exchange.store.write(data)
            await exchange.store.drain()

    async def _replies(self, exchange: _Exchange, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            now = self._behaviour
            if now.conduct is Conduct.DELAY:
                await asyncio.sleep(now.seconds)
            if now.conduct is Conduct.LOSE_REPLIES and exchange.marked and self.lost < now.replies:
                self.lost += 1
                if now.before_loss is not None:
                    await asyncio.get_running_loop().run_in_executor(None, now.before_loss)
                if self.lost == now.replies:
                    self._all_lost.set()
                return
            exchange.marked, exchange.tail = False, b""
            exchange.client.write(data)
            await exchange.client.drain()
        # The store ended the connection in order: what it has sent must reach the client before the end does.
        exchange.client.close()
        with contextlib.suppress(OSError):
            await exchange.client.wait_closed()
