"""Live streams of answers: the answer as a snapshot, then what changed in it.

No signal says how a sum over a range changes, so the answer is read anew when something was heard of its tenant, and
now and then when nothing was, because not everything that is stored is told by a signal. It is the answer of the unary
method, kept and shared as that one is: many who watch the same cost what one costs. Of an answer that was sent a stream
keeps digests of its rows, and reads the next one when the client has taken the one before, so a slow client gets fewer
messages, and none wait for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import message_factory

from serving.handlers.questions import question_of, without
from serving.handlers.requests import now_ms
from serving.handlers.responses import timestamp
from serving.handlers.tokens import make_token, read_token
from serving.handlers.watch import CURSOR, draining
from serving.queries.history import too_large

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from google.protobuf.message import Message

    from serving.handlers.call import Call, StreamHandler, UnaryHandler
    from serving.handlers.watch import Pace
    from serving.live.hub import LiveHub

# When nothing is heard of a tenant, its answers are read anew this much less often: seldom, but within the five seconds
# in which a dashboard should show what is new (SPEC F3), at the two seconds that are the default.
QUIET_FACTOR = 2
# Answers that a client can come back to: some 15 MB of digests.
STATES_KEPT, ROWS_KEPT = 2_000, 100_000
DIGEST_BYTES = 8
# Parts of an answer that move with the clock, or are said beside it.
NOT_FIGURES = ("freshness", "covered_range", "covered_comparison_range", "next_page_token")


@dataclass(frozen=True, slots=True)
class Shape:
    """How an answer is watched.

    `asked` is the request of the unary method, `watched` the response of the stream. `rows` is the repeated field whose
    rows change each for itself; empty: the answer changes as a whole. `named` returns what tells a row from the others,
    as a row with nothing else. `figures` returns what is compared of a row.
    """

    asked: type[Message]
    watched: type[Message]
    rows: str = ""
    named: Callable[[Any], Any] = lambda row: row
    figures: Callable[[Any], Any] = lambda row: row
    whole_page_size: int = 0
    """Rows that an answer may have which must be whole; 0: the first page is watched, as large as was asked for."""


@dataclass(frozen=True, slots=True)
class State:
    """What a client knows of an answer: a digest by row, and one of the rest."""

    rows: Mapping[bytes, bytes]
    rest: bytes
    degraded: bool

    def digest(self) -> str:
        """Return what tells this state from others of the same request."""
        made = hashlib.blake2b(self.rest, digest_size=2 * DIGEST_BYTES)
        for key in sorted(self.rows):
            made.update(key)
            made.update(self.rows[key])
        return made.hexdigest()


class KnownStates:
    """States that clients were sent lately, so that one who comes back gets what changed since and nothing else."""

    def __init__(self) -> None:
        """Start with none."""
        self._states: OrderedDict[tuple[bytes, str], State] = OrderedDict()
        self._rows = 0

    def keep(self, request: bytes, digest: str, state: State) -> None:
        """Keep a state of a request, which names its tenant."""
        if (request, digest) not in self._states:
            self._rows += len(state.rows)
        self._states[request, digest] = state
        self._states.move_to_end((request, digest))
        while len(self._states) > STATES_KEPT or self._rows > ROWS_KEPT:
            self._rows -= len(self._states.popitem(last=False)[1].rows)

    def find(self, request: bytes, digest: str) -> State | None:
        """Return a state of a request, None when it is not known any more."""
        return self._states.get((request, digest))


class WatchedAnswers:
    """Makes the streams. Used from one event loop."""

    def __init__(self, hub: LiveHub, pace: Pace) -> None:
        """Keep what streams are made from."""
        self._hub = hub
        self._pace = pace
        self._known = KnownStates()

    def handler(self, shape: Shape, ask: UnaryHandler) -> StreamHandler:
        """Return the handler of the stream that watches what `ask` answers."""

        async def watch(request: Any, call: Call) -> AsyncGenerator[Any, None]:
            name, known = _name(request), None
            if request.resume_cursor:
                (digest,) = read_token(request.resume_cursor, "resume_cursor", request, CURSOR, (str,))
                known = self._known.find(name, digest)
            question = _question(shape, request)
            sent, cursor = -math.inf, ""
            with self._hub.file(call.tenant_id).heard.waiter() as heard:
                while True:
                    if self._hub.closing.is_set():
                        raise draining()
                    heard.clear()
                    began = time.monotonic()
                    answer = await ask(question, call)
                    if shape.whole_page_size and answer.next_page_token:
                        raise too_large()
                    state = _state(shape, answer)
                    response: Any = shape.watched()
                    if known != state:
                        _tell(shape, response, answer, known, state)
                        known = state
                        digest = state.digest()
                        self._known.keep(name, digest, state)
                        cursor = make_token(request, CURSOR, [digest])
                    elif time.monotonic() - sent >= self._pace.heartbeat:
                        response.heartbeat.sent_at.CopyFrom(timestamp(now_ms()))
                        cursor = cursor or request.resume_cursor
                    if response.WhichOneof("update"):
                        response.resume_cursor = cursor
                        yield response
                        sent = time.monotonic()
                    await self._until_due(began, sent, heard)

        return watch

    async def _until_due(self, began: float, sent: float, heard: asyncio.Event) -> None:
        """Wait until the answer that was read at `began` should be read anew."""
        pause = self._pace.reread
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, began + pause - time.monotonic())):
                await self._hub.closing.wait()
        quiet_until = min(began + QUIET_FACTOR * pause, sent + self._pace.heartbeat)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, quiet_until - time.monotonic())):
                await heard.wait()


def _name(request: Any) -> bytes:
    """Return what a stream is of: its method and request, and with it its tenant."""
    return hashlib.blake2b(question_of(request, CURSOR), digest_size=16).digest()


def _question(shape: Shape, request: Any) -> Any:
    """Return the request of the unary method that a stream's request stands for: the fields of the same names."""
    question: Any = shape.asked()
    for field, value in request.ListFields():
        if field.name == "resume_cursor":
            continue
        if field.is_repeated:
            getattr(question, field.name).extend(value)
        elif field.message_type is not None:
            getattr(question, field.name).CopyFrom(value)
        else:
            setattr(question, field.name, value)
    if shape.whole_page_size:
        question.page_size = shape.whole_page_size
    return question


