"""What REST offers: a method of the contract behind each chart id, and behind each path of the dashboards."""

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

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

_CAMPAIGNS = campaign_metrics_pb2.DESCRIPTOR.services_by_name["CampaignMetricsService"].methods_by_name
_ATTRIBUTION = attribution_pb2.DESCRIPTOR.services_by_name["AttributionService"].methods_by_name
_JOURNEYS = journeys_pb2.DESCRIPTOR.services_by_name["JourneyService"].methods_by_name
_ALERTS = alerts_pb2.DESCRIPTOR.services_by_name["AlertService"].methods_by_name
_LIVE = live_answers_pb2.DESCRIPTOR.services_by_name["LiveAnswerService"].methods_by_name
_QUALITY = quality_pb2.DESCRIPTOR.services_by_name["QualityService"].methods_by_name

METRICS: MethodDescriptor = _CAMPAIGNS["GetCampaignMetrics"]
"""What `/metrics` answers with."""
FILTER_OPTIONS: MethodDescriptor = _CAMPAIGNS["GetBreakdown"]
"""What `/filters` reads the values from that a filter can name."""

CHARTS: dict[str, MethodDescriptor] = {
    "metrics": METRICS,
    "current": _CAMPAIGNS["GetCurrentCampaignMetrics"],
    "time-series": _CAMPAIGNS["ListTimeSeries"],
    "breakdown": _CAMPAIGNS["GetBreakdown"],
    "key-figures": _CAMPAIGNS["ListKeyFigures"],
    "campaigns": _CAMPAIGNS["ListCampaigns"],
    "attribution": _ATTRIBUTION["GetAttributionSummary"],
    "attribution-comparison": _ATTRIBUTION["CompareAttribution"],
    "conversions": _ATTRIBUTION["ListConversions"],
    "conversion": _ATTRIBUTION["ExplainConversion"],
    "credit-revisions": _ATTRIBUTION["ListCreditRevisions"],
    "funnel": _JOURNEYS["GetFunnel"],
    "journeys": _JOURNEYS["ListJourneys"],
    "journey": _JOURNEYS["GetJourney"],
    "places": _JOURNEYS["ListPlaces"],
    "alerts": _ALERTS["ListAlerts"],
    "anomalies": _ALERTS["ListAnomalies"],
    "counts": _QUALITY["GetCounts"],
    "quality": _QUALITY["GetQuality"],
    "freshness": _QUALITY["GetFreshness"],
    "event-trace": _QUALITY["GetEventTrace"],
}
"""Every method that answers with figures, by chart id."""

LIVE: dict[str, MethodDescriptor] = {
    "campaigns": _CAMPAIGNS["WatchCampaignMetrics"],
    "attribution": _ATTRIBUTION["WatchAttribution"],
    "alerts": _ALERTS["WatchAlerts"],
    "time-series": _LIVE["WatchTimeSeries"],
    "breakdown": _LIVE["WatchBreakdown"],
    "attribution-summary": _LIVE["WatchAttributionSummary"],
    "funnel": _LIVE["WatchFunnel"],
    "journeys": _LIVE["WatchJourneys"],
    "quality": _LIVE["WatchQuality"],
    "freshness": _LIVE["WatchFreshness"],
}
"""Every method that streams, by the name that `/realtime` knows it by."""
POLLED: MethodDescriptor = _CAMPAIGNS["GetCurrentCampaignMetrics"]
"""What `/realtime` answers with when it is asked once."""

_DASHBOARDS = dashboards_pb2.DESCRIPTOR.services_by_name["DashboardService"].methods_by_name
_ALL = "/api/v1/dashboards"
_ONE = f"{_ALL}/{{dashboard_id}}"

DASHBOARD_PATHS: dict[tuple[str, str], MethodDescriptor] = {
    ("GET", _ALL): _DASHBOARDS["ListDashboards"],
    ("POST", _ALL): _DASHBOARDS["CreateDashboard"],
    ("GET", _ONE): _DASHBOARDS["GetDashboard"],
    ("PUT", _ONE): _DASHBOARDS["UpdateDashboard"],
    ("DELETE", _ONE): _DASHBOARDS["DeleteDashboard"],
    ("GET", f"{_ONE}/versions"): _DASHBOARDS["ListDashboardVersions"],
    ("POST", f"{_ONE}/restore"): _DASHBOARDS["RestoreDashboard"],
    ("POST", f"{_ONE}/share"): _DASHBOARDS["ShareDashboard"],
    ("POST", f"{_ONE}/duplicate"): _DASHBOARDS["DuplicateDashboard"],
}
"""Every method of the service by (verb, path). GET and DELETE have query parameters, the others a body."""
BODILESS = frozenset({"GET", "DELETE"})
