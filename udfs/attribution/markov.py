"""Markov attribution of any order: removal effects of channels, solved exactly from path counts.

A journey is a walk START → state → … → CONVERSION or NULL. With order k the state is the last k channels (fewer at
the start of a path), and transition probabilities are the observed frequencies, weighted by journeys. The *removal
effect* of a channel is the part of all conversions that is lost when every arrival at the channel goes to NULL
instead:

    effect(c) = 1 - P(CONVERSION | arrivals at c go to NULL) / P(CONVERSION)

and its *value effect* the same for the expected value of a journey. Credits are the effects, normalised, of the total.
The only parameter is the order (default 1). What follows from the definition:

- A journey without a touch is skipped: it has no walk. One of a single channel c goes START, c, end; of two, in order.
- Ties: the walk follows the path's order, (time, touchpoint id).
- With order 1, repeats of a channel in a row change no effect; with a higher order they are contexts of their own.
- An effect lies in 0..1: it is 1 when every conversion passes through the channel, and 0 when none does. It is never
  negative. A channel of effect 0 earns nothing, unless all effects are 0: without any conversion they are, and what
  there is to share (nothing) would be shared equally.

Source: Anderl, Becker, von Wangenheim, Schumann, "Mapping the customer journey: Lessons learned from graph-based online
attribution modeling", International Journal of Research in Marketing 33 (2016), 457-474.

Training needs numpy and scipy. Memory is bounded by the number of distinct transitions, not by the number of journeys.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]  # scipy ships no types
from scipy.sparse.linalg import bicgstab  # type: ignore[import-untyped]  # scipy ships no types

from udfs.attribution.data_driven import ChannelEffects
from udfs.attribution.paths import PathCount, checked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

# Paths turned into arrays at a time: some tens of megabytes for paths of ten channels.
_CHUNK = 50_000

# A context of k channels and the next channel are packed into the bits of one signed 64-bit integer.
_CODE_BITS = 62

# Up to so many states the system is solved densely, which is exact to rounding: the inverse takes 128 MB.
_DENSE_STATES = 4_000

# Above, iteratively, until the error of every probability is proven to be below this part of the answer.
_PROVEN_ERROR = 1e-9
_RESIDUAL = 1e-13  # of the rewards: rounding leaves no less, and journeys of thousands of steps are still proven
_ROUNDS, _KRYLOV_STEPS, _SWEEPS = 200, 100, 50


class MarkovError(ValueError):
    """The chain cannot be trained as asked; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class MarkovModel:
    """A trained chain."""

    order: int
    states: int
    """Distinct contexts, START among them."""
    conversions: float
    """Conversions on paths with a channel: what the credited conversions sum to."""
    value: float
    """Value of those conversions, in the unit of the paths: what the credited value sums to."""
    conversion_probability: float
    """P(CONVERSION) of a journey."""
    removal_effects: ChannelEffects
    """By channel, for conversions."""
    value_effects: ChannelEffects
    """By channel, for value; all 0 when the conversions have no value."""

    def credited_conversions(self) -> dict[str, float]:
        """Share the conversions by removal effect."""
        return self.removal_effects.credited(self.conversions)

    def credited_value(self) -> dict[str, float]:
        """Share the value by value effect."""
        return self.value_effects.credited(self.value)


