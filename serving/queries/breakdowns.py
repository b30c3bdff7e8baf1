"""Groups of campaign figures in the order of a metric, each with its share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.campaign_metrics import Group, Page, Split, Sums, summed
from serving.queries.campaign_rows import SUMS, rows_of
from serving.queries.tiling import DAY_MS, HOUR_MS, Figures
from udfs import kpi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.queries.campaign_metrics import CampaignMetricsQueries, Wanted
    from serving.queries.campaign_rows import Selection, Span
    from serving.queries.history import History

# 1970-01-01 was a Thursday, the fourth day of its week.
_FIRST_DAY_OF_WEEK = 4
_DAYS_IN_WEEK = 7


def _ratio(numerator: str, denominator: str) -> str:
    return f"if({denominator} = 0, NULL, {numerator} / {denominator})"


_CTR = _ratio("clicks", "impressions")
_CONVERSION_RATE = _ratio("conversions", "clicks")
_ROAS = _ratio("revenue_micros", "cost_micros")
RATIOS = {
    "ctr": _CTR,
    "conversion_rate": _CONVERSION_RATE,
    "cpc_micros": _ratio("cost_micros", "clicks"),
    "cpa_micros": _ratio("cost_micros", "conversions"),
    "roas": _ROAS,
    "performance_score": f"if(isNull({_CTR}) AND isNull({_CONVERSION_RATE}) AND isNull({_ROAS}), NULL, 100 * ("
    f"{kpi.WEIGHT_CTR} * least(ifNull({_CTR}, 0) / {kpi.FULL_CTR}, 1)"
    f" + {kpi.WEIGHT_CONVERSION_RATE} * least(ifNull({_CONVERSION_RATE}, 0) / {kpi.FULL_CONVERSION_RATE}, 1)"
    f" + {kpi.WEIGHT_ROAS} * least(ifNull({_ROAS}, 0) / {kpi.FULL_ROAS}, 1)))",
}
"""KPIs in SQL, over the sums by name; the formulas are those of `udfs.kpi`."""
ORDERS = (*SUMS, *RATIOS)
"""What groups can be ordered by."""


@dataclass(frozen=True, slots=True)
class Dimensions:
    """What a breakdown is split by, beside currency."""

    campaign: bool = False
    channel: bool = False
    day_of_week: bool = False
    hour_of_day: bool = False

    @property
    def coarsest(self) -> Figures:
        """The coarsest stored figures that tell these apart."""
        return Figures.HOUR if self.day_of_week or self.hour_of_day else Figures.WEEK


@dataclass(frozen=True, slots=True)
class Order:
    """One of ORDERS, and whether the largest come first."""

    metric: str
    descending: bool


@dataclass(frozen=True, slots=True)
class BreakdownGroup:
    """A group. `share` is None for ratios and of a total of 0; a day (1 to 7) or hour is None unless it is split by."""

    group: Group
    share: float | None
    day_of_week: int | None
    hour_of_day: int | None


class BreakdownQueries:
    """Reads of breakdowns. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History, figures: CampaignMetricsQueries) -> None:
        """Keep the history to ask, and who knows which rows make up a range."""
        self._history = history
        self._figures = figures

    async def breakdown(
        self,
        tenant_id: str,
        wanted: Wanted,
        selection: Selection,
        dimensions: Dimensions,
        order: Order,
        size: int,
        offset: int,
        seconds: float,
    ) -> tuple[list[BreakdownGroup], list[Group]]:
        """Return `size` groups from `offset` on, ordered by currency, then as asked for; and the totals by currency."""
        spans, seconds = await self._figures.spans(tenant_id, wanted, dimensions.coarsest, seconds)
        groups, totals = await asyncio.gather(
            self._groups(tenant_id, spans, selection, dimensions, order, size, offset, seconds),
            self._figures.sums_of(
                tenant_id, spans, selection, Split(campaign=False, channel=False), Page(size), seconds
            ),
        )
        return groups, totals

    async def _groups(
        self,
        tenant_id: str,
        spans: Sequence[Span],
        selection: Selection,
        dimensions: Dimensions,
        order: Order,
        size: int,
        offset: int,
        seconds: float,
    ) -> list[BreakdownGroup]:
        parameters: dict[str, Any] = {"tenant": tenant_id}
        rows = rows_of(spans, selection.sql(parameters))
        compared = len(spans) > 1
        names = [*SUMS, *(f"compared_{name}" for name in SUMS)] if compared else list(SUMS)
        sums = ", ".join(f"{sql} AS {name}" for sql, name in zip(summed(compared=compared), names, strict=True))
        # An event belongs to the hour and day in which it happened, whatever range its span stands beside.
        day = f"intDiv(r.start_ms, {DAY_MS})"
        day_of_week = f"({day} + {_FIRST_DAY_OF_WEEK - 1}) % {_DAYS_IN_WEEK} + 1" if dimensions.day_of_week else "0"
        hour = f"intDiv(r.start_ms, {HOUR_MS}) % 24" if dimensions.hour_of_day else "0"
        ordered_by = RATIOS.get(order.metric, order.metric)
        share = (
            "NULL"
            if order.metric in RATIOS
            else _ratio(order.metric, f"(sum({order.metric}) OVER (PARTITION BY group_currency))")
        )
        found = await self._history.rows(
            f"""
            SELECT group_campaign, group_channel, group_currency, day_of_week, hour_of_day, {share}, revision,
                   through_ms, {", ".join(names)}
            FROM
            (
                SELECT {"r.campaign_id" if dimensions.campaign else "''"} AS group_campaign,
                       {"toString(r.channel)" if dimensions.channel else "''"} AS group_channel,
                       toString(r.currency) AS group_currency,
                       toInt64({day_of_week}) AS day_of_week, toInt64({hour}) AS hour_of_day,
                       maxIf(r.revision, r.compared = 0) AS revision,
                       maxIf(r.start_ms + r.width_ms, r.compared = 0) AS through_ms, {sums}
                FROM ({rows}) AS r
                GROUP BY group_campaign, group_channel, group_currency, day_of_week, hour_of_day
            )
            ORDER BY group_currency, isNull({ordered_by}), {ordered_by} {"DESC" if order.descending else "ASC"},
                     group_campaign, group_channel, day_of_week, hour_of_day
            LIMIT {offset}, {size}
            """,  # noqa: S608 - built from constants and integers; values are bound
            parameters,
            name="campaign_breakdown",
            seconds=seconds,
        )
        return [_breakdown_group(row, dimensions) for row in found]


def _breakdown_group(row: Sequence[Any], dimensions: Dimensions) -> BreakdownGroup:
    campaign, channel, currency, day_of_week, hour_of_day, share, revision, through_ms, *figures = row
    sums, compared = figures[: len(SUMS)], figures[len(SUMS) :]
    return BreakdownGroup(
        Group(
            0,
            campaign,
            channel,
            currency,
            Sums(*sums),
            revision=revision,
            through_ms=through_ms,
            compared=Sums(*compared) if compared else None,
        ),
        share,
        day_of_week if dimensions.day_of_week else None,
        hour_of_day if dimensions.hour_of_day else None,
    )
