"""The trace of an event, known wherever the event's name is known.

SQL stages of the pipeline carry no Kafka headers, so the trace is not carried: its id is a hash of tenant and event id.
A producer sends it as the header `traceparent` (W3C Trace Context); whoever meets the event later, or what came of it,
finds the same trace without having seen the header.
"""

from __future__ import annotations

import hashlib

HEADER = "traceparent"
Header = tuple[str, str | bytes | None]
"""A header of a record, as Kafka's clients take it."""


def event_trace(tenant_id: str, event_id: str) -> tuple[int, int]:
    """Return (trace id, id of the producer's span) of an event: 128 and 64 bits, neither 0."""
    digest = hashlib.sha256(f"{len(tenant_id)}:{tenant_id}{event_id}".encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


def event_traceparent(tenant_id: str, event_id: str) -> str:
    """Return the value of the header for an event, sampled."""
    trace_id, span_id = event_trace(tenant_id, event_id)
    return f"00-{trace_id:032x}-{span_id:016x}-01"


def event_headers(tenant_id: str, event_id: str) -> list[Header]:
    """Return the headers of the Kafka record of an event."""
    return [(HEADER, event_traceparent(tenant_id, event_id).encode())]
