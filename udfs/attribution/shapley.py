"""Shapley attribution: what each channel adds, averaged over all orders in which the channels could have joined.

The players are the channels; a journey belongs to the set of channels that it touched, whatever their order and
repeats. Two games, chosen by what a set S of channels is worth:

- `CONVERSIONS`: v(S) = conversions of the journeys whose channels all lie in S. It never falls as channels join, so
no value is negative, and it is a sum of unanimity games, so the Shapley value has a closed form: every conversion is
shared equally by the channels of its journey. This equals the linear model over unique channels. - `CONVERSION_RATE`:
v(S) = conversions / journeys among the journeys whose channels all lie in S (0 when there are none). A channel whose
journeys convert less than the others' lowers the rate, so marginal values and Shapley values can be negative. They
are returned as they are, named in `ChannelEffects.negative`, and floored at 0 only where credit is shared.

In both games the values sum to v(all channels), and a channel that no journey touched has no value.

Source: Shapley, "A value for n-person games" (1953); for the first game Zhao, Mahboobi, Bagheri, "Shapley Value
Methods for Attribution Modeling in Online Advertising" (2018), section 3.

Training needs numpy.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from udfs.attribution.data_driven import ChannelEffects
from udfs.attribution.paths import PathCount, checked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# The rate game looks at every set of channels: 2^20 sets take 30 MB and a few seconds, each further channel doubles
# that.
MAX_RATE_CHANNELS = 20


class Game(StrEnum):
    """What a set of channels is worth."""

    CONVERSIONS = "conversions"
    CONVERSION_RATE = "conversion_rate"


def train_shapley(paths: Iterable[PathCount], game: Game = Game.CONVERSIONS) -> ChannelEffects:
    """Return the Shapley value of every channel, exact to rounding.

    Memory: distinct sets of channels; for the rate game also 2^channels numbers.

    Raises:
        ValueError: a path has a negative count, or the rate game has more than MAX_RATE_CHANNELS channels.
    """
    if game is Game.CONVERSIONS:
        return ChannelEffects(_conversion_values(paths))
    return ChannelEffects(_rate_values(paths))


def _conversion_values(paths: Iterable[PathCount]) -> dict[str, float]:
    values: dict[str, float] = {}
    for path in checked(paths):
        channels = dict.fromkeys(path.channels)
        for channel in channels:
            values[channel] = values.get(channel, 0.0) + path.conversions / len(channels)
    return values


def _rate_values(paths: Iterable[PathCount]) -> dict[str, float]:
    bits: dict[str, int] = {}
    conversions: dict[int, float] = defaultdict(float)
    journeys: dict[int, float] = defaultdict(float)
    for path in checked(paths):
        members = 0
        for channel in path.channels:
            members |= bits.setdefault(channel, 1 << len(bits))
        if len(bits) > MAX_RATE_CHANNELS:
            raise ValueError(
                f"there are more than {MAX_RATE_CHANNELS} channels; allowed for the conversion rate game: as many. "
                "Merge the rarest channels, or use the conversions game"
            )
        conversions[members] += path.conversions
        journeys[members] += path.conversions + path.nulls
    count = len(bits)
    within, among = _sums_over_subsets(conversions, count), _sums_over_subsets(journeys, count)
    worth = np.divide(within, among, out=np.zeros_like(within), where=among > 0)
    # Weight of a marginal value by the number of channels already there: s!(n-1-s)!/n!.
    size = np.zeros(1 << count, np.int64)
    for index in range(count):
        size.reshape(-1, 2, 1 << index)[:, 1] += 1
    weight = np.array([1.0 / (count * comb(count - 1, there)) for there in range(count)])
    values = {}
    for channel, bit in bits.items():
        pairs = worth.reshape(-1, 2, bit)
        there = size.reshape(-1, 2, bit)[:, 0]
        values[channel] = float(((pairs[:, 1] - pairs[:, 0]) * weight[there]).sum())
    return values


def _sums_over_subsets(exact: dict[int, float], count: int) -> NDArray[np.float64]:
    """Return for every set of channels (by its bits) the sum over its subsets, by summing out one channel at a time."""
    sums = np.zeros(1 << count)
    for members, amount in exact.items():
        sums[members] = amount
    for index in range(count):
        pairs = sums.reshape(-1, 2, 1 << index)
        pairs[:, 1] += pairs[:, 0]
    return sums
