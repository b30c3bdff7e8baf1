"""AttributionService: credit by channel, campaign, source, creative and day, in one view or in several."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tributary.v1 import attribution_pb2 as attribution_pb
from tributary.v1 import freshness_pb2

from serving.errors import invalid
from serving.handlers.answers import until_changed
from serving.handlers.attribution import read_model
from serving.handlers.requests import LONGEST_RANGE_MS, names, page_size, read_range
from serving.handlers.responses import freshness, time_range, timestamp
from serving.handlers.tokens import make_token, read_token
from serving.live.settled_changes import Subject
from serving.queries.credit_views import FILTER_NAMES, LOOKBACK_MODELS, CreditFilter, CreditSplit, CreditView
from serving.queries.filters import read_filter
from serving.queries.tiling import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message

    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.queries.credit_sums import CreditGroup, CreditSumQueries, CreditTotals, Position

DEFAULT_GROUPS, MOST_GROUPS = 100, 1_000
FEWEST_VIEWS, MOST_VIEWS = 2, 6
PAGING = ("page_token", "page_size")
POSITION_KINDS = (int, int, str, str, str, str, int, str)


def read_credit_split(wanted: Iterable[attribution_pb.CreditDimension.ValueType]) -> CreditSplit:
    """Return what credit is split by; raises ServingError."""
    chosen = set(wanted) or {attribution_pb.CREDIT_DIMENSION_CHANNEL}
    known = set(attribution_pb.CreditDimension.values()) - {attribution_pb.CREDIT_DIMENSION_UNSPECIFIED}
    if not chosen <= known:
        allowed = ", ".join(attribution_pb.CreditDimension.Name(value) for value in sorted(known))
        raise invalid("group_by", f"allowed: {allowed}")
    return CreditSplit(
        channel=attribution_pb.CREDIT_DIMENSION_CHANNEL in chosen,
        campaign=attribution_pb.CREDIT_DIMENSION_CAMPAIGN in chosen,
        source=attribution_pb.CREDIT_DIMENSION_SOURCE in chosen,
        creative=attribution_pb.CREDIT_DIMENSION_CREATIVE in chosen,
        day=attribution_pb.CREDIT_DIMENSION_DAY in chosen,
    )


def read_views(wanted: Sequence[attribution_pb.AttributionView]) -> tuple[CreditView, ...]:
    """Return the views of a comparison; raises ServingError."""
    if not FEWEST_VIEWS <= len(wanted) <= MOST_VIEWS:
        raise invalid("views", f"must be {FEWEST_VIEWS} to {MOST_VIEWS}")
    views = []
    for place, view in enumerate(wanted):
        model = read_model(view.model, required=True, field=f"views[{place}].model")
        lookback_ms = None
        if view.HasField("lookback"):
            field = f"views[{place}].lookback"
            lookback_ms = view.lookback.seconds * 1000 + view.lookback.nanos // 1_000_000
            if not MINUTE_MS <= lookback_ms <= LONGEST_RANGE_MS:
                raise invalid(field, "must be a minute to 400 days")
            if model not in LOOKBACK_MODELS:
                raise invalid(field, f"is possible for the models {', '.join(LOOKBACK_MODELS)}")
        views.append(CreditView(model, lookback_ms))
    return tuple(views)


def _page(request: Message, token: str, start: int, end: int) -> tuple[int, int, Position | None]:
    """Return the range, and the position to go on after: those of the page token if there is one."""
    if not token:
        return start, end, None
    start, end, channel, campaign, source, creative, day, currency = read_token(
        token, "page_token", request, PAGING, POSITION_KINDS
    )
    return start, end, (channel, campaign, source, creative, day, currency)


def _totals(totals: Iterable[CreditTotals]) -> list[attribution_pb.AttributionTotals]:
    return [
        attribution_pb.AttributionTotals(
            currency=total.currency,
            conversions=total.conversions,
            value_micros=total.value_micros,
            gross_value_micros=total.gross_value_micros,
            unattributed_conversions=total.unattributed,
        )
        for total in totals
    ]


def _freshness(totals: Sequence[CreditTotals]) -> freshness_pb2.Freshness:
    return freshness(
        freshness_pb2.SOURCE_HISTORY,
        through_ms=max((total.newest_ms for total in totals), default=0),
        revision=max((total.revision for total in totals), default=0),
    )


class CreditHandlers:
    """Handlers of the methods."""

    def __init__(self, queries: CreditSumQueries, answers: Answers) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._answers = answers

    async def get_attribution_summary(
        self, request: attribution_pb.GetAttributionSummaryRequest, call: Call
    ) -> attribution_pb.GetAttributionSummaryResponse:
        """Credit of one model."""
        views = (CreditView(read_model(request.model, required=True)),)
        split = read_credit_split(request.group_by)
        types = names(request.conversion_types, "conversion_types")
        condition = read_filter(request.filter, FILTER_NAMES)
        size = page_size(request.page_size, DEFAULT_GROUPS, MOST_GROUPS)
        start, end, after = _page(request, request.page_token, *read_range(request.range))
        chosen = CreditFilter(start, end, types, condition)

        async def compute() -> attribution_pb.GetAttributionSummaryResponse:
            groups, totals = await self._read(call, chosen, views, split, size, after)
            return attribution_pb.GetAttributionSummaryResponse(
                credits=[_credit(group, split) for group in groups[:size]],
                totals=_totals(totals),
                covered_range=time_range(start, end),
                freshness=_freshness(totals),
                next_page_token=_next_token(request, start, end, groups, size),
            )

        return await self._answers.answer(
            request,
            call,
            attribution_pb.GetAttributionSummaryResponse,
            compute,
            until_changed(end, Subject.ATTRIBUTION),
        )

    async def compare_attribution(
        self, request: attribution_pb.CompareAttributionRequest, call: Call
    ) -> attribution_pb.CompareAttributionResponse:
        """Credit of the same conversions in several views."""
        views, split = read_views(request.views), read_credit_split(request.group_by)
        condition = read_filter(request.filter, FILTER_NAMES)
        size = page_size(request.page_size, DEFAULT_GROUPS, MOST_GROUPS)
        start, end, after = _page(request, request.page_token, *read_range(request.range))
        chosen = CreditFilter(start, end, condition=condition)

        async def compute() -> attribution_pb.CompareAttributionResponse:
            groups, totals = await self._read(call, chosen, views, split, size, after)
            return attribution_pb.CompareAttributionResponse(
                credits=[_compared_credit(group, split) for group in groups[:size]],
                totals=_totals(totals),
                covered_range=time_range(start, end),
                freshness=_freshness(totals),
                next_page_token=_next_token(request, start, end, groups, size),
            )

        return await self._answers.answer(
            request, call, attribution_pb.CompareAttributionResponse, compute, until_changed(end, Subject.ATTRIBUTION)
        )

    async def _read(
        self,
        call: Call,
        chosen: CreditFilter,
        views: Sequence[CreditView],
        split: CreditSplit,
        size: int,
        after: Position | None,
    ) -> tuple[list[CreditGroup], list[CreditTotals]]:
        """Return a page of groups, with the first of the next page, and the totals."""
        seconds = call.query_seconds
        return await asyncio.gather(
            self._queries.groups(call.tenant_id, chosen, views, split, size + 1, after, seconds),
            self._queries.totals(call.tenant_id, chosen, views, seconds),
        )


def _next_token(request: Message, start: int, end: int, groups: Sequence[CreditGroup], size: int) -> str:
    return make_token(request, PAGING, [start, end, *groups[size - 1].position]) if len(groups) > size else ""


def _credit(group: CreditGroup, split: CreditSplit) -> attribution_pb.AttributionCredit:
    channel, campaign, source, creative, day, currency = group.position
    (credit,) = group.credits
    return attribution_pb.AttributionCredit(
        channel=channel,
        campaign_id=campaign,
        source=source,
        creative_id=creative,
        day=timestamp(day) if split.day else None,
        currency=currency,
        credited_conversions=credit.credited_conversions,
        credited_micros=credit.credited_micros,
        conversions=credit.conversions,
    )


def _compared_credit(group: CreditGroup, split: CreditSplit) -> attribution_pb.ComparedCredit:
    channel, campaign, source, creative, day, currency = group.position
    return attribution_pb.ComparedCredit(
        channel=channel,
        campaign_id=campaign,
        source=source,
        creative_id=creative,
        day=timestamp(day) if split.day else None,
        currency=currency,
        views=[
            attribution_pb.ViewCredit(
                credited_conversions=credit.credited_conversions,
                credited_micros=credit.credited_micros,
                conversions=credit.conversions,
            )
            for credit in group.credits
        ],
    )
