"""Which stored figures add up to a range of time: each moment in exactly one of them.

Campaign figures are stored as events, as five-second windows that begin every second, as minutes, and as hours, days
and weeks. What is known of each decides what may be added:

- Windows that begin at a multiple of five seconds lie side by side. The others overlap them and are never added.
- A minute's row is written once the minute is over, and is its total. Until then, and for the moment that writing
  takes, its windows are there and its row is not. So for minutes that are newer than `settled`, the row counts where
  there is one, and the windows where there is none, for each campaign, channel and currency by itself
  (`Figures.NEWEST`).
- An hour's row exists while the hour goes on and holds its closed minutes so far. So hours, days and weeks count only
  when they ended before `settled`; what is newer is made of minutes.
- A window is written once it is over; its events are in the store before that. So the last seconds are counted from the
  events themselves, from `tail` on (`Figures.EVENT`): an answer shows an event as soon as it is stored.

Everything here is pure. Times are UTC milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
WINDOW_MS = 5 * SECOND_MS

# The pipeline writes the minute rows of one tenant from several tasks, in batches; the slowest is some seconds
# behind the fastest. The margin is a hundred times that, and costs ten minutes of windows to look through.
SETTLING_MS = 10 * MINUTE_MS
# The windows of one moment are written by several tasks, each some seconds after their end.
TAIL_MS = 15 * SECOND_MS
# How far back events are counted for a tenant of which no window was heard of lately: bounds what has to be read.
LONGEST_TAIL_MS = 2 * MINUTE_MS
# Windows and minutes are deleted after 90 days, hours after 400 (the schema's TTL). One day less, because the
# deletion of a part begins when its oldest row expires.
FINE_RETENTION_MS = 89 * DAY_MS
HOUR_RETENTION_MS = 399 * DAY_MS


class Figures(StrEnum):
    """Which rows a piece of a range is made of."""

    EVENT = "event"
    WINDOW = "window"
    NEWEST = "newest"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


WIDTH_MS = {
    Figures.EVENT: 1,
    Figures.WINDOW: WINDOW_MS,
    Figures.NEWEST: MINUTE_MS,
    Figures.MINUTE: MINUTE_MS,
    Figures.HOUR: HOUR_MS,
    Figures.DAY: DAY_MS,
    Figures.WEEK: WEEK_MS,
}
# Weeks begin on Monday; the epoch was a Thursday and the first Monday came four days later.
_ORIGIN_MS = {Figures.WEEK: 4 * DAY_MS}
_FINER = {
    Figures.WEEK: Figures.DAY,
    Figures.DAY: Figures.HOUR,
    Figures.HOUR: Figures.MINUTE,
    Figures.MINUTE: Figures.WINDOW,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part [start_ms, end_ms) of a range, aligned to the width of its figures."""

    figures: Figures
    start_ms: int
    end_ms: int


def origin(figures: Figures) -> int:
    """Return a time at which a bucket of these figures begins."""
    return _ORIGIN_MS.get(figures, 0)


def floor(time_ms: int, figures: Figures) -> int:
    """Return the start of the bucket that holds `time_ms`."""
    return time_ms - (time_ms - origin(figures)) % WIDTH_MS[figures]


def ceiling(time_ms: int, figures: Figures) -> int:
    """Return `time_ms` if a bucket begins there, else the start of the next one."""
    return floor(time_ms + WIDTH_MS[figures] - 1, figures)


def settled_before(newest_minute_ms: int | None) -> int:
    """Return the time before which every minute's row is there, from the start of a tenant's newest one, if any."""
    if newest_minute_ms is None:
        return 0
    return floor(newest_minute_ms + MINUTE_MS - SETTLING_MS, Figures.MINUTE)


def tail_from(newest_window_end_ms: int | None, newest_minute_ms: int | None, now_ms: int) -> int:
    """Return the time from which events are counted one by one.

    `newest_window_end_ms` is the end of a tenant's newest window that was heard of, `newest_minute_ms` the start of its
    newest minute row; either may be unknown.
    """
    if newest_window_end_ms is not None:
        return floor(min(newest_window_end_ms, now_ms) - TAIL_MS, Figures.WINDOW)
    closed = 0 if newest_minute_ms is None else newest_minute_ms + MINUTE_MS
    return floor(max(closed - TAIL_MS, now_ms - LONGEST_TAIL_MS), Figures.WINDOW)


def round_outwards(start_ms: int, end_ms: int, now_ms: int) -> tuple[int, int]:
    """Return the smallest range around [start_ms, end_ms) that stored figures can add up to exactly."""

    def grain(time_ms: int) -> Figures:
        if time_ms < now_ms - HOUR_RETENTION_MS:
            return Figures.DAY
        if time_ms < now_ms - FINE_RETENTION_MS:
            return Figures.HOUR
        return Figures.WINDOW

    return floor(start_ms, grain(start_ms)), ceiling(end_ms, grain(end_ms))


def cover(start_ms: int, end_ms: int, settled_ms: int, tail_ms: int, coarsest: Figures = Figures.WEEK) -> list[Piece]:
    """Cut [start_ms, end_ms) into pieces, in order, each of the coarsest figures that fit.

    Both ends are multiples of five seconds. `settled_ms` is that of `settled_before`, `tail_ms` that of `tail_from`. No
    piece is coarser than `coarsest`.
    """
    tail = min(max(start_ms, tail_ms), end_ms)
    pieces = _cover(start_ms, tail, settled_ms, coarsest)
    return [*pieces, Piece(Figures.EVENT, tail, end_ms)] if tail < end_ms else pieces


def _cover(start_ms: int, end_ms: int, settled_ms: int, coarsest: Figures) -> list[Piece]:
    if start_ms >= end_ms:
        return []
    if coarsest is Figures.WINDOW:
        return [Piece(Figures.WINDOW, start_ms, end_ms)]
    first = ceiling(start_ms, coarsest)
    last = floor(end_ms, coarsest)
    finer = _FINER[coarsest]
    if coarsest is not Figures.MINUTE:
        last = min(last, floor(settled_ms, coarsest))
    if first >= last:
        return _cover(start_ms, end_ms, settled_ms, finer)
    if coarsest is Figures.MINUTE:
        border = min(max(first, settled_ms), last)
        middle = [Piece(Figures.MINUTE, first, border), Piece(Figures.NEWEST, border, last)]
    else:
        middle = [Piece(coarsest, first, last)]
    return [
        *_cover(start_ms, first, settled_ms, finer),
        *(piece for piece in middle if piece.start_ms < piece.end_ms),
        *_cover(last, end_ms, settled_ms, finer),
    ]
