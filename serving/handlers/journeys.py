"""JourneyService: the funnel of the stages, journeys as a list, and one journey in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from tributary.v1 import freshness_pb2
from tributary.v1 import journeys_pb2 as journeys_pb

from serving.errors import Reason, ServingError
from serving.handlers.answers import LIVE
from serving.handlers.requests import page_size, read_name, read_range
from serving.handlers.responses import freshness, time_range, timestamp
from serving.handlers.tokens import make_token, read_token
from serving.queries.filters import read_filter
from serving.queries.journeys import FILTER_NAMES, STAGES, StageCount
from udfs.kpi import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.queries.journeys import JourneyEvent, JourneyQueries, JourneyRecord

DEFAULT_JOURNEYS, MOST_JOURNEYS = 100, 1_000
DEFAULT_EVENTS, MOST_EVENTS = 200, 1_000
DEFAULT_PLACES, MOST_PLACES = 250, 1_000
PAGING = ("page_token", "page_size")

_STAGES = {stage: journeys_pb.JourneyStage.Value(f"JOURNEY_STAGE_{stage.upper()}") for stage in STAGES}


def _stage(word: str) -> journeys_pb.JourneyStage.ValueType:
    return _STAGES.get(word, journeys_pb.JOURNEY_STAGE_UNSPECIFIED)


def _journey(journey: JourneyRecord) -> journeys_pb.Journey:
    return journeys_pb.Journey(
        journey_id=journey.journey_id,
        customer_id=journey.customer_id,
        stage=_stage(journey.stage),
        started_at=timestamp(journey.started_ms),
        last_event_at=timestamp(journey.last_event_ms),
        touchpoints=journey.touchpoints,
        conversions=journey.conversions,
        value_micros=journey.value_micros,
        currency=journey.currency,
        revision=journey.revision,
        person_id=journey.person_id,
    )


def _event(event: JourneyEvent) -> journeys_pb.JourneyEvent:
    return journeys_pb.JourneyEvent(
        event_id=event.event_id,
        event_type=event.event_type,
        event_time=timestamp(event.time_ms),
        stage=_stage(event.stage),
        channel=event.channel,
        campaign_id=event.campaign_id,
        interaction_type=event.interaction_type,
        source=event.source,
        creative_id=event.creative_id,
        kind=event.kind,
        value_micros=event.value_micros,
        currency=event.currency,
    )


def funnel(counts: Sequence[StageCount]) -> list[journeys_pb.FunnelStage]:
    """Return every stage in order, with how many journeys reached it."""
    by_stage = {count.stage: count for count in counts}
    in_order = [by_stage.get(stage, StageCount(stage, 0, 0, 0, 0)) for stage in STAGES]
    stages = []
    before: int | None = None
    everybody = sum(count.journeys for count in in_order)
    for place, count in enumerate(in_order):
        reached = sum(later.journeys for later in in_order[place:])
        stages.append(
            journeys_pb.FunnelStage(
                stage=_stage(count.stage),
                journeys=count.journeys,
                reached=reached,
                conversion_rate=None if before is None else ratio(reached, before),
                overall_rate=ratio(reached, everybody),
                touchpoints=count.touchpoints,
                conversions=count.conversions,
            )
        )
        before = reached
    return stages


class JourneyHandlers:
    """Handlers of the service's methods."""

    def __init__(self, queries: JourneyQueries, answers: Answers) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._answers = answers

    async def get_funnel(self, request: journeys_pb.GetFunnelRequest, call: Call) -> journeys_pb.GetFunnelResponse:
        """Journeys that began in a range, by the stage that they reached."""
        condition = read_filter(request.filter, FILTER_NAMES)
        start, end = read_range(request.range)

        async def compute() -> journeys_pb.GetFunnelResponse:
            counts = await self._queries.stage_counts(call.tenant_id, start, end, condition, call.query_seconds)
            newest = max((count.newest_ms for count in counts), default=0)
            return journeys_pb.GetFunnelResponse(
                stages=funnel(counts),
                covered_range=time_range(start, end),
                freshness=freshness(freshness_pb2.SOURCE_HISTORY, through_ms=newest),
            )

        return await self._answers.answer(request, call, journeys_pb.GetFunnelResponse, compute, LIVE)

    async def list_journeys(
        self, request: journeys_pb.ListJourneysRequest, call: Call
    ) -> journeys_pb.ListJourneysResponse:
        """Journeys by their newest event."""
        condition = read_filter(request.filter, FILTER_NAMES)
        size = page_size(request.page_size, DEFAULT_JOURNEYS, MOST_JOURNEYS)
        start, end = read_range(request.range)
        after = None
        if request.page_token:
            kinds = (int, int, int, str, str)
            start, end, *position = read_token(request.page_token, "page_token", request, PAGING, kinds)
            after = (position[0], position[1], position[2])

        async def compute() -> journeys_pb.ListJourneysResponse:
            found = await self._queries.journeys(
                call.tenant_id, start, end, condition, size + 1, after, call.query_seconds
            )
            last = found[size - 1] if len(found) > size else None
            position = [start, end, last.last_event_ms, last.person_id, last.journey_id] if last else []
            return journeys_pb.ListJourneysResponse(
                journeys=map(_journey, found[:size]),
                covered_range=time_range(start, end),
                freshness=freshness(
                    freshness_pb2.SOURCE_HISTORY,
                    through_ms=max((journey.last_event_ms for journey in found), default=0),
                    revision=max((journey.revision for journey in found), default=0),
                ),
                next_page_token=make_token(request, PAGING, position) if last else "",
            )

        return await self._answers.answer(request, call, journeys_pb.ListJourneysResponse, compute, LIVE)

    async def get_journey(self, request: journeys_pb.GetJourneyRequest, call: Call) -> journeys_pb.GetJourneyResponse:
        """One journey with its events in order."""
        customer_id = read_name(request.customer_id, "customer_id")
        journey_id = read_name(request.journey_id, "journey_id")
        size = page_size(request.page_size, DEFAULT_EVENTS, MOST_EVENTS)
        after = None
        if request.page_token:
            time_ms, event_id = read_token(request.page_token, "page_token", request, PAGING, (int, str))
            after = (time_ms, event_id)

        async def compute() -> journeys_pb.GetJourneyResponse:
            journey = await self._queries.journey(call.tenant_id, customer_id, journey_id, call.query_seconds)
            if journey is None:
                raise ServingError(
                    grpc.StatusCode.NOT_FOUND, Reason.JOURNEY_NOT_FOUND, "the customer has no journey of this id"
                )
            events = await self._queries.events(call.tenant_id, journey, size + 1, after, call.query_seconds)
            last = events[size - 1] if len(events) > size else None
            return journeys_pb.GetJourneyResponse(
                journey=_journey(journey),
                events=map(_event, events[:size]),
                freshness=freshness(
                    freshness_pb2.SOURCE_HISTORY, through_ms=journey.last_event_ms, revision=journey.revision
                ),
                next_page_token=make_token(request, PAGING, [last.time_ms, last.event_id]) if last else "",
            )

        return await self._answers.answer(request, call, journeys_pb.GetJourneyResponse, compute, LIVE)

    async def list_places(self, request: journeys_pb.ListPlacesRequest, call: Call) -> journeys_pb.ListPlacesResponse:
        """Where the journeys of a range began."""
        size = page_size(request.page_size, DEFAULT_PLACES, MOST_PLACES)
        start, end = read_range(request.range)

        async def compute() -> journeys_pb.ListPlacesResponse:
            found = await self._queries.places(call.tenant_id, start, end, size, call.query_seconds)
            return journeys_pb.ListPlacesResponse(
                places=[
                    journeys_pb.Place(location=one.location, journeys=one.journeys, converted=one.converted)
                    for one in found.counts
                ],
                journeys=found.journeys,
                converted=found.converted,
                covered_range=time_range(start, end),
                freshness=freshness(freshness_pb2.SOURCE_HISTORY, through_ms=found.newest_ms),
            )

        return await self._answers.answer(request, call, journeys_pb.ListPlacesResponse, compute, LIVE)
