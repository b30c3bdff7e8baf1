"""The credit of one path by every chosen model: weights, and micros that sum exactly to the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from udfs.attribution import heuristics
from udfs.attribution.apportion import apportion
from udfs.attribution.settings import CreditRules, Model
from udfs.attribution.transforms import chain, transformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from udfs.attribution.published_model import PublishedModel

Credits = dict[str, dict[str, Any]]
"""By model: `weights` and `credited_micros` in the order of the touches; for a trained model also `model_version`."""


def credit(
    channels: Sequence[str], times: Sequence[int], net_micros: int, rules: CreditRules, trained: PublishedModel | None
) -> Credits:
    """Credit a path of at least one touch, ordered by (time, touchpoint id); times are UTC ms.

    Without a trained model there is no credit by `data_driven`: a wrong one would look like a right one.
    """
    credited: Credits = {}
    for model in rules.models:
        if model == Model.DATA_DRIVEN:
            if trained is not None:
                weights = trained.path_weights(channels)
                credited[model] = {
                    "weights": weights,
                    "credited_micros": apportion(net_micros, weights),
                    "model_version": trained.version,
                }
            continue
        weights = weigh(model, channels, times, rules)
        credited[model] = {"weights": weights, "credited_micros": apportion(net_micros, weights)}
    return credited


def unattributed(net_micros: int, rules: CreditRules, trained: PublishedModel | None) -> Credits:
    """Credit a conversion without a touch: its one entry takes all."""
    credited: Credits = {
        model: {"weights": [1.0], "credited_micros": [net_micros]}
        for model in rules.models
        if model != Model.DATA_DRIVEN or trained is not None
    }
    if trained is not None and Model.DATA_DRIVEN in credited:
        credited[Model.DATA_DRIVEN]["model_version"] = trained.version
    return credited


def weigh(model: str, channels: Sequence[str], times: Sequence[int], rules: CreditRules) -> list[float]:
    """Return a rule-based model's weights for a path: channels and times (UTC ms) of its touches by (time, id).

    A touch that a transform removes weighs 0.

    Raises:
        ValueError: the model is none that needs nothing but the path.
    """
    if not rules.transforms:
        return _weigh(model, channels, times, rules)
    kept = [index for index, _ in transformed(channels, chain(rules.transforms))]
    weights = [0.0] * len(channels)
    own = _weigh(model, [channels[index] for index in kept], [times[index] for index in kept], rules)
    for index, weight in zip(kept, own, strict=True):
        weights[index] = weight
    return weights


def _weigh(model: str, channels: Sequence[str], times: Sequence[int], rules: CreditRules) -> list[float]:
    match model:
        case Model.FIRST_TOUCH:
            return heuristics.first_touch(len(channels))
        case Model.LAST_TOUCH:
            return heuristics.last_touch(len(channels))
        case Model.LAST_NON_DIRECT:
            return heuristics.last_non_direct(channels)
        case Model.LINEAR:
            return heuristics.linear(len(channels))
        case Model.TIME_DECAY:
            return heuristics.time_decay(times, rules.half_life_ms)
        case Model.POSITION_BASED:
            return heuristics.position_based(len(channels), rules.position_weights)
        case Model.CUSTOM_WEIGHTS:
            return heuristics.custom_weights(channels, dict(rules.channel_weights))
        case _:
            raise ValueError(f"model is {model!r}; allowed: the rule-based ones of {', '.join(Model)}")
