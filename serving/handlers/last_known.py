"""Answers kept for the time when the store behind them does not answer."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

from tributary.v1 import freshness_pb2

from serving.errors import Reason, ServingError, unavailable
from serving.handlers.questions import question_of
from serving.handlers.requests import now_ms
from serving.handlers.responses import duration, timestamp
from serving.queries.history import HistoryUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.protobuf.message import Message

R = TypeVar("R", bound="Message")

# Memory for kept answers; about a hundred thousand small ones.
MOST_BYTES = 64 * 1024 * 1024
# An answer larger than this is not kept: it would push out too many others.
LARGEST_BYTES = 1024 * 1024
# An older answer would mislead more than it helps.
LONGEST_SECONDS = 6 * 3600.0


def history_unavailable(error: HistoryUnavailable) -> ServingError:
    """Return what a client is told when the history does not answer and nothing else can."""
    return unavailable(
        Reason.HISTORY_UNAVAILABLE, "the store of past figures does not answer, try again", error.retry_after_seconds
    )


def mark_degraded(response: Any, reason: Reason, age_seconds: float) -> None:
    """Make the freshness of a kept answer say that it is degraded, why, and how long ago it was read."""
    response.freshness.source = freshness_pb2.SOURCE_LAST_KNOWN
    response.freshness.degraded = True
    response.freshness.degraded_reason = reason
    response.freshness.age.CopyFrom(duration(age_seconds))
    response.freshness.answered_at.CopyFrom(timestamp(now_ms()))


class LastKnown:
    """The newest answer to each request (which names its tenant), least recently used first out. Used from one
    event loop."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    async def answer(self, request: Message, kind: type[R], compute: Callable[[], Awaitable[R]]) -> R:
        """Return the computed answer, a message of `kind`, or the last one to the same request when the history is
        unavailable.

        The answer must have the field `freshness`, which then says that it is degraded, why, and how old it is.

        Raises:
            ServingError: unavailable, and no answer is kept; or what `compute` raises.
        """
        key = question_of(request)
        try:
            response = await compute()
        except HistoryUnavailable as error:
            held = self._kept.get(key)
            if held is None or time.monotonic() - held[0] > LONGEST_SECONDS:
                raise history_unavailable(error) from None
            made, answer = held
            response = kind.FromString(answer)
            mark_degraded(response, Reason.HISTORY_UNAVAILABLE, time.monotonic() - made)
            return response
        self._keep(key, response.SerializeToString())
        return response

    def _keep(self, key: bytes, answer: bytes) -> None:
        if len(answer) > LARGEST_BYTES:
            return
        replaced = self._kept.pop(key, None)
        if replaced is not None:
            self._bytes -= len(key) + len(replaced[1])
        self._kept[key] = (time.monotonic(), answer)
        self._bytes += len(key) + len(answer)
        while self._bytes > MOST_BYTES:
            old, (_, value) = self._kept.popitem(last=False)
            self._bytes -= len(old) + len(value)
