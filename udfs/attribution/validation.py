"""How well probabilities of conversion fit journeys that were held out: AUC, Brier score, reliability.

Rows are distinct paths with the number of journeys that converted and that did not. Needs numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Journeys of about the same predicted probability: what was predicted on average, and what came."""

    journeys: float
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict on held-out journeys."""

    journeys: float
    conversions: float
    auc: float
    """Probability that a journey that converted scores higher than one that did not, ties half; 0.5 without either."""
    auc_error: float
    """Standard error of the AUC (Hanley and McNeil 1982)."""
    brier: float
    """Mean squared error of the probabilities. Guessing the mean rate p everywhere gives p·(1 - p)."""
    reliability: tuple[ReliabilityBin, ...]
    """By rising prediction, each bin with about a tenth of the journeys."""


def validate(probabilities: Floats, conversions: Floats, nulls: Floats) -> Validation:
    """Return the verdict on paths with these probabilities and outcomes."""
    order = np.argsort(probabilities, kind="stable")
    predicted, won, lost = probabilities[order], conversions[order], nulls[order]
    journeys = won + lost
    total, converted = float(journeys.sum()), float(won.sum())
    area = auc(predicted, won, lost)
    squares = float((won * (1 - predicted) ** 2 + lost * predicted**2).sum())
    bins = []
    number = np.minimum((np.cumsum(journeys) - journeys / 2) * BINS / max(total, 1.0), BINS - 1).astype(np.int64)
    for one in range(BINS):
        here = number == one
        size = float(journeys[here].sum())
        if size:
            mean = float((predicted[here] * journeys[here]).sum()) / size
            bins.append(ReliabilityBin(size, mean, float(won[here].sum()) / size))
    return Validation(
        total, converted, area, _auc_error(area, converted, total - converted), squares / max(total, 1.0), tuple(bins)
    )


def auc(predicted: Floats, conversions: Floats, nulls: Floats) -> float:
    """Return the area under the ROC curve of predictions in ascending order; 0.5 where one outcome is missing."""
    won, lost = float(conversions.sum()), float(nulls.sum())
    if not (won and lost):
        return 0.5
    starts = np.flatnonzero(np.concatenate(([True], predicted[1:] != predicted[:-1])))
    tied_won, tied_lost = np.add.reduceat(conversions, starts), np.add.reduceat(nulls, starts)
    below = np.cumsum(tied_lost) - tied_lost
    return float((tied_won * (below + tied_lost / 2)).sum()) / (won * lost)


def _auc_error(area: float, won: float, lost: float) -> float:
    if won < 1 or lost < 1:
        return 0.5
    first, second = area / (2 - area), 2 * area * area / (1 + area)
    variance = area * (1 - area) + (won - 1) * (first - area * area) + (lost - 1) * (second - area * area)
    return float(np.sqrt(max(0.0, variance) / (won * lost)))
