"""Our attribution beside other libraries', number by number: `python -m bench.reference_tables` writes the tables into
`docs/attribution.md`.

What the libraries answer is stored with its origin in `tests/unit/attribution/golden/reference_libraries.json`;
`tests/reference_libraries/compute.py` makes that file. Ours is computed here, from the same public data, PathData,
which ships inside the package mta.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from udfs.attribution import heuristics
from udfs.attribution.heuristics import DAY_MS
from udfs.attribution.markov import train_markov
from udfs.attribution.paths import PathCount
from udfs.attribution.shapley import train_shapley

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "tests/unit/attribution/golden/reference_libraries.json"
PAGE = ROOT / "docs/attribution.md"
BEGIN, END = "<!-- tables of bench.reference_tables begin -->", "<!-- tables of bench.reference_tables end -->"

Numbers = dict[str, float]
Weigh = Callable[[Sequence[str]], list[float]]

# Both sides add thousands of floats in their own order.
EXACT = 1e-9
SOLVED = 1e-6
# ChannelAttribution simulates journeys until its shares move by less than 5 % (its `conv_par`), for small channels too.
SIMULATED = 150.0


@dataclass(frozen=True, slots=True)
class Series:
    """One comparison: numbers by channel of a library, ours, and how far apart they may be (absolute)."""

    library: str
    name: str
    what: str
    ours: Numbers
    tolerance: float


def path_data() -> list[PathCount]:
    """Return PathData. Raises FileNotFoundError when the package mta is not installed."""
    package = find_spec("mta")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package mta is not installed; see requirements/serving.in")
    with gzip.open(Path(package.origin).parent / "data" / "data.csv.gz", "rt", encoding="utf-8") as lines:
        return [
            PathCount(
                row["path"].split(" > "),
                float(row["total_conversions"]),
                float(row["total_conversion_value"]),
                float(row["total_null"]),
            )
            for row in csv.DictReader(lines)
        ]


def credited(paths: Sequence[PathCount], weigh: Weigh, *, value: bool = False) -> Numbers:
    """Return conversions (or their value) by channel when each path's are shared by `weigh`."""
    total: defaultdict[str, float] = defaultdict(float)
    for path in paths:
        for channel, weight in zip(path.channels, weigh(path.channels), strict=True):
            total[channel] += weight * (path.value if value else path.conversions)
    return dict(total)


def all_series(paths: Sequence[PathCount]) -> list[Series]:
    """Return every comparison."""
    first: Weigh = lambda channels: heuristics.first_touch(len(channels))  # noqa: E731 - named for the table below
    last: Weigh = lambda channels: heuristics.last_touch(len(channels))  # noqa: E731
    linear: Weigh = lambda channels: heuristics.linear(len(channels))  # noqa: E731
    position: Weigh = lambda channels: heuristics.position_based(len(channels))  # noqa: E731
    tilted: Weigh = lambda channels: heuristics.position_based(len(channels), (0.3, 0.2, 0.5))  # noqa: E731
    daily: Weigh = lambda channels: heuristics.time_decay([DAY_MS * day for day in range(len(channels))])  # noqa: E731
    markov = {order: train_markov(paths, order) for order in (1, 2, 3)}
    simulated, mam, exact, subsets = "ChannelAttribution", "marketing_attribution_models", "do-attribution", "mta"
    found = [
        Series(simulated, f"{name}_{unit}", f"{what}, {unit}", credited(paths, weigh, value=unit == "value"), EXACT)
        for name, what, weigh in (
            ("first_touch", "First touch", first),
            ("last_touch", "Last touch", last),
            ("linear_touch", "Linear", linear),
        )
        for unit in ("conversions", "value")
    ]
    found += [
        Series(mam, "first_click", "First touch", credited(paths, first), EXACT),
        Series(mam, "last_click", "Last touch", credited(paths, last), EXACT),
        Series(mam, "linear", "Linear", credited(paths, linear), EXACT),
        Series(mam, "position_based", "Position based 40/20/40", credited(paths, position), EXACT),
        Series(
            mam, "time_decay_half_life_7_days", "Time decay, 7 days, touches a day apart", credited(paths, daily), EXACT
        ),
        Series(
            mam,
            "markov_removal_effect",
            "Markov order 1, removal effect",
            dict(markov[1].removal_effects.effects),
            EXACT,
        ),
        Series(
            mam,
            "markov",
            "Markov order 1, shared along each path",
            credited(paths, markov[1].removal_effects.path_weights),
            SOLVED,
        ),
    ]
    for order, model in markov.items():
        effects = dict(model.removal_effects.effects)
        found.append(
            Series(
                exact, f"markov_order_{order}_removal_effect", f"Markov order {order}, removal effect", effects, EXACT
            )
        )
        shares = model.removal_effects.shares()
        found.append(Series(exact, f"markov_order_{order}_share", f"Markov order {order}, share", shares, EXACT))
    found += [
        Series(subsets, "first_touch", "First touch", credited(paths, first), EXACT),
        Series(subsets, "last_touch", "Last touch", credited(paths, last), EXACT),
        Series(subsets, "linear", "Linear", credited(paths, linear), EXACT),
        Series(subsets, "pos_based", "Position based 40/20/40", credited(paths, position), EXACT),
        Series(subsets, "pos_based_30_50", "Position based 30/20/50", credited(paths, tilted), EXACT),
        Series(subsets, "shapley", "Shapley, conversions of subsets", dict(train_shapley(paths).effects), SOLVED),
    ]
    found += [
        Series(
            simulated,
            f"markov_order_{order}_total_conversions",
            f"Markov order {order}, conversions (theirs simulated)",
            markov[order].credited_conversions(),
            SIMULATED,
        )
        for order in (1, 2)
    ]
    return found


