"""Campaign figures from the history: exact sums of a range, as one figure or per step of time, and the newest
windows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.campaign_rows import SUMS, Span, rows_of, window_rows
from serving.queries.history import HistoryUnavailable
from serving.queries.memo import Memo
from serving.queries.tiling import (
    DAY_MS,
    MINUTE_MS,
    SECOND_MS,
    WIDTH_MS,
    Figures,
    cover,
    origin,
    settled_before,
    tail_from,
)
from serving.queries.time_predicates import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.queries.campaign_rows import Selection
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
    compared: Sums | None = None
    """Sums of the range that the step is compared with; None when it is compared with none."""

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


@dataclass(frozen=True, slots=True)
class Wanted:
    """The range [start_ms, end_ms), and the one that it is compared with (None: with none).

    Ends are as `tiling.round_outwards` returns them. `shift_ms` is how much later the range is than the other one.
    """

    start_ms: int
    end_ms: int
    compared: tuple[int, int] | None = None
    shift_ms: int = 0


def summed(*, compared: bool) -> list[str]:
    """Return the SQL of each sum of rows r, and behind them, when `compared`, of each sum of the compared range."""
    if not compared:
        return [f"sum(r.{name})" for name in SUMS]
    return [f"sumIf(r.{name}, r.compared = {which})" for which in (0, 1) for name in SUMS]


def _grouped(rows: str, step: str, split: Split, page: Page, parameters: dict[str, Any], *, compared: bool) -> str:
    """Return the SQL that adds up the rows (alias r) by step and group, a page of them in order."""
    campaign = "r.campaign_id" if split.campaign else "''"
    channel = "toString(r.channel)" if split.channel else "''"
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
           toString(r.currency) AS group_currency, maxIf(r.revision, r.compared = 0),
           maxIf(r.start_ms + r.width_ms, r.compared = 0), {", ".join(summed(compared=compared))}
    FROM ({rows}) AS r
    GROUP BY step, group_campaign, group_channel, group_currency
    {having}
    ORDER BY step, group_campaign, group_channel, group_currency
    LIMIT {page.size}
    """  # noqa: S608 - built from constants and integers; values are bound


def _group(row: Sequence[Any]) -> Group:
    sums, compared = row[6 : 6 + len(SUMS)], row[6 + len(SUMS) :]
    return Group(
        row[0],
        row[1],
        row[2],
        row[3],
        Sums(*sums),
        revision=row[4],
        through_ms=row[5],
        compared=Sums(*compared) if compared else None,
    )


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

    async def spans(
        self, tenant_id: str, wanted: Wanted, coarsest: Figures, seconds: float
    ) -> tuple[list[Span], float]:
        """Return the spans of what is wanted as the tenant's figures stand now, and the seconds that are left."""
        began = time.monotonic()
        newest_minute = await self.newest_minute(tenant_id, seconds)
        tail = tail_from(self._newest_window_end(tenant_id), newest_minute, int(time.time() * 1000))
        settled = settled_before(newest_minute)
        spans = [Span(cover(wanted.start_ms, wanted.end_ms, settled, tail, coarsest))]
        if wanted.compared is not None:
            spans.append(Span(cover(*wanted.compared, settled, tail, coarsest), wanted.shift_ms, compared=True))
        return spans, max(0.0, seconds - (time.monotonic() - began))

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
        self, tenant_id: str, wanted: Wanted, selection: Selection, split: Split, page: Page, seconds: float
    ) -> list[Group]:
        """Return the exact sums of what is wanted, one group a row."""
        spans, seconds = await self.spans(tenant_id, wanted, Figures.WEEK, seconds)
        return await self.sums_of(tenant_id, spans, selection, split, page, seconds)

    async def sums_of(
        self, tenant_id: str, spans: Sequence[Span], selection: Selection, split: Split, page: Page, seconds: float
    ) -> list[Group]:
        """Return the sums of spans, one group a row."""
        return await self._add_up(tenant_id, spans, "0", selection, split, page, seconds, "campaign_sums")

    async def series(
        self,
        tenant_id: str,
        wanted: Wanted,
        step: Figures,
        selection: Selection,
        split: Split,
        page: Page,
        seconds: float,
    ) -> list[Group]:
        """Return the exact sums of each step of what is wanted, whose ends and shift are whole steps. A step without
        events has no row."""
        spans, seconds = await self.spans(tenant_id, wanted, step, seconds)
        width, begin = WIDTH_MS[step], origin(step)
        of_row = f"intDiv(r.start_ms + r.shift_ms - {begin}, {width}) * {width} + {begin}"
        return await self._add_up(tenant_id, spans, of_row, selection, split, page, seconds, "campaign_series")

    async def local_days(
        self,
        tenant_id: str,
        wanted: Wanted,
        time_zone: str,
        selection: Selection,
        split: Split,
        page: Page,
        seconds: float,
    ) -> list[Group]:
        """Return the exact sums of each day of a zone of the IANA database that has a part in what is wanted, whose
        ends are whole hours. A day without events has no row."""
        spans, seconds = await self.spans(tenant_id, wanted, Figures.HOUR, seconds)
        of_row = (
            f"toUnixTimestamp(toStartOfDay(toDateTime(intDiv(r.start_ms, {SECOND_MS}), {{zone:String}}))) * {SECOND_MS}"
        )
        return await self._add_up(
            tenant_id, spans, of_row, selection, split, page, seconds, "campaign_days", zone=time_zone
        )

    async def sliding_windows(
        self, tenant_id: str, start_ms: int, end_ms: int, selection: Selection, split: Split, page: Page, seconds: float
    ) -> list[Group]:
        """Return the five-second windows that begin in [start_ms, end_ms), one each second; neighbours overlap."""
        parameters: dict[str, Any] = {"tenant": tenant_id}
        selected = selection.sql(parameters)
        rows = window_rows(f"{selected} window_start >= {moment(start_ms)} AND window_start < {moment(end_ms)}")
        rows = f"SELECT *, 0 AS compared FROM ({rows})"  # noqa: S608 - as above
        sql = _grouped(rows, "r.start_ms", split, page, parameters, compared=False)
        found = await self._history.rows(sql, parameters, name="sliding_windows", seconds=seconds)
        return [_group(row) for row in found]

    async def newest_windows(self, tenant_id: str, limit: int) -> list[Window]:
        """Return the newest window of each campaign, channel and currency that has one in the last five minutes, in
        order of their key."""
        since = int(time.time() * 1000) - CURRENT_MS
        found = await self._history.rows(
            f"""
            SELECT campaign_id, toString(channel), toString(currency), toUnixTimestamp64Milli(window_end),
                   {", ".join(SUMS)}, revision
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
        spans: Sequence[Span],
        step: str,
        selection: Selection,
        split: Split,
        page: Page,
        seconds: float,
        name: str,
        **bound: str,
    ) -> list[Group]:
        parameters: dict[str, Any] = {"tenant": tenant_id, **bound}
        rows = rows_of(spans, selection.sql(parameters))
        sql = _grouped(rows, step, split, page, parameters, compared=len(spans) > 1)
        return [_group(row) for row in await self._history.rows(sql, parameters, name=name, seconds=seconds)]
