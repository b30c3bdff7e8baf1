"""How a question about stored figures is answered: from the cache, or computed once for all who ask at the moment, or,
when the store does not answer, as it was answered last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.message import DecodeError

from serving.errors import ServingError
from serving.handlers.last_known import LastKnown
from serving.handlers.requests import now_ms
from serving.handlers.responses import duration, timestamp
from serving.live.settled_changes import SETTLED_MS, SettledChanges, Subject
from serving.queries.answer_cache import Kept
from serving.queries.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.protobuf.message import Message

    from serving.handlers.call import Call
    from serving.metrics import ServingMetrics
    from serving.queries.answer_cache import AnswerCache

R = TypeVar("R", bound="Message")

# Figures of now change every second: many who look at the same dashboard share an answer, and none is much behind.
LIVE_MS = 500
# SPEC E3. What changes settled figures earlier is told by signals.
SETTLED_KEPT_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Keep:
    """For how long an answer may be given again (ms), unless settled figures of its subject change."""

    milliseconds: int
    subject: Subject


LIVE = Keep(LIVE_MS, Subject.CAMPAIGNS)
"""For answers that say what is now; no change of the past is waited for."""


def until_changed(end_ms: int, subject: Subject) -> Keep:
    """Return for how long figures of a range that ends at `end_ms` may be kept."""
    settled = end_ms < now_ms() - SETTLED_MS
    return Keep(SETTLED_KEPT_MS if settled else LIVE_MS, subject)


class Answers:
    """Answers questions, each a request that names its tenant. Used from one event loop."""

    def __init__(self, cache: AnswerCache | None, changes: SettledChanges, metrics: ServingMetrics) -> None:
        """Keep the parts; without a cache every answer is computed."""
        self._cache = cache
        self._changes = changes
        self._metrics = metrics
        self._last_known = LastKnown()
        self._flights: SingleFlight[Any] = SingleFlight()

    async def answer(
        self, request: Message, call: Call, kind: type[R], compute: Callable[[], Awaitable[R]], keep: Keep
    ) -> R:
        """Return the answer, a message of `kind` with the field `freshness`.

        Raises:
            ServingError: the history is unavailable, and no answer is kept; or what `compute` raises.
        """
        question = request.DESCRIPTOR.full_name.encode() + b" " + request.SerializeToString(deterministic=True)
        if not call.refresh:
            held = await self._held(call.tenant_id, question, kind, keep)
            if held is not None:
                return self._counted(held, "cache")

        async def computed() -> R:
            made_ms = now_ms()
            response = await self._last_known.answer(request, kind, compute)
            if self._cache is not None and not response.freshness.degraded:  # type: ignore[attr-defined] # every answer has it
                kept = Kept(made_ms, response.SerializeToString())
                await self._cache.put(call.tenant_id, question, kept, keep.milliseconds / 1000)
            return response

        origin = "shared" if self._flights.under_way(question) else "computed"
        try:
            # A question says what it asks: all answers to it are of one kind.
            response: R = await self._flights.run(question, computed)
            return self._counted(response, origin)
        except ServingError as error:
            if origin == "computed" or error.code is not grpc.StatusCode.UNAVAILABLE:
                raise
        # Whoever asked first may have had less time than this caller has.
        return self._counted(await computed(), "computed")

    async def _held(self, tenant_id: str, question: bytes, kind: type[R], keep: Keep) -> R | None:
        if self._cache is None:
            return None
        kept = await self._cache.get(tenant_id, question, self._changes.last_ms(tenant_id, keep.subject))
        now = now_ms()
        # A cache that does not forget in time is not believed.
        if kept is None or now - kept.made_ms > keep.milliseconds:
            return None
        try:
            response = kind.FromString(kept.answer)
        except DecodeError:
            return None
        freshness = response.freshness  # type: ignore[attr-defined] # every answer has it
        freshness.age.CopyFrom(duration((now - kept.made_ms) / 1000))
        freshness.answered_at.CopyFrom(timestamp(now))
        return response

    def _counted(self, response: R, origin: str) -> R:
        self._metrics.answers.labels(origin).inc()
        return response
