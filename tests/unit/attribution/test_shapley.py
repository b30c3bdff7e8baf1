"""Shapley values: against the average over all orders of joining, and what must hold on any set of journeys."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.attribution import shapley
from udfs.attribution.heuristics import linear
from udfs.attribution.paths import PathCount
from udfs.attribution.shapley import MAX_EXACT_CHANNELS, Game, train_shapley
from udfs.attribution.transforms import first

path_counts = st.builds(
    lambda channels, conversions, nulls: PathCount(channels, conversions, 0, nulls),
    st.lists(st.sampled_from("abcde"), max_size=6),
    st.integers(0, 20),
    st.integers(0, 20),
)
samples = st.lists(path_counts, max_size=12)


def worth(paths: list[PathCount], game: Game, present: set[str]) -> float:
    own = [path for path in paths if path.channels and set(path.channels) <= present]
    conversions = sum(path.conversions for path in own)
    journeys = sum(path.conversions + path.nulls for path in own)
    if game is Game.CONVERSIONS:
        return conversions
    return conversions / journeys if journeys else 0.0


def by_definition(paths: list[PathCount], game: Game) -> dict[str, float]:
    channels = sorted({channel for path in paths if path.conversions + path.nulls for channel in path.channels})
    values = dict.fromkeys(channels, 0.0)
    orders = list(permutations(channels))
    for order in orders:
        for position, channel in enumerate(order):
            before = set(order[:position])
            values[channel] += (worth(paths, game, {*before, channel}) - worth(paths, game, before)) / len(orders)
    return values


@settings(deadline=None, max_examples=60)
@given(samples, st.sampled_from(Game))
def test_values_are_the_average_over_all_orders(paths: list[PathCount], game: Game) -> None:
    values = train_shapley(paths, game).effects
    assert values == pytest.approx(by_definition(paths, game), abs=1e-9)
    assert sum(values.values()) == pytest.approx(worth(paths, game, set("abcde")), abs=1e-9)


@given(samples)
def test_the_conversions_game_equals_linear_over_unique_channels(paths: list[PathCount]) -> None:
    expected: dict[str, float] = {}
    for path in paths:
        unique = first(path.channels)
        for (_, channel), weight in zip(unique, linear(len(unique)), strict=True):
            expected[channel] = expected.get(channel, 0.0) + weight * path.conversions
    values = train_shapley(paths).effects
    assert {channel: value for channel, value in values.items() if value} == pytest.approx(
        {channel: value for channel, value in expected.items() if value}
    )
    assert train_shapley(paths).negative == ()


def test_a_channel_that_lowers_the_rate_is_named_and_earns_nothing() -> None:
    paths = [PathCount(["a"], 8, 0, 2), PathCount(["b", "a"], 1, 0, 9), PathCount(["b"], 0, 0, 10)]
    # v(a) = 0.8, v(b) = 0, v(ab) = 9/30: a = ½(0.8 + 0.3), b = ½(0 - 0.5).
    model = train_shapley(paths, Game.CONVERSION_RATE)
    assert model.effects == pytest.approx({"a": 0.55, "b": -0.25})
    assert model.negative == ("b",)
    assert model.shares() == {"a": 1.0, "b": 0.0}
    assert model.credited(9) == {"a": 9.0, "b": 0.0}


def test_the_rate_game_is_exact_up_to_its_bound_and_estimated_above() -> None:
    channels = [f"c{number}" for number in range(MAX_EXACT_CHANNELS)]
    model = train_shapley([PathCount(channels, 1, 0, 1)], Game.CONVERSION_RATE)
    assert model.effects == pytest.approx(dict.fromkeys(channels, 0.5 / MAX_EXACT_CHANNELS))
    assert not model.standard_errors
    one_more = train_shapley([PathCount([*channels, "one more"], 1, 0, 1)], Game.CONVERSION_RATE)
    assert set(one_more.standard_errors) == {*channels, "one more"}
    assert sum(one_more.effects.values()) == pytest.approx(0.5)
    assert len(train_shapley([PathCount([*channels, "one more"], 1, 0, 1)]).effects) == MAX_EXACT_CHANNELS + 1


def test_the_estimate_is_the_exact_value_within_its_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    names = [f"c{number}" for number in range(10)]
    paths = []
    for _ in range(300):
        path = chance.choices(names, k=chance.randint(1, 5))
        converted = chance.random() < 0.1 + 0.05 * path.count("c1")
        paths.append(PathCount(path, int(converted), 0, int(not converted)))
    exact = train_shapley(paths, Game.CONVERSION_RATE)
    monkeypatch.setattr(shapley, "MAX_EXACT_CHANNELS", 0)
    estimated = train_shapley(paths, Game.CONVERSION_RATE)
    assert sum(estimated.effects.values()) == pytest.approx(sum(exact.effects.values()))
    for channel, effect in exact.effects.items():
        # Five standard errors: by chance once in a million, and the orders are the same in every run.
        assert abs(estimated.effects[channel] - effect) < 5 * estimated.standard_errors[channel]
    assert max(estimated.standard_errors.values()) < 0.01
    chance.shuffle(paths)
    assert train_shapley(paths, Game.CONVERSION_RATE).effects == pytest.approx(estimated.effects, abs=1e-12)


def test_without_conversions_all_channels_are_alike() -> None:
    for game in Game:
        model = train_shapley([PathCount(["a", "b"], 0, 0, 5)], game)
        assert model.effects == {"a": 0.0, "b": 0.0}
        assert model.shares() == {"a": 0.5, "b": 0.5}
