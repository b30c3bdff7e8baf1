"""Live streams: a snapshot first, then changes, with heartbeats between them and a cursor to go on from after a break.

A stream holds a position in the live values of its tenant, and nothing else of them. The next message is made when
the client has taken the one before; what changed meanwhile is read then, each key once and in its newest state. So
a slow client gets fewer messages, not later ones.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from google.protobuf.message import Message

from serving.errors import Reason, unavailable
from serving.handlers.tokens import make_token, read_token
from serving.live.latest_values import LatestValues, Position

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable

    from serving.errors import ServingError
    from serving.live.hub import LiveHub

V = TypeVar("V")
M = TypeVar("M", bound=Message)

CURSOR = ("resume_cursor",)
# Updates that streams are sending: the newest of a few tenants. One is some kilobytes.
UPDATES_KEPT = 256
# Stands for no position: nothing had come when the message was sent.
NOWHERE = Position(-1, -1)
# After a drained server a client should come back to another one at once.
DRAIN_RETRY_SECONDS = 0.1


class Step(Enum):
    """What a stream has to send next."""

    SNAPSHOT = "snapshot"
    CHANGES = "changes"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a stream sends: changes at most every `interval` seconds, a heartbeat after `heartbeat` seconds
    without one. A stream of an answer reads it at most every `reread` seconds."""

    interval: float
    heartbeat: float
    reread: float


@dataclass(slots=True)
class Watch(Generic[V]):
    """One stream's place in the live values of its tenant."""

    values: LatestValues[V]
    position: Position | None
    """What the client has seen; None when that is not known, and then it gets a snapshot."""
    before: Position | None = None
    """What the client had seen before the newest changes."""

    def cursor(self, request: Message) -> str:
        """Return the cursor of the present position."""
        at = self.position or NOWHERE
        return make_token(request, CURSOR, [at.partition, at.offset])

    def begin_snapshot(self) -> None:
        """Note that the client is about to get everything up to now; called before the stores are read."""
        self.position = self.values.position or NOWHERE


class SharedUpdates(Generic[M]):
    """Messages that many streams send at about the same time, made once. Used from one event loop."""

    def __init__(self) -> None:
        """Start empty."""
        self._made: OrderedDict[Hashable, M] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], M]) -> M:
        """Return the message of a key, which says all that the message depends on, the tenant first. It must not be
        changed."""
        held = self._made.get(key)
        if held is None:
            held = self._made[key] = make()
            if len(self._made) > UPDATES_KEPT:
                self._made.popitem(last=False)
        return held


def open_watch(values: LatestValues[V], request: Message, cursor: str) -> Watch[V]:
    """Return a watch that goes on from a cursor, or from the beginning when it is empty; raises ServingError for a
    wrong cursor."""
    if not cursor:
        return Watch(values, None)
    partition, offset = read_token(cursor, "resume_cursor", request, CURSOR, (int, int))
    at = Position(partition, offset)
    # Nothing had come at that cursor, on a server that may be another one: what came since is not known.
    return Watch(values, None if at == NOWHERE else at)


def draining() -> ServingError:
    """Return the error that ends a stream of a server that stops."""
    return unavailable(Reason.DRAINING, "the server is stopping, come back with the cursor", DRAIN_RETRY_SECONDS)


async def steps(
    watch: Watch[V], hub: LiveHub, pace: Pace, matches: Callable[[V], bool]
) -> AsyncGenerator[tuple[Step, list[V]], None]:
    """Yield what to send, for ever. At SNAPSHOT the caller calls `begin_snapshot` and reads the stores.

    The values of CHANGES match and came after `watch.position`, which is moved on before they are yielded.

    Raises:
        ServingError: the server is draining; the client should come back with its cursor.
    """
    with watch.values.waiters.waiter() as changed:
        sent = -math.inf
        while True:
            if hub.closing.is_set():
                raise draining()
            changed.clear()
            at = watch.position
            newer = None if at is None else watch.values.since(None if at == NOWHERE else at)
            if newer is None:
                yield Step.SNAPSHOT, []
                sent = time.monotonic()
            elif newer:
                watch.before, watch.position = at, watch.values.position
                matching = [value for value in newer if matches(value)]
                if matching:
                    yield Step.CHANGES, matching
                    sent = time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, sent + pace.heartbeat - time.monotonic())):
                    await changed.wait()
            except TimeoutError:
                yield Step.HEARTBEAT, []
                sent = time.monotonic()
            else:
                await asyncio.sleep(max(0.0, sent + pace.interval - time.monotonic()))