def train_markov(paths: Iterable[PathCount], order: int = 1) -> MarkovModel:
    """Train a chain of the given order on paths, read once.

    Raises:
        MarkovError: the order is below 1, or there are more channels than fit with it.
        ValueError: a path has a negative count.
    """
    counts = _count(paths, order)
    chain = _chain(counts)
    rates = chain.solve()
    conversion_effects, value_effects = (
        ChannelEffects(
            {
                # Rounding must not make an effect of 0 a negative one.
                channel: max(0.0, 1.0 - float(rates[number, column] / rates[0, column])) if rates[0, column] else 0.0
                for number, channel in enumerate(counts.channels, start=1)
            }
        )
        for column in (0, 1)
    )
    return MarkovModel(
        order=order,
        states=chain.last_channel.size,
        conversions=float(counts.conversions.sum()),
        value=float(counts.value.sum()),
        conversion_probability=float(rates[0, 0]),
        removal_effects=conversion_effects,
        value_effects=value_effects,
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    """Transitions by (context, next channel), and ends by context. A context is packed, newest channel lowest; START
    is 0.
    """

    channels: list[str]
    bits: int
    order: int
    steps: Ints
    """context << bits | next channel, ascending; the channel's number starts at 1."""
    walks: Floats
    """Journeys that took each step."""
    ends: Ints
    """Contexts in which journeys end, ascending."""
    conversions: Floats
    value: Floats
    nulls: Floats


def _count(paths: Iterable[PathCount], order: int) -> _Counts:
    if order < 1:
        raise MarkovError(f"order is {order}; allowed: 1 or more")
    bits = _CODE_BITS // (order + 1)
    numbers: dict[str, int] = {}
    steps, walks = np.empty(0, np.int64), np.empty((0, 1))
    ends, outcomes = np.empty(0, np.int64), np.empty((0, 3))
    remaining = iter(checked(paths))
    while chunk := list(islice(remaining, _CHUNK)):
        flat = np.array(
            [numbers.setdefault(name, len(numbers) + 1) for path in chunk for name in path.channels], np.int64
        )
        if len(numbers) >= 1 << bits:
            raise MarkovError(f"there are {len(numbers)} channels; allowed with order {order}: {(1 << bits) - 1}")
        lengths = np.array([len(path.channels) for path in chunk], np.int64)
        new_outcomes = np.array([(path.conversions, path.value, path.nulls) for path in chunk], np.float64)
        stops = np.cumsum(lengths)
        position = np.arange(flat.size) - np.repeat(stops - lengths, lengths)
        # after[i]: the state once touch i is made. Older channels stand in higher bits, 0 before the start of the path.
        after = flat.copy()
        for back in range(1, order):
            after[back:] |= np.where(position[back:] >= back, flat[:-back], 0) << (bits * back)
        before = np.where(position > 0, np.roll(after, 1), 0)
        journeys = np.repeat(new_outcomes[:, 0] + new_outcomes[:, 2], lengths)
        steps, walks = _merge(steps, walks, before << bits | flat, journeys[:, None])
        ends, outcomes = _merge(ends, outcomes, after[stops - 1], new_outcomes)
    return _Counts(list(numbers), bits, order, steps, walks[:, 0], ends, outcomes[:, 0], outcomes[:, 1], outcomes[:, 2])


def _merge(keys: Ints, sums: Floats, new_keys: Ints, new_sums: Floats) -> tuple[Ints, Floats]:
    """Add rows of sums to those with the same key; keys come back ascending and distinct."""
    merged, rows = np.unique(np.concatenate((keys, new_keys)), return_inverse=True)
    stacked = np.concatenate((sums, new_sums))
    columns = [np.bincount(rows, stacked[:, column], merged.size) for column in range(stacked.shape[1])]
    return merged, np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True)
