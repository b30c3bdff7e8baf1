"""Persons of a tenant from all accepted journey events at once, and with which probability.

Written from the section Identity of docs/data-contract.md; all numbers below are stated there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    import duckdb

DAY_MS = 86_400_000
RETENTION_DAYS = 90
LARGEST_PERSON = 50
THRESHOLD = 0.7
UNIQUE = "user_id"
NETWORK = "hashed_ip"
MOST_CUSTOMERS = {
    "user_id": 20,
    "account_id": 10,
    "hashed_email": 10,
    "hashed_phone": 10,
    "device_id": 5,
    "cookie_id": 5,
    NETWORK: 6,
}
KINDS = tuple(MOST_CUSTOMERS)

Identifier = tuple[str, str]
Observation = tuple[str, int, bool, dict[str, str]]
"""Customer, event time (UTC ms), consent to analytics, identifiers."""
Withdrawn = tuple[str, str, str, str]
"""Tenant, customer, kind and value of a link that was withdrawn."""


@dataclass
class Known:
    """What is known of a customer."""

    denied: list[int] = field(default_factory=list)
    links: dict[Identifier, list[tuple[int, str, str]]] = field(default_factory=dict)
    """Live identifiers with (day, place, browser) of each event."""


@dataclass(frozen=True)
class Person:
    """Customers of one person with the probability of each pair to be so."""

    customers: frozenset[str]
    probability: dict[tuple[str, str], float]


def persons(
    connection: duckdb.DuckDBPyConnection, withdrawn: Collection[Withdrawn] = ()
) -> dict[tuple[str, str], Person]:
    """Persons of several customers by (tenant, customer)."""
    rows = connection.execute(
        "SELECT tenant_id, customer_id, event_time, analytics, identifiers FROM accepted WHERE family = 'journey'"
    ).fetchall()
    by_tenant: dict[str, list[Observation]] = {}
    for tenant_id, *observation in rows:
        by_tenant.setdefault(tenant_id, []).append((*observation[:3], dict(observation[3] or {})))
    found: dict[tuple[str, str], Person] = {}
    for tenant_id, observations in by_tenant.items():
        known = what_is_known(observations)
        for _, name, kind, value in (link for link in withdrawn if link[0] == tenant_id):
            known.get(name, Known()).links.pop((kind, value), None)
        for person in divided(known):
            found |= {(tenant_id, name): person for name in person.customers}
    return found


def what_is_known(observations: Iterable[Observation]) -> dict[str, Known]:
    """Live links and refusals by customer."""
    observations = list(observations)
    oldest = max(time // DAY_MS for _, time, _, _ in observations) - RETENTION_DAYS
    known: dict[str, Known] = {}
    for name, time, analytics, _ in observations:
        if time // DAY_MS > oldest:
            one = known.setdefault(name, Known())
            if not analytics:
                one.denied.append(time // DAY_MS)
    for name, time, analytics, identifiers in observations:
        day = time // DAY_MS
        if day > oldest and analytics and day > max(known[name].denied, default=-1):
            seen = (day, identifiers.get("geo", ""), identifiers.get("user_agent", ""))
            for kind in KINDS:
                value = identifiers.get(kind, "").strip()
                if value.replace("-", "").strip("0"):
                    known[name].links.setdefault((kind, value), []).append(seen)
    return known


def divided(known: dict[str, Known]) -> Iterator[Person]:
    """All persons of several customers."""
    holders: dict[Identifier, list[str]] = {}
    for name in sorted(known):
        for identifier in known[name].links:
            holders.setdefault(identifier, []).append(name)
    holders = {found: names for found, names in holders.items() if 2 <= len(names) <= MOST_CUSTOMERS[found[0]]}
    pairs: dict[tuple[str, str], float] = {}
    for identifier, names in holders.items():
        if identifier[0] == NETWORK:
            for one, other in combinations(names, 2):
                chance = match(known[one].links[identifier], known[other].links[identifier], len(names))
                if chance >= THRESHOLD:
                    pairs[one, other] = max(chance, pairs.get((one, other), 0.0))
    for region, kinds in _regions(set(known), KINDS, holders, pairs):
        if len(region) > 1:
            yield from _persons_of(region, kinds, known, holders, pairs)


def match(one: list[tuple[int, str, str]], other: list[tuple[int, str, str]], crowd: int) -> float:
    """Probability that two customers on a network of `crowd` customers are one person, six digits."""
    odds = Fraction(8, 10) / (crowd - 1)
    (_, place, browser), (_, other_place, other_browser) = max(one), max(other)
    if place and other_place:
        odds *= Fraction(98, 70) if place == other_place else Fraction(2, 30)
    if browser and other_browser:
        odds *= Fraction(50, 15) if browser == other_browser else Fraction(50, 85)
    apart = min(abs(day - other_day) for day, _, _ in one for other_day, _, _ in other)
    odds *= Fraction(80, 15) if apart == 0 else Fraction(15, 35) if apart <= 7 else Fraction(5, 50)
    return round(float(odds / (1 + odds)), 6)


def _regions(
    names: set[str],
    kinds: tuple[str, ...],
    holders: dict[Identifier, list[str]],
    pairs: dict[tuple[str, str], float],
) -> Iterator[tuple[set[str], tuple[str, ...]]]:
    """Customers that can reach one another, over fewer kinds where they are too many."""
    region_of = {name: {name} for name in names}
    edges = [members for (kind, _), members in holders.items() if kind in kinds and kind != NETWORK]
    edges += [list(pair) for pair in pairs] if NETWORK in kinds else []
    for members in edges:
        inside = [name for name in members if name in names]
        together = set().union(*(region_of[name] for name in inside))
        for name in together:
            region_of[name] = together
    for region in {id(region): region for region in region_of.values()}.values():
        if len(region) <= LARGEST_PERSON:
            yield region, kinds
        else:
            yield from _regions(region, kinds[:-1], holders, pairs)


def _persons_of(
    region: set[str],
    kinds: tuple[str, ...],
    known: dict[str, Known],
    holders: dict[Identifier, list[str]],
    pairs: dict[tuple[str, str], float],
) -> Iterator[Person]:
    sets = {name: frozenset((name,)) for name in region}

    def join(names: Iterable[str]) -> bool:
        together = frozenset().union(*(sets[name] for name in names))
        values = {found[1] for name in together for found in known[name].links if found[0] == UNIQUE}
        if len(values) > 1:
            return False
        sets.update(dict.fromkeys(together, together))
        return True

    inside = [
        (KINDS.index(found[0]), len(names), found[1], names)
        for found, names in holders.items()
        if found[0] in kinds and found[0] != NETWORK and names[0] in region
    ]
    for *_, names in sorted(inside):
        join(names)
    probability = {(one, other): 1.0 for one in region for other in sets[one]}
    likely = [(-chance, *pair) for pair, chance in pairs.items() if pair[0] in region and NETWORK in kinds]
    for chance, one, other in sorted(likely):
        before = product(sets[one], sets[other])
        if other not in sets[one] and join((one, other)):
            for near, far in before:
                joint = probability[near, one] * -chance * probability[other, far]
                probability[near, far] = probability[far, near] = joint
    for person in set(sets.values()):
        if len(person) > 1:
            yield Person(person, {pair: p for pair, p in probability.items() if pair[0] in person})
