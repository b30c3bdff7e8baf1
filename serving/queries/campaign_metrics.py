"""Campaign figures from the history: exact sums of a range, as one figure or per step of time, and the newest
windows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.clickhouse.recompute import CAMPAIGN_EVENTS
from serving.queries.history import HistoryUnavailable
from serving.queries.memo import Memo
from serving.queries.tiling import (
    DAY_MS,
    MINUTE_MS,
    SECOND_MS,
    WIDTH_MS,
    WINDOW_MS,
    Figures,
    Piece,
    cover,
    origin,
    settled_before,
    tail_from,
)
from serving.queries.time_predicates import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serving.queries.history import History

# The newest minute row only decides where windows begin to count beside minutes; every answer is the same when it
# is a second old.
NEWEST_MINUTE_KEPT_SECONDS = 1.0
# Looking for it in two days of rows is cheap; only a tenant that was silent for longer costs more.
NEWEST_MINUTE_LOOKBACK_MS = 2 * DAY_MS
TENANTS_KEPT = 10_000
RETRY_SECONDS = 1.0
# A campaign without a window for this long is not shown as current: the time that its entry lives in the hot store.
CURRENT_MS = 5 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows count; an empty tuple lets all pass."""

    campaign_ids: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()

    def matches(self, campaign_id: str, channel: str, currency: str) -> bool:
        """Tell whether a row of these counts."""
        return (
            (not self.campaign_ids or campaign_id in self.campaign_ids)
            and (not self.channels or channel in self.channels)
            and (not self.currencies or currency in self.currencies)
        )


@dataclass(frozen=True, slots=True)
class Split:
    """What sums are split by, beside currency."""

    campaign: bool
    channel: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts, and micros of one currency."""

    impressions: int
    clicks: int
    conversions: int
    cost_micros: int
    revenue_micros: int
    events: int


@dataclass(frozen=True, slots=True)
class Group:
    """Sums of one group over one step of time.

    `start_ms` is the step's start (0 when the range is one step); fields that the sums are not split by are empty.
    `through_ms` is the end of the newest row in it.
    """

    start_ms: int
    campaign_id: str
    channel: str
    currency: str
    sums: Sums
    revision: int
    through_ms: int

    @property
    def position(self) -> tuple[int, str, str, str]:
        """Where the group stands in the order of an answer."""
        return (self.start_ms, self.campaign_id, self.channel, self.currency)


@dataclass(frozen=True, slots=True)
class Window:
    """The five-second window [end_ms - 5 s, end_ms) of a campaign, channel and currency. `newest_created_ms` is 0
    when unknown."""

    campaign_id: str
    channel: str
    currency: str
    end_ms: int
    sums: Sums
    revision: int
    newest_created_ms: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What the window is the newest one of."""
        return (self.campaign_id, self.channel, self.currency)

    @property
    def version(self) -> tuple[int, int]:
        """A window of the same key with a larger version replaces this one."""
        return (self.end_ms, self.revision)


@dataclass(frozen=True, slots=True)
class Page:
    """At most `size` groups that come after the position `after` (None: from the beginning)."""

    size: int
    after: tuple[int, str, str, str] | None = None


_SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "events")
_KEY = "campaign_id, channel, currency"


def _within(column: str, pieces: Iterable[Piece]) -> str:
    ranges = (f"({column} >= {moment(piece.start_ms)} AND {column} < {moment(piece.end_ms)})" for piece in pieces)
    return f"({' OR '.join(ranges)})"


def _selected(selection: Selection, parameters: dict[str, Any]) -> str:
    """Return the predicate of tenant and selection, ending in AND; binds the selection's values."""
    parts = ["tenant_id = {tenant:String}"]
    for name, values in (
        ("campaign_id", selection.campaign_ids),
        ("channel", selection.channels),
        ("currency", selection.currencies),
    ):
        if values:
            parameters[f"{name}s"] = list(values)
            parts.append(f"{name} IN {{{name}s:Array(String)}}")
    return " AND ".join(parts) + " AND"


