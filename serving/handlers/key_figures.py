"""CampaignMetricsService: one figure per metric with the one before it, the change and the trend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tributary.v1 import campaign_metrics_pb2 as campaign_pb

from serving.errors import invalid
from serving.handlers.answers import Keep
from serving.handlers.requests import now_ms, read_selection, with_comparison
from serving.handlers.responses import compared_range, history_freshness, time_range, timestamp
from serving.live.settled_changes import Subject
from serving.queries.campaign_metrics import Page, Split, Sums
from serving.queries.tiling import DAY_MS, HOUR_MS, MINUTE_MS, round_outwards
from udfs.kpi import kpis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.queries.campaign_metrics import CampaignMetricsQueries, Group

MOST_CURRENCIES = 200
# A smaller change, in percent, is noise on a card.
FLAT_PERCENT = 0.1
NOTHING = Sums(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Span:
    """How long a figure's time is, and how long the figure may be given again; both in ms."""

    length_ms: int
    kept_ms: int


# A figure may be as old as one part in a hundred of the time that it is about, and 15 minutes at most (SPEC E3).
CADENCES = {
    campaign_pb.CADENCE_REALTIME: Span(5 * MINUTE_MS, 5_000),
    campaign_pb.CADENCE_HOURLY: Span(HOUR_MS, MINUTE_MS),
    campaign_pb.CADENCE_DAILY: Span(DAY_MS, 5 * MINUTE_MS),
    campaign_pb.CADENCE_WEEKLY: Span(7 * DAY_MS, 15 * MINUTE_MS),
}
METRICS = tuple(value for value in campaign_pb.Metric.values() if value != campaign_pb.METRIC_UNSPECIFIED)


def values_of(sums: Sums) -> dict[campaign_pb.Metric.ValueType, float | None]:
    """Return every metric of sums; a ratio over zero is None."""
    figures = kpis(sums.impressions, sums.clicks, sums.conversions, sums.cost_micros, sums.revenue_micros)
    return {
        campaign_pb.METRIC_IMPRESSIONS: sums.impressions,
        campaign_pb.METRIC_CLICKS: sums.clicks,
        campaign_pb.METRIC_CONVERSIONS: sums.conversions,
        campaign_pb.METRIC_COST: sums.cost_micros,
        campaign_pb.METRIC_REVENUE: sums.revenue_micros,
        campaign_pb.METRIC_CTR: figures.ctr,
        campaign_pb.METRIC_CONVERSION_RATE: figures.conversion_rate,
        campaign_pb.METRIC_CPC: figures.cpc_micros,
        campaign_pb.METRIC_CPA: figures.cpa_micros,
        campaign_pb.METRIC_ROAS: figures.roas,
        campaign_pb.METRIC_PERFORMANCE_SCORE: figures.performance_score,
    }


def change_percent(current: float | None, previous: float | None) -> float | None:
    """Return (current - previous) / previous in percent; None when either is undefined or previous is 0."""
    return None if current is None or not previous else 100 * (current - previous) / previous


def trend_of(current: float | None, previous: float | None) -> campaign_pb.Trend.ValueType:
    """Return where a figure goes; unspecified when either is undefined."""
    if current is None or previous is None:
        return campaign_pb.TREND_UNSPECIFIED
    change = change_percent(current, previous)
    if current == previous or (change is not None and abs(change) < FLAT_PERCENT):
        return campaign_pb.TREND_FLAT
    return campaign_pb.TREND_UP if current > previous else campaign_pb.TREND_DOWN


class KeyFigureHandlers:
    """Handlers of the method."""

    def __init__(self, queries: CampaignMetricsQueries, answers: Answers) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._answers = answers

    async def list_key_figures(
        self, request: campaign_pb.ListKeyFiguresRequest, call: Call
    ) -> campaign_pb.ListKeyFiguresResponse:
        """Figures of the last span beside those of the span before."""
        span = CADENCES.get(request.cadence)
        if span is None:
            raise invalid("cadence", f"allowed: {', '.join(campaign_pb.Cadence.Name(value) for value in CADENCES)}")
        metrics = sorted(set(request.metrics)) or METRICS
        if not set(metrics) <= set(METRICS):
            raise invalid("metrics", f"allowed: {', '.join(campaign_pb.Metric.Name(value) for value in METRICS)}")
        selection = read_selection(request.selection, request.filter)
        now = now_ms()
        start, end = round_outwards(now - span.length_ms, now, now)
        wanted = with_comparison(start, end, campaign_pb.COMPARISON_PRECEDING)

        async def compute() -> campaign_pb.ListKeyFiguresResponse:
            groups = await self._queries.sums(
                call.tenant_id,
                wanted,
                selection,
                Split(campaign=False, channel=False),
                Page(MOST_CURRENCIES),
                call.query_seconds,
            )
            return campaign_pb.ListKeyFiguresResponse(
                figures=[
                    figure
                    for group in groups
                    for figure in _figures(group, metrics, request.cadence, now, span.kept_ms)
                ],
                covered_range=time_range(start, end),
                covered_comparison_range=compared_range(wanted),
                freshness=history_freshness(groups),
            )

        return await self._answers.answer(
            request, call, campaign_pb.ListKeyFiguresResponse, compute, Keep(span.kept_ms, Subject.CAMPAIGNS)
        )


def _figures(
    group: Group,
    metrics: Iterable[campaign_pb.Metric.ValueType],
    cadence: campaign_pb.Cadence.ValueType,
    now: int,
    kept_ms: int,
) -> list[campaign_pb.KeyFigure]:
    current, previous = values_of(group.sums), values_of(group.compared or NOTHING)
    of_cadence = campaign_pb.Cadence.Name(cadence).removeprefix("CADENCE_").lower()
    return [
        campaign_pb.KeyFigure(
            key=f"{campaign_pb.Metric.Name(metric).removeprefix('METRIC_').lower()}:{of_cadence}:{group.currency}",
            metric=metric,
            cadence=cadence,
            currency=group.currency,
            current=current[metric],
            previous=previous[metric],
            change_percent=change_percent(current[metric], previous[metric]),
            trend=trend_of(current[metric], previous[metric]),
            cached_at=timestamp(now),
            expires_at=timestamp(now + kept_ms),
        )
        for metric in metrics
    ]
