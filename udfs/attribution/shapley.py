"""Shapley attribution: what each channel adds, averaged over all orders in which the channels could have joined.

    value(c) = Σ over sets S without c of |S|!·(n - 1 - |S|)!/n! · (v(S with c) - v(S))

The players are the channels; a journey belongs to the set of channels that it touched, whatever their order and
repeats. A journey without a touch is skipped. Two games, chosen by what a set S of channels is worth:

- `CONVERSIONS` (default): v(S) = conversions of the journeys whose channels all lie in S. It never falls as channels
  join, so no value is negative, and it is a sum of unanimity games, so the Shapley value has a closed form: every
  conversion is shared equally by the channels of its journey (one channel: 1; two: ½, ½). This equals the linear
  model over unique channels.
- `CONVERSION_RATE`: v(S) = conversions / journeys among the journeys whose channels all lie in S (0 when there are
  none). A channel whose journeys convert less than the others' lowers the rate, so marginal values and Shapley values
  can be negative. They are returned as they are, named in `ChannelEffects.negative`, and floored at 0 only where
  credit is shared. Up to `MAX_EXACT_CHANNELS` channels it is exact; above, it is estimated from random orders, with a
  standard error for each channel (`ChannelEffects.standard_errors`).

In both games the values sum to v(all channels), also when estimated, and a channel that no journey touched has no
value. Channels that are alike get the same value (estimated: within their errors). Without any conversion all values
are 0, and credit is shared equally (`ChannelEffects.shares`).

Sources: Shapley, "A value for n-person games" (1953); for the first game Zhao, Mahboobi, Bagheri, "Shapley Value
Methods for Attribution Modeling in Online Advertising" (2018), section 3; for the estimate Castro, Gómez, Tejada,
"Polynomial calculation of the Shapley value based on sampling", Computers & Operations Research 36 (2009), with each
order taken together with its reverse, which makes the errors smaller at no cost.

Training needs numpy.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from udfs.attribution.data_driven import ChannelEffects
from udfs.attribution.paths import PathCount, checked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# The rate game looks at every set of channels: 2^20 sets take 30 MB and a few seconds, each further channel doubles
# that.
MAX_EXACT_CHANNELS = 20
# Above, so many random orders and their reverses are looked at. The error falls with the square root of the number;
# with 50 channels and 200,000 journeys it takes about five seconds.
SAMPLED_PAIRS = 500
# The same journeys must give the same model, so the orders are the same each time.
_SEED = 20_260_101


class Game(StrEnum):
    """What a set of channels is worth."""

    CONVERSIONS = "conversions"
    CONVERSION_RATE = "conversion_rate"


def train_shapley(paths: Iterable[PathCount], game: Game = Game.CONVERSIONS) -> ChannelEffects:
    """Return the Shapley value of every channel, exact to rounding but for the rate game of many channels.

    Memory: distinct sets of channels; for the exact rate game also 2^channels numbers.

    Raises:
        ValueError: a path has a negative count.
    """
    if game is Game.CONVERSIONS:
        return ChannelEffects(_conversion_values(paths))
    sets = _count_sets(paths)
    return _exact_rate_values(sets) if len(sets.channels) <= MAX_EXACT_CHANNELS else _sampled_rate_values(sets)


def _conversion_values(paths: Iterable[PathCount]) -> dict[str, float]:
    values: dict[str, float] = {}
    for path in checked(paths):
        channels = dict.fromkeys(path.channels)
        for channel in channels:
            values[channel] = values.get(channel, 0.0) + path.conversions / len(channels)
    return values


class _Sets(NamedTuple):
    """Journeys by the set of channels that they touched, a set as an integer with a bit for each channel."""

    channels: list[str]
    conversions: dict[int, float]
    journeys: dict[int, float]


def _count_sets(paths: Iterable[PathCount]) -> _Sets:
    bits: dict[str, int] = {}
    conversions: defaultdict[int, float] = defaultdict(float)
    journeys: defaultdict[int, float] = defaultdict(float)
    for path in checked(paths):
        members = 0
        for channel in path.channels:
            members |= bits.setdefault(channel, 1 << len(bits))
        conversions[members] += path.conversions
        journeys[members] += path.conversions + path.nulls
    return _Sets(list(bits), conversions, journeys)


def _exact_rate_values(sets: _Sets) -> ChannelEffects:
    count = len(sets.channels)
    within, among = _sums_over_subsets(sets.conversions, count), _sums_over_subsets(sets.journeys, count)
    worth = np.divide(within, among, out=np.zeros_like(within), where=among > 0)
    # Weight of a marginal value by the number of channels already there: s!(n-1-s)!/n!.
    size = np.zeros(1 << count, np.int64)
    for index in range(count):
        size.reshape(-1, 2, 1 << index)[:, 1] += 1
    weight = np.array([1.0 / (count * comb(count - 1, there)) for there in range(count)])
    values = {}
    for index, channel in enumerate(sets.channels):
        pairs = worth.reshape(-1, 2, 1 << index)
        there = size.reshape(-1, 2, 1 << index)[:, 0]
        values[channel] = float(((pairs[:, 1] - pairs[:, 0]) * weight[there]).sum())
    return ChannelEffects(values)


def _sampled_rate_values(sets: _Sets) -> ChannelEffects:
    """Average what each channel adds over SAMPLED_PAIRS random orders and their reverses."""
    # Neither the order in which journeys are read nor the names' order in them may change the answer.
    names = sorted(sets.channels)
    bits = {1 << index: names.index(channel) for index, channel in enumerate(sets.channels)}
    rows = sorted(
        (sorted(number for bit, number in bits.items() if members & bit), sets.conversions[members], amount)
        for members, amount in sets.journeys.items()
    )
    flat = np.array([number for members, _, _ in rows for number in members], np.int64)
    lengths = np.array([len(members) for members, _, _ in rows], np.int64)
    starts = np.cumsum(lengths) - lengths
    conversions, journeys = (np.array([row[column] for row in rows]) for column in (1, 2))
    chance = np.random.default_rng(_SEED)
    count = len(names)
    total, squares = np.zeros(count), np.zeros(count)
    for _ in range(SAMPLED_PAIRS):
        order = chance.permutation(count)
        pair = np.zeros(count)
        for joined in (order, order[::-1]):
            place = np.empty(count, np.int64)
            place[joined] = np.arange(count)
            # A journey counts from where the last of its channels has joined.
            complete = np.maximum.reduceat(place[flat], starts)
            within = np.cumsum(np.bincount(complete, conversions, count))
            among = np.cumsum(np.bincount(complete, journeys, count))
            worth = np.divide(within, among, out=np.zeros(count), where=among > 0)
            pair[joined] += np.diff(worth, prepend=0.0) / 2
        total += pair
        squares += pair * pair
    mean = total / SAMPLED_PAIRS
    variance = np.maximum(0.0, squares / SAMPLED_PAIRS - mean * mean) * SAMPLED_PAIRS / (SAMPLED_PAIRS - 1)
    errors = np.sqrt(variance / SAMPLED_PAIRS)
    return ChannelEffects(dict(zip(names, mean.tolist(), strict=True)), dict(zip(names, errors.tolist(), strict=True)))


def _sums_over_subsets(exact: dict[int, float], count: int) -> NDArray[np.float64]:
    """Return for every set of channels (by its bits) the sum over its subsets, by summing out one channel at a time."""
    sums = np.zeros(1 << count)
    for members, amount in exact.items():
        sums[members] = amount
    for index in range(count):
        pairs = sums.reshape(-1, 2, 1 << index)
        pairs[:, 1] += pairs[:, 0]
    return sums
