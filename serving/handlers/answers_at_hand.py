"""Answers that this process has made or read a moment ago, as messages that many callers are given.

A message that was given is never changed: transports may keep what they made of it (`transports/encoded_once.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from serving.handlers.requests import now_ms
from serving.handlers.responses import duration, timestamp

if TYPE_CHECKING:
    from collections.abc import Hashable

    from google.protobuf.message import Message

R = TypeVar("R", bound="Message")

# A larger answer is a page of an export, which nobody asks for twice.
LARGEST_BYTES = 1024 * 1024
# Callers within this time are given one message, whose age is exact to it: it is encoded once for all of them.
SAME_MS = 100


class Life(NamedTuple):
    """When an answer was computed, and until when it is given (UTC ms).

    From `ageing_ms` on it should be made anew, from `old_ms` on it is given only while that is under way, and from
    `until_ms` on never.
    """

    made_ms: int
    ageing_ms: int
    old_ms: int
    until_ms: int


@dataclass(slots=True)
class _AtHand:
    message: Any
    size: int
    life: Life
    given: Any = None
    given_ms: int = 0


class Given(NamedTuple):
    """An answer to hand out, and what its `Life` says of it now."""

    message: Any
    ageing: bool
    old: bool


def aged(answer: R, made_ms: int, now: int) -> R:
    """Return a copy of an answer that was made at `made_ms`, as it is given now."""
    copy = type(answer)()
    copy.CopyFrom(answer)
    freshness: Any = copy.freshness  # type: ignore[attr-defined] # every answer has it
    freshness.age.CopyFrom(duration((freshness.age.ToMilliseconds() + now - made_ms) / 1000))
    freshness.answered_at.CopyFrom(timestamp(now))
    return copy


class AnswersAtHand:
    """The newest answers by question; the first kept go first when they are more than `most_bytes`. A question must
    name its tenant. Used from one event loop."""

    def __init__(self, most_bytes: int) -> None:
        """Start empty; with 0 bytes nothing is kept."""
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, _AtHand] = OrderedDict()
        self._bytes = 0

    def get(self, question: Hashable, not_before_ms: int) -> Given | None:
        """Return the answer to a question, if one that was made after `not_before_ms` is still good."""
        held = self._kept.get(question)
        now = now_ms()
        # A clock that was set back must not keep an answer alive.
        if held is None or not not_before_ms < held.life.made_ms <= now < held.life.until_ms:
            return None
        if held.given is None or now - held.given_ms >= SAME_MS:
            held.given = aged(held.message, held.life.made_ms, now)
            held.given_ms = now
        return Given(held.given, ageing=now >= held.life.ageing_ms, old=now >= held.life.old_ms)

    def put(self, question: Hashable, answer: Message, life: Life) -> None:
        """Keep an answer, a message with the field `freshness`, unless a later one is kept: computations that began one
        after the other may end the other way round."""
        held = self._kept.get(question)
        if held is not None and held.life.made_ms > life.made_ms:
            return
        self._forget(question)
        size = answer.ByteSize()
        if size > min(LARGEST_BYTES, self._most_bytes):
            return
        self._kept[question] = _AtHand(answer, size, life)
        self._bytes += size
        now = now_ms()
        while self._kept:
            oldest, first = next(iter(self._kept.items()))
            if self._bytes <= self._most_bytes and first.life.until_ms > now:
                break
            self._forget(oldest)

    def _forget(self, question: Hashable) -> None:
        held = self._kept.pop(question, None)
        if held is not None:
            self._bytes -= held.size
