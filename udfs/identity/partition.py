"""Which customers are one person: a function of the set of their links, whatever the order in which these came.

Links are made one identifier after the other in a fixed order: the most trusted kind first; within a kind the
identifier with fewer customers, which says more; then the smaller value. An identifier brings all its customers
together, unless that would bring together two values of a unique kind: then it links nobody. After that come the pairs
of customers on one network whose probability reaches the threshold, the most probable first, then by customer ids,
under the same veto.

A customer with two values of a unique kind of its own (a login that was renamed, a kiosk) joins nobody: every join
would hold both.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from udfs.identity.identifiers import RANK, Identifier, Kind
from udfs.identity.similarity import match_probability

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from udfs.identity.records import CustomerRecord
    from udfs.identity.settings import IdentitySettings

ProbableLink = tuple[str, str, float]
"""Two customers, the smaller id first, and the probability that they are one person."""


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Customers that are one person: at least one, sorted, and the probable links among them, sorted.

    Without links all are one person for certain. Otherwise `parts` are the customers that are so, each sorted, and the
    links make one person of them: one link fewer than parts.
    """

    customers: tuple[str, ...]
    links: tuple[ProbableLink, ...] = ()
    parts: tuple[tuple[str, ...], ...] = ()

    @property
    def person_id(self) -> str:
        """The person's id: the smallest of its customers' ids."""
        return self.customers[0]


def partition(
    customers: Mapping[str, CustomerRecord],
    identifiers: Mapping[Identifier, Iterable[str]],
    settings: IdentitySettings,
) -> list[Group]:
    """Divide customers into persons.

    Args:
        customers: records of all customers to divide, by customer id.
        identifiers: the identifiers that may link, each with all its customers. Those of a network may lie outside
            `customers`: they count for the crowd, and are in no pair.
        settings: unique kinds and threshold.

    Returns:
        Groups that hold every customer once, sorted.
    """
    joined = _Joined(customers, settings.unique_kinds)
    certain = [
        (RANK[identifier.kind], len(members), identifier.value, members)
        for identifier, names in identifiers.items()
        if identifier.kind is not Kind.NETWORK and len(members := sorted(names)) > 1
    ]
    for _, _, _, members in sorted(certain):
        joined.join(members)
    certain_parts = joined.sets()
    links = []
    for one, other, probability in _probable_pairs(customers, identifiers, settings.threshold):
        if joined.root(one) != joined.root(other) and joined.join([one, other]):
            links.append((one, other, probability))
    groups = []
    for names in joined.sets():
        own = tuple(sorted(link for link in links if link[0] in names))
        parts = tuple(sorted(part for part in certain_parts if part[0] in names)) if own else ()
        groups.append(Group(names, own, parts))
    return sorted(groups)


def sightings_match(
    network: str, customers: int, one: CustomerRecord, other: CustomerRecord, threshold: float
) -> float | None:
    """Return the probability of a pair on a network with so many customers, or None when it is below the threshold."""
    probability = match_probability(one.networks[network][1], other.networks[network][1], customers)
    return probability if probability >= threshold else None


def _probable_pairs(
    customers: Mapping[str, CustomerRecord], identifiers: Mapping[Identifier, Iterable[str]], threshold: float
) -> Iterator[ProbableLink]:
    """Yield pairs that reach the threshold, each with its best network's probability; the most probable first."""
    best: dict[tuple[str, str], float] = {}
    for identifier, names in identifiers.items():
        if identifier.kind is not Kind.NETWORK:
            continue
        members = sorted(names)
        for pair in combinations((name for name in members if name in customers), 2):
            one, other = (customers[name] for name in pair)
            probability = sightings_match(identifier.value, len(members), one, other, threshold)
            if probability is not None and probability > best.get(pair, 0.0):
                best[pair] = probability
    for pair in sorted(best, key=lambda pair: (-best[pair], pair)):
        yield (*pair, best[pair])


class _Joined:
    """Disjoint sets of customers with the values of unique kinds that each set holds."""

    def __init__(self, customers: Mapping[str, CustomerRecord], unique_kinds: tuple[Kind, ...]) -> None:
        self._parent = {customer: customer for customer in customers}
        self._unique = {
            customer: {identifier for identifier in record.links if identifier.kind in unique_kinds}
            for customer, record in customers.items()
        }

    def root(self, customer: str) -> str:
        while self._parent[customer] != customer:
            self._parent[customer] = self._parent[self._parent[customer]]
            customer = self._parent[customer]
        return customer

    def sets(self) -> list[tuple[str, ...]]:
        """Return the sets, each sorted."""
        members: dict[str, list[str]] = {}
        for customer in sorted(self._parent):
            members.setdefault(self.root(customer), []).append(customer)
        return [tuple(names) for names in members.values()]

    def join(self, customers: Iterable[str]) -> bool:
        """Join all of these, unless that would hold two values of a unique kind."""
        roots = sorted({self.root(customer) for customer in customers})
        held = set().union(*(self._unique[root] for root in roots))
        if len(roots) > 1 and len({identifier.kind for identifier in held}) < len(held):
            return False
        first = roots[0]
        for root in roots[1:]:
            self._parent[root] = first
        self._unique[first] = held
        return True
