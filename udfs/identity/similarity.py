"""How likely two customers seen on one network are the same person.

The Fellegi-Sunter model of record linkage (Fellegi and Sunter, A Theory for Record Linkage, JASA 64, 1969): each
comparison i of two records has a level, and each level a likelihood ratio m/u, where m is the probability of the level
among records of one person and u among records of two. With the comparisons taken as independent given the truth,

    posterior odds = prior odds * product of m_i / u_i,        probability = odds / (1 + odds).

The network itself is compared by its value, as in Winkler's frequency-based matching (Winkler, Frequency-Based Matching
in Fellegi-Sunter Model of Record Linkage, 2000): the rarer a value, the more it says. Among N customers, one of whom is
the other record of this person, the prior odds are 1/(N - 2), and a stranger is on a network of n customers with
u = (n - 1)/(N - 1). The product of prior odds and m/u is m_network * (N - 1) / ((N - 2) * (n - 1)), which for large N
is m_network / (n - 1): the size of the tenant cancels out, and only the crowd on the network is left.

The other ratios are about pairs that are already on one network, which is why places agree often also by chance. They
are stated here, not estimated: a tenant whose logins tell the truth about enough pairs can estimate its own from them.
"""

from __future__ import annotations

from typing import NamedTuple

# Of a person's pairs of devices, those that share a network at home.
SAME_NETWORK = 0.8


class Levels(NamedTuple):
    """m/u of agreement and of disagreement. A comparison in which one side is unknown says nothing: ratio 1."""

    agree: float
    disagree: float


# People on one network are mostly in one place anyway (u = 0.7); to be in two at once speaks against one person.
GEO = Levels(0.98 / 0.70, 0.02 / 0.30)
# The same browser on the same network: one device that has lost its cookie (m = 0.5), or by chance (u = 0.15).
USER_AGENT = Levels(0.50 / 0.15, 0.50 / 0.85)
# Addresses are given to new households, so that the days say much: one day in common, within a week, farther apart.
SAME_DAY, SAME_WEEK, FARTHER = 0.80 / 0.15, 0.15 / 0.35, 0.05 / 0.50
_WEEK_DAYS = 7
# Finer differences come from the order of the arithmetic only.
_DIGITS = 6


class Sighting(NamedTuple):
    """A customer as seen on one network."""

    days: tuple[int, ...]
    """UTC days since the epoch on which the customer was seen there, ascending; at least one."""
    geo: str
    """Place and browser of the newest sighting; empty when unknown."""
    user_agent: str


def match_probability(one: Sighting, other: Sighting, customers: int) -> float:
    """Return the probability that two sightings on a network with so many `customers` (2 or more) are one person.

    Symmetric. From 0 to 1, rounded to six digits.
    """
    odds = SAME_NETWORK / (customers - 1)
    odds *= _ratio(GEO, one.geo, other.geo)
    odds *= _ratio(USER_AGENT, one.user_agent, other.user_agent)
    apart = _days_apart(one.days, other.days)
    odds *= SAME_DAY if apart == 0 else SAME_WEEK if apart <= _WEEK_DAYS else FARTHER
    return round(odds / (1 + odds), _DIGITS)


def _ratio(levels: Levels, one: str, other: str) -> float:
    if not one or not other:
        return 1.0
    return levels.agree if one == other else levels.disagree


def _days_apart(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Smallest distance between a day of one and a day of the other."""
    apart = abs(one[-1] - other[-1])
    i = j = 0
    while i < len(one) and j < len(other) and apart:
        apart = min(apart, abs(one[i] - other[j]))
        if one[i] < other[j]:
            i += 1
        else:
            j += 1
    return apart
