"""How busy the world is by hour of day and day of week, UTC.

*Busy milliseconds* are milliseconds weighted by how busy they are; a week has as many of them as of ordinary ones.
Events spread evenly over busy time are dense in busy hours.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

HOUR_MS = 3_600_000
WEEK_MS = 168 * HOUR_MS
# 1970-01-05 00:00 UTC, the first Monday after the epoch: where weeks are counted from.
FIRST_MONDAY_MS = 4 * 24 * HOUR_MS

# Relative traffic of a retail site by hour, low at night with a peak in the evening, and by day from Monday to Sunday.
_BY_HOUR = (4, 3, 2, 2, 2, 3, 5, 7, 9, 10, 11, 11, 12, 11, 10, 10, 11, 12, 14, 16, 17, 15, 11, 7)
_BY_DAY = (1.0, 0.98, 0.97, 1.0, 1.06, 1.12, 1.15)

_RAW = [hour * day for day in _BY_DAY for hour in _BY_HOUR]
INTENSITY = tuple(part * len(_RAW) / sum(_RAW) for part in _RAW)
"""How busy each hour of the week is, from Monday 00:00, with mean 1."""

_BUSY_AT_HOUR = (0.0, *accumulate(part * HOUR_MS for part in INTENSITY))


def busy_ms_until(moment_ms: float) -> float:
    """Busy milliseconds from the first Monday to a moment (UTC ms)."""
    week, within = divmod(moment_ms - FIRST_MONDAY_MS, WEEK_MS)
    hour = int(within // HOUR_MS)
    return week * WEEK_MS + _BUSY_AT_HOUR[hour] + (within - hour * HOUR_MS) * INTENSITY[hour]


def moment_of_busy_ms(busy_ms: float) -> float:
    """The moment (UTC ms) until which `busy_ms` have passed: the inverse of `busy_ms_until`."""
    week, within = divmod(busy_ms, WEEK_MS)
    hour = min(bisect_right(_BUSY_AT_HOUR, within) - 1, len(INTENSITY) - 1)
    return FIRST_MONDAY_MS + week * WEEK_MS + hour * HOUR_MS + (within - _BUSY_AT_HOUR[hour]) / INTENSITY[hour]
