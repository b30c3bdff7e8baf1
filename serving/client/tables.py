"""Answers as text tables: one row a figure, KPIs that are undefined as a dash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tributary.v1 import alerts_pb2, freshness_pb2, quality_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp
    from tributary.v1 import attribution_pb2
    from tributary.v1 import campaign_metrics_pb2 as campaign_pb

Row = tuple[str, ...]

_FIGURES = ("impressions", "clicks", "conversions", "cost", "revenue", "ctr %", "cvr %", "cpc", "cpa", "roas", "score")
METRICS = ("campaign", "channel", "currency", *_FIGURES)
SERIES = ("start (UTC)", *METRICS)
WINDOWS = ("window end (UTC)", *METRICS)
CREDIT = ("channel", "campaign", "currency", "credited conversions", "credited value", "conversions")
TOUCHES = ("conversion", "time (UTC)", "model", "touch", "channel", "campaign", "weight", "credited value", "currency")
ALERTS = ("opened (UTC)", "state", "severity", "rule", "campaign", "channel", "value", "threshold", "message")
COUNTS = ("outcome", "records")
STAGES = ("stage", "newest (UTC)", "age s")


def show(response: Any, rows: Sequence[Row], header: Sequence[str]) -> None:
    """Print rows under their header, then what the answer says of its freshness."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print(f"({_freshness(response)})\n", flush=True)


def _freshness(response: Any) -> str:
    freshness = response.freshness
    parts = [freshness_pb2.Source.Name(freshness.source).removeprefix("SOURCE_").lower()]
    if freshness.HasField("data_through"):
        parts.append(f"through {moment(freshness.data_through)}")
    if "covered_range" in response.DESCRIPTOR.fields_by_name:
        covered = response.covered_range
        parts.append(f"covers {moment(covered.start_time)} to {moment(covered.end_time)}")
    if freshness.degraded:
        parts.append(f"DEGRADED, {freshness.age.ToTimedelta().total_seconds():.1f} s old: {freshness.degraded_reason}")
    return ", ".join(parts)


def moment(time: Timestamp) -> str:
    """Return a time to the millisecond, without its date's zone: all are UTC."""
    return time.ToDatetime().isoformat(sep=" ", timespec="milliseconds")


def money(micros: float) -> str:
    """Return micros in units of the currency."""
    return f"{micros / 1e6:.2f}"


def _figures(sums: campaign_pb.MetricSums, kpis: campaign_pb.Kpis) -> Row:
    def kpi(name: str, scale: float = 1.0) -> str:
        return f"{getattr(kpis, name) * scale:.2f}" if kpis.HasField(name) else "-"  # type: ignore[arg-type] # a field's name

    return (
        *(str(value) for value in (sums.impressions, sums.clicks, sums.conversions)),
        money(sums.cost_micros),
        money(sums.revenue_micros),
        kpi("ctr", 100),
        kpi("conversion_rate", 100),
        kpi("cpc_micros", 1e-6),
        kpi("cpa_micros", 1e-6),
        kpi("roas"),
        kpi("performance_score"),
    )


def _metrics_row(metrics: campaign_pb.CampaignMetrics) -> Row:
    key = (metrics.campaign_id or "*", metrics.channel or "*", metrics.currency)
    return (*key, *_figures(metrics.sums, metrics.kpis))


def metrics(response: campaign_pb.GetCampaignMetricsResponse) -> Iterator[Row]:
    """Rows of METRICS."""
    yield from map(_metrics_row, response.metrics)


def series(response: campaign_pb.ListTimeSeriesResponse) -> Iterator[Row]:
    """Rows of SERIES."""
    for point in response.points:
        yield (moment(point.start_time), *_metrics_row(point.metrics))


def windows(response: campaign_pb.GetCurrentCampaignMetricsResponse | campaign_pb.CampaignWindows) -> Iterator[Row]:
    """Rows of WINDOWS."""
    for window in response.windows:
        key = (window.campaign_id, window.channel, window.currency)
        yield (moment(window.window_end), *key, *_figures(window.sums, window.kpis))


def watched_windows(response: campaign_pb.WatchCampaignMetricsResponse) -> Iterator[Row]:
    """Rows of WINDOWS."""
    yield from windows(response.snapshot)
    yield from windows(response.changes)


def credit(response: attribution_pb2.GetAttributionSummaryResponse) -> Iterator[Row]:
    """Rows of CREDIT."""
    for group in response.credits:
        key = (group.channel or "*", group.campaign_id or "-", group.currency)
        yield (*key, f"{group.credited_conversions:.3f}", money(group.credited_micros), str(group.conversions))


def _touches(conversions: Iterable[attribution_pb2.AttributedConversion]) -> Iterator[Row]:
    for conversion in conversions:
        for model in conversion.models:
            for touch in model.touches:
                yield (
                    conversion.conversion_id,
                    moment(touch.time),
                    model.model,
                    touch.touchpoint_id or "-",
                    touch.channel,
                    touch.campaign_id or "-",
                    f"{touch.weight:.4f}",
                    money(touch.credited_micros),
                    conversion.currency,
                )


def explained(response: attribution_pb2.ExplainConversionResponse) -> Iterator[Row]:
    """Rows of TOUCHES."""
    yield from _touches([response.conversion])


def watched_conversions(response: attribution_pb2.WatchAttributionResponse) -> Iterator[Row]:
    """Rows of TOUCHES."""
    yield from _touches((*response.snapshot.conversions, *response.changes.conversions))


def _alert(alert: alerts_pb2.Alert) -> Row:
    return (
        moment(alert.opened_at),
        alerts_pb2.AlertState.Name(alert.state).removeprefix("ALERT_STATE_").lower(),
        alerts_pb2.AlertSeverity.Name(alert.severity).removeprefix("ALERT_SEVERITY_").lower(),
        alert.rule,
        alert.campaign_id or "-",
        alert.channel or "-",
        f"{alert.value:.4g}",
        f"{alert.threshold:.4g}",
        alert.message,
    )


def alerts(response: alerts_pb2.ListAlertsResponse) -> Iterator[Row]:
    """Rows of ALERTS."""
    yield from map(_alert, response.alerts)


def watched_alerts(response: alerts_pb2.WatchAlertsResponse) -> Iterator[Row]:
    """Rows of ALERTS."""
    yield from map(_alert, (*response.snapshot.alerts, *response.changes.alerts))


def counts(response: quality_pb2.GetCountsResponse) -> Iterator[Row]:
    """Rows of COUNTS."""
    for name in ("received", "valid", "accepted", "duplicates", "late", "quarantined"):
        yield (name, str(getattr(response, name)))
    for reason in response.quarantined_by_reason:
        yield (f"  {reason.reason}", str(reason.events))


def stages(response: quality_pb2.GetFreshnessResponse) -> Iterator[Row]:
    """Rows of STAGES."""
    for stage in response.stages:
        known = stage.HasField("newest")
        yield (
            quality_pb2.Stage.Name(stage.stage).removeprefix("STAGE_").lower(),
            moment(stage.newest) if known else "-",
            f"{stage.age.ToTimedelta().total_seconds():.1f}" if known else "-",
        )
