"""The running figures of a person's journeys, as new facts come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from udfs.attribution.facts import CONVERSION, TOUCH
from udfs.attribution.person_state import (
    CONVERSIONS,
    CONVERTED_AT,
    CONVERTED_BY,
    CONVERTED_IN,
    FACTS,
    ID,
    MICROS_BY_CURRENCY,
    NEWEST_ID,
    NEWEST_TIME,
    STAGE,
    STARTED_AT,
    TOUCHES,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from udfs.attribution.person_state import PersonState


def count_in_journey(person: PersonState, fact: Sequence[Any]) -> list[Any]:
    """Add a new fact to the figures of its journey, and return them."""
    kind, _, _, journey_id, stage, event_id, time = fact[:7]
    for journey in person.journeys:
        if journey[ID] == journey_id:
            break
    else:
        journey = [journey_id, time, event_id, stage, time, 0, 0, {}, 0, "", "", 0]
        person.journeys.append(journey)
    journey[FACTS] += 1
    if time > journey[NEWEST_TIME] or (time == journey[NEWEST_TIME] and event_id > journey[NEWEST_ID]):
        journey[NEWEST_TIME], journey[NEWEST_ID], journey[STAGE] = time, event_id, stage
    if time < journey[STARTED_AT]:
        journey[STARTED_AT] = time
    if kind == TOUCH:
        journey[TOUCHES] += 1
    elif kind == CONVERSION:
        journey[CONVERSIONS] += 1
        micros, currency = journey[MICROS_BY_CURRENCY], fact[11]
        micros[currency] = micros.get(currency, 0) + fact[10]
        if (time, event_id) > (journey[CONVERTED_AT], journey[CONVERTED_BY]):
            journey[CONVERTED_AT], journey[CONVERTED_BY], journey[CONVERTED_IN] = time, event_id, currency
    return journey


def journey_row(journey: list[Any], tenant_id: str, customer_id: str) -> dict[str, Any]:
    """Return a row of the `journeys` table: times UTC ms, value in gross micros."""
    return {
        "tenant_id": tenant_id,
        "journey_id": journey[ID],
        "customer_id": customer_id,
        "stage": journey[STAGE],
        "started_at": journey[STARTED_AT],
        "last_event_at": journey[NEWEST_TIME],
        "touchpoints": journey[TOUCHES],
        "conversions": journey[CONVERSIONS],
        "value_micros": journey[MICROS_BY_CURRENCY].get(journey[CONVERTED_IN], 0),
        "currency": journey[CONVERTED_IN],
        "revision": journey[FACTS],
    }
