"""The simulated world's true effects against what each model credits: `python -m bench.attribution_truth`.

Journeys are drawn by the function with which `bench.world` draws them, and convert with its chance, for one tenant.
Deserved credit is the Shapley value of each channel in that chance (`bench/world/truth.py`). A model's *accuracy* is
the share of all credit that goes to the channel that deserves it: 1 - ½·Σ|share - deserved share|.

Writes the tables into `docs/attribution.md`.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from typing import TYPE_CHECKING

from bench.reference_tables import PAGE, replaced
from bench.world.channels import CHANNELS
from bench.world.journeys import channels_met
from bench.world.truth import chance, shapley
from udfs.attribution import heuristics
from udfs.attribution.hazard import train_hazard
from udfs.attribution.heuristics import DAY_MS
from udfs.attribution.paths import PathCount
from udfs.attribution.training import Kind, judge, train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BEGIN, END = "<!-- tables of bench.attribution_truth begin -->", "<!-- tables of bench.attribution_truth end -->"
SEED = 20_260_101
JOURNEYS = 300_000
HELD_OUT = 0.2
TARGET = 0.85
EFFECTS = {channel.name: channel.effect for channel in CHANNELS}


def journeys(number: int, seed: int = SEED) -> list[tuple[str, ...]]:
    """Return the channels of journeys, at least one touch each."""
    rng = random.Random(seed)  # noqa: S311 - a simulation needs repeatable numbers, not secret ones
    return [tuple(channel.name for channel in channels_met(rng)) for _ in range(number)]


def true_chance(channels: Sequence[str]) -> float:
    """Return the probability with which a journey over these channels converts."""
    return chance(EFFECTS, Counter(channels))


def outcomes(paths: Sequence[tuple[str, ...]], seed: int) -> list[PathCount]:
    """Let the journeys end; equal paths are counted together."""
    rng = random.Random(seed)  # noqa: S311
    won: Counter[tuple[str, ...]] = Counter()
    lost: Counter[tuple[str, ...]] = Counter()
    for path in paths:
        (won if rng.random() < true_chance(path) else lost)[path] += 1
    return [PathCount(path, won[path], won[path], lost[path]) for path in dict.fromkeys([*won, *lost])]


def deserved(paths: Sequence[PathCount]) -> dict[str, float]:
    """Return each channel's share of the conversions that touches bring about (the base has no channel)."""
    total: Counter[str] = Counter()
    known: dict[tuple[tuple[str, int], ...], dict[str, float]] = {}
    for path in paths:
        touches = tuple(sorted(Counter(path.channels).items()))
        values = known.get(touches)
        if values is None:
            values = known[touches] = shapley(EFFECTS, dict(touches))
        for channel, value in values.items():
            total[channel] += value * (path.conversions + path.nulls)  # type: ignore[assignment]
    return shares(total)


def credit(paths: Sequence[PathCount], weigh: Callable[[Sequence[str]], list[float]]) -> dict[str, float]:
    """Return each channel's share of all credit."""
    total: Counter[str] = Counter()
    for path in paths:
        if path.conversions:
            for channel, weight in zip(path.channels, weigh(path.channels), strict=True):
                total[channel] += weight * path.conversions  # type: ignore[assignment]
    return shares(total)


def shares(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return numbers as parts of their sum."""
    whole = sum(numbers.values())
    return {name: number / whole for name, number in numbers.items()}


def accuracy(found: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Return the share of all credit that is where it belongs."""
    return 1 - sum(abs(found.get(name, 0.0) - right.get(name, 0.0)) for name in found.keys() | right.keys()) / 2


def tables(number: int) -> str:
    """Return the tables as Markdown."""
    paths = journeys(number)
    cut = int(number * (1 - HELD_OUT))
    training, held_out = outcomes(paths[:cut], 1), outcomes(paths[cut:], 2)
    everything = outcomes(paths, 3)
    right = deserved(everything)
    rules: dict[str, Callable[[Sequence[str]], list[float]]] = {
        "first_touch": lambda path: heuristics.first_touch(len(path)),
        "last_touch": lambda path: heuristics.last_touch(len(path)),
        "last_non_direct": heuristics.last_non_direct,
        "linear": lambda path: heuristics.linear(len(path)),
        "time_decay, touches a day apart": lambda path: heuristics.time_decay(
            [DAY_MS * day for day in range(len(path))]
        ),
        "position_based": lambda path: heuristics.position_based(len(path)),
    }
    found = {name: credit(everything, weigh) for name, weigh in rules.items()}
    verdicts = []
    for kind, order in (
        (Kind.MARKOV, 1),
        (Kind.MARKOV, 2),
        (Kind.SHAPLEY_CONVERSIONS, 0),
        (Kind.SHAPLEY_RATE, 0),
        (Kind.HAZARD, 0),
    ):
        trained = train(kind, order, training, held_out)
        name = f"{kind.value}{f', order {order}' if order else ''}"
        found[name] = credit(everything, trained.effects.path_weights)
        verdicts.append((name, trained.validation))
    verdicts.append(
        (
            "what the paths can tell: the hazard model's own probability",
            judge(train_hazard(training).probability, held_out),
        )
    )
    best = judge(true_chance, held_out)
    verdicts.append(("the true probability of each journey", best))
    names = [channel.name for channel in CHANNELS]
    lines = [f"| model | accuracy | {' | '.join(names)} |", f"|---|--:|{'--:|' * len(names)}"]
    lines.append(f"| effect of one touch (truth) | | {' | '.join(f'{EFFECTS[name]:.3f}' for name in names)} |")
    lines.append(f"| **deserved share** (truth) | 1.000 | {' | '.join(f'{right[name]:.3f}' for name in names)} |")
    lines += [
        "| ".join(
            [
                "",
                f"{model} ",
                f"{accuracy(credited, right):.3f} ",
                *(f"{credited.get(name, 0.0):.3f} " for name in names),
            ]
        )
        + "|"
        for model, credited in sorted(found.items(), key=lambda one: -accuracy(one[1], right))
    ]
    lines += [
        "",
        f"Held out: {best.journeys:,.0f} of {number:,} journeys, {best.conversions / best.journeys:.1%} converted.",
        "",
    ]
    lines += ["| probability of conversion by | AUC | ± | Brier |", "|---|--:|--:|--:|"]
    lines += [f"| {name} | {one.auc:.4f} | {one.auc_error:.4f} | {one.brier:.5f} |" for name, one in verdicts]
    lines += [
        "",
        "Reliability of the hazard model, by tenths of the held-out journeys:",
        "",
        "| journeys | predicted | observed |",
        "|--:|--:|--:|",
    ]
    hazard = next(one for name, one in verdicts if name == Kind.HAZARD)
    lines += [f"| {one.journeys:,.0f} | {one.predicted:.4f} | {one.observed:.4f} |" for one in hazard.reliability]
    return "\n".join(lines)


def main() -> None:
    """Write the tables into the page."""
    parser = argparse.ArgumentParser(description="True effects against what each model credits.")
    parser.add_argument("--journeys", type=int, default=JOURNEYS, help=f"journeys to draw (default: {JOURNEYS})")
    written = tables(parser.parse_args().journeys)
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), BEGIN, END, written), encoding="utf-8")
    print(written)


if __name__ == "__main__":
    main()
