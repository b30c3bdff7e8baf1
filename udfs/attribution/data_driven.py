"""Credit by a trained model: what a channel's effect was found to be decides its share of a path.

Needs nothing but the effects, so that the stream can credit with a model that a batch job trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from udfs.attribution.heuristics import custom_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class ChannelEffects:
    """Effect of each channel: Markov removal effects, or Shapley values. Finite; a negative one earns no credit."""

    effects: Mapping[str, float]
    standard_errors: Mapping[str, float] = field(default_factory=dict)
    """Of effects that were estimated; empty when they are exact."""

    def __post_init__(self) -> None:
        """Check the effects.

        Raises:
            ValueError: one is not finite.
        """
        for channel, effect in self.effects.items():
            if not math.isfinite(effect):
                raise ValueError(f"effect of {channel!r} is {effect}; allowed: finite numbers")

    @property
    def negative(self) -> tuple[str, ...]:
        """Channels whose effect is below 0: to be shown, because their credit is floored at 0."""
        return tuple(channel for channel, effect in self.effects.items() if effect < 0)

    def shares(self) -> dict[str, float]:
        """Return each channel's share of all credit: max(effect, 0), normalised to sum to 1.

        When no effect is positive nothing is known about the channels, and all have the same share.
        """
        return dict(zip(self.effects, self.path_weights(list(self.effects)), strict=True))

    def credited(self, total: float) -> dict[str, float]:
        """Share `total` (conversions, or their value) among the channels."""
        return {channel: total * share for channel, share in self.shares().items()}

    def path_weights(self, channels: Sequence[str]) -> list[float]:
        """Return the weights of a path's touches: wᵢ ∝ max(effect of channelᵢ, 0), summing to 1.

        Each touch of a repeated channel weighs the same. A channel that the model was not trained on weighs as the
        average trained channel: a new channel must not go without credit until the next training. When every touch
        weighs 0 all weigh the same. No touch: no weights. One touch: 1. Two: in proportion.
        """
        floored = {channel: max(effect, 0.0) for channel, effect in self.effects.items()}
        average = math.fsum(floored.values()) / len(floored) if floored else 1.0
        return custom_weights(channels, floored, average)
