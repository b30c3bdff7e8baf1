"""What each method of the contract needs, and whether a caller has it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from serving.access import refusals
from serving.access.principal import Kind
from serving.access.roles import CHANGING, Permission
from serving.access.tenancy import check_tenant_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.access.principal import Principal

_V1 = "tributary.v1"

NEEDED: Mapping[str, Permission] = MappingProxyType(
    {
        f"{_V1}.CampaignMetricsService.GetCampaignMetrics": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.CampaignMetricsService.GetCurrentCampaignMetrics": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.CampaignMetricsService.ListTimeSeries": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.CampaignMetricsService.GetBreakdown": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.CampaignMetricsService.ListCampaigns": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.CampaignMetricsService.ListKeyFigures": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.CampaignMetricsService.WatchCampaignMetrics": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.AlertService.ListAlerts": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.AlertService.WatchAlerts": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.AlertService.ListAnomalies": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.QualityService.GetFreshness": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.QualityService.GetCounts": Permission.VIEW_OPERATIONS,
        f"{_V1}.QualityService.GetQuality": Permission.VIEW_OPERATIONS,
        f"{_V1}.QualityService.GetEventTrace": Permission.VIEW_OPERATIONS,
        f"{_V1}.AttributionService.GetAttributionSummary": Permission.VIEW_ATTRIBUTION,
        f"{_V1}.AttributionService.CompareAttribution": Permission.VIEW_ATTRIBUTION,
        f"{_V1}.JourneyService.GetFunnel": Permission.VIEW_ATTRIBUTION,
        f"{_V1}.JourneyService.ListPlaces": Permission.VIEW_ATTRIBUTION,
        f"{_V1}.JourneyService.ListJourneys": Permission.VIEW_DETAIL,
        f"{_V1}.JourneyService.GetJourney": Permission.VIEW_DETAIL,
        f"{_V1}.AttributionService.ListConversions": Permission.VIEW_DETAIL,
        f"{_V1}.AttributionService.WatchAttribution": Permission.VIEW_DETAIL,
        f"{_V1}.AttributionService.ExplainConversion": Permission.VIEW_DETAIL,
        f"{_V1}.AttributionService.ListCreditRevisions": Permission.VIEW_DETAIL,
        f"{_V1}.LiveAnswerService.WatchTimeSeries": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.LiveAnswerService.WatchBreakdown": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.LiveAnswerService.WatchFreshness": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.LiveAnswerService.WatchQuality": Permission.VIEW_OPERATIONS,
        f"{_V1}.LiveAnswerService.WatchAttributionSummary": Permission.VIEW_ATTRIBUTION,
        f"{_V1}.LiveAnswerService.WatchFunnel": Permission.VIEW_ATTRIBUTION,
        f"{_V1}.LiveAnswerService.WatchJourneys": Permission.VIEW_DETAIL,
        f"{_V1}.DashboardService.ListDashboards": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.DashboardService.GetDashboard": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.DashboardService.ListDashboardVersions": Permission.VIEW_CAMPAIGNS,
        f"{_V1}.DashboardService.CreateDashboard": Permission.EDIT_DASHBOARDS,
        f"{_V1}.DashboardService.UpdateDashboard": Permission.EDIT_DASHBOARDS,
        f"{_V1}.DashboardService.DeleteDashboard": Permission.EDIT_DASHBOARDS,
        f"{_V1}.DashboardService.RestoreDashboard": Permission.EDIT_DASHBOARDS,
        f"{_V1}.DashboardService.DuplicateDashboard": Permission.EDIT_DASHBOARDS,
        f"{_V1}.DashboardService.ShareDashboard": Permission.SHARE_DASHBOARDS,
    }
)
"""The permission that a method needs, by its full name. A method that is not here is refused to everybody but the demo
caller."""


def changes(method: str) -> bool:
    """Tell whether a method (full name) changes what is kept."""
    return NEEDED.get(method) in CHANGING


def authorize(principal: Principal, tenant_id: str, method: str, *, export: bool = False) -> None:
    """Return if the caller may have the answer of a method (full name) about a tenant, as a file if `export`.

    Raises:
        ServingError: the tenant id is malformed, the credentials have expired, the caller has no role at the tenant,
            did not use a second factor that a role needs, or lacks the permission.
    """
    check_tenant_id(tenant_id)
    if principal.expired():
        raise refusals.credentials_expired()
    if not principal.roles(tenant_id):
        raise refusals.tenant_mismatch()
    if principal.lacks_mfa(tenant_id):
        raise refusals.mfa_required()
    needed = NEEDED.get(method)
    permitted = principal.permissions(tenant_id)
    if needed is None:
        if principal.kind is Kind.DEMO:
            return
        raise refusals.permission_missing("unlisted")
    if needed not in permitted:
        raise refusals.permission_missing(needed)
    if export and Permission.EXPORT_ALL not in permitted:
        if needed is not Permission.VIEW_CAMPAIGNS:
            raise refusals.permission_missing(Permission.EXPORT_ALL)
        if Permission.EXPORT_CAMPAIGNS not in permitted:
            raise refusals.permission_missing(Permission.EXPORT_CAMPAIGNS)
