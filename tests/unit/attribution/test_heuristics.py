"""Rule-based models: their definitions on small paths, and what holds on every path."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.attribution import heuristics
from udfs.attribution.credit import weigh
from udfs.attribution.heuristics import DAY_MS
from udfs.attribution.settings import RULE_BASED, AttributionSettings

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = AttributionSettings(channel_weights=(("email", 3.0), ("search", 0.5)))
paths = st.lists(
    st.tuples(
        st.integers(1_600_000_000_000, 1_700_000_000_000), st.sampled_from(["email", "search", "social", "direct"])
    ),
    max_size=60,
).map(sorted)


@given(paths, st.sampled_from(RULE_BASED))
def test_weights_of_every_model_sum_to_one_and_none_is_negative(path: list[tuple[int, str]], model: str) -> None:
    weights = weigh(model, [channel for _, channel in path], [time for time, _ in path], SETTINGS)
    assert len(weights) == len(path)
    assert all(weight >= 0 for weight in weights)
    assert math.fsum(weights) == (pytest.approx(1, abs=1e-12) if path else 0)


@pytest.mark.parametrize("model", RULE_BASED)
def test_one_touch_takes_all_and_no_touch_has_no_weight(model: str) -> None:
    assert weigh(model, ["direct"], [1], SETTINGS) == [1.0]
    assert weigh(model, [], [], SETTINGS) == []


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (heuristics.first_touch(3), [1, 0, 0]),
        (heuristics.last_touch(3), [0, 0, 1]),
        (heuristics.last_non_direct(["email", "search", "direct", "direct"]), [0, 1, 0, 0]),
        (heuristics.last_non_direct(["direct", "direct"]), [0, 1]),
        (heuristics.linear(4), [0.25] * 4),
        (heuristics.position_based(2), [0.5, 0.5]),
        (heuristics.position_based(3), [0.4, 0.2, 0.4]),
        (heuristics.position_based(6), [0.4, 0.05, 0.05, 0.05, 0.05, 0.4]),
        (heuristics.position_based(2, (3, 5, 1)), [0.75, 0.25]),
        (heuristics.position_based(4, (3, 4, 1)), [0.375, 0.25, 0.25, 0.125]),
        (heuristics.position_based(2, (0, 1, 0)), [0.5, 0.5]),
        (heuristics.custom_weights(["a", "b", "a"], {"a": 2.0}), [0.4, 0.2, 0.4]),
        (heuristics.custom_weights(["a", "a"], {"a": 0.0}), [0.5, 0.5]),
        (heuristics.time_decay([0, 7 * DAY_MS]), [1 / 3, 2 / 3]),
        (heuristics.time_decay([0, 7 * DAY_MS, 14 * DAY_MS]), [1 / 7, 2 / 7, 4 / 7]),
        (heuristics.time_decay([5, 5]), [0.5, 0.5]),
        # A rate of 0.5 per day: e^-1 : e^-0.5 : 1 for touches two, one and no days before the newest.
        (
            heuristics.time_decay([0, DAY_MS, 2 * DAY_MS], heuristics.half_life_of(0.5)),
            [x / (math.exp(-1) + math.exp(-0.5) + 1) for x in (math.exp(-1), math.exp(-0.5), 1)],
        ),
    ],
)
def test_definitions_on_small_paths(weights: list[float], expected: list[float]) -> None:
    assert weights == pytest.approx(expected, abs=1e-12)


def test_time_decay_of_a_path_much_longer_than_its_half_life() -> None:
    assert heuristics.time_decay([0, 400 * DAY_MS], 60_000) == [0.0, 1.0]


@given(st.integers(1, 50), st.sampled_from([heuristics.linear, heuristics.position_based]))
def test_symmetric_models_read_the_same_from_both_ends(touches: int, model: Callable[[int], list[float]]) -> None:
    assert model(touches) == model(touches)[::-1]
