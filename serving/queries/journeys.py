"""Journeys from the history: by stage, as a list, and the events of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.filters import Kind, Name
from serving.queries.person_journeys import CUSTOMERS_OF, KNOWN_PERSONS, PERSON_OF, person_journeys
from serving.queries.time_predicates import moment, within

if TYPE_CHECKING:
    from serving.queries.filters import Condition
    from serving.queries.history import History

STAGES = ("awareness", "consideration", "intent", "purchase", "retention", "advocacy")
"""Stages in the order in which a journey goes through them."""
FILTER_NAMES = {
    "customer": Name("customer_id"),
    "person": Name("person_id"),
    "journey": Name("journey_id"),
    "currency": Name("currency"),
    "stage": Name("stage", words=STAGES),
    "touchpoints": Name("touchpoints", Kind.WHOLE),
    "conversions": Name("conversions", Kind.WHOLE),
    "value_micros": Name("value_micros", Kind.WHOLE),
}
"""What a filter of journeys may name."""
EVENT_TYPES = ("journey_start", "touchpoint_interaction", "conversion_event", "journey_stage_change")


@dataclass(frozen=True, slots=True)
class StageCount:
    """Journeys that are in a stage now, with the sums of their touchpoints and conversions."""

    stage: str
    journeys: int
    touchpoints: int
    conversions: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class JourneyRecord:
    """A journey as it stands. `value_micros` is gross, in the currency of the newest conversion. `customer_id` is the
    customer of the newest event; `person_id` the person, who may have several customers."""

    journey_id: str
    customer_id: str
    stage: str
    started_ms: int
    last_event_ms: int
    touchpoints: int
    conversions: int
    value_micros: int
    currency: str
    revision: int
    person_id: str


@dataclass(frozen=True, slots=True)
class JourneyEvent:
    """One event of a journey; what its type does not have is empty."""

    event_id: str
    event_type: str
    time_ms: int
    stage: str
    channel: str
    campaign_id: str
    interaction_type: str
    source: str
    creative_id: str
    kind: str
    value_micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class PlaceCount:
    """Journeys that began at a location (empty: unknown), and how many of them converted."""

    location: str
    journeys: int
    converted: int


@dataclass(frozen=True, slots=True)
class Places:
    """The places with the most journeys, and the sums and the newest start of all of them."""

    counts: tuple[PlaceCount, ...] = ()
    journeys: int = 0
    converted: int = 0
    newest_ms: int = 0


_COLUMNS = """
journey_id, customer_id, toString(stage), toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(last_event_at),
touchpoints, conversions, value_micros, toString(currency), revision, person_id
"""


class JourneyQueries:
    """Reads of journeys. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History) -> None:
        """Keep the history to ask."""
        self._history = history

    async def stage_counts(
        self, tenant_id: str, start_ms: int, end_ms: int, condition: Condition | None, seconds: float
    ) -> list[StageCount]:
        """Return the journeys that began in [start_ms, end_ms) by stage; a stage without one is left out."""
        parameters: dict[str, Any] = {"tenant": tenant_id, "start": start_ms, "end": end_ms}
        rows = await self._history.rows(
            f"""
            SELECT toString(stage) AS in_stage, count(), sum(touchpoints), sum(conversions),
                   toUnixTimestamp64Milli(max(last_event_at))
            FROM ({person_journeys(f"{within('started_at')} {_filtered(condition, parameters)}")})
            GROUP BY in_stage
            """,  # noqa: S608 - built from constants; values are bound
            parameters,
            name="journey_stages",
            seconds=seconds,
        )
        return [StageCount(*row) for row in rows]

    async def journeys(
        self,
        tenant_id: str,
        start_ms: int,
        end_ms: int,
        condition: Condition | None,
        size: int,
        after: tuple[int, str, str] | None,
        seconds: float,
    ) -> list[JourneyRecord]:
        """Return journeys whose newest event lies in [start_ms, end_ms), newest first, at most `size` after (time,
        person, journey) `after`."""
        parameters: dict[str, Any] = {"tenant": tenant_id, "start": start_ms, "end": end_ms}
        filtered = _filtered(condition, parameters)
        behind = ""
        if after is not None:
            parameters.update(zip(("after_time", "after_person", "after_journey"), after, strict=True))
            behind = (
                "AND (-toUnixTimestamp64Milli(last_event_at), person_id, journey_id) > "
                "(-{after_time:Int64}, {after_person:String}, {after_journey:String})"
            )
        rows = await self._history.rows(
            f"""
            SELECT {_COLUMNS} FROM ({person_journeys(f"{within('last_event_at')} {filtered} {behind}")})
            ORDER BY last_event_at DESC, person_id, journey_id
            LIMIT {size}
            """,  # noqa: S608 - built from constants and integers; values are bound
            parameters,
            name="journeys",
            seconds=seconds,
        )
        return [JourneyRecord(*row) for row in rows]

    async def journey(self, tenant_id: str, customer_id: str, journey_id: str, seconds: float) -> JourneyRecord | None:
        """Return a journey of the person of a customer, None when there is none."""
        rows = await self._history.rows(
            f"""
            SELECT {_COLUMNS} FROM ({person_journeys(f"person_id = {PERSON_OF} AND journey_id = {{journey:String}}")})
            """,  # noqa: S608 - built from constants; values are bound
            {"tenant": tenant_id, "customer": customer_id, "journey": journey_id},
            name="journey",
            seconds=seconds,
        )
        return JourneyRecord(*rows[0]) if rows else None

    async def places(self, tenant_id: str, start_ms: int, end_ms: int, size: int, seconds: float) -> Places:
        """Return where the journeys that began in [start_ms, end_ms) did so, at most `size` places. Of several starts
        of one journey the first counts; a journey without a stored start has no place and is not counted."""
        rows = await self._history.rows(
            f"""
            SELECT location, count() AS journeys, countIf(conversions > 0) AS converted, sum(journeys) OVER (),
                   sum(converted) OVER (), max(max(began)) OVER ()
            FROM (
                SELECT person_id, journey_id, argMin(place, (time_ms, event_id)) AS location, min(time_ms) AS began
                FROM (
                    SELECT if(known.person_id = '', own.customer_id, known.person_id) AS person_id,
                           own.journey_id AS journey_id, own.place AS place, own.time_ms AS time_ms,
                           own.event_id AS event_id
                    FROM (
                        SELECT customer_id, journey_id, event_id, toUnixTimestamp64Milli(event_time) AS time_ms,
                               JSONExtractString(payload, 'context', 'location') AS place
                        FROM events FINAL
                        WHERE tenant_id = {{tenant:String}} AND {within("event_time")} AND event_type = 'journey_start'
                    ) AS own
                    LEFT JOIN ({KNOWN_PERSONS}) AS known ON own.customer_id = known.customer_id
                )
                GROUP BY person_id, journey_id
            ) AS begun
            LEFT JOIN (
                SELECT person_id, journey_id, conversions
                FROM ({person_journeys(f"last_event_at >= {moment('{start:Int64}')} AND conversions > 0")})
            ) AS won USING (person_id, journey_id)
            GROUP BY location
            ORDER BY journeys DESC, location
            LIMIT {size}
            """,  # noqa: S608 - built from constants and integers; values are bound
            {"tenant": tenant_id, "start": start_ms, "end": end_ms},
            name="journey_places",
            seconds=seconds,
        )
        if not rows:
            return Places()
        return Places(tuple(PlaceCount(*row[:3]) for row in rows), *rows[0][3:])

    async def events(
        self, tenant_id: str, journey: JourneyRecord, size: int, after: tuple[int, str] | None, seconds: float
    ) -> list[JourneyEvent]:
        """Return the events of a journey by (time, id), at most `size` after `after`."""
        types = ", ".join(f"'{name}'" for name in EVENT_TYPES)
        after_time, after_id = after or (journey.started_ms, "")
        rows = await self._history.rows(
            f"""
            SELECT event_id, toString(event_type), toUnixTimestamp64Milli(event_time) AS time_ms,
                   JSONExtractString(payload, 'journey', 'stage'), toString(channel), campaign_id,
                   JSONExtractString(payload, 'touchpoint', 'interaction_type'),
                   if(event_type = 'journey_start', JSONExtractString(payload, 'entry_point', 'source'),
                      JSONExtractString(payload, 'touchpoint', 'source')),
                   JSONExtractString(payload, 'touchpoint', 'creative_id'), toString(kind), value_micros,
                   toString(currency)
            FROM events FINAL
            WHERE tenant_id = {{tenant:String}} AND event_time >= {moment("{after_time:Int64}")}
              AND event_time <= {moment("{last:Int64}")} AND event_type IN ({types})
              AND customer_id IN ({CUSTOMERS_OF}) AND journey_id = {{journey:String}}
              AND (time_ms, event_id) > ({{after_time:Int64}}, {{after_id:String}})
            ORDER BY time_ms, event_id
            LIMIT {size}
            """,  # noqa: S608 - built from constants and integers; values are bound
            {
                "tenant": tenant_id,
                "person": journey.person_id,
                "journey": journey.journey_id,
                "last": journey.last_event_ms,
                "after_time": after_time,
                "after_id": after_id,
            },
            name="journey_events",
            seconds=seconds,
        )
        return [JourneyEvent(*row) for row in rows]


def _filtered(condition: Condition | None, parameters: dict[str, Any]) -> str:
    return "" if condition is None else f"AND {condition.sql(parameters)}"
