"""Drift: how far the paths of now are from those that a model was trained on."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from udfs.attribution.paths import PathCount

# The usual reading of a population stability index (Siddiqi, Credit Risk Scorecards, 2006).
SOME_DRIFT, MUCH_DRIFT = 0.1, 0.25
LONGEST_LENGTH = 20
# Stands for a share of nothing, whose logarithm there is none of: one journey in ten thousand.
SMALLEST_SHARE = 1e-4


def population_stability(expected: Mapping[str, float], found: Mapping[str, float]) -> float:
    """Return Σ (qᵢ - pᵢ)·ln(qᵢ/pᵢ) over the shares p of `expected` and q of `found` (counts of any scale); 0: alike.

    A kind that one side does not have counts with SMALLEST_SHARE. 0 when a side is empty: nothing can be said.
    """
    before, now = sum(expected.values()), sum(found.values())
    if not (before and now):
        return 0.0
    total = 0.0
    for kind in expected.keys() | found.keys():
        p = max(expected.get(kind, 0.0) / before, SMALLEST_SHARE)
        q = max(found.get(kind, 0.0) / now, SMALLEST_SHARE)
        total += (q - p) * math.log(q / p)
    return total


def path_profile(paths: Iterable[PathCount]) -> tuple[dict[str, float], dict[str, float]]:
    """Return touches by channel, and journeys by path length as text; LONGEST_LENGTH stands for all longer ones."""
    touches: Counter[str] = Counter()
    lengths: Counter[str] = Counter()
    for path in paths:
        journeys = path.conversions + path.nulls
        for channel in path.channels:
            touches[channel] += journeys  # type: ignore[assignment]  # counts of journeys may be fractions
        lengths[str(min(len(path.channels), LONGEST_LENGTH))] += journeys  # type: ignore[assignment]
    return dict(touches), dict(lengths)
