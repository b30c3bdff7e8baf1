"""What a million events a second over ten thousand tenants would take, calculated from what one event costs.

`python -m bench.scale_model` writes the tables into `docs/scale-model.md`. The inputs are `bench/scale_inputs.json`,
each with its origin: change a number there and run it again. Everything is linear in the rate but for the limits of one
key, one process and one node, which are what breaks; the page says at what rate each of them does.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
INPUTS = ROOT / "bench/scale_inputs.json"
PAGE = ROOT / "docs/scale-model.md"
BEGIN, END = "<!-- tables of bench.scale_model begin -->", "<!-- tables of bench.scale_model end -->"
RATES = (10_000, 100_000, 1_000_000)
_DAY_SECONDS, _MONTH_HOURS = 86_400, 730
_GB, _TB = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class Inputs:
    """The numbers of `bench/scale_inputs.json` by section and name; `at` gives one."""

    sections: dict[str, dict[str, dict[str, Any]]]

    @classmethod
    def read(cls, path: Path = INPUTS) -> Inputs:
        """Read a file of inputs.

        Raises:
            ValueError: an entry has no positive number as its value or no origin.
        """
        given = json.loads(path.read_text(encoding="utf-8"))
        sections = {name: section for name, section in given.items() if name != "about"}
        for name, section in sections.items():
            for key, entry in section.items():
                value = entry.get("value")
                if not isinstance(value, int | float) or value <= 0 or not entry.get("from"):
                    raise ValueError(f"{name}.{key} is {entry!r}; allowed: a number above 0 and where it is from")
        return cls(sections)

    def at(self, section: str, name: str) -> float:
        """Return a value; raises KeyError."""
        return float(self.sections[section][name]["value"])


@dataclass(frozen=True, slots=True)
class Scale:
    """What one rate takes. Cores are busy ones divided by the utilisation aimed at; sizes are bytes."""

    events_per_second: float
    cores: dict[str, float]
    slots: int
    taskmanagers_by_cpu: int
    taskmanagers_by_state: int
    partitions: int
    brokers: int
    clickhouse_nodes_by_cpu: int
    clickhouse_nodes_by_inserts: int
    inserts_per_second: float
    redis_bytes: float
    redis_nodes: int
    dedup_state_bytes: float
    journey_state_bytes: float
    checkpoint_bytes_per_second: float
    restore_seconds: float
    topic_bytes: float
    stored_bytes: float
    usd_per_month: float

    @property
    def taskmanagers(self) -> int:
        """What processor and state both fit into."""
        return max(self.taskmanagers_by_cpu, self.taskmanagers_by_state)

    @property
    def clickhouse_nodes(self) -> int:
        """What processor and inserts both fit into, replicas included."""
        return max(self.clickhouse_nodes_by_cpu, self.clickhouse_nodes_by_inserts)


def largest_share(tenants: int, zipf: float) -> float:
    """Return the share of the largest of `tenants` whose sizes follow Zipf's law."""
    return 1 / math.fsum(rank**-zipf for rank in range(1, tenants + 1))


def slot_rate(inputs: Inputs) -> float:
    """Return the events/s of one slot at the utilisation aimed at.

    A slot's JVM threads and its Python worker work side by side, so the slower of the two sets the pace.
    """
    slower = max(inputs.at("cpu_micros_per_event", stage) for stage in ("taskmanager", "python"))
    return inputs.at("design", "utilisation") * 1e6 / slower


