"""The same events through every engine: `python -m bench.peers`; the same windows are demanded of each.

Each engine runs twice, over a small and a large set. The rate is the difference in events over the difference in
seconds, so that starting (a JVM, an interpreter, a cluster) is in neither. Results go to `results/peers.json` and, with
`--write`, into `docs/benchmarks.md`. Exit status 1: an engine failed or its windows differ from the oracle's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers import events, pipeline
from bench.peers.engines import ENGINES, Engine, Task
from bench.peers.measured_run import PeerError
from bench.peers.table import write_page
from local.component import StackError
from local.config import StackConfig
from local.ports import is_free
from local.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.peers.engines import Windows
    from bench.peers.events import Events
    from bench.peers.measured_run import Cost

SMALL, MIDDLE, LARGE = "small-", "middle-", "large-"
RESULT = Path("results/peers.json")


@dataclass(frozen=True, slots=True)
class Row:
    """One engine's figures; None where it was not timed or failed."""

    name: str
    does: str
    events: int
    events_per_second: float | None
    cpu_micros_per_event: float | None
    windows: int
    equal: bool
    error: str = ""


def expected_windows(made: Events) -> Windows:
    """Return the windows that the oracle computes from the record file."""
    # Not an import: the types of the tests are no part of what is checked here.
    with import_module("tests.oracle.answer").Answer(made.record) as answer:
        rows = answer.rows(
            "SELECT concat_ws('/', tenant_id, campaign_id, channel, currency), window_start, impressions::BIGINT, "
            "clicks::BIGINT, conversions::BIGINT, cost_micros::BIGINT, revenue_micros::BIGINT, events::BIGINT "
            "FROM campaign_metrics"
        )
    return {(str(key), int(str(start))): tuple(int(str(one)) for one in sums) for key, start, *sums in rows}


def _differences(found: Windows, right: Windows) -> str:
    unlike = {at for at in found.keys() | right.keys() if found.get(at) != right.get(at)}
    if not unlike:
        return ""
    first = min(unlike)
    return f"{len(unlike)} of {len(right)} windows differ, first {first}: {found.get(first)}, right {right.get(first)}"


def measure(
    name: str,
    does: str,
    tasks: tuple[Task, Task],
    right: dict[str, Windows],
    run: Callable[[Task], tuple[Cost, Windows]],
) -> Row:
    """Run an engine over two sizes and compare its windows; never raises for an engine that fails."""
    costs: list[Cost] = []
    windows = 0
    small, large = tasks
    for task in dict.fromkeys(tasks):
        try:
            task.folder.mkdir(parents=True)
            cost, found = run(task)
            unlike = _differences(found, right[task.prefix])
        except (PeerError, StackError, OSError, ValueError) as error:
            return Row(name, does, task.events.messages, None, None, 0, equal=False, error=str(error)[-1500:])
        if unlike:
            return Row(name, does, task.events.messages, None, None, len(found), equal=False, error=unlike)
        windows = len(found)
        costs.append(cost)
        print(f"  {name}, {task.events.messages} events: {cost.wall:.1f} s, {windows} windows equal", flush=True)
    if len(costs) == 1:
        return Row(name, does, small.events.messages, None, None, windows, equal=True)
    more = large.events.messages - small.events.messages
    # A difference within the sampling of the clock says nothing.
    rate = more / (costs[1].wall - costs[0].wall) if costs[1].wall > costs[0].wall else None
    micros = (costs[1].cpu - costs[0].cpu) / more * 1e6
    return Row(name, does, large.events.messages, rate, micros, windows, equal=True)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--check", action="store_true", help="the small set only: are the windows equal?")
    parser.add_argument("--small", type=int, default=20_000, metavar="N")
    parser.add_argument("--middle", type=int, default=100_000, metavar="N", help="for the slow engine")
    parser.add_argument("--large", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="a process per core (all cores)")
    parser.add_argument("--engines", default="", help="a part of the names of those to run, comma-separated (all)")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    asked = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="peers-"))
    try:
        rows = _measure_all(asked, folder)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    RESULT.parent.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    now = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime())
    result = {"at": now, "machine": machine, "rows": [asdict(row) for row in rows]}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for row in rows:
        rate = f"{row.events_per_second:,.0f} events/s" if row.events_per_second else "not timed"
        micros = f"{row.cpu_micros_per_event:.0f} us/event" if row.cpu_micros_per_event else ""
        print(f"{row.name:<28} {rate:>20} {micros:>14}  {'equal' if row.equal else row.error}")
    if asked.write:
        write_page(result)
    return 0 if all(row.equal for row in rows) else 1


def _port_base() -> int:
    if os.environ.get("PORT_BASE"):
        return int(os.environ["PORT_BASE"])
    return next(base for base in range(26_000, 32_000, 30) if all(is_free(port) for port in range(base, base + 30)))


def _measure_all(asked: argparse.Namespace, folder: Path) -> list[Row]:
    config = StackConfig(run_dir=folder / "stack", port_base=_port_base(), start_timeout_seconds=900)
    stack = Stack(config, report=lambda line: print(line, flush=True))
    chosen = [part.strip().lower() for part in asked.engines.split(",") if part.strip()]

    def wanted(name: str) -> bool:
        return not chosen or any(part in name.lower() for part in chosen)

    rows: list[Row] = []
    try:
        stack.up(only=["kafka"], supervise=False)
        kafka = str(stack.endpoints()["kafka"])
        sizes = {SMALL: asked.small} if asked.check else {SMALL: asked.small, MIDDLE: asked.middle, LARGE: asked.large}
        made = {prefix: events.make(folder, count, kafka, prefix) for prefix, count in sizes.items()}
        right = {prefix: expected_windows(one) for prefix, one in made.items()}
        for prefix, one in made.items():
            print(f"{one.messages} events, {one.valid} of them valid, {len(right[prefix])} windows", flush=True)

        def tasks(number: int, large: str) -> tuple[Task, Task]:
            def task(prefix: str) -> Task:
                return Task(kafka, prefix, made[prefix], folder / f"{number}-{prefix}", asked.processes)

            return task(SMALL), task(SMALL if asked.check else large)

        for number, engine in enumerate(ENGINES):
            if wanted(engine.name):
                rows.append(_measure_engine(engine, tasks(number, MIDDLE if engine.slow else LARGE), right))
        if wanted(pipeline.NAME):
            stack.up(without=["prometheus", "serving", "job"], supervise=False)
            rows.append(
                measure(
                    pipeline.NAME,
                    pipeline.DOES,
                    tasks(len(ENGINES), LARGE),
                    right,
                    lambda task: pipeline.run(stack, task, len(right[task.prefix])),
                )
            )
    finally:
        stack.down()
    return rows


def _measure_engine(engine: Engine, tasks: tuple[Task, Task], right: dict[str, Windows]) -> Row:
    return measure(engine.name, engine.does, tasks, right, engine.run)


if __name__ == "__main__":
    sys.exit(main())
