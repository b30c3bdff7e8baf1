"""What became of one event, from the history: the times that the stages of the pipeline have stored with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.queries.tiling import SECOND_MS, WINDOW_MS
from serving.queries.time_predicates import within

if TYPE_CHECKING:
    from serving.queries.history import History

# A message that was sent again and again in vain; more tell no more.
MOST_REFUSALS = 20


@dataclass(frozen=True, slots=True)
class AcceptedEvent:
    """An event as it is stored; times in ms, `created_ms` 0 when unknown. `traceparent` is what the producer wrote into
    the event's metadata, of any form."""

    event_type: str
    source_platform: str
    event_ms: int
    created_ms: int
    received_ms: int
    partition: int
    offset: int
    campaign_id: str
    channel: str
    currency: str
    traceparent: str


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A message with the event's id that was quarantined, and what has become of it."""

    received_ms: int
    partition: int
    offset: int
    reasons: tuple[str, ...]
    status: str


@dataclass(frozen=True, slots=True)
class Credited:
    """The newest credits of a conversion: when they were computed (ms), of how many models, and their revision."""

    at_ms: int
    models: int
    revision: int


@dataclass(frozen=True, slots=True)
class Counted:
    """The windows that an event counts in: the ends of the first and the last that are stored (ms), and how many."""

    first_end_ms: int
    last_end_ms: int
    windows: int


class EventTraceQueries:
    """Reads about one event. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History) -> None:
        """Keep the history to ask."""
        self._history = history

    async def read(
        self, tenant_id: str, event_id: str, start_ms: int, end_ms: int, seconds: float
    ) -> tuple[AcceptedEvent | None, list[RefusedMessage], Credited | None]:
        """Return what is stored of an event whose time (of refused messages: append time) is in [start_ms, end_ms)."""
        parameters = {"tenant": tenant_id, "event": event_id, "start": start_ms, "end": end_ms}
        accepted, refused, credited = await asyncio.gather(
            self._history.rows(
                f"""
                SELECT toString(event_type), toString(source_platform), toUnixTimestamp64Milli(event_time),
                       toUnixTimestamp64Milli(created_at), toUnixTimestamp64Milli(received_at), source_partition,
                       source_offset, campaign_id, toString(channel), toString(currency),
                       JSONExtractString(payload, 'envelope', 'metadata', 'traceparent')
                FROM events FINAL
                WHERE tenant_id = {{tenant:String}} AND {within("event_time")} AND event_id = {{event:String}}
                LIMIT 1
                """,  # noqa: S608 - built from constants; values are bound
                parameters,
                name="event_accepted",
                seconds=seconds,
            ),
            self._history.rows(
                f"""
                SELECT toUnixTimestamp64Milli(received_at), source_partition, source_offset,
                       arrayStringConcat(reasons, ','), toString(status)
                FROM quarantine FINAL
                WHERE tenant_id = {{tenant:String}} AND {within("received_at")} AND event_id = {{event:String}}
                ORDER BY received_at LIMIT {MOST_REFUSALS}
                """,  # noqa: S608 - built from constants and integers; values are bound
                parameters,
                name="event_refused",
                seconds=seconds,
            ),
            self._history.rows(
                f"""
                SELECT toUnixTimestamp64Milli(max(attributed_at)), count(), max(revision)
                FROM attribution_credits FINAL
                WHERE tenant_id = {{tenant:String}} AND {within("conversion_time")}
                  AND conversion_id = {{event:String}}
                """,  # noqa: S608 - built from constants; values are bound
                parameters,
                name="event_credited",
                seconds=seconds,
            ),
        )
        return (
            AcceptedEvent(*accepted[0]) if accepted else None,
            [
                RefusedMessage(at, partition, offset, tuple(reasons.split(",")), status)
                for at, partition, offset, reasons, status in refused
            ],
            Credited(*credited[0]) if credited[0][1] else None,
        )

    async def windows(self, tenant_id: str, event: AcceptedEvent, seconds: float) -> Counted | None:
        """Return the windows in which a campaign event counts, None when none is stored (yet, or any more)."""
        last = event.event_ms - event.event_ms % SECOND_MS
        rows = await self._history.rows(
            f"""
            SELECT toUnixTimestamp64Milli(min(window_end)), toUnixTimestamp64Milli(max(window_end)), count()
            FROM campaign_metrics FINAL
            WHERE tenant_id = {{tenant:String}} AND campaign_id = {{campaign:String}} AND channel = {{channel:String}}
              AND currency = {{currency:String}} AND {within("window_start")}
            """,  # noqa: S608 - built from constants; values are bound
            {
                "tenant": tenant_id,
                "campaign": event.campaign_id,
                "channel": event.channel,
                "currency": event.currency,
                "start": last - WINDOW_MS + SECOND_MS,
                "end": last + 1,
            },
            name="event_windows",
            seconds=seconds,
        )
        return Counted(*rows[0]) if rows[0][2] else None
