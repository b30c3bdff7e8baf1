"""A person of several customers, or one whose facts no longer all count: what attribution is told by the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from udfs.identity.partition import Group


@dataclass(frozen=True, slots=True)
class Person:
    """A person whose credits are to be derived from stored facts: the customers, and what of them no longer counts."""

    group: Group
    erased_until: dict[str, int] = field(default_factory=dict)
    """By customer with such: no fact up to this moment (UTC ms) counts."""

    def link_probabilities(self, customer_id: str) -> dict[str, float]:
        """Return, for every customer of the person, the probability of being one person with this one.

        1 for those who are so for certain; else the product of the probabilities of the links in between, which form a
        tree, so that there is one way. Source: the probability that all of several independent links hold.
        """
        parts = self.group.parts or (self.group.customers,)
        part_of = {name: number for number, part in enumerate(parts) for name in part}
        reached = {part_of[customer_id]: 1.0}
        while len(reached) < len(parts):
            known = len(reached)
            for one, other, probability in self.group.links:
                for near, far in ((part_of[one], part_of[other]), (part_of[other], part_of[one])):
                    if near in reached and far not in reached:
                        reached[far] = reached[near] * probability
            if len(reached) == known:
                raise ValueError(f"{len(parts) - known} of {len(parts)} parts of a person are not linked; allowed: 0")
        return {name: reached[number] for name, number in part_of.items()}


def encode_group(group: Group) -> list[Any]:
    """Return a group as plain lists."""
    return [group.customers, group.links, group.parts]


def decode_group(plain: list[Any]) -> Group:
    """Return the group of plain lists."""
    customers, links, parts = plain
    return Group(tuple(customers), tuple((a, b, p) for a, b, p in links), tuple(tuple(part) for part in parts))


def encode_person(person: Person) -> list[Any]:
    """Return a person as plain values, for JSON."""
    return [encode_group(person.group), person.erased_until]


def decode_person(plain: list[Any]) -> Person:
    """Return the person of plain values."""
    group, erased_until = plain
    return Person(decode_group(group), erased_until)
