"""Training and its verdict: hazards against their definition, AUC and Brier against theirs, drift, and the gate."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.attribution.drift import path_profile, population_stability
from udfs.attribution.hazard import train_hazard
from udfs.attribution.paths import PathCount
from udfs.attribution.training import Kind, is_worse, judge, train, validate_effects
from udfs.attribution.validation import validate

TRUE = {"search": 0.12, "email": 0.06, "display": 0.02, "direct": 0.0}


def journeys(number: int, seed: int, base: float = 0.03) -> list[PathCount]:
    chance = random.Random(seed)
    found = []
    for _ in range(number):
        path = tuple(chance.choices(list(TRUE), k=chance.randint(1, 6)))
        hazard = base + sum(TRUE[channel] for channel in path)
        won = chance.random() < 1 - math.exp(-hazard)
        found.append(PathCount(path, float(won), float(won), float(not won)))
    return found


def test_hazards_are_found_again() -> None:
    model = train_hazard(journeys(60_000, 1))
    assert model.base == pytest.approx(0.03, abs=0.01)
    assert dict(model.hazards.effects) == pytest.approx(TRUE, abs=0.01)
    assert model.probability(["search", "new"]) == pytest.approx(1 - math.exp(-0.15), abs=0.01)


def test_hazards_of_one_channel_by_hand() -> None:
    # Journeys of one touch convert half the time, of two touches three times in four: h = ln 2 and 2 ln 2, no base.
    paths = [PathCount(["a"], 50, 0, 50), PathCount(["a", "a"], 75, 0, 25)]
    model = train_hazard(paths, penalty=0.0)
    assert model.base == pytest.approx(0, abs=1e-4)
    assert model.hazards.effects["a"] == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("paths", [[], [PathCount([], 3, 0, 3)], [PathCount(["a"], 0, 0, 3)]])
def test_without_conversions_there_are_no_hazards(paths: list[PathCount]) -> None:
    model = train_hazard(paths)
    assert model.base == 0
    assert all(hazard == 0 for hazard in model.hazards.effects.values())


def test_where_every_journey_converts_the_hazard_stays_finite() -> None:
    model = train_hazard([PathCount(["a"], 10, 0, 0)])
    assert 0.9 < model.probability(["a"]) <= 1
    assert math.isfinite(model.hazards.effects["a"])


outcomes = st.lists(
    st.tuples(st.integers(0, 10).map(lambda tenth: tenth / 10), st.integers(0, 5), st.integers(0, 5)),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(outcomes)
def test_auc_and_brier_follow_their_definitions(rows: list[tuple[float, int, int]]) -> None:
    predicted, won, lost = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    verdict = validate(predicted, won, lost)
    winners = [score for score, converted, _ in rows for _ in range(converted)]
    losers = [score for score, _, not_converted in rows for _ in range(not_converted)]
    if winners and losers:
        pairs = [(a > b) + (a == b) / 2 for a in winners for b in losers]
        assert verdict.auc == pytest.approx(sum(pairs) / len(pairs))
    else:
        assert verdict.auc == 0.5
    squares = [(1 - score) ** 2 for score in winners] + [score**2 for score in losers]
    assert verdict.brier == pytest.approx(sum(squares) / max(len(squares), 1))
    assert sum(one.journeys for one in verdict.reliability) == len(squares)
    assert sum(one.journeys * one.observed for one in verdict.reliability) == pytest.approx(len(winners))


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_learns_which_channel_works(kind: Kind) -> None:
    training, held_out = journeys(20_000, 2), journeys(8_000, 3)
    trained = train(kind, 1, training, held_out)
    effects = trained.effects.effects
    assert effects["search"] == max(effects.values())
    # The true hazards, and with them the best that there is; a model cannot be better but by chance.
    best = judge(lambda path: 1 - math.exp(-0.03 - sum(TRUE[channel] for channel in path)), held_out)
    assert 0.55 < trained.validation.auc < best.auc + 0.01
    assert trained.validation.journeys == 8_000


def test_a_model_of_the_wrong_channels_is_worse_and_a_copy_is_not() -> None:
    training, held_out = journeys(20_000, 4), journeys(8_000, 5)
    good = validate_effects(TRUE, training, held_out)
    wrong = validate_effects({"search": 0.0, "email": 0.0, "display": 1.0, "direct": 1.0}, training, held_out)
    assert is_worse(wrong, good)
    assert not is_worse(good, wrong)
    assert not is_worse(good, good)


def test_drift_is_nothing_between_equals_and_grows_with_the_difference() -> None:
    assert population_stability({"a": 1, "b": 3}, {"a": 10, "b": 30}) == 0
    # By hand: (0.5 - 0.25)·ln 2 + (0.5 - 0.75)·ln(2/3).
    by_hand = 0.25 * math.log(2) - 0.25 * math.log(2 / 3)
    assert population_stability({"a": 1, "b": 3}, {"a": 1, "b": 1}) == pytest.approx(by_hand)
    assert population_stability({"a": 1}, {"b": 1}) > 9
    assert population_stability({}, {"a": 1}) == 0


def test_a_profile_counts_journeys() -> None:
    touches, lengths = path_profile([PathCount(["a", "b", "a"], 2, 0, 3), PathCount(["b"] * 40, 1, 0, 0)])
    assert touches == {"a": 10, "b": 45}
    assert lengths == {"3": 5, "20": 1}
