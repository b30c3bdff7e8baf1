"""The services of the contract, each method with its handler. A transport needs nothing else to carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.v1 import (
    alerts_pb2,
    attribution_pb2,
    campaign_metrics_pb2,
    dashboards_pb2,
    journeys_pb2,
    live_answers_pb2,
    quality_pb2,
)

from serving.handlers import watched_shapes
from serving.handlers.alerts import AlertHandlers
from serving.handlers.attribution import AttributionHandlers
from serving.handlers.breakdowns import BreakdownHandlers
from serving.handlers.call import Service
from serving.handlers.campaign_metrics import CampaignMetricsHandlers
from serving.handlers.credit_revisions import CreditRevisionHandlers
from serving.handlers.credits import CreditHandlers
from serving.handlers.dashboards import DashboardHandlers
from serving.handlers.event_traces import EventTraceHandlers
from serving.handlers.journeys import JourneyHandlers
from serving.handlers.key_figures import KeyFigureHandlers
from serving.handlers.quality import QualityHandlers
from serving.handlers.watched_answers import WatchedAnswers
from serving.queries.alerts import AlertQueries
from serving.queries.attribution import AttributionQueries
from serving.queries.breakdowns import BreakdownQueries
from serving.queries.campaign_metrics import CampaignMetricsQueries
from serving.queries.campaigns import CampaignQueries
from serving.queries.credit_revisions import CreditRevisionQueries
from serving.queries.credit_sums import CreditSumQueries
from serving.queries.current_windows import CurrentWindows
from serving.queries.event_traces import EventTraceQueries
from serving.queries.journeys import JourneyQueries
from serving.queries.quality import QualityQueries

if TYPE_CHECKING:
    from serving.handlers.answers import Answers
    from serving.handlers.watch import Pace
    from serving.live.hub import LiveHub
    from serving.queries.history import History
    from serving.queries.hot_store import HotStore
    from serving.relational.database import Database


def make_services(
    history: History, hot_store: HotStore, hub: LiveHub, pace: Pace, answers: Answers, database: Database | None
) -> tuple[Service, ...]:
    """Return every service, reading from these stores. Without a database no dashboards are kept."""
    campaign_queries = CampaignMetricsQueries(history, hub.newest_window_end)
    current = CurrentWindows(campaign_queries, hot_store, hub)
    campaigns = CampaignMetricsHandlers(campaign_queries, current, answers, hub, pace)
    breakdowns = BreakdownHandlers(BreakdownQueries(history, campaign_queries), CampaignQueries(history), answers)
    key_figures = KeyFigureHandlers(campaign_queries, answers)
    credit_sums = CreditSumQueries(history)
    attribution = AttributionHandlers(AttributionQueries(history), answers, hub, pace)
    credit_handlers = CreditHandlers(credit_sums, answers)
    revisions = CreditRevisionHandlers(CreditRevisionQueries(history), answers)
    journeys = JourneyHandlers(JourneyQueries(history), answers)
    alerts = AlertHandlers(AlertQueries(history), answers, hub, pace)
    quality = QualityHandlers(QualityQueries(history), credit_sums, answers, hub)
    event_traces = EventTraceHandlers(EventTraceQueries(history), answers)
    dashboards = DashboardHandlers(database)
    watched = WatchedAnswers(hub, pace)
    return (
        Service(
            campaign_metrics_pb2.DESCRIPTOR.services_by_name["CampaignMetricsService"],
            unary={
                "GetCampaignMetrics": campaigns.get_campaign_metrics,
                "GetCurrentCampaignMetrics": campaigns.get_current_campaign_metrics,
                "GetBreakdown": breakdowns.get_breakdown,
                "ListCampaigns": breakdowns.list_campaigns,
                "ListKeyFigures": key_figures.list_key_figures,
                "ListTimeSeries": campaigns.list_time_series,
            },
            streams={"WatchCampaignMetrics": campaigns.watch_campaign_metrics},
        ),
        Service(
            attribution_pb2.DESCRIPTOR.services_by_name["AttributionService"],
            unary={
                "GetAttributionSummary": credit_handlers.get_attribution_summary,
                "CompareAttribution": credit_handlers.compare_attribution,
                "ListConversions": attribution.list_conversions,
                "ExplainConversion": attribution.explain_conversion,
                "ListCreditRevisions": revisions.list_credit_revisions,
            },
            streams={"WatchAttribution": attribution.watch_attribution},
        ),
        Service(
            journeys_pb2.DESCRIPTOR.services_by_name["JourneyService"],
            unary={
                "GetFunnel": journeys.get_funnel,
                "ListJourneys": journeys.list_journeys,
                "GetJourney": journeys.get_journey,
                "ListPlaces": journeys.list_places,
            },
            streams={},
        ),
        Service(
            alerts_pb2.DESCRIPTOR.services_by_name["AlertService"],
            unary={"ListAlerts": alerts.list_alerts, "ListAnomalies": alerts.list_anomalies},
            streams={"WatchAlerts": alerts.watch_alerts},
        ),
        Service(
            quality_pb2.DESCRIPTOR.services_by_name["QualityService"],
            unary={
                "GetCounts": quality.get_counts,
                "GetQuality": quality.get_quality,
                "GetFreshness": quality.get_freshness,
                "GetEventTrace": event_traces.get_event_trace,
            },
            streams={},
        ),
        Service(
            live_answers_pb2.DESCRIPTOR.services_by_name["LiveAnswerService"],
            unary={},
            streams={
                "WatchTimeSeries": watched.handler(watched_shapes.SERIES, campaigns.list_time_series),
                "WatchBreakdown": watched.handler(watched_shapes.BREAKDOWN, breakdowns.get_breakdown),
                "WatchAttributionSummary": watched.handler(
                    watched_shapes.ATTRIBUTION_SUMMARY, credit_handlers.get_attribution_summary
                ),
                "WatchFunnel": watched.handler(watched_shapes.FUNNEL, journeys.get_funnel),
                "WatchJourneys": watched.handler(watched_shapes.JOURNEYS, journeys.list_journeys),
                "WatchQuality": watched.handler(watched_shapes.QUALITY, quality.get_quality),
                "WatchFreshness": watched.handler(watched_shapes.FRESHNESS, quality.get_freshness),
            },
        ),
        Service(
            dashboards_pb2.DESCRIPTOR.services_by_name["DashboardService"],
            unary={
                "ListDashboards": dashboards.list_dashboards,
                "GetDashboard": dashboards.get_dashboard,
                "CreateDashboard": dashboards.create_dashboard,
                "UpdateDashboard": dashboards.update_dashboard,
                "DeleteDashboard": dashboards.delete_dashboard,
                "ListDashboardVersions": dashboards.list_dashboard_versions,
                "RestoreDashboard": dashboards.restore_dashboard,
                "ShareDashboard": dashboards.share_dashboard,
                "DuplicateDashboard": dashboards.duplicate_dashboard,
            },
            streams={},
        ),
    )
