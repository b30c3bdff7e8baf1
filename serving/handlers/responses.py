"""Making answers: figures into messages, and what every answer says about its freshness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from tributary.v1 import campaign_metrics_pb2 as campaign_pb
from tributary.v1 import freshness_pb2

from serving.handlers.requests import now_ms
from serving.queries.current_windows import Origin
from serving.queries.tiling import WINDOW_MS
from udfs.kpi import kpis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving.queries.campaign_metrics import Group, Sums, Wanted, Window
    from serving.queries.current_windows import Current


def timestamp(time_ms: int) -> Timestamp:
    """Return UTC milliseconds as a Timestamp."""
    seconds, rest = divmod(time_ms, 1000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000_000)


def duration(seconds: float) -> Duration:
    """Return seconds as a Duration, to the millisecond."""
    made = Duration()
    made.FromMilliseconds(round(seconds * 1000))
    return made


def time_range(start_ms: int, end_ms: int) -> freshness_pb2.TimeRange:
    """Return [start, end) as a TimeRange."""
    return freshness_pb2.TimeRange(start_time=timestamp(start_ms), end_time=timestamp(end_ms))


def freshness(
    source: freshness_pb2.Source.ValueType,
    *,
    through_ms: int = 0,
    revision: int = 0,
    age_seconds: float = 0.0,
    degraded_reason: str = "",
) -> freshness_pb2.Freshness:
    """Return the freshness of an answer made now. `through_ms` is 0 when it holds no figure."""
    return freshness_pb2.Freshness(
        data_through=timestamp(through_ms) if through_ms else None,
        answered_at=timestamp(now_ms()),
        revision=revision,
        source=source,
        degraded=bool(degraded_reason),
        age=duration(age_seconds),
        degraded_reason=degraded_reason,
    )


_SOURCES = {
    Origin.HOT_STORE: freshness_pb2.SOURCE_HOT_STORE,
    Origin.HISTORY: freshness_pb2.SOURCE_HISTORY,
    Origin.LIVE: freshness_pb2.SOURCE_LIVE,
    Origin.LAST_KNOWN: freshness_pb2.SOURCE_LAST_KNOWN,
}


def current_freshness(current: Current) -> freshness_pb2.Freshness:
    """Return the freshness of the newest windows."""
    return freshness(
        _SOURCES[current.origin],
        through_ms=max((window.end_ms for window in current.windows), default=0),
        revision=max((window.revision for window in current.windows), default=0),
        age_seconds=current.age_seconds,
        degraded_reason=current.degraded_reason,
    )


def metric_sums(sums: Sums) -> campaign_pb.MetricSums:
    """Return sums as a message."""
    return campaign_pb.MetricSums(
        impressions=sums.impressions,
        clicks=sums.clicks,
        conversions=sums.conversions,
        cost_micros=sums.cost_micros,
        revenue_micros=sums.revenue_micros,
        events=sums.events,
    )


def metric_kpis(sums: Sums) -> campaign_pb.Kpis:
    """Return the KPIs of sums as a message; a ratio over zero is absent."""
    figures = kpis(sums.impressions, sums.clicks, sums.conversions, sums.cost_micros, sums.revenue_micros)
    return campaign_pb.Kpis(
        ctr=figures.ctr,
        conversion_rate=figures.conversion_rate,
        cpc_micros=figures.cpc_micros,
        cpa_micros=figures.cpa_micros,
        roas=figures.roas,
        performance_score=figures.performance_score,
    )


def campaign_metrics(group: Group) -> campaign_pb.CampaignMetrics:
    """Return a group of sums as a message."""
    return campaign_pb.CampaignMetrics(
        campaign_id=group.campaign_id,
        channel=group.channel,
        currency=group.currency,
        sums=metric_sums(group.sums),
        kpis=metric_kpis(group.sums),
        revision=group.revision,
        compared=None
        if group.compared is None
        else campaign_pb.ComparedFigures(sums=metric_sums(group.compared), kpis=metric_kpis(group.compared)),
    )


def compared_range(wanted: Wanted) -> freshness_pb2.TimeRange | None:
    """Return the range that figures are compared with, None when there is none."""
    return None if wanted.compared is None else time_range(*wanted.compared)


def history_freshness(groups: Iterable[Group]) -> freshness_pb2.Freshness:
    """Return the freshness of groups read from the history."""
    found = list(groups)
    return freshness(
        freshness_pb2.SOURCE_HISTORY,
        through_ms=max((group.through_ms for group in found), default=0),
        revision=max((group.revision for group in found), default=0),
    )


def campaign_window(window: Window) -> campaign_pb.CampaignWindow:
    """Return a window as a message."""
    return campaign_pb.CampaignWindow(
        campaign_id=window.campaign_id,
        channel=window.channel,
        currency=window.currency,
        window_start=timestamp(window.end_ms - WINDOW_MS),
        window_end=timestamp(window.end_ms),
        sums=metric_sums(window.sums),
        kpis=metric_kpis(window.sums),
        revision=window.revision,
        newest_created_at=timestamp(window.newest_created_ms) if window.newest_created_ms else None,
    )
