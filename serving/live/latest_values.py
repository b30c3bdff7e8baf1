"""The newest value of each key, in the order in which they came: what live streams are made of.

A watcher keeps only the position that it has seen. What changed since then is read from here, so that a slow
watcher costs no memory and gets each key's newest value once, however often it changed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from serving.live.waiters import Waiters

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

V = TypeVar("V")

# Versions of values that are not kept any more: a few hundred bytes each.
REMEMBERED_VERSIONS = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The place of a record in its topic. All records of a tenant are in one partition, so offsets order them."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    offset: int
    arrived: float
    value: V


class LatestValues(Generic[V]):
    """The newest values of one tenant and kind. Used from one event loop.

    `version` orders values of one key: an older one never replaces a newer one, nor one of the last
    REMEMBERED_VERSIONS that are not kept any more, which watchers still show. At most `size` values are kept, and none
    longer than `seconds` after it came. `begins_at` is the offset from which on, in each partition, every
    record was seen.
    """

    def __init__(
        self,
        begins_at: Callable[[int], int | None],
        version: Callable[[V], Any],
        *,
        size: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty."""
        self._begins_at = begins_at
        self._version = version
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry[V]] = OrderedDict()
        self._forgotten: OrderedDict[Hashable, Any] = OrderedDict()
        self._partition: int | None = None
        self._known_from = 0
        self._offset = -1
        self._forgot = False
        self.waiters = Waiters()
        """Those who wait for a change; `put` wakes nobody, so that a batch of changes wakes once."""

    @property
    def position(self) -> Position | None:
        """The place of the newest record; None when there was none yet."""
        return None if self._partition is None else Position(self._partition, self._offset)

    @property
    def idle(self) -> bool:
        """True when nothing is held and nobody waits."""
        return not self._entries and self.waiters.idle

    def put(self, key: Hashable, value: V, position: Position) -> bool:
        """Take a value; False when a newer one of its key is held. Wakes nobody: see `waiters`."""
        if position.partition != self._partition:
            # The first record, or the tenant's records moved: nothing that came from elsewhere can be compared with it.
            self._forgot = self._partition is not None
            self._partition = position.partition
            self._known_from = 0
        elif position.offset <= self._offset:
            # The topic was made anew, or is being read again: what came before is not known any more.
            self._known_from = position.offset
            self._forgot = True
        begin = self._begins_at(position.partition)
        self._known_from = max(self._known_from, position.offset if begin is None else begin)
        self._offset = position.offset
        self._forget_old()
        held = self._entries.get(key)
        newest = self._forgotten.get(key) if held is None else self._version(held.value)
        if newest is not None and newest > self._version(value):
            return False
        self._forgotten.pop(key, None)
        self._entries[key] = _Entry(position.offset, self._clock(), value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._forget_first()
        return True

    def get(self, key: Hashable) -> V | None:
        """Return the newest value of a key."""
        held = self._entries.get(key)
        return None if held is None else held.value

    def values(self) -> list[V]:
        """Return all values, in the order in which they came."""
        self._forget_old()
        return [entry.value for entry in self._entries.values()]

    def since(self, position: Position | None) -> list[V] | None:
        """Return the values that came after a position, oldest first; None when it is not known what came after it.

        The position None stands for the time at which this object was made.
        """
        if position is None:
            return None if self._forgot else [entry.value for entry in self._entries.values()]
        if self._partition is None:
            # Nothing came since reading began; whether something came before that depends on where it began.
            begin = self._begins_at(position.partition)
            return [] if begin is not None and position.offset + 1 >= begin else None
        if (
            position.partition != self._partition
            or position.offset > self._offset
            or position.offset + 1 < self._known_from
        ):
            return None
        newer = []
        for entry in reversed(self._entries.values()):
            if entry.offset <= position.offset:
                break
            newer.append(entry.value)
        newer.reverse()
        return newer

    def _forget_old(self) -> None:
        until = self._clock() - self._seconds
        while self._entries and next(iter(self._entries.values())).arrived < until:
            self._forget_first()

    def _forget_first(self) -> None:
        key, entry = self._entries.popitem(last=False)
        self._forgotten[key] = self._version(entry.value)
        if len(self._forgotten) > REMEMBERED_VERSIONS:
            self._forgotten.popitem(last=False)
        # Whoever has not seen this value can no longer be brought up to date by what is left.
        self._known_from = max(self._known_from, entry.offset + 1)
        self._forgot = True