# A window that begins at a multiple of five seconds.
_SIDE_BY_SIDE = f"toUnixTimestamp64Milli(window_start) % {WINDOW_MS} = 0"


def _rows(pieces: Sequence[Piece], selected: str) -> str:
    """Return the SQL of all rows that the pieces are made of: the key, start_ms, width_ms, the sums, revision."""
    columns = ", ".join(_SUMS)
    kinds: dict[Figures, list[Piece]] = {}
    for piece in pieces:
        kinds.setdefault(piece.figures, []).append(piece)
    events = kinds.pop(Figures.EVENT, None)
    newest = kinds.pop(Figures.NEWEST, None)
    windows = kinds.pop(Figures.WINDOW, None)
    branches = [
        f"""
        SELECT {_KEY}, toUnixTimestamp64Milli(bucket_start) AS start_ms, {WIDTH_MS[kind]} AS width_ms, {columns},
               revision
        FROM campaign_rollups FINAL WHERE {selected} grain = '{kind}' AND {_within("bucket_start", parts)}
        """  # noqa: S608 - built from constants and integers; values are bound
        for kind, parts in kinds.items()
    ]
    if windows:
        branches.append(_window_rows(f"{selected} {_SIDE_BY_SIDE} AND {_within('window_start', windows)}"))
    if newest:
        branches.append(_newest_rows(newest, selected))
    if events:
        branches.append(_event_rows(events, selected))
    return " UNION ALL ".join(branches)


def _window_rows(conditions: str) -> str:
    """Return the SQL of window rows, with the columns of `_rows`."""
    return f"""
    SELECT {_KEY}, toUnixTimestamp64Milli(window_start) AS start_ms, {WINDOW_MS} AS width_ms, {", ".join(_SUMS)},
           revision
    FROM campaign_metrics FINAL WHERE {conditions}
    """  # noqa: S608 - built from constants and integers; values are bound


def _event_rows(pieces: Sequence[Piece], selected: str) -> str:
    """Return the SQL of events as rows of their own, with the columns of `_rows`."""
    sums = ", ".join(_SUMS[:-1])
    families = ", ".join(f"'{name}'" for name in CAMPAIGN_EVENTS)
    return f"""
    SELECT {_KEY}, toUnixTimestamp64Milli(event_time) AS start_ms, {WIDTH_MS[Figures.EVENT]} AS width_ms, {sums},
           toUInt64(1) AS events, toUInt64(0) AS revision
    FROM events FINAL WHERE {selected} event_type IN ({families}) AND {_within("event_time", pieces)}
    """  # noqa: S608 - built from constants and integers; values are bound


def _newest_rows(pieces: Sequence[Piece], selected: str) -> str:
    """Return the SQL of minutes made of their row where there is one, else of their windows.

    Each table is read once: a minute that closes meanwhile is seen as its row or as its windows, never as both and
    never as neither.
    """
    columns = ", ".join(_SUMS)
    chosen = ", ".join(
        f"if(max(part.closed), sumIf(part.{name}, part.closed), sum(part.{name})) AS {name}" for name in _SUMS
    )
    return f"""
    SELECT {_KEY}, minute_ms AS start_ms, max(part.end_ms) - minute_ms AS width_ms, {chosen},
           if(max(part.closed), maxIf(part.revision, part.closed), max(part.revision)) AS revision
    FROM
    (
        SELECT {_KEY}, toUnixTimestamp64Milli(bucket_start) AS minute_ms, minute_ms + {MINUTE_MS} AS end_ms,
               1 AS closed, {columns}, revision
        FROM campaign_rollups FINAL WHERE {selected} grain = 'minute' AND {_within("bucket_start", pieces)}
        UNION ALL
        SELECT {_KEY}, intDiv(toUnixTimestamp64Milli(window_start), {MINUTE_MS}) * {MINUTE_MS} AS minute_ms,
               toUnixTimestamp64Milli(window_end) AS end_ms, 0 AS closed, {columns}, revision
        FROM campaign_metrics FINAL WHERE {selected} {_SIDE_BY_SIDE} AND {_within("window_start", pieces)}
    ) AS part
    GROUP BY {_KEY}, minute_ms
    """  # noqa: S608 - built from constants and integers; values are bound


