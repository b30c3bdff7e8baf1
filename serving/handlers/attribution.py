"""AttributionService: conversions as a list, one explained, and live as they are attributed."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import grpc
from tributary.v1 import attribution_pb2 as attribution_pb
from tributary.v1 import freshness_pb2

from serving.errors import Reason, ServingError, invalid
from serving.handlers.answers import LIVE_MS, Keep, until_changed
from serving.handlers.last_known import history_unavailable
from serving.handlers.requests import milliseconds, now_ms, page_size, read_name, read_range
from serving.handlers.responses import freshness, time_range, timestamp
from serving.handlers.tokens import make_token, read_token
from serving.handlers.watch import Pace, Step, open_watch, steps
from serving.live.settled_changes import Subject
from serving.queries.credit_views import FILTER_NAMES, CreditFilter
from serving.queries.filters import read_filter
from serving.queries.history import HistoryUnavailable
from serving.queries.tiling import DAY_MS
from udfs.attribution.settings import Model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.live.hub import LiveHub
    from serving.queries.attribution import AttributionQueries, Conversion, ModelCredit

MODELS = tuple(model.value for model in Model)
# A conversion is shown with all its touches in every model.
DEFAULT_CONVERSIONS, MOST_CONVERSIONS = 50, 500
PAGING = ("page_token", "page_size")
SNAPSHOT_CONVERSIONS = 100
SNAPSHOT_MS = DAY_MS


def read_model(model: str, *, required: bool, field: str = "model") -> str:
    """Return a model's name, empty for every model where that is allowed; raises ServingError."""
    if model in MODELS or (not model and not required):
        return model
    raise invalid(field, f"allowed: {', '.join(MODELS)}")


def model_credit(credit: ModelCredit) -> attribution_pb.ModelCredit:
    """Return what a model credits, as answers hold it."""
    return attribution_pb.ModelCredit(
        model=credit.model,
        model_version=credit.model_version,
        touches=[
            attribution_pb.CreditedTouch(
                touchpoint_id=touch.touchpoint_id,
                channel=touch.channel,
                campaign_id=touch.campaign_id,
                time=timestamp(touch.time_ms),
                weight=touch.weight,
                credited_micros=touch.credited_micros,
            )
            for touch in credit.touches
        ],
    )


def attributed_conversion(conversion: Conversion, model: str = "") -> attribution_pb.AttributedConversion:
    """Return a conversion as a message, with the credits of one model (empty: of all)."""
    return attribution_pb.AttributedConversion(
        conversion_id=conversion.conversion_id,
        conversion_type=conversion.conversion_type,
        conversion_time=timestamp(conversion.time_ms),
        customer_id=conversion.customer_id,
        journey_id=conversion.journey_id,
        currency=conversion.currency,
        value_micros=conversion.value_micros,
        gross_value_micros=conversion.gross_value_micros,
        models=[model_credit(credit) for credit in conversion.models if model in ("", credit.model)],
        revision=conversion.revision,
    )


def _conversions_freshness(
    conversions: Iterable[Conversion], source: freshness_pb2.Source.ValueType, degraded_reason: str = ""
) -> freshness_pb2.Freshness:
    found = list(conversions)
    return freshness(
        source,
        through_ms=max((conversion.time_ms for conversion in found), default=0),
        revision=max((conversion.revision for conversion in found), default=0),
        degraded_reason=degraded_reason,
    )


