"""What the pipeline stores for a set of campaign events, made the plain way: one event after the other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "events")
KEY = ("tenant_id", "campaign_id", "channel", "currency")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WEEK = 7 * DAY
WIDTHS = {"minute": MINUTE, "hour": HOUR, "day": DAY, "week": WEEK}


@dataclass(frozen=True)
class CampaignEvent:
    """One event; `sums` in the order of SUMS, the last being 1."""

    event_id: str
    key: tuple[str, str, str, str]
    time_ms: int
    sums: tuple[int, int, int, int, int, int]


def bucket(time_ms: int, grain: str) -> int:
    """Start of the bucket that holds the time."""
    if grain == "week":
        day = time_ms - time_ms % DAY
        return day - datetime.fromtimestamp(day / 1000, UTC).weekday() * DAY
    return time_ms - time_ms % WIDTHS[grain]


def add_up(events, group):
    """Sum events by `group(event)`; events whose group is None are left out."""
    totals = defaultdict(lambda: (0,) * len(SUMS))
    for event in events:
        name = group(event)
        if name is not None:
            totals[name] = tuple(a + b for a, b in zip(totals[name], event.sums, strict=True))
    return dict(totals)


def windows(events, watermark: int):
    """Rows of `campaign_metrics` when the stream's clock stands at `watermark`."""
    totals = defaultdict(lambda: (0,) * len(SUMS))
    for event in events:
        second = event.time_ms - event.time_ms % 1000
        for start in range(second - 4000, second + 1, 1000):
            if start + 5000 <= watermark:
                totals[event.key, start] = tuple(
                    a + b for a, b in zip(totals[event.key, start], event.sums, strict=True)
                )
    return [(*key, start, start + 5000, *sums) for (key, start), sums in totals.items()]


def rollups(events, watermark: int, unwritten=frozenset()):
    """Rows of `campaign_rollups` at `watermark`; `unwritten` holds (key, minute) whose row is still on its way."""

    def closed(event):
        minute = bucket(event.time_ms, "minute")
        return minute + MINUTE <= watermark and (event.key, minute) not in unwritten

    counted = [event for event in events if closed(event)]
    rows = []
    for grain in WIDTHS:
        for (key, start), sums in add_up(counted, lambda e, grain=grain: (e.key, bucket(e.time_ms, grain))).items():
            rows.append((*key, grain, start, *sums))
    return rows
