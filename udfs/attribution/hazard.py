"""The conversion hazard of channels: what one more touch adds to the chance of a conversion, fitted to journeys.

Every touch has a chance of its own to bring about the conversion, and the chances are independent:

    P(conversion | path) = 1 - e^(-h),   h = base + Σ over channels of hazard(c) · touches of c

so 1 - e^(-hazard(c)) is the probability that a single touch converts. Hazards are not negative; they maximise the
likelihood of the journeys, with a small quadratic penalty so that rare channels stay finite. Effects are the hazards:
a path's credit is shared by the hazard of its touches. Parameters: the penalty (default 1e-6 of the journeys). A
journey without a touch is skipped; repeated touches add up; the order does not matter, nor do ties. A channel that
only journeys without conversion touch has hazard 0. Without any conversion all hazards are 0.

Source: Zhang, Wei, Ren, "Multi-touch Attribution in Online Advertising with Survival Theory", ICDM 2014 (additive
hazards), here with constant hazards per touch; as a regression it is the complementary log-log model with an identity
link for the hazard.

Training needs numpy and scipy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy ships no types

from udfs.attribution.data_driven import ChannelEffects
from udfs.attribution.paths import PathCount, checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PENALTY = 1e-6
# Hazards of a path are kept above this: the logarithm of 1 - e^-h has none at 0.
SMALLEST_HAZARD = 1e-9
MAX_ITERATIONS = 500


@dataclass(frozen=True, slots=True)
class HazardModel:
    """A fitted model."""

    base: float
    """Hazard of a journey that no touch explains."""
    hazards: ChannelEffects
    """By channel, for one touch."""

    def probability(self, channels: Sequence[str]) -> float:
        """Return the probability that a journey over these channels converts; an unknown channel adds nothing."""
        return float(-np.expm1(-(self.base + sum(self.hazards.effects.get(channel, 0.0) for channel in channels))))


def train_hazard(paths: Iterable[PathCount], penalty: float = PENALTY) -> HazardModel:
    """Fit the model to paths, read once. Memory: distinct numbers of touches by channel.

    Raises:
        ValueError: a path has a negative count.
    """
    numbers: dict[str, int] = {}
    outcomes: dict[tuple[tuple[int, int], ...], list[float]] = {}
    for path in checked(paths):
        touches: dict[int, int] = {}
        for channel in path.channels:
            number = numbers.setdefault(channel, len(numbers))
            touches[number] = touches.get(number, 0) + 1
        sums = outcomes.setdefault(tuple(sorted(touches.items())), [0.0, 0.0])
        sums[0] += path.conversions
        sums[1] += path.nulls
    counts = np.zeros((len(outcomes), len(numbers)), np.float32)
    for row, touched in enumerate(outcomes):
        for number, times in touched:
            counts[row, number] = times
    ended = np.array(list(outcomes.values())).reshape(-1, 2)
    base, hazards = fit_hazards(counts, ended[:, 0], ended[:, 1], penalty)
    return HazardModel(base, ChannelEffects({channel: float(hazards[number]) for channel, number in numbers.items()}))


def calibrate(scores: Floats, conversions: Floats, nulls: Floats) -> tuple[float, float]:
    """Return (base, slope) of P = 1 - e^-(base + slope·score) that fit scores of paths (not negative) best."""
    base, slope = fit_hazards(scores[:, None], conversions, nulls, 0.0)
    return base, float(slope[0])


def fit_hazards(
    counts: Floats | NDArray[np.float32], conversions: Floats, nulls: Floats, penalty: float
) -> tuple[float, Floats]:
    """Return base and hazard by column of `counts` (rows: paths) of the greatest likelihood."""
    journeys = float((conversions + nulls).sum())
    if not conversions.sum():
        return 0.0, np.zeros(counts.shape[1])
    # Columns of one size make the search short.
    size = np.maximum(counts.max(axis=0, initial=0.0).astype(np.float64), 1e-300)

    def loss(values: Floats) -> tuple[float, Floats]:
        hazard = np.maximum(values[0] + counts @ (values[1:] / size), SMALLEST_HAZARD)
        survival = np.exp(-hazard)
        converted = -np.expm1(-hazard)
        total = nulls @ hazard - conversions @ np.log(converted)
        slope = (nulls - conversions * survival / converted) / journeys
        gradient = np.concatenate(([slope.sum()], (slope @ counts) / size + 2 * penalty * values[1:]))
        return total / journeys + penalty * float(values[1:] @ values[1:]), gradient

    rate = float(conversions.sum()) / journeys
    start = np.full(1 + counts.shape[1], rate / (1 + counts.shape[1]))
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * start.size,
        options={"maxiter": MAX_ITERATIONS, "ftol": 1e-13, "gtol": 1e-9},
    )
    return float(found.x[0]), found.x[1:] / size


def scores_of(effects: Mapping[str, float], paths: Sequence[Sequence[str]]) -> Floats:
    """Return for each path the sum of its touches' effects, floored at 0; an unknown channel adds the average."""
    floored = {channel: max(effect, 0.0) for channel, effect in effects.items()}
    average = sum(floored.values()) / len(floored) if floored else 0.0
    return np.array([sum(floored.get(channel, average) for channel in path) for path in paths])
