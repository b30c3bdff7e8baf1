"""How a question about stored figures is answered: from what is at hand, from the cache, or computed once for all who
ask at the moment, or, when the store does not answer, as it was answered last."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
from google.protobuf.message import DecodeError

from serving.errors import ServingError
from serving.handlers.answers_at_hand import AnswersAtHand, Life, aged
from serving.handlers.last_known import LastKnown
from serving.handlers.questions import question_of
from serving.handlers.requests import now_ms
from serving.live.settled_changes import SETTLED_MS, SettledChanges, Subject
from serving.queries.answer_cache import Kept
from serving.queries.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from contextlib import AbstractAsyncContextManager

    from google.protobuf.message import Message

    from serving.handlers.call import Call
    from serving.metrics import ServingMetrics
    from serving.queries.answer_cache import AnswerCache

R = TypeVar("R", bound="Message")

# Figures of now change every second: many who look at the same dashboard share an answer, and none is much behind.
LIVE_MS = 500
# An answer that took long to compute is kept for so many times as long, so that no question takes more than a part of a
# core however many ask it; for this long at most, so that an event is still seen within five seconds (SPEC B9).
TIMES_AS_LONG = 10
LONGEST_LIVE_MS = 2_000
# SPEC E3. What changes settled figures earlier is told by signals.
SETTLED_KEPT_MS = 15 * 60_000
# From this share of its life on an answer is made anew when somebody asks for it, who is not kept waiting by that.
AGEING_FROM = 0.8
# For so long this process gives its own copy before it looks whether another one was asked for a newer answer.
UNASKED_MS = 5_000


@dataclass(frozen=True, slots=True)
class _Found(Generic[R]):
    """An answer, and how it was found: as the metric of answers has it."""

    response: R
    origin: str


@dataclass(frozen=True, slots=True)
class Keep:
    """For how long an answer may be given again (ms), unless settled figures of its subject change."""

    milliseconds: int
    subject: Subject

    def until(self, made_ms: int, took_ms: int) -> int:
        """Return until when (UTC ms) an answer may be given that was computed at `made_ms` and took so long."""
        return made_ms + max(self.milliseconds, min(TIMES_AS_LONG * took_ms, LONGEST_LIVE_MS))


LIVE = Keep(LIVE_MS, Subject.CAMPAIGNS)
"""For answers that say what is now; no change of the past is waited for."""


def until_changed(end_ms: int, subject: Subject) -> Keep:
    """Return for how long figures of a range that ends at `end_ms` may be kept."""
    settled = end_ms < now_ms() - SETTLED_MS
    return Keep(SETTLED_KEPT_MS if settled else LIVE_MS, subject)


class Answers:
    """Answers questions, each a request that names its tenant. Used from one event loop."""

    def __init__(
        self, cache: AnswerCache | None, changes: SettledChanges, metrics: ServingMetrics, most_bytes: int
    ) -> None:
        """Keep the parts; without a cache every answer is computed. Up to `most_bytes` of answers are kept at hand."""
        self._cache = cache
        self._changes = changes
        self._metrics = metrics
        self._last_known = LastKnown()
        self._at_hand = AnswersAtHand(most_bytes if cache is not None else 0)
        self._flights: SingleFlight[Any] = SingleFlight()
        self._renewals: dict[Hashable, asyncio.Task[None]] = {}
        self._renewing = asyncio.Semaphore(1)

    async def answer(
        self, request: Message, call: Call, kind: type[R], compute: Callable[[], Awaitable[R]], keep: Keep
    ) -> R:
        """Return the answer, a message of `kind` with the field `freshness`. It must not be changed: others are given
        the same.

        Raises:
            ServingError: the history is unavailable, and no answer is kept; or what `compute` raises.
        """
        question = (call.tenant_id, question_of(request))

        async def computed() -> _Found[R]:
            made_ms = now_ms()
            response = await self._last_known.answer(request, kind, compute)
            if self._cache is not None and not response.freshness.degraded:  # type: ignore[attr-defined] # every answer has it
                until_ms = keep.until(made_ms, now_ms() - made_ms)
                self._keep_at_hand(question, response, made_ms, until_ms)
                await self._cache.put(*question, Kept(made_ms, until_ms, response.SerializeToString()))
            return _Found(response, "computed")

        async def found() -> _Found[R]:
            read = await self._read_cache(question, kind, keep)
            return await computed() if read is None else _Found(read, "cache")

        if call.refresh:
            return await self._shared((*question, "refresh"), computed)
        held = self._at_hand.get(question, self._changes.last_ms(call.tenant_id, keep.subject))
        if held is None or (held.old and not self._flights.under_way(question)):
            return await self._shared(question, found)
        if held.ageing:
            # One after the other: nobody waits for them, and together they would hold up those who do wait.
            self._renew(question, computed, self._renewing)
        response: R = held.message
        return self._counted(response, "cache")

    async def current(
        self, request: Message, call: Call, version: Hashable, compute: Callable[[], Awaitable[R]], *, exact: bool
    ) -> R:
        """Return an answer about what is current, LIVE_MS old at most. It must not be changed: others are given the
        same.

        `version` is what has changed whenever something is known that an earlier answer lacks. With `exact` the answer
        holds everything up to it, else what came last may be missing: then it is made anew for those who ask later.

        Raises:
            ServingError: what `compute` raises.
        """
        question = (call.tenant_id, question_of(request))
        of_version = (*question, version)

        async def computed() -> _Found[R]:
            made_ms = now_ms()
            response = await compute()
            if not response.freshness.degraded:  # type: ignore[attr-defined] # every answer has it
                until_ms = made_ms + LIVE_MS
                for key in (question, of_version):
                    self._at_hand.put(key, response, Life(made_ms, until_ms, until_ms, until_ms))
            return _Found(response, "computed")

        if call.refresh:
            return await self._shared((*of_version, "refresh"), computed)
        newest = self._at_hand.get(of_version, 0)
        held = newest if newest is not None or exact else self._at_hand.get(question, 0)
        if held is None:
            return await self._shared(of_version, computed)
        if newest is None:
            self._renew(of_version, computed, contextlib.nullcontext())
        response: R = held.message
        return self._counted(response, "cache")

    async def _shared(self, question: Hashable, find: Callable[[], Awaitable[_Found[R]]]) -> R:
        shared = self._flights.under_way(question)
        try:
            # A question says what it asks: all answers to it are of one kind.
            found: _Found[R] = await self._flights.run(question, find)
            return self._counted(found.response, "shared" if shared else found.origin)
        except ServingError as error:
            if not shared or error.code is not grpc.StatusCode.UNAVAILABLE:
                raise
        # Whoever asked first may have had less time than this caller has.
        found = await find()
        return self._counted(found.response, found.origin)

    def _renew(
        self, question: Hashable, computed: Callable[[], Awaitable[Any]], turn: AbstractAsyncContextManager[None]
    ) -> None:
        """Have an answer made anew for those who ask later, unless that is under way."""
        if question in self._renewals or self._flights.under_way(question):
            return

        async def renewed() -> None:
            async with turn:
                # Whoever asks once the present answer is too old meets the fault, and is told.
                with contextlib.suppress(Exception):
                    await self._flights.run(question, computed)

        task = asyncio.create_task(renewed())
        self._renewals[question] = task
        task.add_done_callback(lambda _: self._renewals.pop(question))

    async def _read_cache(self, question: tuple[str, bytes], kind: type[R], keep: Keep) -> R | None:
        """Return the answer that the cache holds, None when it has none that may be given; keep it at hand."""
        if self._cache is None:
            return None
        kept = await self._cache.get(*question, self._changes.last_ms(question[0], keep.subject))
        if kept is None or kept.until_ms - kept.made_ms > max(keep.milliseconds, LONGEST_LIVE_MS):
            return None
        try:
            response = kind.FromString(kept.answer)
        except DecodeError:
            return None
        self._keep_at_hand(question, response, kept.made_ms, kept.until_ms)
        return aged(response, kept.made_ms, now_ms())

    def _keep_at_hand(self, question: Hashable, response: Message, made_ms: int, until_ms: int) -> None:
        ageing_ms = made_ms + round((until_ms - made_ms) * AGEING_FROM)
        old_ms = min(until_ms, now_ms() + UNASKED_MS)
        self._at_hand.put(question, response, Life(made_ms, ageing_ms, old_ms, max(old_ms, made_ms + LONGEST_LIVE_MS)))

    def _counted(self, response: R, origin: str) -> R:
        self._metrics.answers.labels(origin).inc()
        return response
