"""QualityService.GetEventTrace: the way of one event, from its producer to the figures that it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from tributary.v1 import freshness_pb2
from tributary.v1 import quality_pb2 as quality_pb

from connectors.kafka.event_traces import event_trace
from serving.errors import Reason, ServingError
from serving.handlers.answers import LIVE
from serving.handlers.requests import read_name, read_range
from serving.handlers.responses import freshness, time_range, timestamp
from serving.observability import tracing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.queries.event_traces import AcceptedEvent, Counted, Credited, EventTraceQueries, RefusedMessage

CAMPAIGN_FAMILY = "campaign_"


def _step(name: str, start_ms: int, end_ms: int, detail: str) -> quality_pb.EventStep:
    """Return a step; a time of 0 is not known."""
    return quality_pb.EventStep(
        name=name,
        start_time=timestamp(start_ms) if start_ms else None,
        end_time=timestamp(end_ms) if end_ms else None,
        detail=detail,
    )


def _steps(
    event: AcceptedEvent | None, refused: list[RefusedMessage], credited: Credited | None, counted: Counted | None
) -> Iterator[quality_pb.EventStep]:
    for message in refused:
        where = f"partition {message.partition}, offset {message.offset}"
        yield _step("quarantined", message.received_ms, 0, f"{where}: {', '.join(message.reasons)}; {message.status}")
    if event is not None:
        created_ms = max(0, event.created_ms)
        yield _step("produced", created_ms, event.received_ms, event.source_platform)
        where = f"partition {event.partition}, offset {event.offset}"
        yield _step("accepted", event.received_ms, 0, f"{where}: {event.event_type}")
        if counted is not None:
            windows = f"{counted.windows} windows of {event.campaign_id} by the clock of the stream"
            yield _step("counted", counted.first_end_ms, counted.last_end_ms, windows)
        if credited is not None:
            credits_of = f"{credited.models} models, revision {credited.revision}"
            yield _step("attributed", event.received_ms, credited.at_ms, credits_of)


class EventTraceHandlers:
    """The handler of the method."""

    def __init__(self, queries: EventTraceQueries, answers: Answers) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._answers = answers

    async def get_event_trace(
        self, request: quality_pb.GetEventTraceRequest, call: Call
    ) -> quality_pb.GetEventTraceResponse:
        """The way of one event."""
        event_id = read_name(request.event_id, "event_id")
        start, end = read_range(request.range)

        async def compute() -> quality_pb.GetEventTraceResponse:
            event, refused, credited = await self._queries.read(
                call.tenant_id, event_id, start, end, call.query_seconds
            )
            if event is None and not refused:
                raise ServingError(
                    grpc.StatusCode.NOT_FOUND, Reason.EVENT_NOT_FOUND, "no event of the range has this id"
                )
            counted = None
            if event is not None and event.event_type.startswith(CAMPAIGN_FAMILY):
                counted = await self._queries.windows(call.tenant_id, event, call.query_seconds)
            trace_id, span_id = event_trace(call.tenant_id, event_id)
            times = [message.received_ms for message in refused] + ([event.received_ms] if event else [])
            return quality_pb.GetEventTraceResponse(
                event_id=event_id,
                trace_id=f"{trace_id:032x}",
                producer_span_id=f"{span_id:016x}",
                producer_traceparent=tracing.checked(event.traceparent) if event else "",
                steps=_steps(event, refused, credited, counted),
                covered_range=time_range(start, end),
                freshness=freshness(
                    freshness_pb2.SOURCE_HISTORY,
                    through_ms=max(times),
                    revision=credited.revision if credited else 0,
                ),
            )

        answer = await self._answers.answer(request, call, quality_pb.GetEventTraceResponse, compute, LIVE)
        tracing.link_traceparent(answer.producer_traceparent)
        return answer