def _grouped(rows: str, step: str, split: Split, page: Page, parameters: dict[str, Any]) -> str:
    """Return the SQL that adds up the rows (alias r) by step and group, a page of them in order."""
    campaign = "r.campaign_id" if split.campaign else "''"
    channel = "toString(r.channel)" if split.channel else "''"
    sums = ", ".join(f"sum(r.{name})" for name in _SUMS)
    having = ""
    if page.after is not None:
        names = ("after_step", "after_campaign", "after_channel", "after_currency")
        parameters.update(zip(names, page.after, strict=True))
        having = (
            "HAVING (step, group_campaign, group_channel, group_currency) > "
            "({after_step:Int64}, {after_campaign:String}, {after_channel:String}, {after_currency:String})"
        )
    return f"""
    SELECT toInt64({step}) AS step, {campaign} AS group_campaign, {channel} AS group_channel,
           toString(r.currency) AS group_currency, {sums}, max(r.revision), max(r.start_ms + r.width_ms)
    FROM ({rows}) AS r
    GROUP BY step, group_campaign, group_channel, group_currency
    {having}
    ORDER BY step, group_campaign, group_channel, group_currency
    LIMIT {page.size}
    """  # noqa: S608 - built from constants and integers; values are bound


def _group(row: Sequence[Any]) -> Group:
    return Group(row[0], row[1], row[2], row[3], Sums(*row[4:10]), revision=row[10], through_ms=row[11])