def reference() -> dict[str, dict[str, Numbers]]:
    """Return the libraries' numbers: library, series, channel."""
    document = json.loads(REFERENCE.read_text(encoding="utf-8"))
    return {name: library["numbers"] for name, library in document["libraries"].items()}


def largest_difference(ours: Numbers, theirs: Numbers) -> tuple[str, float]:
    """Return the channel on which two series differ most, and by how much; a missing channel counts as 0."""
    gaps = {channel: abs(ours.get(channel, 0.0) - theirs.get(channel, 0.0)) for channel in ours.keys() | theirs.keys()}
    return max(gaps.items(), key=lambda gap: (gap[1], gap[0]))


def tables() -> str:
    """Return the overview and the tables by channel, as Markdown."""
    theirs = reference()
    versions = {
        name: library["version"]
        for name, library in json.loads(REFERENCE.read_text(encoding="utf-8"))["libraries"].items()
    }
    series = all_series(path_data())
    lines = ["| library | what | channels | largest difference | on | allowed |", "|---|---|--:|--:|---|--:|"]
    for one in series:
        channel, gap = largest_difference(one.ours, theirs[one.library][one.name])
        lines.append(
            f"| {one.library} {versions[one.library]} | {one.what} | {len(one.ours)} | {gap:.1e} | {channel} | "
            f"{one.tolerance:.0e} |"
        )
    for one in series:
        if one.name in DETAILED:
            lines += ["", f"{one.what}, against {one.library} {versions[one.library]}:", ""]
            lines += ["| channel | ours | theirs | difference |", "|---|--:|--:|--:|"]
            other = theirs[one.library][one.name]
            lines += [
                f"| {channel} | {ours:.9f} | {other[channel]:.9f} | {ours - other[channel]:.1e} |"
                for channel, ours in sorted(one.ours.items())
            ]
    return "\n".join(lines)


# Shown channel by channel: one of each kind, so that the page stays readable. The overview has them all.
DETAILED = (
    "linear_touch_conversions",
    "time_decay_half_life_7_days",
    "markov_order_1_removal_effect",
    "markov_order_2_removal_effect",
    "shapley",
    "markov_order_1_total_conversions",
)


def replaced(page: str, begin: str, end: str, text: str) -> str:
    """Return a page with what stands between two markers replaced. Raises ValueError when a marker is missing."""
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{PAGE.name} has no {begin} … {end}")
    return f"{head}{begin}\n\n{text}\n\n{end}{tail}"


def main() -> None:
    """Write the tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(replaced(page, BEGIN, END, tables()), encoding="utf-8")
    print(f"tables written to {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
