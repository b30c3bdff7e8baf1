"""Shapley values: against the average over all orders of joining, and what must hold on any set of journeys."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.attribution.heuristics import linear
from udfs.attribution.paths import PathCount
from udfs.attribution.shapley import MAX_RATE_CHANNELS, Game, train_shapley
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


def test_the_rate_game_takes_as_many_channels_as_it_says() -> None:
    channels = [f"c{number}" for number in range(MAX_RATE_CHANNELS)]
    model = train_shapley([PathCount(channels, 1, 0, 1)], Game.CONVERSION_RATE)
    assert model.effects == pytest.approx(dict.fromkeys(channels, 0.5 / MAX_RATE_CHANNELS))
    with pytest.raises(ValueError, match="more than 20 channels"):
        train_shapley([PathCount([*channels, "one more"], 1, 0, 1)], Game.CONVERSION_RATE)
    assert len(train_shapley([PathCount([*channels, "one more"], 1, 0, 1)]).effects) == MAX_RATE_CHANNELS + 1
