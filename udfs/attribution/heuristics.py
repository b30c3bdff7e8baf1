"""Rule-based attribution: a path's touches in, one weight per touch out.

A path is the touches of one conversion ordered by (time, touchpoint id), so touches at the same moment have a defined
order: the smaller id is the earlier one. Weights stand in the order of the touches, are never negative and sum to 1
(to floating-point precision; `apportion` turns them into micros that sum exactly). A repeated touch of a channel is a
touch of its own in every model. A path without touches has no weights: every function returns an empty list, and the
conversion is credited to `unattributed` by the caller. Times are UTC ms.

Definitions follow the rule-based models of Google Analytics (Multi-Channel Funnels, "About the default MCF
attribution models") unless a function says otherwise. Each function states formula, parameters with their defaults,
and what one and two touches, ties and repeated touches come to.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIRECT = "direct"
"""The channel that is no marketing: a visit with no known origin."""

DAY_MS = 86_400_000
DEFAULT_HALF_LIFE_MS = 7 * DAY_MS
DEFAULT_DECAY_PER_DAY = 0.5
DEFAULT_POSITION_WEIGHTS = (0.4, 0.2, 0.4)


def first_touch(touches: int) -> list[float]:
    """All credit to the earliest touch: w₁ = 1. No parameters.

    One touch: 1. Two: 1, 0. Ties: the smaller id is first. A repeated channel earns through its first touch only.
    """
    return _all_to(0, touches) if touches else []


def last_touch(touches: int) -> list[float]:
    """All credit to the latest touch: wₙ = 1. No parameters.

    One touch: 1. Two: 0, 1. Ties: the larger id is last. A repeated channel earns through its last touch only.
    """
    return _all_to(touches - 1, touches) if touches else []


def last_non_direct(channels: Sequence[str]) -> list[float]:
    """All credit to the latest touch whose channel is not `direct`; to the latest touch when all are direct.

    w_k = 1 for k = max{i : channelᵢ ≠ direct}, or k = n. No parameters; `direct` is the channel DIRECT. One touch: 1,
    also when it is direct. Two: the later one, unless it is direct and the earlier one is not. Ties: the larger id is
    later. A repeated channel earns through one touch at most. Source: Google Analytics, "Last Non-Direct Click".
    """
    touches = len(channels)
    for index in range(touches - 1, -1, -1):
        if channels[index] != DIRECT:
            return _all_to(index, touches)
    return last_touch(touches)


def linear(touches: int) -> list[float]:
    """Equal credit: wᵢ = 1/n. No parameters.

    One touch: 1. Two: ½, ½. Ties change nothing. A channel touched k times earns k/n; for equal credit by channel
    instead of by touch, apply the transform `first` before.
    """
    return [1.0 / touches] * touches if touches else []


def time_decay(times: Sequence[int], half_life_ms: float = DEFAULT_HALF_LIFE_MS) -> list[float]:
    """Credit halves with each half-life before the conversion: wᵢ ∝ 2^(-(t_conversion - tᵢ)/half_life).

    The time of the conversion cancels out, so ages are counted back from the newest touch: the newest always weighs 1
    before normalisation, and no path is so old that all its weights vanish. `times` are UTC ms in ascending order,
    the half-life is in ms (default 7 days, as in Google Analytics). The alternative, a rate λ per day (wᵢ ∝
    e^(-λ·days), default λ = 0.5), is the same curve: pass `half_life_of(λ)`. One touch: 1. Two touches one half-life
    apart: ⅓, ⅔. Touches at the same time weigh the same. A repeated channel earns the sum of its touches. A
    weight too small for a float is 0.
    """
    if not times:
        return []
    newest = times[-1]
    weights = [2.0 ** ((time - newest) / half_life_ms) for time in times]
    total = sum(weights)
    return [weight / total for weight in weights]


def half_life_of(decay_per_day: float = DEFAULT_DECAY_PER_DAY) -> float:
    """Return the half-life in ms of an exponential decay e^(-λ·days): ln 2/λ days (λ = 0.5, the default: 1.386 days).

    `decay_per_day` is λ, above 0: e^(-λt) = 2^(-t/h) for h = ln 2/λ.
    """
    return math.log(2.0) / decay_per_day * DAY_MS


def position_based(touches: int, weights: Sequence[float] = DEFAULT_POSITION_WEIGHTS) -> list[float]:
    """Fixed shares for the first and the last touch, the rest spread evenly between: 40 %, 20 %, 40 % by default.

    `weights` are (first, all middle ones together, last): not negative, a positive sum, of any scale. A position that
    the path does not have leaves its share to the others, in proportion: one touch: 1. Two: ½, ½ with the defaults,
    and first/(first+last), last/(first+last) in general; where both are 0, ½ each. Ties: the smaller id is the earlier
    position. A repeated channel earns the sum of its positions. Source: Google Analytics, "Position Based".
    """
    first, middle, last = weights
    if touches == 0:
        return []
    if touches == 1:
        return [1.0]
    if touches == 2:
        ends = first + last
        return [first / ends, last / ends] if ends else [0.5, 0.5]
    total = first + middle + last
    each = middle / total / (touches - 2)
    return [first / total, *[each] * (touches - 2), last / total]


def custom_weights(channels: Sequence[str], weights: Mapping[str, float], default: float = 1.0) -> list[float]:
    """Credit in proportion to a weight per channel: wᵢ = weight[channelᵢ] / Σ weight[channelⱼ].

    `weights` are not negative; a channel without one has `default`. When every touch of the path weighs 0 all weigh
    the same, because a conversion is always credited in full. One touch: 1, whatever its weight. Two: in proportion.
    Ties change nothing. A channel touched k times weighs k times. The definition is ours: the weights are the tenant's.
    """
    raw = [weights.get(channel, default) for channel in channels]
    total = math.fsum(raw)
    return [weight / total for weight in raw] if total else linear(len(channels))


def _all_to(index: int, touches: int) -> list[float]:
    weights = [0.0] * touches
    weights[index] = 1.0
    return weights