class CampaignMetricsQueries:
    """Reads of campaign figures. Every method is about one tenant, takes at most `seconds`, and raises what
    `History.rows` raises."""

    def __init__(self, history: History, newest_window_end: Callable[[str], int | None]) -> None:
        """Keep the history to ask. `newest_window_end` tells up to when (ms) a tenant's windows were heard of."""
        self._history = history
        self._newest_window_end = newest_window_end
        self._newest_minutes: Memo[int | None] = Memo(TENANTS_KEPT)

    async def newest_minute(self, tenant_id: str, seconds: float) -> int | None:
        """Return the start (ms) of the newest minute row, None when there is none; at most a second old.

        Callers share one look, which has the history's own time limit; each waits for it no longer than `seconds`.
        """

        async def look() -> int | None:
            since = int(time.time() * 1000) - NEWEST_MINUTE_LOOKBACK_MS
            return await self._newest_minute_since(tenant_id, since) or await self._newest_minute_since(tenant_id, 0)

        try:
            async with asyncio.timeout(seconds):
                value, _ = await self._newest_minutes.get(tenant_id, NEWEST_MINUTE_KEPT_SECONDS, look)
        except TimeoutError:
            why = f"newest_minute took longer than {seconds:.1f} s"
            raise HistoryUnavailable(why, RETRY_SECONDS) from None
        return value

    async def _cover(
        self, tenant_id: str, start_ms: int, end_ms: int, coarsest: Figures, seconds: float
    ) -> tuple[list[Piece], float]:
        """Return the pieces of a range as the tenant's figures stand now, and the seconds that are left."""
        began = time.monotonic()
        newest_minute = await self.newest_minute(tenant_id, seconds)
        tail = tail_from(self._newest_window_end(tenant_id), newest_minute, int(time.time() * 1000))
        pieces = cover(start_ms, end_ms, settled_before(newest_minute), tail, coarsest)
        return pieces, max(0.0, seconds - (time.monotonic() - began))

    async def _newest_minute_since(self, tenant_id: str, since_ms: int) -> int | None:
        rows = await self._history.rows(
            "SELECT toUnixTimestamp64Milli(max(bucket_start)) FROM campaign_rollups "  # noqa: S608 - an integer; the tenant is bound
            f"WHERE tenant_id = {{tenant:String}} AND grain = 'minute' AND bucket_start >= {moment(since_ms)}",
            {"tenant": tenant_id},
            name="newest_minute",
        )
        # The maximum of no rows is the epoch.
        return int(rows[0][0]) or None

    async def sums(
        self, tenant_id: str, start_ms: int, end_ms: int, selection: Selection, split: Split, page: Page, seconds: float
    ) -> list[Group]:
        """Return the exact sums of [start_ms, end_ms), both as `tiling.round_outwards` returns them, one group a
        row."""
        pieces, seconds = await self._cover(tenant_id, start_ms, end_ms, Figures.WEEK, seconds)
        return await self._add_up(tenant_id, pieces, "0", selection, split, page, seconds, "campaign_sums")

    async def series(
        self,
        tenant_id: str,
        start_ms: int,
        end_ms: int,
        step: Figures,
        selection: Selection,
        split: Split,
        page: Page,
        seconds: float,
    ) -> list[Group]:
        """Return the exact sums of each step of [start_ms, end_ms), whose ends are steps' borders. A step without
        events has no row."""
        pieces, seconds = await self._cover(tenant_id, start_ms, end_ms, step, seconds)
        width, begin = WIDTH_MS[step], origin(step)
        of_row = f"intDiv(r.start_ms - {begin}, {width}) * {width} + {begin}"
        return await self._add_up(tenant_id, pieces, of_row, selection, split, page, seconds, "campaign_series")

    async def sliding_windows(
        self, tenant_id: str, start_ms: int, end_ms: int, selection: Selection, split: Split, page: Page, seconds: float
    ) -> list[Group]:
        """Return the five-second windows that begin in [start_ms, end_ms), one each second; neighbours overlap."""
        parameters: dict[str, Any] = {"tenant": tenant_id}
        selected = _selected(selection, parameters)
        rows = _window_rows(f"{selected} window_start >= {moment(start_ms)} AND window_start < {moment(end_ms)}")
        sql = _grouped(rows, "r.start_ms", split, page, parameters)
        found = await self._history.rows(sql, parameters, name="sliding_windows", seconds=seconds)
        return [_group(row) for row in found]

    async def newest_windows(self, tenant_id: str, limit: int) -> list[Window]:
        """Return the newest window of each campaign, channel and currency that has one in the last five minutes, in
        order of their key."""
        since = int(time.time() * 1000) - CURRENT_MS
        found = await self._history.rows(
            f"""
            SELECT campaign_id, toString(channel), toString(currency), toUnixTimestamp64Milli(window_end),
                   {", ".join(_SUMS)}, revision
            FROM campaign_metrics FINAL
            WHERE tenant_id = {{tenant:String}} AND window_start >= {moment(since - since % SECOND_MS)}
            ORDER BY campaign_id, channel, currency, window_start DESC
            LIMIT 1 BY campaign_id, channel, currency
            LIMIT {limit}
            """,  # noqa: S608 - built from constants and integers; the tenant is bound
            {"tenant": tenant_id},
            name="newest_windows",
        )
        return [Window(row[0], row[1], row[2], row[3], Sums(*row[4:10]), revision=row[10]) for row in found]

    async def _add_up(
        self,
        tenant_id: str,
        pieces: Sequence[Piece],
        step: str,
        selection: Selection,
        split: Split,
        page: Page,
        seconds: float,
        name: str,
    ) -> list[Group]:
        parameters: dict[str, Any] = {"tenant": tenant_id}
        rows = _rows(pieces, _selected(selection, parameters))
        sql = _grouped(rows, step, split, page, parameters)
        return [_group(row) for row in await self._history.rows(sql, parameters, name=name, seconds=seconds)]
