"""Train a model on journeys, and judge it on held-out ones.

A model's effects are judged by what they say of a path: its *score* is the sum of its touches' effects, turned into a
probability of conversion by P = 1 - e^-(base + slope·score), with base and slope fitted to the training journeys. If
effects mean anything, paths with more of them convert more often, and the AUC on held-out journeys says how much more.
Beside it stands what the paths can tell at all: the AUC of the conversion-hazard model, fitted to the same journeys.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from udfs.attribution.data_driven import ChannelEffects
from udfs.attribution.hazard import calibrate, scores_of, train_hazard
from udfs.attribution.markov import train_markov
from udfs.attribution.shapley import Game, train_shapley
from udfs.attribution.validation import Validation, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from udfs.attribution.paths import PathCount


class Kind(StrEnum):
    """What effects are."""

    MARKOV = "markov"
    SHAPLEY_CONVERSIONS = "shapley_conversions"
    SHAPLEY_RATE = "shapley_rate"
    HAZARD = "hazard"


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and its verdict."""

    kind: Kind
    order: int
    """Of a Markov chain; 0 for the others."""
    effects: ChannelEffects
    validation: Validation
    states: int = 0
    """Of a Markov chain: distinct contexts."""


def train(kind: Kind, order: int, training: Sequence[PathCount], held_out: Sequence[PathCount]) -> Trained:
    """Train one model and validate it.

    Raises:
        ValueError: the model cannot be trained as asked (MarkovError: too many channels for the order).
    """
    states = 0
    if kind is Kind.MARKOV:
        chain = train_markov(training, order)
        effects, states = chain.removal_effects, chain.states
    elif kind is Kind.HAZARD:
        effects = train_hazard(training).hazards
    else:
        game = Game.CONVERSIONS if kind is Kind.SHAPLEY_CONVERSIONS else Game.CONVERSION_RATE
        effects = per_touch(train_shapley(training, game), training)
    verdict = validate_effects(effects.effects, training, held_out)
    return Trained(kind, order if kind is Kind.MARKOV else 0, effects, verdict, states)


def per_touch(values: ChannelEffects, paths: Sequence[PathCount]) -> ChannelEffects:
    """Return Shapley values of the whole data as effects of one touch: value / journeys that touched the channel.

    A Shapley value says what a channel did over all journeys, so a common channel has a large one however little a
    touch of it does. Shares within a single path need the effect of meeting the channel once.
    """
    touched: dict[str, float] = {}
    for path in paths:
        for channel in set(path.channels):
            touched[channel] = touched.get(channel, 0.0) + path.conversions + path.nulls
    return ChannelEffects(
        {channel: value / max(touched.get(channel, 0.0), 1.0) for channel, value in values.effects.items()}
    )


def validate_effects(
    effects: Mapping[str, float], training: Sequence[PathCount], held_out: Sequence[PathCount]
) -> Validation:
    """Judge effects: calibrated on the training paths, validated on the held-out ones."""

    def columns(paths: Sequence[PathCount]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (
            scores_of(effects, [path.channels for path in paths]),
            np.array([path.conversions for path in paths], np.float64),
            np.array([path.nulls for path in paths], np.float64),
        )

    base, slope = calibrate(*columns(training))
    scores, conversions, nulls = columns(held_out)
    return validate(-np.expm1(-(base + slope * scores)), conversions, nulls)


def judge(probability: Callable[[Sequence[str]], float], held_out: Sequence[PathCount]) -> Validation:
    """Judge any other probability of conversion on the held-out paths."""
    return validate(
        np.array([probability(path.channels) for path in held_out], np.float64),
        np.array([path.conversions for path in held_out], np.float64),
        np.array([path.nulls for path in held_out], np.float64),
    )


def is_worse(candidate: Validation, published: Validation) -> bool:
    """Tell whether a candidate falls behind the published model on the same held-out journeys.

    Worse: its AUC is lower by more than one standard error, so that chance alone refuses nothing, or its Brier score is
    higher by more than a hundredth of it.
    """
    return candidate.auc < published.auc - candidate.auc_error or candidate.brier > 1.01 * published.brier
