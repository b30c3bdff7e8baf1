r"""What other attribution libraries compute on public data: the numbers that ours are held against.

Run with the environment of `requirements/oracles.in`, which is not needed to run the tests:

    .venv/oracles/bin/python tests/reference_libraries/compute.py \
        > tests/unit/attribution/golden/reference_libraries.json

The data is PathData of the package mta: 10,000 distinct paths with conversions, value and journeys that did not
convert. It has no times, so for time decay each touch is put one day before the next. Shares no code with the project.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped,unused-ignore]

Numbers = dict[str, float]
SEPARATOR = " > "
# Seven days, in hours, as our own default.
HALF_LIFE_HOURS = 168.0


def channel_attribution(data: pd.DataFrame) -> dict[str, Numbers]:
    """ChannelAttribution: heuristics exactly, Markov by simulation with a fixed seed."""
    import ChannelAttribution

    columns = {"var_path": "path", "var_conv": "total_conversions", "var_value": "total_conversion_value"}
    found = ChannelAttribution.heuristic_models(data, **columns, flg_pro=False).set_index("channel_name")
    numbers = {name: found[name].to_dict() for name in found.columns}
    for order in (1, 2):
        simulated = ChannelAttribution.markov_model(
            data, **columns, var_null="total_null", order=order, seed=1, verbose=False, flg_pro=False
        ).set_index("channel_name")
        for name in simulated.columns:
            numbers[f"markov_order_{order}_{name}"] = simulated[name].to_dict()
    return numbers


def marketing_attribution_models(data: pd.DataFrame) -> dict[str, Numbers]:
    """Run marketing_attribution_models (imports as mam): heuristics and Markov of order 1."""
    import polars as pl
    from mam import MAM

    rows = [
        {"path": row.path, "journeys": count, "converted": converted}
        for row in data.itertuples()
        for count, converted in ((row.total_conversions, True), (row.total_null, False))
        if count
    ]
    grouped = MAM(
        pl.DataFrame(rows),
        "grouped_journey",
        channels_colname="path",
        journey_with_conv_colname="converted",
        occurrences_colname="journeys",
    )

    def totals(result: Any) -> Numbers:
        frame = result.to_polars()
        return {str(name): float(number) for name, number in zip(frame["channels"], frame["attribution"], strict=True)}

    markov = grouped.run_markov()
    numbers = {
        "first_click": totals(grouped.run_first_click()),
        "last_click": totals(grouped.run_last_click()),
        "linear": totals(grouped.run_linear()),
        "position_based": totals(grouped.run_position_based()),
        "markov": totals(markov),
        "markov_removal_effect": markov.metadata["removal_effect"]["removal_effect"].to_dict(),
    }
    timed = [
        {
            "journey_id": str(index),
            "path": row.path,
            "hours": SEPARATOR.join(str(24.0 * back) for back in reversed(range(len(row.path.split(SEPARATOR))))),
            "converted": True,
            "conversions": row.total_conversions,
        }
        for index, row in enumerate(data.itertuples())
        if row.total_conversions
    ]
    dated = MAM(
        pl.DataFrame(timed),
        "journey",
        channels_colname="path",
        journey_with_conv_colname="converted",
        user_id_colname="journey_id",
        time_till_conv_colname="hours",
        conversion_value_colname="conversions",
    )
    numbers["time_decay_half_life_7_days"] = totals(dated.run_time_decay(HALF_LIFE_HOURS))
    return numbers


def do_attribution(data: pd.DataFrame) -> dict[str, Numbers]:
    """do-attribution: Markov of orders 1 to 3, the removed channel redirected to null, solved exactly."""
    from do_attribution import MarkovAttribution

    paths, outcomes, weights = [], [], []
    for row in data.itertuples():
        for count, outcome in ((row.total_conversions, 1), (row.total_null, 0)):
            if count:
                paths.append(row.path)
                outcomes.append(outcome)
                weights.append(float(count))
    numbers: dict[str, Numbers] = {}
    for order in (1, 2, 3):
        result = MarkovAttribution(order=order, removal_strategy="redirect_to_null").fit(paths, outcomes, weights)
        numbers[f"markov_order_{order}_removal_effect"] = dict(result["removal_effects"])
        numbers[f"markov_order_{order}_share"] = dict(result["attribution"])
    return numbers


def mta() -> dict[str, Numbers]:
    """Run mta: heuristics, and the Shapley value of conversions by subsets; its analytic Markov is wrong."""
    from mta import MTA

    library = MTA(allow_loops=True, add_timepoints=False, normalize_by_default=False)
    library.first_touch().last_touch().linear(share="proportional").position_based(40, 40).shapley()
    numbers = {name: dict(found) for name, found in library.attribution.items()}
    numbers["pos_based_30_50"] = dict(library.position_based(30, 50).attribution["pos_based"])
    return numbers


def main() -> None:
    """Write all numbers as JSON, with the versions they come from."""
    import mta as mta_package

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pd.read_csv(Path(mta_package.__file__).parent / "data" / "data.csv.gz")
        libraries = {
            "ChannelAttribution": channel_attribution(data),
            "marketing_attribution_models": marketing_attribution_models(data),
            "do-attribution": do_attribution(data),
            "mta": mta(),
        }
    document = {
        "data": "PathData of the package mta 0.0.9; numbers are conversions or value by channel unless named otherwise",
        "made_by": "tests/reference_libraries/compute.py, Python 3.11, requirements/oracles.in",
        "libraries": {name: {"version": version(name), "numbers": numbers} for name, numbers in libraries.items()},
    }
    json.dump(document, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