def _digest(message: Any) -> bytes:
    return hashlib.blake2b(message.SerializeToString(deterministic=True), digest_size=DIGEST_BYTES).digest()


def _key(shape: Shape, row: Any) -> bytes:
    key: bytes = shape.named(row).SerializeToString(deterministic=True)
    return key


def _state(shape: Shape, answer: Any) -> State:
    rows = getattr(answer, shape.rows) if shape.rows else ()
    return State(
        {_key(shape, row): _digest(shape.figures(row)) for row in rows},
        _digest(without(answer, *NOT_FIGURES, *((shape.rows,) if shape.rows else ()))),
        answer.freshness.degraded,
    )


def _tell(shape: Shape, response: Any, answer: Any, known: State | None, state: State) -> None:
    """Put into a response what a client must learn to whom `known` is known."""
    response.freshness.CopyFrom(answer.freshness)
    if known is None:
        response.snapshot.CopyFrom(without(answer, "freshness", "next_page_token"))
        return
    response.changes.CopyFrom(without(answer, "freshness", "next_page_token", shape.rows))
    if not shape.rows:
        return
    keyed = ((_key(shape, row), row) for row in getattr(answer, shape.rows))
    changed = [row for key, row in keyed if known.rows.get(key) != state.rows[key]]
    getattr(response.changes, shape.rows).extend(changed)
    gone = known.rows.keys() - state.rows.keys()
    if gone:
        row = message_factory.GetMessageClass(answer.DESCRIPTOR.fields_by_name[shape.rows].message_type)
        response.removed.extend(row.FromString(key) for key in sorted(gone))
