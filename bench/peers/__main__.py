"""The same events through every engine: `python -m bench.peers`; the same windows are demanded of each.

Each engine runs twice, over a small and a large set. The rate is the difference in events over the difference in
seconds, so that starting (a JVM, an interpreter, a cluster) is in neither. With `--write`, results are put into
`docs/benchmarks.json`, in place of earlier ones of the same engines, and the table and plot of `docs/benchmarks.md` are
made of that file. Exit status 1: an engine failed or its windows differ from the oracle's.

With `--folder`, events are made once and serve later calls, so that one engine at a time can be measured:

    python -m bench.peers --folder F --prepare
    python -m bench.peers --folder F --engines quix --write
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from confluent_kafka import KafkaException

from bench.peers import results
from bench.peers.comparison import Row, measure
from bench.peers.engines import ENGINES, Engine, Task
from bench.peers.events import read_windows
from bench.peers.prepared import prepare, stack_config
from local.component import StackError
from local.stack import Stack

SMALL, MIDDLE, LARGE = "small-", "middle-", "large-"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="the small set only: are the windows equal?")
    parser.add_argument("--small", type=int, default=50_000, metavar="N", help="events (default: 50000)")
    parser.add_argument("--middle", type=int, default=100_000, metavar="N", help="for the slow engine (100000)")
    parser.add_argument("--large", type=int, default=500_000, metavar="N", help="for all others (500000)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="a process per core (all cores)")
    parser.add_argument("--engines", default="", help="parts of the names of those to run, comma-separated (all)")
    parser.add_argument("--folder", type=Path, help="keeps the events; made if it does not exist (a temporary one)")
    parser.add_argument("--prepare", action="store_true", help="make the events of --folder, measure nothing")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.json and docs/benchmarks.md")
    asked = parser.parse_args(arguments)
    chosen = () if asked.prepare else _chosen(asked.engines)
    if not chosen and not asked.prepare:
        parser.error(f"--engines is {asked.engines!r}; there are: {', '.join(engine.name for engine in ENGINES)}")
    folder = (asked.folder or Path(tempfile.mkdtemp(prefix="peers-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        rows = _measure_all(asked, chosen, folder)
    except (StackError, KafkaException, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if not asked.folder:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if any(row.error for row in rows) else 0


def _chosen(engines: str) -> tuple[Engine, ...]:
    parts = [part.strip().lower() for part in engines.split(",") if part.strip()]
    return tuple(engine for engine in ENGINES if not parts or any(part in engine.name.lower() for part in parts))


def _measure_all(asked: argparse.Namespace, chosen: tuple[Engine, ...], folder: Path) -> list[Row]:
    stack = Stack(stack_config(folder), report=lambda line: print(line, flush=True))
    try:
        stack.up(only=["kafka"], supervise=False)
        kafka = str(stack.endpoints()["kafka"])
        sizes = {SMALL: asked.small} if asked.check else {SMALL: asked.small, MIDDLE: asked.middle, LARGE: asked.large}
        made = {prefix: prepare(folder, prefix, count, kafka) for prefix, count in sizes.items()}
        right = {prefix: read_windows([one.windows]) for prefix, one in made.items()}
        for prefix, one in made.items():
            print(f"{one.messages} events, {one.valid} of them valid, {len(right[prefix])} windows", flush=True)
        rows = []
        for engine in chosen:
            runs = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
            small, large = (
                Task(kafka, made[prefix], right[prefix], runs / prefix, asked.processes)
                for prefix in (SMALL, SMALL if asked.check else MIDDLE if engine.slow else LARGE)
            )
            rows.append(measure(engine, small, None if asked.check else large))
            print(results.line(rows[-1]), flush=True)
            if asked.write and not asked.check:
                results.write(rows[-1:])
            shutil.rmtree(runs, ignore_errors=True)
    finally:
        stack.down()
    return rows


if __name__ == "__main__":
    sys.exit(main())
