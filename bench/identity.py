"""What identity costs: an event in the device graph by kind of event, and the derivation of a person by its facts.

`python -m bench.identity [--customers N] [--world MESSAGES]`. With `--world` also how right its persons are: pairs of
customer ids that are one person in the simulated world, where half of the further devices never sign in and every
person has a network of their own, so that only what is missed says something.

The columns that travel between machines are the ratios; times are this machine's, at this moment. Processor time is
measured, so that other load disturbs little. State is a dict here: what keyed state adds per read and write is the
job's to measure.
"""

from __future__ import annotations

import argparse
import random
import time
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.world.options import WorldOptions
from bench.world.plan import make_plan
from connectors.kafka.codec import HEADER, EventDecoder, EventEncoder
from connectors.schema_registry import open_registry
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import job_settings
from udfs.identity.derived_credits import derive_credits
from udfs.identity.device_graph import DeviceGraph, Observation
from udfs.identity.graph_state import GraphState
from udfs.identity.partition import Group
from udfs.identity.person import Person
from udfs.identity.settings import IdentitySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SEED = 20_260_101
DAY_MS = 86_400_000
START_MS = 20_500 * DAY_MS
# As many events of a tenant as come in one micro-batch of 200 ms at 1,000 a second.
BATCH = 200
FACTS = (5, 20, 100, 400)


class CountedTexts:
    """A state in memory that counts its reads and writes."""

    def __init__(self) -> None:
        """Start empty."""
        self.texts: dict[str, str] = {}
        self.reads = self.writes = 0

    def get(self, key: str) -> str | None:
        """Return a key's text."""
        self.reads += 1
        return self.texts.get(key)

    def put(self, key: str, value: str) -> None:
        """Set a key's text."""
        self.writes += 1
        self.texts[key] = value

    def remove(self, key: str) -> None:
        """Forget a key."""
        self.writes += 1
        self.texts.pop(key, None)


def person_events(number: int, day: int = 0, *, device: str = "", network: str = "") -> Observation:
    """Return an event of a customer, with ids as long as real ones."""
    return Observation(
        f"c-000000000000-{number:012x}",
        START_MS + day * DAY_MS,
        consented=True,
        identifiers={
            "user_id": f"u-{number:032x}",
            "hashed_email": f"{number:064x}"[::-1],
            "device_id": device or f"d-{number:032x}",
            "hashed_ip": network or f"{number + 7:064x}"[::-1],
            "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0 Safari/537.36",
            "geo": "DE-BE",
        },
    )


def anonymous(number: int, day: int = 0, *, device: str) -> Observation:
    """Return an event of a device nobody is signed in on."""
    return Observation(f"a-{number:032x}", START_MS + day * DAY_MS, consented=True, identifiers={"device_id": device})


