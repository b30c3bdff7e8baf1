"""Regions: customers that can be reached from one another over identifiers that link.

A region is what `partition` divides. It has at most `largest_person` customers: where more can be reached, the least
trusted kind of identifiers is left out, then the next. All customers of a region come to the same kinds, because from
each of them the same can be reached; so a region is a function of the set of links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.partition import Group, partition, sightings_match
from udfs.identity.records import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from udfs.identity.graph_state import GraphState
    from udfs.identity.settings import IdentitySettings


class Regions:
    """Finds and divides regions of a tenant's graph."""

    def __init__(self, state: GraphState, settings: IdentitySettings) -> None:
        """Read from `state`, as it is at each call."""
        self._state = state
        self._settings = settings
        self._most = dict(settings.most_customers)

    def region(self, name: str) -> tuple[set[str], tuple[Kind, ...]]:
        """Return the customers of a customer's region, and the kinds of identifiers over which they are reached."""
        kinds = tuple(Kind)
        while kinds:
            found = self._reach(name, kinds)
            if found is not None:
                return found, kinds
            kinds = kinds[:-1]
        return {name}, ()

    def divide(self, region: set[str], kinds: tuple[Kind, ...]) -> list[Group]:
        """Divide a region into persons."""
        if len(region) == 1:
            return [Group(tuple(region))]
        customers = {name: self._state.customer(name) for name in region}
        identifiers = {
            identifier: self._state.identifier(identifier).customers
            for customer in customers.values()
            for identifier in customer.last_days
            if identifier.kind in kinds and self._links_somebody(identifier)
        }
        return partition(customers, identifiers, self._settings)

    def _reach(self, name: str, kinds: tuple[Kind, ...]) -> set[str] | None:
        """Return the customers that can be reached over these kinds, None when they are too many."""
        found, to_visit = {name}, [name]
        while to_visit:
            for other in self._neighbours(to_visit.pop(), kinds):
                if other not in found:
                    found.add(other)
                    to_visit.append(other)
                    if len(found) > self._settings.largest_person:
                        return None
        return found

    def _neighbours(self, name: str, kinds: tuple[Kind, ...]) -> Iterable[str]:
        customer = self._state.customer(name)
        for identifier in customer.links:
            if identifier.kind in kinds and self._links_somebody(identifier):
                yield from self._state.identifier(identifier).customers
        if Kind.NETWORK not in kinds:
            return
        for value in customer.networks:
            network = Identifier(Kind.NETWORK, value)
            if not self._links_somebody(network):
                continue
            members = self._state.identifier(network).customers
            for other in members:
                if other != name and sightings_match(
                    value, len(members), customer, self._state.customer(other), self._settings.threshold
                ):
                    yield other

    def _links_somebody(self, identifier: Identifier) -> bool:
        record = self._state.identifier(identifier)
        return record.full_day == NEVER and 2 <= len(record.customers) <= self._most[identifier.kind]
