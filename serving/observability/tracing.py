"""Traces: a span for each call and each read of a store, in the trace that the caller's `traceparent` names.

W3C Trace Context on every transport (header or gRPC metadata). Without an exporter nothing is recorded, and the context
is still passed on to ClickHouse.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from connectors.kafka.event_traces import event_trace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping

    from opentelemetry.trace import Span

T = TypeVar("T")

EVENT_FIELDS = frozenset({"conversion_id", "event_id"})
"""Fields of requests that name an event: a conversion's id is that of its event."""

# A collector that does not answer costs spans, never calls: they are sent in batches by a thread.
EXPORT_SECONDS = 5
_TRACER = trace.get_tracer("tributary.serving")
# Not the global one: baggage of callers is neither needed nor trusted.
_PROPAGATOR = TraceContextTextMapPropagator()


def set_up(endpoint: str, ratio: float) -> TracerProvider | None:
    """Send spans to a collector, OTLP over HTTP at `endpoint` (…/v1/traces); an empty one: nowhere.

    `ratio` is the share of calls without a `traceparent` that are recorded; with one, its sampled flag decides. Returns
    what must be shut down at the end.
    """
    if not endpoint:
        return None
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(ratio), resource=Resource.create({"service.name": "tributary-serving"})
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS)))
    trace.set_tracer_provider(provider)
    return provider


def call_span(method: str, headers: Mapping[str, str]) -> Span:
    """Begin the span of a call of a method (full name), in the trace of its headers; end it with `end_call`."""
    return _TRACER.start_span(
        method, context=_PROPAGATOR.extract(headers), kind=SpanKind.SERVER, attributes={"rpc.method": method}
    )


def end_call(span: Span, tenant_id: str, outcome: str) -> None:
    """End the span of a call; `outcome` is a gRPC code or the reason of a refusal."""
    if tenant_id:
        span.set_attribute("tributary.tenant_id", tenant_id)
    span.set_attribute("tributary.outcome", outcome)
    if outcome not in {"OK", "CANCELLED"}:
        span.set_status(Status(StatusCode.ERROR, outcome))
    span.end()


@contextmanager
def within(span: Span) -> Generator[None, None, None]:
    """Make a span the parent of what is begun inside. It neither ends the span nor notes errors, whose texts may hold
    data."""
    with trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
        yield


async def each_within(span: Span, responses: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Make each response of a stream within a span. What is done with it in between is not inside."""
    if not span.get_span_context().is_valid:
        # Nobody records it, and the caller named no trace to carry on.
        async for response in responses:
            yield response
        return
    while True:
        with within(span):
            try:
                response = await anext(responses)
            except StopAsyncIteration:
                return
        yield response


@contextmanager
def store_span(store: str, query: str) -> Generator[None, None, None]:
    """Cover one read of a store (`clickhouse`, `redis`); `query` is its name, never its text."""
    span = _TRACER.start_span(
        f"{store} {query}", kind=SpanKind.CLIENT, attributes={"db.system.name": store, "db.query.summary": query}
    )
    try:
        with within(span):
            yield
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        span.end()


def event_span(tenant_id: str, event_id: str, name: str, start_ms: float, end_ms: float | None = None) -> None:
    """Add a span to an event's trace, under its producer's, from `start_ms` (0: not known, and then there is no span)
    to `end_ms` (None: now)."""
    if start_ms <= 0:
        return
    trace_id, span_id = event_trace(tenant_id, event_id)
    produced = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    span = _TRACER.start_span(
        name,
        context=trace.set_span_in_context(NonRecordingSpan(produced)),
        kind=SpanKind.CONSUMER,
        start_time=_nanoseconds(start_ms),
        attributes={"tributary.tenant_id": tenant_id, "tributary.event_id": event_id},
    )
    span.end(None if end_ms is None else _nanoseconds(end_ms))


def _nanoseconds(time_ms: float) -> int:
    """Return UTC ms as nanoseconds; a number that has no more than microseconds keeps no more."""
    return round(time_ms * 1_000) * 1_000


def link_event(span: Span, tenant_id: str, event_id: str) -> None:
    """Link an answer to the trace of the event that it is about."""
    trace_id, span_id = event_trace(tenant_id, event_id)
    span.add_link(SpanContext(trace_id, span_id, is_remote=True))


def checked(traceparent: str) -> str:
    """Return a `traceparent` as it was written, empty when it is none."""
    return traceparent if _span_of(traceparent).is_valid else ""


def link_traceparent(traceparent: str) -> None:
    """Link the answer that is being made to the context that a producer wrote into an event, if it did."""
    found = _span_of(traceparent)
    if found.is_valid:
        trace.get_current_span().add_link(found)


def _span_of(traceparent: str) -> SpanContext:
    return trace.get_current_span(_PROPAGATOR.extract({"traceparent": traceparent}, Context())).get_span_context()


def trace_headers() -> dict[str, str]:
    """Return the headers that carry the current trace on; none outside of one."""
    carried: dict[str, str] = {}
    _PROPAGATOR.inject(carried)
    return carried
