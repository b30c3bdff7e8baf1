"""Which answers can be watched, and what tells their rows apart."""

from __future__ import annotations

from tributary.v1 import attribution_pb2 as attribution_pb
from tributary.v1 import campaign_metrics_pb2 as campaign_pb
from tributary.v1 import journeys_pb2 as journeys_pb
from tributary.v1 import live_answers_pb2 as live_pb
from tributary.v1 import quality_pb2 as quality_pb

from serving.handlers.campaign_metrics import MOST_POINTS
from serving.handlers.credits import MOST_GROUPS
from serving.handlers.watched_answers import Shape


def _group(metrics: campaign_pb.CampaignMetrics) -> campaign_pb.CampaignMetrics:
    return campaign_pb.CampaignMetrics(
        campaign_id=metrics.campaign_id, channel=metrics.channel, currency=metrics.currency
    )


def _point(point: campaign_pb.TimeSeriesPoint) -> campaign_pb.TimeSeriesPoint:
    return campaign_pb.TimeSeriesPoint(start_time=point.start_time, metrics=_group(point.metrics))


def _row(row: campaign_pb.BreakdownRow) -> campaign_pb.BreakdownRow:
    named = campaign_pb.BreakdownRow(metrics=_group(row.metrics))
    for name in ("day_of_week", "hour_of_day"):
        if row.HasField(name):
            setattr(named, name, getattr(row, name))
    return named


def _credit(credit: attribution_pb.AttributionCredit) -> attribution_pb.AttributionCredit:
    return attribution_pb.AttributionCredit(
        channel=credit.channel,
        campaign_id=credit.campaign_id,
        currency=credit.currency,
        source=credit.source,
        creative_id=credit.creative_id,
        day=credit.day if credit.HasField("day") else None,
    )


SERIES = Shape(
    campaign_pb.ListTimeSeriesRequest, live_pb.WatchTimeSeriesResponse, "points", _point, whole_page_size=MOST_POINTS
)
BREAKDOWN = Shape(campaign_pb.GetBreakdownRequest, live_pb.WatchBreakdownResponse, "rows", _row)
ATTRIBUTION_SUMMARY = Shape(
    attribution_pb.GetAttributionSummaryRequest,
    live_pb.WatchAttributionSummaryResponse,
    "credits",
    _credit,
    whole_page_size=MOST_GROUPS,
)
FUNNEL = Shape(
    journeys_pb.GetFunnelRequest,
    live_pb.WatchFunnelResponse,
    "stages",
    lambda stage: journeys_pb.FunnelStage(stage=stage.stage),
)
JOURNEYS = Shape(
    journeys_pb.ListJourneysRequest,
    live_pb.WatchJourneysResponse,
    "journeys",
    lambda journey: journeys_pb.Journey(person_id=journey.person_id, journey_id=journey.journey_id),
)
QUALITY = Shape(quality_pb.GetQualityRequest, live_pb.WatchQualityResponse)
FRESHNESS = Shape(
    quality_pb.GetFreshnessRequest,
    live_pb.WatchFreshnessResponse,
    "stages",
    lambda stage: quality_pb.StageFreshness(stage=stage.stage),
    # The age is that of the moment at which it was asked for.
    lambda stage: quality_pb.StageFreshness(newest=stage.newest if stage.HasField("newest") else None),
)
