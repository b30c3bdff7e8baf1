"""The persons that follow from a set of changes, computed the plain way: all at once, without an order.

Written from the rules in the module texts of `udfs/identity`; of the program only the score of a pair and the list of
blocked values are used. The bounds on what is kept are left out: tests stay below them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from udfs.identity.device_graph import Erasure, Observation, Withdrawal
from udfs.identity.identifiers import Kind, linking_identifiers
from udfs.identity.similarity import Sighting, match_probability

DAY_MS = 86_400_000
KINDS = list(Kind)


@dataclass
class Seen:
    """What non-void events say of a customer."""

    links: dict
    sightings: dict


def persons(changes, settings):
    """Return {customer: (all customers of the person, probable links, certain parts where there are such links)}."""
    names = sorted({change.customer_id for change in changes})
    seen = {name: _seen(name, changes, settings) for name in names}
    most = dict(settings.most_customers)
    holders = {}
    for name in names:
        for identifier in [*seen[name].links, *seen[name].sightings]:
            holders.setdefault(identifier, set()).add(name)
    linking = {found: held for found, held in holders.items() if 2 <= len(held) <= most[found.kind]}
    result = {}
    for name in names:
        region, kinds = _region(name, linking, seen, settings)
        for group, links, parts in _divided(region, kinds, linking, seen, settings):
            if name in group:
                result[name] = (tuple(sorted(group)), tuple(sorted(links)), tuple(sorted(parts)) if links else ())
    return result


def _seen(name, changes, settings):
    observations = [c for c in changes if isinstance(c, Observation)]
    today = max((c.time_ms // DAY_MS for c in observations), default=0)
    mine = [c for c in observations if c.customer_id == name and c.time_ms // DAY_MS > today - settings.retention_days]
    void = [c.time_ms // DAY_MS for c in mine if not c.consented]
    void += [c.time_ms // DAY_MS for c in changes if isinstance(c, Erasure) and c.customer_id == name]
    live = [c for c in mine if c.consented and c.time_ms // DAY_MS > max(void, default=-1)]
    withdrawn = {c.identifier for c in changes if isinstance(c, Withdrawal) and c.customer_id == name}
    links, places = {}, {}
    for event in live:
        day = event.time_ms // DAY_MS
        for identifier in linking_identifiers(event.identifiers):
            if identifier in withdrawn:
                continue
            if identifier.kind is Kind.NETWORK:
                place = (day, event.identifiers.get("geo", ""), event.identifiers.get("user_agent", ""))
                places.setdefault(identifier, []).append(place)
            else:
                links[identifier] = max(links.get(identifier, 0), day)
    sightings = {
        identifier: Sighting(tuple(sorted({day for day, _, _ in found})), *max(found)[1:])
        for identifier, found in places.items()
    }
    return Seen(links, sightings)


def _score(network, one, other, linking, seen):
    return match_probability(seen[one].sightings[network], seen[other].sightings[network], len(linking[network]))


def _neighbours(name, kinds, linking, seen, settings):
    for identifier, held in linking.items():
        if identifier.kind not in kinds or name not in held:
            continue
        for other in held - {name}:
            if (
                identifier.kind is not Kind.NETWORK
                or _score(identifier, name, other, linking, seen) >= settings.threshold
            ):
                yield other


def _region(name, linking, seen, settings):
    for left_out in range(len(KINDS) + 1):
        kinds = KINDS[: len(KINDS) - left_out]
        region = {name}
        while True:
            more = {other for member in region for other in _neighbours(member, kinds, linking, seen, settings)}
            if more <= region:
                break
            region |= more
        if len(region) <= settings.largest_person:
            return region, kinds
    raise AssertionError("unreachable: without kinds a region is one customer")


def _divided(region, kinds, linking, seen, settings):
    groups = [({name}, []) for name in region]
    certain = [found for found in linking if found.kind in kinds and found.kind is not Kind.NETWORK]
    for identifier in sorted(certain, key=lambda found: (KINDS.index(found.kind), len(linking[found]), found.value)):
        if linking[identifier] & region:
            groups = _joined(groups, linking[identifier], None, seen, settings)
    certain = [group for group, _ in groups]
    pairs = {}
    for network in [found for found in linking if found.kind is Kind.NETWORK and found.kind in kinds]:
        for pair in combinations(sorted(linking[network] & region), 2):
            pairs[pair] = max(pairs.get(pair, 0), _score(network, *pair, linking, seen))
    for pair in sorted(pairs, key=lambda pair: (-pairs[pair], pair)):
        if pairs[pair] >= settings.threshold:
            groups = _joined(groups, set(pair), (*pair, pairs[pair]), seen, settings)
    return [(group, links, [tuple(sorted(part)) for part in certain if part <= group]) for group, links in groups]


def _joined(groups, names, link, seen, settings):
    """The groups after all that hold one of the names became one, unless a unique kind forbids it."""
    involved = [group for group in groups if group[0] & names]
    together = set().union(*(group[0] for group in involved))
    if len(involved) == 1:
        return groups
    for kind in settings.unique_kinds:
        if len({found.value for name in together for found in seen[name].links if found.kind is kind}) > 1:
            return groups
    links = [held for group in involved for held in group[1]] + ([link] if link else [])
    return [group for group in groups if group not in involved] + [(together, links)]