class _Chain:
    """Transient part of the chain; state 0 is START. Rewards are what a journey is expected to earn on ending in a
    state.
    """

    last_channel: Ints
    """Number of the newest channel of each state; 0 for START."""
    channels: int
    moves: sparse.csr_array
    """Transition probabilities among states."""
    rewards: Floats
    """Per state, for its next step: probability to convert, and expected value in parts of the mean value of a
    journey.
    """

    def solve(self) -> Floats:
        """Return the expected rewards of a journey: row 0 of the chain, row c of the chain without channel c."""
        if self.last_channel.size <= _DENSE_STATES:
            return self._solve_directly()
        return self._solve_iteratively()

    def _solve_directly(self) -> Floats:
        """Solve by one inverse N = (I - Q)^-1, whose entries are expected visits.

        What is lost without c is what passes through its states C, counted at the first arrival there: visits from
        START are v_C = h·N_CC for the distribution h of first arrivals, so the loss is h·x_C = v_C·N_CC^-1·x_C.
        """
        size = self.last_channel.size
        visits = np.linalg.inv(np.eye(size) - self.moves.toarray())
        expected = visits @ self.rewards
        rates = np.repeat(expected[:1], self.channels + 1, axis=0)
        for channel in range(1, self.channels + 1):
            here = np.flatnonzero(self.last_channel == channel)
            rates[channel] -= visits[0, here] @ np.linalg.solve(visits[np.ix_(here, here)], expected[here])
        return rates

    def _solve_iteratively(self) -> Floats:
        """Solve one sparse system per channel, its states taken out, and prove the error from the residual.

        |error| <= max(N·1)·|residual|, where N·1 are the expected steps to the end; taking states out only makes N
        smaller.
        """
        everywhere = np.arange(self.last_channel.size)
        system, scale = self._system(everywhere)
        steps, residual = _solve(system, scale, np.ones(everywhere.size))
        longest = steps.max() / (1.0 - residual) if residual < 1.0 else np.inf
        rates = np.zeros((self.channels + 1, 2))
        for channel in range(self.channels + 1):
            among = everywhere if not channel else np.flatnonzero(self.last_channel != channel)
            system, scale = self._system(among)
            for column in (0, 1):
                expected, residual = _solve(system, scale, self.rewards[among, column])
                rates[channel, column] = expected[0]
                error = longest * residual
                if error > _PROVEN_ERROR * rates[0, column]:
                    raise MarkovError(
                        f"the chain of {everywhere.size} states is solved to {error:.0e} only; lower the order"
                    )
        return rates

    def _system(self, states: Ints) -> tuple[sparse.csr_array, Floats]:
        """Return I - Q among some states with a diagonal of 1, and what its rows were multiplied by for that.

        The scaling takes a state's returns to itself out of the iteration.
        """
        moves = self.moves[states][:, states]
        scale = 1.0 / (1.0 - moves.diagonal())
        return sparse.diags_array(scale) @ (sparse.eye_array(states.size, format="csr") - moves), scale


def _solve(system: sparse.csr_array, scale: Floats, rewards: Floats) -> tuple[Floats, float]:
    """Solve a scaled system for (unscaled) rewards; returns the solution and the largest residual before scaling.

    Corrections by a Krylov method are quick where paths mix; plain sweeps, x += residual, are sure where they do not,
    because a sweep carries a reward one step back and never makes the largest residual larger.
    """
    target = scale * rewards
    solution, residual = np.zeros(target.size), target
    good_enough = _RESIDUAL * np.abs(target).max(initial=0.0)
    for _ in range(_ROUNDS):
        if np.abs(residual).max() <= good_enough:
            break
        correction, _ = bicgstab(system, residual, rtol=_RESIDUAL, atol=0.0, maxiter=_KRYLOV_STEPS)
        corrected = target - system @ (solution + correction)
        if np.abs(corrected).max() < np.abs(residual).max():
            solution, residual = solution + correction, corrected
        if np.abs(residual).max() <= good_enough:
            break
        for _ in range(_SWEEPS):
            solution = solution + residual
            residual = target - system @ solution
    return solution, float(np.abs(residual / scale).max(initial=0.0))


def _chain(counts: _Counts) -> _Chain:
    mask = (1 << counts.bits) - 1
    sources = counts.steps >> counts.bits
    window = (1 << counts.bits * counts.order) - 1
    targets = (sources << counts.bits | counts.steps & mask) & window
    states = np.union1d(np.zeros(1, np.int64), targets)
    rows, columns, ends = (np.searchsorted(states, codes) for codes in (sources, targets, counts.ends))
    # Whoever leaves a state either steps on or ends there.
    leaving = np.bincount(rows, counts.walks, states.size)
    leaving += np.bincount(ends, counts.conversions + counts.nulls, states.size)
    moves = sparse.csr_array((counts.walks / leaving[rows], (rows, columns)), shape=(states.size, states.size))
    mean_value = counts.value.sum() / max(counts.conversions.sum() + counts.nulls.sum(), 1.0)
    rewards = np.zeros((states.size, 2))
    rewards[ends, 0] = counts.conversions / leaving[ends]
    rewards[ends, 1] = counts.value / leaving[ends] / (mean_value or 1.0)
    return _Chain(states & mask, len(counts.channels), moves, rewards)
