"""The state of one tenant's device graph: records by customer and identifier, persons, and what expires when.

Records are read once and written once per batch. Keys: `tenant`, `customer/<id>`, `<kind>/<value>`, `person/<id>`,
`day/<day>` and `day/<day>/<piece>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import orjson

from udfs.identity.partition import Group
from udfs.identity.person import decode_group, encode_group
from udfs.identity.records import (
    NEVER,
    CustomerRecord,
    IdentifierRecord,
    decode_customer,
    decode_identifier,
    encode_customer,
    encode_identifier,
)

if TYPE_CHECKING:
    from udfs.identity.identifiers import Identifier

# Customers in one piece of a day's list: a piece is read and written whole.
_LIST_PIECE = 100


class TextState(Protocol):
    """Text by key, as Flink's MapState holds it."""

    def get(self, key: str) -> str | None:
        """Return a key's text, None when there is none."""

    def put(self, key: str, value: str) -> None:
        """Set a key's text."""

    def remove(self, key: str) -> None:
        """Forget a key."""


class GraphState:
    """Records over the texts of a tenant. `write` puts down the changed ones."""

    def __init__(self, texts: TextState) -> None:
        """Use the tenant's texts. Raises IdentityStateError, here or when reading, if a newer program wrote them."""
        self._texts = texts
        tenant = texts.get("tenant")
        self.today: int = NEVER
        """Newest day of an event."""
        self.expired_day: int = NEVER
        """Links that were last seen on this day or before have been taken out."""
        if tenant:
            self.today, self.expired_day = orjson.loads(tenant)
        self._customers: dict[str, CustomerRecord] = {}
        self._identifiers: dict[Identifier, IdentifierRecord] = {}
        self._changed_customers: set[str] = set()
        self._changed_identifiers: set[Identifier] = set()

    def customer(self, name: str) -> CustomerRecord:
        """Return the record of a customer; call `changed` after changing it."""
        held = self._customers.get(name)
        if held is None:
            held = self._customers[name] = decode_customer(self._texts.get(f"customer/{name}"))
        return held

    def changed(self, name: str) -> None:
        """Have a customer's record written."""
        self._changed_customers.add(name)

    def identifier(self, identifier: Identifier) -> IdentifierRecord:
        """Return the record of an identifier; call `changed_identifier` after changing it."""
        held = self._identifiers.get(identifier)
        if held is None:
            text = self._texts.get(f"{identifier.kind}/{identifier.value}")
            held = self._identifiers[identifier] = decode_identifier(text)
        return held

    def changed_identifier(self, identifier: Identifier) -> None:
        """Have an identifier's record written."""
        self._changed_identifiers.add(identifier)

    def group(self, person_id: str) -> Group:
        """Return the group of a person; of a customer who is alone the group of one."""
        text = self._texts.get(f"person/{person_id}")
        if text is None:
            return Group((person_id,))
        return decode_group(orjson.loads(text))

    def put_group(self, group: Group) -> None:
        """Keep a group of two or more customers under its person's id."""
        self._texts.put(f"person/{group.person_id}", orjson.dumps(encode_group(group)).decode())

    def remove_group(self, person_id: str) -> None:
        """Forget a person's group."""
        self._texts.remove(f"person/{person_id}")

    def list_customer(self, name: str, day: int) -> None:
        """Put a customer into the list of those of whom something was last seen on a day."""
        customer = self.customer(name)
        if day == customer.listed_day:
            return
        pieces = self._pieces(day)
        piece = self._piece(day, pieces - 1) if pieces else []
        if not pieces or len(piece) >= _LIST_PIECE:
            pieces += 1
            piece = []
            self._texts.put(f"day/{day}", str(pieces))
        self._texts.put(f"day/{day}/{pieces - 1}", orjson.dumps([*piece, name]).decode())
        if day > customer.listed_day:
            customer.listed_day = day
            self.changed(name)

    def take_listed(self, day: int) -> list[str]:
        """Take about a hundred customers out of the list of a day and return them; empty when the list is."""
        pieces = self._pieces(day)
        if not pieces:
            return []
        names = self._piece(day, pieces - 1)
        self._texts.remove(f"day/{day}/{pieces - 1}")
        if pieces > 1:
            self._texts.put(f"day/{day}", str(pieces - 1))
        else:
            self._texts.remove(f"day/{day}")
        return names

    def write(self) -> None:
        """Write what has changed and forget what was read."""
        for name in self._changed_customers:
            if self._says_nothing(self.customer(name)):
                self._texts.remove(f"customer/{name}")
            else:
                self._texts.put(f"customer/{name}", encode_customer(self.customer(name)))
        for identifier in self._changed_identifiers:
            found, key = self.identifier(identifier), f"{identifier.kind}/{identifier.value}"
            if found == IdentifierRecord():
                self._texts.remove(key)
            else:
                self._texts.put(key, encode_identifier(found))
        self._texts.put("tenant", orjson.dumps((self.today, self.expired_day)).decode())
        self._customers.clear()
        self._identifiers.clear()
        self._changed_customers.clear()
        self._changed_identifiers.clear()

    def _says_nothing(self, customer: CustomerRecord) -> bool:
        """Whether all that is known of a customer has expired. Withdrawals are for good."""
        if customer.links or customer.networks or customer.withdrawn or customer.person:
            return False
        return max(customer.listed_day, customer.void_day) <= self.expired_day

    def _pieces(self, day: int) -> int:
        return int(self._texts.get(f"day/{day}") or 0)

    def _piece(self, day: int, number: int) -> list[str]:
        names: list[str] = orjson.loads(self._texts.get(f"day/{day}/{number}") or "[]")
        return names
