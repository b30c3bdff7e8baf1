"""What is remembered of one person (tenant and customer), and its bytes in keyed state.

The bytes are one JSON array, version first: about 60 bytes a touch with ids of 36 characters. A newer program reads
the bytes of older versions; an older program refuses bytes of a newer version instead of misreading them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import orjson

from udfs.attribution.consent import ConsentSeen

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 3


class StateVersionError(ValueError):
    """The state was written by a newer version of this program, or is not a person's state at all."""


class Added(Enum):
    """What became of a fact that was offered to a log."""

    NEW = auto()
    DUPLICATE = auto()
    EXPIRED = auto()
    """Older than what is kept: it may have been counted before, so it is not counted now."""


@dataclass(slots=True)
class Log:
    """Facts of one kind in the order of (time, event id), as columns: times (UTC ms), event ids, and a value each.

    The floor is the newest (time, id) that was forgotten for want of room.
    """

    floor_time: int = 0
    floor_id: str = ""
    times: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, time: int, event_id: str, value: Any, horizon: int) -> Added:
        """Insert a fact where it belongs, unless it is known, before the horizon (ms) or not above the floor."""
        times, ids = self.times, self.ids
        if event_id in ids:
            return Added.DUPLICATE
        if time < horizon or time < self.floor_time or (time == self.floor_time and event_id <= self.floor_id):
            return Added.EXPIRED
        if not times or time > times[-1]:
            times.append(time)
            ids.append(event_id)
            self.values.append(value)
            return Added.NEW
        index = bisect_right(times, time)
        while index and times[index - 1] == time and ids[index - 1] > event_id:
            index -= 1
        times.insert(index, time)
        ids.insert(index, event_id)
        self.values.insert(index, value)
        return Added.NEW

    def excess(self, horizon: int, room: int) -> int:
        """Return how many of the oldest facts lie before the horizon (ms) or are more than there is room for."""
        if not self.times or (self.times[0] >= horizon and len(self.times) <= room):
            return 0
        return max(bisect_left(self.times, horizon), len(self.times) - room)

    def forget(self, count: int) -> None:
        """Remove the `count` oldest facts and raise the floor to the newest of them."""
        self.floor_time, self.floor_id = self.times[count - 1], self.ids[count - 1]
        del self.times[:count], self.ids[:count], self.values[:count]

    def columns(self) -> tuple[Any, ...]:
        """Return the fields in order, for encoding."""
        return (self.floor_time, self.floor_id, self.times, self.ids, self.values)


# A conversion's value in its log, a list because it is written as JSON.
CONVERSION_TYPE, GROSS_MICROS, CURRENCY, CREATED_AT, JOURNEY_ID, FORGOTTEN, FORGOTTEN_REFUNDS = range(7)
"""FORGOTTEN counts touches and refunds of the conversion that there was no room for; FORGOTTEN_REFUNDS is the sum of
such refunds in micros, null after a cancellation."""

# A journey: the newest fact's time and id decide the stage, the newest conversion's the currency.
(
    ID,
    NEWEST_TIME,
    NEWEST_ID,
    STAGE,
    STARTED_AT,
    TOUCHES,
    CONVERSIONS,
    MICROS_BY_CURRENCY,
    CONVERTED_AT,
    CONVERTED_BY,
    CONVERTED_IN,
    FACTS,
) = range(12)


@dataclass(slots=True)
class PersonState:
    """Facts of one person, and the running figures of their journeys."""

    newest: int = 0
    """Time of the person's newest fact, UTC ms: what retention is counted from."""
    touches: Log = field(default_factory=Log)
    """Values are indexes into `places`."""
    conversions: Log = field(default_factory=Log)
    """Values are lists with the fields CONVERSION_TYPE to FORGOTTEN_REFUNDS."""
    refunds: Log = field(default_factory=Log)
    """Values are (id of the conversion, micros; null: a cancellation). They may wait here for their conversion."""
    stage_changes: Log = field(default_factory=Log)
    """Starts and stage changes, only to know them again; values are 0."""
    journeys: list[list[Any]] = field(default_factory=list)
    places: list[list[str]] = field(default_factory=list)
    """Distinct (channel, campaign id, interaction type) of the touches, each written once. The type is empty where
    state of version 1 did not have it."""

    consent: ConsentSeen = field(default_factory=ConsentSeen)
    """What the facts said of consent. State of versions 1 and 2 did not remember it."""

    def place(self, channel: str, campaign_id: str, interaction_type: str) -> int:
        """Return the index of a channel, campaign and interaction type in `places`."""
        place = [channel, campaign_id, interaction_type]
        try:
            return self.places.index(place)
        except ValueError:
            self.places.append(place)
            return len(self.places) - 1

    def drop_unused_places(self) -> None:
        """Renumber `places` when most are not used: those of touches that were forgotten or came too late."""
        if len(self.places) <= 2 * len(self.touches.times) + 8:
            return
        used = sorted(set(self.touches.values))
        numbers = {old: new for new, old in enumerate(used)}
        self.places = [self.places[index] for index in used]
        self.touches.values = [numbers[index] for index in self.touches.values]


def encode(person: PersonState) -> bytes:
    """Return the bytes of a person's state."""
    return orjson.dumps(
        (
            VERSION,
            person.newest,
            person.touches.columns(),
            person.conversions.columns(),
            person.refunds.columns(),
            person.stage_changes.columns(),
            person.journeys,
            person.places,
            (person.consent.granted_at, person.consent.denied_at),
        )
    )


def decode(state: bytes | None) -> PersonState:
    """Return the person of `state`; an empty one for None.

    Raises:
        StateVersionError: the bytes are of a newer version, or no state of a person.
    """
    if state is None:
        return PersonState()
    try:
        record = orjson.loads(state)
        version = record[0]
    except (ValueError, TypeError, LookupError) as error:
        raise StateVersionError("the person's state is not readable; restore a savepoint of this program") from error
    if version != VERSION:
        record = _upgrade(record, version)
    _, newest, touches, conversions, refunds, stage_changes, journeys, places, consent = record
    logs = (Log(*touches), Log(*conversions), Log(*refunds), Log(*stage_changes))
    return PersonState(newest, *logs, journeys, places, ConsentSeen(*consent))


def _remember_interaction_types(record: list[Any]) -> list[Any]:
    """Version 2: a place has the interaction type too; what version 1 did not keep is empty."""
    *rest, places = record[1:]
    return [2, *rest, [[channel, campaign_id, ""] for channel, campaign_id in places]]


def _remember_consent(record: list[Any]) -> list[Any]:
    """Version 3: when consent was given and refused, which is not known of the facts before."""
    return [3, *record[1:], [0, 0]]


# Entry n - 1 turns the array of version n into that of version n + 1.
_UPGRADES: tuple[Callable[[list[Any]], list[Any]], ...] = (_remember_interaction_types, _remember_consent)


def _upgrade(record: list[Any], version: object) -> list[Any]:
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise StateVersionError(
            f"the person's state has version {version!r}; allowed: 1 to {VERSION}. Run the program that wrote it"
        )
    for upgrade in _UPGRADES[version - 1 :]:
        record = upgrade(record)
    return record
