"""What attribution costs: a fact in the stream by length of path and by settings, and training by number of journeys.

`python -m bench.attribution [--journeys N] [--orders 1,2]`. The columns that travel between machines are the ratios;
times are this machine's, at this moment. Processor time is measured, so that other load disturbs little.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from typing import TYPE_CHECKING, Any

import orjson

from udfs.attribution.markov import train_markov
from udfs.attribution.paths import PathCount
from udfs.attribution.person import apply_facts
from udfs.attribution.published_model import PublishedModel
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import TenantSettings, job_settings, settings_of
from udfs.attribution.training import Kind, train

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20_260_101
HOUR_MS = 3_600_000
START_MS = 1_767_225_600_000
PATH_LENGTHS = (1, 5, 10, 20, 50, 100, 400)
FACTS_PER_LENGTH = 20_000  # about a second for each length
CHANNELS = 50
MEAN_PATH = 6
CONVERSION_RATE = 0.1


def person_facts(chance: random.Random, touches: int) -> list[list[Any]]:
    """Return a start, touches within two weeks, and a conversion of one person, ids as long as UUIDs."""

    def event_id() -> str:
        return f"{chance.getrandbits(128):032x}-seg"

    journey_id = event_id()
    times = sorted(START_MS + chance.randrange(14 * 24 * HOUR_MS) for _ in range(touches))
    facts: list[list[Any]] = [["s", "acme", "ann", journey_id, "awareness", event_id(), START_MS, START_MS, 7]]
    for at in times:
        place = (chance.choice(("email", "search", "social", "direct")), f"campaign-{chance.randrange(8)}")
        facts.append(["t", "acme", "ann", journey_id, "intent", event_id(), at, at, 7, *place, "", "google", "click"])
    end = START_MS + 15 * 24 * HOUR_MS
    sale = ("purchase", chance.randrange(100_000_000), "EUR", None)
    return [*facts, ["c", "acme", "ann", journey_id, "purchase", event_id(), end, end, 7, *sale]]


def choices() -> dict[str, TenantSettings]:
    """Return settings of tenants to compare: the job's, and more and more of what can be chosen."""
    job = AttributionSettings()
    model = PublishedModel("m", "", 0, {"email": 0.3, "search": 0.4, "social": 0.2, "direct": 0.05})
    models = [*job.models, "data_driven"]
    everything = {
        "models": [*models, "custom_weights"],
        "transforms": ["exposure", "trim(50)"],
        "touch_filter": {"interaction_types": ["click"]},
        "conversion_types": {"signup": {"lookback_days": 7}},
    }
    return {
        "the job's": job_settings(job),
        "own look-back": settings_of({"lookback_days": 30}, job, 1, []),
        "and data_driven": settings_of({"models": models}, job, 1, [model]),
        "and all the rest": settings_of(everything, job, 1, [model]),
    }


def measure_settings(touches: int = 5, rounds: int = 5) -> None:
    """Print µs per fact under different settings, and the ratio to the job's own; the best of some rounds."""
    job = AttributionSettings()
    chance = random.Random(SEED)  # noqa: S311 - a benchmark, no secret
    people = [person_facts(chance, touches) for _ in range(1_000)]
    print(f"\n{'settings':>20} {'us/fact':>8} {'ratio':>6}   ({touches} touches and a conversion)")
    base = 0.0
    for name, tenant in choices().items():
        costs = []
        for _ in range(rounds):
            began = time.process_time()
            for person in people:
                state: bytes | None = None
                for fact in person:
                    state = apply_facts(state, [fact], job, tenant).state
            costs.append((time.process_time() - began) / sum(map(len, people)) * 1e6)
        base = base or min(costs)
        print(f"{name:>20} {min(costs):>8.1f} {min(costs) / base:>6.2f}")


