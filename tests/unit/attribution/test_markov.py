"""Markov removal effects: against a plain solution of the definition, and what must hold on any set of paths."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.attribution import markov
from udfs.attribution.markov import MarkovError, train_markov
from udfs.attribution.paths import PathCount
from udfs.attribution.transforms import exposure

outcomes = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 1000)).map(
    lambda drawn: (drawn[0], drawn[2] if drawn[0] else 0, drawn[1])
)
path_counts = st.builds(
    lambda channels, ends: PathCount(channels, *ends),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=7),
    outcomes,
)
samples = st.lists(path_counts, min_size=1, max_size=15)
orders = st.integers(1, 3)


def by_definition(paths: list[PathCount], order: int, removed: str | None, column: int) -> float:
    """Expected conversions (column 0) or value (1) of a journey, the arrivals at one channel redirected: one dense
    system.
    """
    moves: dict[tuple[str, ...], dict[tuple[str, ...], float]] = defaultdict(lambda: defaultdict(float))
    rewards: dict[tuple[str, ...], float] = defaultdict(float)
    for path in paths:
        journeys = path.conversions + path.nulls
        states = [tuple(path.channels[max(0, end - order) : end]) for end in range(len(path.channels) + 1)]
        for before, after in pairwise(states):
            moves[before][after] += journeys
        moves[states[-1]][("the end", "")] += journeys
        rewards[states[-1]] += path.value if column else path.conversions
    names = list(moves)
    system = np.eye(len(names))
    right = np.zeros(len(names))
    for row, name in enumerate(names):
        total = sum(moves[name].values())
        if not total:
            continue
        right[row] = rewards[name] / total
        for target, walks in moves[name].items():
            if target in moves and (removed is None or target[-1] != removed):
                system[row, names.index(target)] -= walks / total
    return float(np.linalg.solve(system, right)[names.index(())])


@settings(deadline=None)
@given(samples, orders)
def test_effects_follow_their_definition(paths: list[PathCount], order: int) -> None:
    model = train_markov(paths, order)
    assert model.conversion_probability == pytest.approx(by_definition(paths, order, None, 0), abs=1e-9)
    for column, effects in ((0, model.removal_effects), (1, model.value_effects)):
        whole = by_definition(paths, order, None, column)
        for channel, effect in effects.effects.items():
            expected = 1 - by_definition(paths, order, channel, column) / whole if whole else 0
            assert effect == pytest.approx(expected, abs=1e-9)
            assert 0 <= effect <= 1 + 1e-9


@settings(deadline=None, max_examples=50)
@given(samples, orders)
def test_the_iterative_solution_is_the_direct_one(paths: list[PathCount], order: int) -> None:
    direct = train_markov(paths, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markov, "_DENSE_STATES", 0)
        iterative = train_markov(paths, order)
    assert iterative.removal_effects.effects == pytest.approx(direct.removal_effects.effects, abs=1e-8)
    assert iterative.value_effects.effects == pytest.approx(direct.value_effects.effects, abs=1e-8)


@settings(deadline=None)
@given(samples)
def test_collapsing_repeats_leaves_the_effects_of_order_1(paths: list[PathCount]) -> None:
    collapsed = [path._replace(channels=[channel for _, channel in exposure(path.channels)]) for path in paths]
    assert train_markov(collapsed).removal_effects.effects == pytest.approx(
        train_markov(paths).removal_effects.effects, abs=1e-9
    )


@settings(deadline=None)
@given(samples, orders, st.randoms(use_true_random=False))
def test_how_paths_are_split_and_ordered_does_not_matter(paths: list[PathCount], order: int, chance: object) -> None:
    halves = [
        path._replace(conversions=path.conversions / 2, value=path.value / 2, nulls=path.nulls / 2) for path in paths
    ]
    again = [*halves, *halves]
    chance.shuffle(again)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markov, "_CHUNK", 3)
        split = train_markov(again, order)
    assert split.removal_effects.effects == pytest.approx(train_markov(paths, order).removal_effects.effects, abs=1e-9)


@settings(deadline=None)
@given(samples, orders)
def test_credits_sum_to_what_there_is_and_none_is_negative(paths: list[PathCount], order: int) -> None:
    model = train_markov(paths, order)
    for credits_, total in ((model.credited_conversions(), model.conversions), (model.credited_value(), model.value)):
        assert sum(credits_.values()) == pytest.approx(total)
        assert all(credit >= 0 for credit in credits_.values())


def test_worked_example() -> None:
    # Every journey starts at a. From there half go on to b, a quarter convert and a quarter do not; of those at b half
    # convert. That makes P = 1/4 + 1/2 * 1/2 = 1/2; without b it is 1/4, without a nothing is left.
    model = train_markov([PathCount(["a"], 1, 10, 1), PathCount(["a", "b"], 1, 30, 1)])
    assert model.conversion_probability == pytest.approx(0.5)
    assert model.removal_effects.effects == pytest.approx({"a": 1.0, "b": 0.5})
    assert model.value_effects.effects == pytest.approx({"a": 1.0, "b": 0.75})
    assert model.credited_conversions() == pytest.approx({"a": 4 / 3, "b": 2 / 3})


def test_order_2_knows_where_a_journey_came_from() -> None:
    paths = [PathCount(["a", "c", "b"], 10, 0, 0), PathCount(["b", "c", "d"], 0, 0, 10)]
    assert train_markov(paths, order=1).removal_effects.effects["b"] == pytest.approx(1.0)
    assert train_markov(paths, order=2).removal_effects.effects == pytest.approx({"a": 1, "c": 1, "b": 1, "d": 0})
    assert train_markov(paths, order=1).removal_effects.effects["a"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "paths", [[], [PathCount([], 5, 0, 5)], [PathCount(["a"], 0, 0, 3)], [PathCount(["a"], 0, 0, 0)]]
)
def test_without_conversions_there_are_no_effects(paths: list[PathCount]) -> None:
    model = train_markov(paths)
    assert (model.conversions, model.conversion_probability) == (0, 0)
    assert all(effect == 0 for effect in model.removal_effects.effects.values())
    assert all(credit == 0 for credit in model.credited_conversions().values())


def test_a_chain_that_hardly_ever_ends_is_solved_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [PathCount(["a"] * 5_000 + ["b", "a"] * 500, 1, 0, 2), PathCount(["b"], 1, 0, 1)]
    direct = train_markov(paths)
    monkeypatch.setattr(markov, "_DENSE_STATES", 0)
    assert train_markov(paths).removal_effects.effects == pytest.approx(direct.removal_effects.effects, abs=1e-8)


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(MarkovError, match="order is 0; allowed: 1 or more"):
        train_markov([], order=0)
    many = [PathCount([f"channel {number}" for number in range(40)], 1, 0, 0)]
    with pytest.raises(MarkovError, match="there are 40 channels; allowed with order 11: 31"):
        train_markov(many, order=11)
    with pytest.raises(ValueError, match="allowed: none negative"):
        train_markov([PathCount(["a"], -1, 0, 2)])
    with pytest.raises(ValueError, match="value only with conversions"):
        train_markov([PathCount(["a"], 0, 5, 2)])