def scale(inputs: Inputs, rate: float) -> Scale:
    """Calculate what `rate` events per second take."""
    load, design, size = (partial(inputs.at, section) for section in ("load", "design", "bytes"))
    cores = {
        stage: rate * inputs.at("cpu_micros_per_event", stage) / 1e6 / design("utilisation")
        for stage in inputs.sections["cpu_micros_per_event"]
    }
    slots = math.ceil(rate / slot_rate(inputs))
    dedup = rate * design("dedup_hours") * 3_600 * size("dedup_entry")
    facts = rate * load("journey_share")
    journeys = facts * design("journey_retention_days") * _DAY_SECONDS * size("journey_fact")
    by_cpu = math.ceil(slots / design("slots_per_taskmanager"))
    by_state = math.ceil((dedup + journeys) / (design("taskmanager_disk_gb") * _GB))
    written = rate * size("dedup_entry") + facts * size("journey_fact")
    inserts = slots * design("tables_written_per_batch") / design("batch_seconds")
    redis = load("tenants") * (
        load("active_campaign_keys_per_tenant") * size("redis_campaign_field")
        + load("active_customers_per_tenant") * size("redis_journey")
    )
    topic = rate * size("message_in_log") * design("topic_retention_days") * _DAY_SECONDS * design("topic_replicas")
    stored = rate * size("event_row") * design("topic_retention_days") * _DAY_SECONDS * design("clickhouse_replicas")
    log_rate = rate * size("message_in_log") * design("topic_replicas")
    nodes_by_cpu = math.ceil(cores["clickhouse"] * design("clickhouse_replicas") / design("clickhouse_cores"))
    nodes_by_inserts = math.ceil(inserts / design("clickhouse_inserts_per_second") * design("clickhouse_replicas"))
    taskmanagers = max(by_cpu, by_state)
    core_count = (
        taskmanagers * design("cores_per_taskmanager")
        + max(nodes_by_cpu, nodes_by_inserts) * design("clickhouse_cores")
        + cores["broker"] * design("topic_replicas")
        + cores["serving"]
    )
    # The older part of the topic, of the events and every checkpoint lie in object storage; RocksDB needs local disks.
    usd = (
        core_count * _MONTH_HOURS * inputs.at("usd", "core_hour")
        + (dedup + journeys) / _GB * inputs.at("usd", "ssd_gb_month")
        + (topic / design("topic_replicas") + stored / design("clickhouse_replicas") + dedup + journeys)
        / _GB
        * inputs.at("usd", "object_gb_month")
    )
    return Scale(
        events_per_second=rate,
        cores=cores,
        slots=slots,
        taskmanagers_by_cpu=by_cpu,
        taskmanagers_by_state=by_state,
        # Two for each slot: slots can be doubled before the topic must be made anew.
        partitions=2 * slots,
        brokers=max(3, math.ceil(log_rate / (design("broker_mb_per_second") * 1e6))),
        clickhouse_nodes_by_cpu=nodes_by_cpu,
        clickhouse_nodes_by_inserts=nodes_by_inserts,
        inserts_per_second=inserts,
        redis_bytes=redis,
        redis_nodes=max(3, math.ceil(redis / (design("redis_gb_per_node") * _GB))),
        dedup_state_bytes=dedup,
        journey_state_bytes=journeys,
        checkpoint_bytes_per_second=written * design("upload_amplification"),
        restore_seconds=(dedup + journeys) / taskmanagers / (design("restore_mb_per_second") * 1e6),
        topic_bytes=topic,
        stored_bytes=stored,
        usd_per_month=usd,
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that does not grow by adding machines, and the events/s at which it is reached."""

    name: str
    events_per_second: float
    remedy: str


def limits(inputs: Inputs) -> list[Limit]:
    """Return the limits of the design in the order in which a growing load meets them."""
    design = partial(inputs.at, "design")
    share = largest_share(int(inputs.at("load", "tenants")), inputs.at("load", "zipf"))
    per_slot_state = design("dedup_hours") * 3_600 * inputs.at("bytes", "dedup_entry") + inputs.at(
        "load", "journey_share"
    ) * design("journey_retention_days") * _DAY_SECONDS * inputs.at("bytes", "journey_fact")
    found = [
        Limit(
            f"the largest tenant ({share:.1%} of all events) fills the one slot that reads its partition",
            slot_rate(inputs) / share,
            "key the topic by tenant and a part of the customer or campaign id for tenants above a tenth of a slot; "
            "deduplication and windows are keyed behind the source and stay as they are",
        ),
        Limit(
            "every slot inserts into every table each batch: one ClickHouse shard cannot merge so many small parts",
            design("clickhouse_inserts_per_second")
            / (design("tables_written_per_batch") / design("batch_seconds"))
            * slot_rate(inputs),
            "shards by tenant, and asynchronous inserts or a longer batch: parts fall with its length, freshness too",
        ),
        Limit(
            "per TaskManager: what it could count in processor time is more than its disk can remember of journeys",
            # By rate of one TaskManager: state and processor both grow with it, so this is a ratio, not a size.
            design("taskmanager_disk_gb") * _GB / per_slot_state,
            "keep touches of the look-back only (30 days), close finished journeys, or "
            "derive credits from stored events as persons' credits are",
        ),
        Limit(
            "journey facts have 64 shards, and Python in one JVM shares one lock",
            design("journey_shards") * design("journey_facts_per_interpreter") / inputs.at("load", "journey_share"),
            "more shards, which needs a rebuild of the state from the topic",
        ),
        Limit(
            "one serving process reads the live signals of all tenants",
            design("utilisation") * 1e6 / inputs.at("cpu_micros_per_event", "serving"),
            "give each replica the partitions of some tenants, and route by tenant",
        ),
    ]
    return sorted(found, key=lambda limit: limit.events_per_second)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:,.1f}"


def _bytes(value: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", _TB), ("GB", _GB), ("MB", 1e6)):
        if value >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value:,.0f} B"


def tables(inputs: Inputs) -> str:
    """Return the tables of the page in Markdown."""
    columns = [scale(inputs, rate) for rate in RATES]
    rows: list[tuple[str, list[str]]] = [
        *((f"cores: {stage}", [_number(one.cores[stage]) for one in columns]) for stage in columns[0].cores),
        ("slots", [_number(one.slots) for one in columns]),
        ("TaskManagers by processor", [_number(one.taskmanagers_by_cpu) for one in columns]),
        ("TaskManagers by state", [_number(one.taskmanagers_by_state) for one in columns]),
        ("partitions", [_number(one.partitions) for one in columns]),
        ("brokers", [_number(one.brokers) for one in columns]),
        ("ClickHouse nodes by processor", [_number(one.clickhouse_nodes_by_cpu) for one in columns]),
        ("ClickHouse nodes by inserts", [_number(one.clickhouse_nodes_by_inserts) for one in columns]),
        ("inserts/s", [_number(one.inserts_per_second) for one in columns]),
        ("Redis memory", [_bytes(one.redis_bytes) for one in columns]),
        ("Redis nodes", [_number(one.redis_nodes) for one in columns]),
        ("deduplication state", [_bytes(one.dedup_state_bytes) for one in columns]),
        ("journey state", [_bytes(one.journey_state_bytes) for one in columns]),
        ("checkpoint upload/s", [_bytes(one.checkpoint_bytes_per_second) for one in columns]),
        ("restore of a TaskManager, s", [_number(one.restore_seconds) for one in columns]),
        ("topic, 90 days, replicas", [_bytes(one.topic_bytes) for one in columns]),
        ("events, 90 days, replicas", [_bytes(one.stored_bytes) for one in columns]),
        ("USD/month", [_number(one.usd_per_month) for one in columns]),
    ]
    lines = ["## What it takes", "", f"| | {' | '.join(f'{rate:,} events/s' for rate in RATES)} |"]
    lines += ["|---|" + "---:|" * len(RATES)]
    lines += [f"| {name} | {' | '.join(values)} |" for name, values in rows]
    lines += ["", "## What breaks first", "", "| limit | reached at, events/s | what to do |", "|---|---:|---|"]
    lines += [f"| {limit.name} | {_number(limit.events_per_second)} | {limit.remedy} |" for limit in limits(inputs)]
    lines += [
        "",
        "## How uneven tenants may be",
        "",
        "| sizes of tenants | share of the largest | reached at, events/s |",
    ]
    lines += ["|---|---:|---:|"]
    for zipf in (0.0, 0.5, 0.8, 1.1):
        share = largest_share(int(inputs.at("load", "tenants")), zipf)
        lines.append(f"| k^-{zipf:g} | {share:.2%} | {_number(slot_rate(inputs) / share)} |")
    lines += ["", "## Inputs", "", "| input | value | from |", "|---|---:|---|"]
    lines += [
        f"| {section}.{name} | {entry['value']:,} | {entry['from']} |"
        for section, entries in inputs.sections.items()
        for name, entry in entries.items()
    ]
    return "\n".join(lines)


def main() -> int:
    """Write the tables into the page; returns 1 if the page has no place for them."""
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"error: {PAGE} lacks the lines {BEGIN} and {END}", file=sys.stderr)
        return 1
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables(Inputs.read())}\n\n{END}{after}", encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