def measure_stream() -> None:
    """Print µs per fact and state bytes by path length, each fact on its own as in the worst batch."""
    settings = AttributionSettings()
    tenant = job_settings(settings)
    chance = random.Random(SEED)  # noqa: S311 - a benchmark, no secret
    print(f"{'touches':>8} {'us/fact':>8} {'ratio':>6} {'state bytes':>12} {'per touch':>10}")
    base = 0.0
    for touches in PATH_LENGTHS:
        people = [person_facts(chance, touches) for _ in range(max(3, FACTS_PER_LENGTH // (touches + 2)))]
        facts = size = 0
        began = time.process_time()
        for person in people:
            state: bytes | None = None
            for fact in person:
                update = apply_facts(state, [fact], settings, tenant)
                state = update.state
                for attribution in update.attributions:
                    orjson.dumps(attribution)
            facts += len(person)
            size = len(state or b"")
        cost = (time.process_time() - began) / facts * 1e6
        base = base or cost
        print(f"{touches:>8} {cost:>8.1f} {cost / base:>6.2f} {size:>12} {size / touches:>10.1f}")


def journeys(number: int) -> Iterator[PathCount]:
    """Yield journeys one by one over CHANNELS channels of uneven size, paths of geometric length."""
    chance = random.Random(SEED)  # noqa: S311 - a benchmark, no secret
    names = [f"channel-{index}" for index in range(CHANNELS)]
    shares = [1 / (index + 1) for index in range(CHANNELS)]
    for _ in range(number):
        length = 1
        while chance.random() > 1 / MEAN_PATH:
            length += 1
        converted = chance.random() < CONVERSION_RATE
        yield PathCount(chance.choices(names, shares, k=length), int(converted), 1e6 * converted, int(not converted))


def measure_training(number: int, orders: list[int]) -> None:
    """Print states, seconds of processor time beyond making the journeys, and peak memory by order."""
    began = time.process_time()
    for _ in journeys(number):
        pass
    making = time.process_time() - began
    print(f"\n{number} journeys, {CHANNELS} channels")
    print(f"{'order':>8} {'states':>8} {'seconds':>8} {'us/journey':>11} {'peak MB':>8}")
    for order in orders:
        began = time.process_time()
        model = train_markov(journeys(number), order)
        cost = time.process_time() - began - making
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{order:>8} {model.states:>8} {cost:>8.1f} {cost / number * 1e6:>11.1f} {peak:>8}", flush=True)


def measure_kinds(number: int) -> None:
    """Print seconds of processor time and peak memory of training and validating each kind on journeys in memory."""
    counts: dict[tuple[str, ...], list[float]] = {}
    for path in journeys(number):
        sums = counts.setdefault(tuple(path.channels), [0.0, 0.0])
        sums[0] += path.conversions
        sums[1] += path.nulls
    paths = [PathCount(path, won, won, lost) for path, (won, lost) in counts.items()]
    training, held_out = paths[len(paths) // 5 :], paths[: len(paths) // 5]
    print(
        f"\n{'kind':>20} {'order':>6} {'seconds':>8} {'peak MB':>8}   ({number} journeys, {len(paths)} distinct paths)"
    )
    for kind, order in (*((Kind.MARKOV, order) for order in (1, 2)), *((kind, 1) for kind in Kind if kind != "markov")):
        began = time.process_time()
        train(kind, order, training, held_out)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{kind.value:>20} {order:>6} {time.process_time() - began:>8.1f} {peak:>8}", flush=True)


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(description="What attribution costs.")
    parser.add_argument("--journeys", type=int, default=1_000_000, help="journeys to train on (default: 1000000)")
    parser.add_argument("--orders", default="1,2", help="orders of the chain, comma-separated (default: 1,2)")
    arguments = parser.parse_args()
    measure_stream()
    measure_settings()
    measure_kinds(arguments.journeys)
    measure_training(arguments.journeys, [int(order) for order in arguments.orders.split(",")])


if __name__ == "__main__":
    main()