def measure_graph(customers: int) -> None:
    """Print µs, reads, writes and derived persons per event by kind of event, and the size of the state after it."""
    chance = random.Random(SEED)  # noqa: S311 - a benchmark, no secret
    texts = CountedTexts()
    graph = DeviceGraph(texts, IdentitySettings())
    everyone = list(range(customers))
    some = [chance.choice(everyone) for _ in range(customers)]
    kinds: list[tuple[str, Callable[[], Iterable[Observation]]]] = [
        ("first of a customer", lambda: map(person_events, everyone)),
        ("again the same day", lambda: map(person_events, some)),
        ("first of the next day", lambda: (person_events(number, 1) for number in everyone)),
        ("joins by a device", lambda: (anonymous(n, 1, device=f"d-{n:032x}") for n in range(0, customers, 10))),
        ("of a joined person", lambda: (person_events(n, 1) for n in range(0, customers, 10))),
        ("on a shared device", lambda: (anonymous(customers + n, 1, device="kiosk") for n in range(customers // 10))),
        (
            "in one long chain",
            lambda: (anonymous(n // 2, 1, device=f"chain-{(n + 1) // 2:032x}") for n in range(customers // 10)),
        ),
    ]
    print(f"{'event':>22} {'us':>8} {'ratio':>6} {'reads':>6} {'writes':>7} {'persons':>8} {'state MB':>9}")
    base = 0.0
    for name, make in kinds:
        events = list(make())
        texts.reads = texts.writes = persons = 0
        began = time.process_time()
        for first in range(0, len(events), BATCH):
            persons += len(graph.apply(events[first : first + BATCH]).persons)
        cost = (time.process_time() - began) / len(events) * 1e6
        base = base or cost
        size = sum(len(key) + len(value) for key, value in texts.texts.items())
        per_event = (texts.reads / len(events), texts.writes / len(events), persons / len(events))
        print(
            f"{name:>22} {cost:>8.1f} {cost / base:>6.2f} {per_event[0]:>6.2f} {per_event[1]:>7.2f} "
            f"{per_event[2]:>8.2f} {size / 1e6:>9.1f}",
            flush=True,
        )


def person_facts(chance: random.Random, number: int, customers: tuple[str, ...]) -> list[list[Any]]:
    """Return a person's facts: nine touches to one conversion, evenly among the customers."""
    facts: list[list[Any]] = []
    for index in range(number):
        at = START_MS + index * 3_600_000
        kind = "c" if index % 10 == 9 else "t"
        head = [
            kind,
            "acme",
            customers[index % len(customers)],
            "j-1",
            "intent",
            f"{chance.getrandbits(128):032x}",
            at,
            at,
            7,
        ]
        channel = chance.choice(("email", "search", "social", "direct"))
        touch = [channel, f"campaign-{chance.randrange(8)}", "", "google", "click"]
        facts.append(head + (touch if kind == "t" else ["purchase", chance.randrange(10**8), "EUR", None]))
    return facts


def measure_derivation() -> None:
    """Print ms per derivation of a person by number of facts, linked for certain and by probability."""
    chance = random.Random(SEED)  # noqa: S311 - a benchmark, no secret
    settings = AttributionSettings()
    tenant = job_settings(settings)
    customers = ("ann", "bob", "cy")
    links = (("ann", "bob", 0.9), ("bob", "cy", 0.8))
    kinds = {
        "certain": Person(Group(customers)),
        "probable": Person(Group(customers, links, (("ann",), ("bob",), ("cy",)))),
    }
    print(f"\n{'facts':>8} {'certain ms':>11} {'probable ms':>12} {'ratio':>6} {'us/fact certain':>16}")
    for number in FACTS:
        facts = person_facts(chance, number, customers)
        cost = {}
        for name, person in kinds.items():
            rounds = max(2, 400 // number)
            began = time.process_time()
            for _ in range(rounds):
                derive_credits(person, facts, settings, tenant, 1)
            cost[name] = (time.process_time() - began) / rounds * 1e3
        ratio = cost["probable"] / cost["certain"]
        each = cost["certain"] * 1e3 / number
        print(f"{number:>8} {cost['certain']:>11.2f} {cost['probable']:>12.2f} {ratio:>6.2f} {each:>16.1f}", flush=True)


def world_observations(messages: int) -> Iterator[tuple[str, Observation]]:
    """Yield (tenant id, observation) of the journey events of a simulated world."""
    registry = open_registry(str(Path(__file__).resolve().parents[1] / "avro"))
    options = WorldOptions(seed=SEED, tenants=3, mix=(0, 1, 0), edge_share=0, anonymous_share=0.1, signed_out_share=0.5)
    plan = make_plan(options, messages, "b", EventEncoder(registry), with_lines=False)
    decoder = EventDecoder(registry)
    for message in plan.lap:
        value = message.complete(START_MS, START_MS, b"0000")
        if value is not None:
            record = decoder.reader(value).read(value, HEADER.size)
            envelope = record["envelope"]
            yield (
                envelope["tenant_id"],
                Observation(
                    record["journey"]["customer_id"],
                    envelope["event_time"],
                    envelope["consent"]["analytics"],
                    envelope["identifiers"],
                ),
            )


def true_person(customer_id: str) -> int:
    """Return the number of the person behind an id of the world: c-<run>-<number>-<lap>, d<number in hex>.<device>-…"""
    if customer_id.startswith("c-"):
        return int(customer_id.split("-")[2])
    return int(customer_id[1:].partition(".")[0], 16)


def measure_world(messages: int) -> None:
    """Print how many pairs of customer ids that are one person are found, and how many that are found are right."""
    graphs: dict[str, tuple[DeviceGraph, CountedTexts]] = {}
    consented: dict[str, set[str]] = {}
    for tenant, observation in world_observations(messages):
        if tenant not in graphs:
            texts = CountedTexts()
            graphs[tenant] = (DeviceGraph(texts, IdentitySettings()), texts)
        graphs[tenant][0].apply([observation])
        if observation.consented:
            consented.setdefault(tenant, set()).add(observation.customer_id)
    true_pairs: set[tuple[str, str, str]] = set()
    certain: set[tuple[str, str, str]] = set()
    probable: set[tuple[str, str, str]] = set()
    for tenant, names in consented.items():
        by_person: dict[int, list[str]] = {}
        for name in sorted(names):
            by_person.setdefault(true_person(name), []).append(name)
        true_pairs.update((tenant, *pair) for known in by_person.values() for pair in combinations(known, 2))
        state = GraphState(graphs[tenant][1])
        for group in {state.group(state.customer(name).person or name) for name in names}:
            for part in group.parts or (group.customers,):
                certain.update((tenant, *pair) for pair in combinations(part, 2))
            probable.update((tenant, *pair) for pair in combinations(group.customers, 2))
    probable -= certain
    print(f"\n{len(true_pairs)} pairs of customer ids with consent are one person in the world")
    print(f"{'links':>10} {'pairs':>8} {'right':>8} {'precision':>10} {'of all true':>12}")
    for name, pairs in (("certain", certain), ("probable", probable), ("both", certain | probable)):
        right = len(pairs & true_pairs)
        precision = right / len(pairs) if pairs else 1.0
        print(f"{name:>10} {len(pairs):>8} {right:>8} {precision:>10.3f} {right / max(1, len(true_pairs)):>12.3f}")


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(description="What identity costs.")
    parser.add_argument("--customers", type=int, default=20_000, help="customers of the tenant (default: 20000)")
    parser.add_argument("--world", type=int, default=0, metavar="MESSAGES", help="judge persons of a world this large")
    arguments = parser.parse_args()
    if arguments.world:
        measure_world(arguments.world)
        return
    measure_graph(arguments.customers)
    measure_derivation()


if __name__ == "__main__":
    main()
