"""CampaignMetricsService: groups in the order of a metric, and the list of campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tributary.v1 import campaign_metrics_pb2 as campaign_pb
from tributary.v1 import freshness_pb2

from serving.errors import invalid
from serving.handlers.answers import LIVE_MS, Keep, until_changed
from serving.handlers.requests import now_ms, page_size, read_range, read_selection, with_comparison
from serving.handlers.responses import (
    campaign_metrics,
    compared_range,
    freshness,
    history_freshness,
    time_range,
    timestamp,
)
from serving.handlers.tokens import make_token, read_token
from serving.live.settled_changes import Subject
from serving.queries import campaigns
from serving.queries.breakdowns import ORDERS, Dimensions, Order
from serving.queries.filters import read_filter
from serving.queries.tiling import Figures, ceiling, floor, round_outwards

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.queries.breakdowns import BreakdownGroup, BreakdownQueries
    from serving.queries.campaigns import CampaignQueries

DEFAULT_GROUPS, MOST_GROUPS = 100, 1_000
# Groups that pages can reach: a page that far is an export, and its order costs the store a sort of all before it.
MOST_REACHED = 100_000
DEFAULT_CAMPAIGNS, MOST_CAMPAIGNS = 100, 1_000
PAGING = ("page_token", "page_size")
DEFAULT_ORDER = Order("cost_micros", descending=True)


def read_dimensions(wanted: Iterable[campaign_pb.Dimension.ValueType]) -> Dimensions:
    """Return what a breakdown is split by; raises ServingError."""
    chosen = set(wanted)
    known = set(campaign_pb.Dimension.values()) - {campaign_pb.DIMENSION_UNSPECIFIED}
    if not chosen or not chosen <= known:
        allowed = ", ".join(campaign_pb.Dimension.Name(value) for value in sorted(known))
        raise invalid("dimensions", f"at least one is required; allowed: {allowed}")
    return Dimensions(
        campaign=campaign_pb.DIMENSION_CAMPAIGN in chosen,
        channel=campaign_pb.DIMENSION_CHANNEL in chosen,
        day_of_week=campaign_pb.DIMENSION_DAY_OF_WEEK in chosen,
        hour_of_day=campaign_pb.DIMENSION_HOUR_OF_DAY in chosen,
    )


def read_order(text: str) -> Order:
    """Return the order that a text such as "roas desc" asks for; raises ServingError."""
    if not text.strip():
        return DEFAULT_ORDER
    metric, *direction = text.split()
    if metric not in ORDERS or direction not in ([], ["asc"], ["desc"]):
        raise invalid("order_by", f"allowed: one of {', '.join(ORDERS)}, with desc or asc behind it or not")
    return Order(metric, descending=direction == ["desc"])


def _row(found: BreakdownGroup) -> campaign_pb.BreakdownRow:
    return campaign_pb.BreakdownRow(
        metrics=campaign_metrics(found.group),
        share=found.share,
        day_of_week=found.day_of_week,
        hour_of_day=found.hour_of_day,
    )


class BreakdownHandlers:
    """Handlers of the methods."""

    def __init__(self, breakdowns: BreakdownQueries, campaigns: CampaignQueries, answers: Answers) -> None:
        """Keep what answers are made from."""
        self._breakdowns = breakdowns
        self._campaigns = campaigns
        self._answers = answers

    async def get_breakdown(
        self, request: campaign_pb.GetBreakdownRequest, call: Call
    ) -> campaign_pb.GetBreakdownResponse:
        """Groups in the order of a metric."""
        selection = read_selection(request.selection, request.filter)
        dimensions, order = read_dimensions(request.dimensions), read_order(request.order_by)
        size = page_size(request.page_size, DEFAULT_GROUPS, MOST_GROUPS)
        start, end = read_range(request.range)
        if dimensions.coarsest is Figures.HOUR:
            start, end = floor(start, Figures.HOUR), ceiling(end, Figures.HOUR)
        start, end = round_outwards(start, end, now_ms())
        offset = 0
        if request.page_token:
            start, end, offset = read_token(request.page_token, "page_token", request, PAGING, (int, int, int))
            if not 0 <= offset <= MOST_REACHED:
                raise invalid("page_token", f"pages reach {MOST_REACHED} groups: ask for a smaller selection")
        wanted = with_comparison(start, end, request.comparison)

        async def compute() -> campaign_pb.GetBreakdownResponse:
            groups, totals = await self._breakdowns.breakdown(
                call.tenant_id, wanted, selection, dimensions, order, size + 1, offset, call.query_seconds
            )
            more = len(groups) > size
            return campaign_pb.GetBreakdownResponse(
                rows=map(_row, groups[:size]),
                totals=map(campaign_metrics, totals),
                covered_range=time_range(start, end),
                covered_comparison_range=compared_range(wanted),
                freshness=history_freshness(totals),
                next_page_token=make_token(request, PAGING, [start, end, offset + size]) if more else "",
            )

        return await self._answers.answer(
            request, call, campaign_pb.GetBreakdownResponse, compute, until_changed(end, Subject.CAMPAIGNS)
        )

    async def list_campaigns(
        self, request: campaign_pb.ListCampaignsRequest, call: Call
    ) -> campaign_pb.ListCampaignsResponse:
        """Campaigns by their id."""
        condition = read_filter(request.filter, campaigns.FILTER_NAMES)
        size = page_size(request.page_size, DEFAULT_CAMPAIGNS, MOST_CAMPAIGNS)
        after = ""
        if request.page_token:
            (after,) = read_token(request.page_token, "page_token", request, PAGING, (str,))

        async def compute() -> campaign_pb.ListCampaignsResponse:
            found = await self._campaigns.campaigns(call.tenant_id, condition, size + 1, after, call.query_seconds)
            more = len(found) > size
            return campaign_pb.ListCampaignsResponse(
                campaigns=[
                    campaign_pb.Campaign(
                        campaign_id=campaign.campaign_id,
                        name=campaign.name,
                        channel=campaign.channel,
                        currency=campaign.currency,
                        budget_micros=campaign.budget_micros,
                        launched_at=timestamp(campaign.launched_ms),
                    )
                    for campaign in found[:size]
                ],
                freshness=freshness(
                    freshness_pb2.SOURCE_HISTORY,
                    through_ms=max((campaign.launched_ms for campaign in found), default=0),
                ),
                next_page_token=make_token(request, PAGING, [found[size - 1].campaign_id]) if more else "",
            )

        return await self._answers.answer(
            request, call, campaign_pb.ListCampaignsResponse, compute, Keep(LIVE_MS, Subject.CAMPAIGNS)
        )
