"""Recompute campaign figures from the event store.

The stream counts what is on time. What comes late makes the windows and minutes that it belongs to wrong; they are
computed again here
from `events`, as absolute totals. Hours, days and weeks are always sums of the next finer grain. Every statement
writes the same rows when
it is run again, with a newer revision.

The revision is the server's clock when the statement began, so that of two overlapping runs the one that read later
wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from connectors.clickhouse.statement_pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from connectors.clickhouse.arrow_sink import ArrowSink

SECOND_MS = 1_000
WINDOW_MS = 5 * SECOND_MS
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

CAMPAIGN_EVENTS = ("campaign_launch", "campaign_optimization", "campaign_termination")
KEYS_PER_STATEMENT = 500


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """One figure to recompute: a campaign's sums in the bucket that begins at `start_ms` (UTC)."""

    start_ms: int
    tenant_id: str
    campaign_id: str
    channel: str
    currency: str


_KEY = "tenant_id, campaign_id, channel, currency"
_SUMS = ", ".join(
    f"sum({name}) AS {name}" for name in ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")
)
_NAMES = "impressions, clicks, conversions, cost_micros, revenue_micros"

READ_WINDOWS = f"""
SELECT
    {_KEY}, start_ms, {_SUMS}, count() AS events, max(created_ms) AS newest_created_at,
    toUnixTimestamp64Micro(now64(6)) AS revision
FROM
(
    SELECT
        {_KEY}, {_NAMES},
        toUnixTimestamp64Milli(created_at) AS created_ms,
        intDiv(toUnixTimestamp64Milli(event_time), 1000) * 1000 AS second_ms,
        arrayJoin(arrayMap(back -> second_ms - back * 1000, range(5))) AS start_ms
    FROM events FINAL
    WHERE tenant_id IN {{tenants:Array(String)}}
      AND event_time >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
      AND event_time < fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
      AND event_type IN {{types:Array(String)}}
)
WHERE ({_KEY}, start_ms) IN {{wanted:Array(Tuple(String, String, String, String, Int64))}}
GROUP BY {_KEY}, start_ms
"""  # noqa: S608 - built from the constants above; values are bound

RECOMPUTE_MINUTES = f"""
INSERT INTO campaign_rollups ({_KEY}, grain, bucket_start, {_NAMES}, events, revision)
SELECT {_KEY}, 'minute', fromUnixTimestamp64Milli(start_ms, 'UTC'), {_SUMS}, count(),
       toUnixTimestamp64Micro(now64(6))
FROM
(
    SELECT {_KEY}, {_NAMES}, intDiv(toUnixTimestamp64Milli(event_time), 60000) * 60000 AS start_ms
    FROM events FINAL
    WHERE tenant_id IN {{tenants:Array(String)}}
      AND event_time >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
      AND event_time < fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
      AND event_type IN {{types:Array(String)}}
)
WHERE ({_KEY}, start_ms) IN {{wanted:Array(Tuple(String, String, String, String, Int64))}}
GROUP BY {_KEY}, start_ms
"""  # noqa: S608 - built from the constants above; values are bound

ROLL_UP = f"""
INSERT INTO campaign_rollups ({_KEY}, grain, bucket_start, {_NAMES}, events, revision)
SELECT {_KEY}, {{grain:String}}, fromUnixTimestamp64Milli(start_ms, 'UTC'), {_SUMS}, sum(finer.events),
       toUnixTimestamp64Micro(now64(6))
FROM
(
    SELECT
        {_KEY}, {_NAMES}, events,
        toUnixTimestamp64Milli(bucket_start) - {{origin:Int64}} AS since_origin,
        intDiv(since_origin, {{size:Int64}}) * {{size:Int64}} + {{origin:Int64}} AS start_ms
    FROM campaign_rollups FINAL
    WHERE grain = {{finer:String}}
      AND tenant_id IN {{tenants:Array(String)}}
      AND bucket_start >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
      AND bucket_start < fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
) AS finer
WHERE ({_KEY}, start_ms) IN {{wanted:Array(Tuple(String, String, String, String, Int64))}}
GROUP BY {_KEY}, start_ms
"""  # noqa: S608 - built from the constants above; values are bound


