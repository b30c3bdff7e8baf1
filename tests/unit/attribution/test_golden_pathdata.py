"""Public data set PathData against numbers of other libraries, which `golden/pathdata.json` names.

The data itself ships inside the package mta and is read from there; the package is not imported.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from udfs.attribution import heuristics
from udfs.attribution.markov import train_markov
from udfs.attribution.paths import PathCount

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = json.loads((Path(__file__).parent / "golden" / "pathdata.json").read_text())
MODELS: dict[str, Callable[[int], list[float]]] = {
    "first_touch": heuristics.first_touch,
    "last_touch": heuristics.last_touch,
    "linear_touch": heuristics.linear,
}


@pytest.fixture(scope="module")
def paths() -> list[PathCount]:
    package = find_spec("mta")
    assert package is not None, "the package mta is not installed: see requirements/serving.in"
    assert package.origin is not None
    with gzip.open(Path(package.origin).parent / "data" / "data.csv.gz", "rt") as lines:
        return [
            PathCount(
                row["path"].split(" > "),
                float(row["total_conversions"]),
                float(row["total_conversion_value"]),
                float(row["total_null"]),
            )
            for row in csv.DictReader(lines)
        ]


@pytest.mark.parametrize("model", MODELS)
def test_rule_based_credits(paths: list[PathCount], model: str) -> None:
    conversions: dict[str, float] = defaultdict(float)
    value: dict[str, float] = defaultdict(float)
    for path in paths:
        for channel, weight in zip(path.channels, MODELS[model](len(path.channels)), strict=True):
            conversions[channel] += weight * path.conversions
            value[channel] += weight * path.value
    assert conversions == pytest.approx(GOLDEN[f"{model}_conversions"], rel=0, abs=1e-9)
    assert value == pytest.approx(GOLDEN[f"{model}_value"], rel=0, abs=1e-9)


def test_markov_of_order_1(paths: list[PathCount]) -> None:
    model = train_markov(paths, order=1)
    assert model.conversions == 19785
    assert model.value == pytest.approx(74802.971587, abs=1e-6)
    assert model.removal_effects.effects == pytest.approx(GOLDEN["markov_order1_removal_effect"], rel=0, abs=1e-9)
    assert model.credited_conversions() == pytest.approx(GOLDEN["markov_order1_conversions"], rel=0, abs=1e-6)
    assert sum(model.credited_value().values()) == pytest.approx(model.value)


# Removal effect of alpha by order: do-attribution 0.0.2, redirect_to_null, on the same paths.
@pytest.mark.parametrize(("order", "effect"), [(2, 0.5478032820635091), (3, 0.5464201290184652)])
def test_markov_of_higher_order(paths: list[PathCount], order: int, effect: float) -> None:
    assert train_markov(paths, order).removal_effects.effects["alpha"] == pytest.approx(effect, abs=1e-9)


def test_credit_of_single_paths_by_removal_effects(paths: list[PathCount]) -> None:
    # marketing_attribution_models 2.1.1, MarkovModel: credits per path, summed.
    effects = train_markov(paths).removal_effects
    alpha = sum(
        path.conversions * weight
        for path in paths
        for channel, weight in zip(path.channels, effects.path_weights(path.channels), strict=True)
        if channel == "alpha"
    )
    assert alpha == pytest.approx(8285.482530127578, abs=1e-6)