class AttributionHandlers:
    """Handlers of the service's methods."""

    def __init__(self, queries: AttributionQueries, answers: Answers, hub: LiveHub, pace: Pace) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._answers = answers
        self._hub = hub
        self._pace = pace

    async def list_conversions(
        self, request: attribution_pb.ListConversionsRequest, call: Call
    ) -> attribution_pb.ListConversionsResponse:
        """Conversions of a range, newest first."""
        model = read_model(request.model, required=False)
        condition = read_filter(request.filter, FILTER_NAMES)
        size = page_size(request.page_size, DEFAULT_CONVERSIONS, MOST_CONVERSIONS)
        start, end = read_range(request.range)
        after = None
        if request.page_token:
            kinds = (int, int, int, str)
            start, end, time_ms, conversion_id = read_token(request.page_token, "page_token", request, PAGING, kinds)
            after = (time_ms, conversion_id)
        chosen = CreditFilter(start, end, condition=condition)

        async def compute() -> attribution_pb.ListConversionsResponse:
            found = await self._queries.conversions(call.tenant_id, chosen, model, size + 1, after, call.query_seconds)
            last = found[size - 1] if len(found) > size else None
            return attribution_pb.ListConversionsResponse(
                conversions=[attributed_conversion(one) for one in found[:size]],
                covered_range=time_range(start, end),
                freshness=_conversions_freshness(found, freshness_pb2.SOURCE_HISTORY),
                next_page_token=make_token(request, PAGING, [start, end, last.time_ms, last.conversion_id])
                if last
                else "",
            )

        return await self._answers.answer(
            request, call, attribution_pb.ListConversionsResponse, compute, until_changed(end, Subject.ATTRIBUTION)
        )

    async def explain_conversion(
        self, request: attribution_pb.ExplainConversionRequest, call: Call
    ) -> attribution_pb.ExplainConversionResponse:
        """One conversion with its touches and what each model credits to them."""
        conversion_id = read_name(request.conversion_id, "conversion_id")
        model = read_model(request.model, required=False)
        known = request.HasField("conversion_time")
        time_ms = milliseconds(request.conversion_time, "conversion_time") if known else None

        async def compute() -> attribution_pb.ExplainConversionResponse:
            found = await self._queries.conversion(call.tenant_id, conversion_id, model, time_ms, call.query_seconds)
            if found is None:
                raise ServingError(
                    grpc.StatusCode.NOT_FOUND, Reason.CONVERSION_NOT_FOUND, "no attributed conversion has this id"
                )
            return attribution_pb.ExplainConversionResponse(
                conversion=attributed_conversion(found),
                freshness=_conversions_freshness([found], freshness_pb2.SOURCE_HISTORY),
            )

        return await self._answers.answer(
            request, call, attribution_pb.ExplainConversionResponse, compute, Keep(LIVE_MS, Subject.ATTRIBUTION)
        )

    async def watch_attribution(
        self, request: attribution_pb.WatchAttributionRequest, call: Call
    ) -> AsyncGenerator[attribution_pb.WatchAttributionResponse, None]:
        """The newest conversions, then each as it is attributed."""
        model = read_model(request.model, required=False)
        watch = open_watch(self._hub.file(call.tenant_id).conversions, request, request.resume_cursor)
        todo = steps(watch, self._hub, self._pace, lambda _: True)
        async with aclosing(todo):
            async for step, changed in todo:
                response = attribution_pb.WatchAttributionResponse()
                if step is Step.SNAPSHOT:
                    watch.begin_snapshot()
                    found, degraded_reason = await self._newest(call, model, watch.values.values())
                    response.snapshot.SetInParent()
                    response.snapshot.conversions.extend(attributed_conversion(one, model) for one in found)
                    source = freshness_pb2.SOURCE_LIVE if degraded_reason else freshness_pb2.SOURCE_HISTORY
                    response.freshness.CopyFrom(_conversions_freshness(found, source, degraded_reason))
                elif step is Step.CHANGES:
                    response.changes.conversions.extend(attributed_conversion(one, model) for one in changed)
                    response.freshness.CopyFrom(_conversions_freshness(changed, freshness_pb2.SOURCE_LIVE))
                else:
                    response.heartbeat.sent_at.CopyFrom(timestamp(now_ms()))
                response.resume_cursor = watch.cursor(request)
                yield response

    async def _newest(self, call: Call, model: str, live: list[Conversion]) -> tuple[list[Conversion], str]:
        """Return the newest conversions, oldest first, and why they are degraded (empty: they are not)."""
        try:
            found = await self._queries.newest_conversions(
                call.tenant_id, model, now_ms() - SNAPSHOT_MS, SNAPSHOT_CONVERSIONS, call.query_seconds
            )
        except HistoryUnavailable as error:
            if not live:
                raise history_unavailable(error) from None
            return live[-SNAPSHOT_CONVERSIONS:], Reason.HISTORY_UNAVAILABLE
        return found[::-1], ""