@dataclass(frozen=True, slots=True)
class Grain:
    """A roll-up grain: buckets of `size_ms` counted from `origin_ms`, each the sum of buckets of the grain `finer`."""

    name: str
    finer: str
    size_ms: int
    origin_ms: int = 0

    def start(self, time_ms: int) -> int:
        """Return the start of the bucket that holds a time, both in UTC ms."""
        return time_ms - (time_ms - self.origin_ms) % self.size_ms


# Weeks begin on Monday: the epoch was a Thursday, the first Monday after it 1970-01-05.
COARSER = (Grain("hour", "minute", HOUR_MS), Grain("day", "hour", DAY_MS), Grain("week", "day", 7 * DAY_MS, 4 * DAY_MS))


def _statements(buckets: Iterable[Bucket], *, per_hour: bool) -> Iterator[Sequence[Bucket]]:
    """Cut the distinct buckets, in time order, into pieces of limited length (and of one hour each, which limits what
    is scanned).
    """
    ordered = sorted(set(buckets))
    for _, group in groupby(ordered, key=lambda bucket: bucket.start_ms // HOUR_MS if per_hour else 0):
        yield from pieces(list(group), KEYS_PER_STATEMENT)


def _parameters(buckets: Sequence[Bucket], span_ms: int) -> dict[str, Any]:
    return {
        "tenants": sorted({bucket.tenant_id for bucket in buckets}),
        "types": list(CAMPAIGN_EVENTS),
        "from_ms": buckets[0].start_ms,
        "to_ms": buckets[-1].start_ms + span_ms,
        "wanted": [(b.tenant_id, b.campaign_id, b.channel, b.currency, b.start_ms) for b in buckets],
    }


@dataclass(frozen=True, slots=True)
class WindowSums:
    """Sums of one 5 s window, recomputed. Times in ms, money in micros of the bucket's currency."""

    window: Bucket
    impressions: int
    clicks: int
    conversions: int
    cost_micros: int
    revenue_micros: int
    events: int
    newest_created_at: int
    revision: int


def read_windows(sink: ArrowSink, seconds: Iterable[Bucket]) -> list[WindowSums]:
    """Return the sums of every 5 s window that holds one of the given seconds (`start_ms` of the second)."""
    windows = (
        replace(second, start_ms=second.start_ms - back)
        for second in seconds
        for back in range(0, WINDOW_MS, SECOND_MS)
    )
    found = []
    for piece in _statements(windows, per_hour=True):
        rows = sink.rows(READ_WINDOWS, _parameters(piece, WINDOW_MS), "reading of windows to revise")
        found += [WindowSums(Bucket(row[4], *row[:4]), *row[5:]) for row in rows]
    return found


def recompute_minutes(sink: ArrowSink, minutes: Iterable[Bucket]) -> None:
    """Recompute the given minutes from the event store, then the hours, days and weeks that hold them."""
    minutes = list(minutes)
    for piece in _statements(minutes, per_hour=True):
        sink.command(RECOMPUTE_MINUTES, _parameters(piece, MINUTE_MS), "revision of minutes")
    roll_up(sink, minutes)


def roll_up(sink: ArrowSink, minutes: Iterable[Bucket]) -> None:
    """Recompute the hours, days and weeks that hold the given minutes, each as the sum of the next finer grain."""
    touched = set(minutes)
    for grain in COARSER:
        touched = {replace(bucket, start_ms=grain.start(bucket.start_ms)) for bucket in touched}
        for piece in _statements(touched, per_hour=False):
            chosen = {"grain": grain.name, "finer": grain.finer, "size": grain.size_ms, "origin": grain.origin_ms}
            sink.command(ROLL_UP, _parameters(piece, grain.size_ms) | chosen, f"roll-up of a {grain.name}")
