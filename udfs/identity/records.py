"""What is remembered of one customer and of one identifier, and its text in keyed state.

The text is a JSON array, version first, as in `udfs/attribution/person_state.py`: a newer program reads older texts, an
older program refuses newer ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.similarity import Sighting

VERSION = 2
DAY_MS = 86_400_000
NEVER = -1
"""The day before the epoch: no event can lie there."""

_KINDS = tuple(Kind)
_RANK = {kind: str(rank) for rank, kind in enumerate(_KINDS)}


class IdentityStateError(ValueError):
    """The state was written by a newer version of this program, or is none of identity's."""


@dataclass(slots=True)
class CustomerRecord:
    """One customer id of a tenant. Days are UTC days since the epoch."""

    links: dict[Identifier, int] = field(default_factory=dict)
    """Identifiers but networks, with the newest day on which an event with consent carried them."""
    networks: dict[str, tuple[int, Sighting]] = field(default_factory=dict)
    """Networks by hash, with the newest day, and what was seen there."""
    denied_day: int = NEVER
    """Newest day with an event without consent to analytics: all links up to it are void."""
    erased_at: int = 0
    """Moment of the newest erasure, UTC ms; 0: never. Facts up to it are void, and links up to its day."""
    withdrawn: set[Identifier] = field(default_factory=set)
    person: str = ""
    """The person that the customer is part of together with others; empty when alone."""
    derived: bool = False
    """Whether the customer's credits have been derived from stored facts: from then on they always are."""
    listed_day: int = NEVER
    """Newest day under which the customer stands in the list of what expires."""

    @property
    def void_day(self) -> int:
        """Links of this day and before are void."""
        return max(self.denied_day, self.erased_at // DAY_MS if self.erased_at else NEVER)

    @property
    def last_days(self) -> dict[Identifier, int]:
        """All identifiers, networks too, with their newest days."""
        return self.links | {Identifier(Kind.NETWORK, value): day for value, (day, _) in self.networks.items()}


@dataclass(slots=True)
class IdentifierRecord:
    """One identifier of a tenant."""

    customers: list[str] = field(default_factory=list)
    """Those that carry it, sorted."""
    full_day: int = NEVER
    """When there was no more room for customers: the newest day on which one came. Until that day has expired the
    identifier is shared, whoever is in the list."""


def encode_customer(customer: CustomerRecord) -> str:
    """Return the text of a customer's record."""
    links: dict[str, dict[str, int]] = {}
    for (kind, value), day in customer.links.items():
        links.setdefault(_RANK[kind], {})[value] = day
    networks = {value: (day, *sighting) for value, (day, sighting) in customer.networks.items()}
    withdrawn = sorted((_RANK[kind], value) for kind, value in customer.withdrawn)
    return orjson.dumps(
        (
            VERSION,
            links,
            networks,
            customer.denied_day,
            customer.erased_at,
            withdrawn,
            customer.person,
            int(customer.derived),
            customer.listed_day,
        )
    ).decode()


def decode_customer(text: str | None) -> CustomerRecord:
    """Return the record of a text; an empty one for None. Raises IdentityStateError."""
    if text is None:
        return CustomerRecord()
    record = _read(text)
    if record[0] == 1:
        del record[4]  # the oldest day with consent: attribution sees it in the facts (ADR 0008)
    _, links, networks, denied_day, erased_at, withdrawn, person, derived, listed_day = record
    return CustomerRecord(
        {Identifier(_KINDS[int(rank)], value): day for rank, days in links.items() for value, day in days.items()},
        {value: (day, Sighting(tuple(days), geo, agent)) for value, (day, days, geo, agent) in networks.items()},
        denied_day,
        erased_at,
        {Identifier(_KINDS[int(rank)], value) for rank, value in withdrawn},
        person,
        bool(derived),
        listed_day,
    )


def is_derived_alone(text: str) -> bool:
    """Tell whether a customer's text is of one that is alone and derived, looking at its end only.

    For going through all customers of a tenant: reading each would take ten times as long.
    """
    *_, person, derived, _ = text.rsplit(",", 3)
    return derived == "1" and person == '""'


def encode_identifier(identifier: IdentifierRecord) -> str:
    """Return the text of an identifier's record."""
    return orjson.dumps((VERSION, identifier.customers, identifier.full_day)).decode()


def decode_identifier(text: str | None) -> IdentifierRecord:
    """Return the record of a text; an empty one for None. Raises IdentityStateError."""
    return IdentifierRecord() if text is None else IdentifierRecord(*_read(text)[1:])


def _read(text: str) -> list[Any]:
    try:
        record = orjson.loads(text)
        version = record[0]
    except (ValueError, TypeError, LookupError) as error:
        raise IdentityStateError(
            "the state of identity is not readable; restore a savepoint of this program"
        ) from error
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise IdentityStateError(
            f"the state of identity has version {version!r}; allowed: 1 to {VERSION}. Run the program that wrote it"
        )
    return list(record)
