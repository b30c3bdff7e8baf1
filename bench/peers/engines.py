"""How each engine is run over one set of topics, and where its windows are."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.peers import measured_run, tributary
from bench.peers.events import FLAT, SHARED, read_windows
from bench.peers.measured_run import BENCH_PYTHON
from local.config import HOST, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bench.peers.events import Events, Windows
    from bench.peers.measured_run import Cost

_JOBS = str(REPOSITORY / ".venv" / "jobs" / "bin" / "python")
# Far beyond the slowest, which does some thousand events a second.
_LIMIT_SECONDS = 900.0
# Seconds between two durable snapshots: as often as the pipeline checkpoints.
_SNAPSHOT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Task:
    """One size of the events, the windows that are right for it, and where a run may write."""

    bootstrap: str
    events: Events
    right: Windows
    folder: Path
    processes: int


@dataclass(frozen=True, slots=True)
class Engine:
    """One row of the table. `run` returns what the run cost and the windows it wrote."""

    name: str
    does: str
    run: Callable[[Task], tuple[Cost, Windows]]
    slow: bool = False
    """Gets the middle size where the others get the largest: it would take ten times as long as all others."""


def clickhouse_limit(task: Task) -> tuple[Cost, Windows]:
    """Run one `INSERT … SELECT`."""
    arguments = (str(task.events.parquet), str(task.folder), str(task.processes))
    cost = _single(task, (sys.executable, "-m", "bench.peers.clickhouse_limit", *arguments))
    # The statement alone: starting the engine takes longer.
    return replace(cost, wall=_span(task)), read_windows([task.folder / "windows.jsonl"])


def flink_sql_jvm(task: Task) -> tuple[Cost, Windows]:
    """Run Flink SQL without Python."""
    return _flink(task, "bench.peers.flink_sql_jvm", FLAT)


def flink_datastream(task: Task) -> tuple[Cost, Windows]:
    """Run the per-event PyFlink program."""
    return _flink(task, "bench.peers.flink_datastream", SHARED)


def tributary_steps(task: Task) -> tuple[Cost, Windows]:
    """Run the pipeline's own steps without its sinks."""
    return _flink(task, "bench.peers.tributary_steps", "")


def tributary_windows(task: Task) -> tuple[Cost, Windows]:
    """Run the pipeline with events and windows stored."""
    return tributary.run(task, tributary.WINDOWS_ALONE)


def tributary_all(task: Task) -> tuple[Cost, Windows]:
    """Run the whole pipeline."""
    return tributary.run(task, tributary.ALL_STAGES)


def quix(task: Task) -> tuple[Cost, Windows]:
    """Run Quix Streams, a process per core."""
    commands = [(BENCH_PYTHON, "-m", "bench.peers.quix_worker")] * task.processes
    return _workers(task, commands)


def bytewax(task: Task) -> tuple[Cost, Windows]:
    """Run Bytewax, a process per core."""
    recovery = task.folder / "recovery"
    recovery.mkdir()
    measured_run.check_output((BENCH_PYTHON, "-m", "bytewax.recovery", str(recovery), str(task.processes)))
    addresses = ";".join(f"{HOST}:{port}" for port in _free_ports(task.processes))
    commands = [
        (
            *(BENCH_PYTHON, "-m", "bytewax.run", "bench.peers.bytewax_flow:flow", "-i", str(number), "-a", addresses),
            *("-r", str(recovery), "-s", str(_SNAPSHOT_SECONDS), "-b", "0"),
        )
        for number in range(task.processes)
    ]
    return _workers(task, commands)


ENGINES = (
    Engine("ClickHouse INSERT … SELECT", "deduplicates and sums a decoded file: the limit", clickhouse_limit),
    Engine("Flink SQL in the JVM", "deduplicates and sums decoded lines: the bound", flink_sql_jvm),
    Engine("Tributary, the shared part", "the shared part: the job's own steps, windows in files", tributary_steps),
    Engine("Quix Streams", "the shared part; RocksDB and changelog topics, a process per core", quix),
    Engine("Bytewax", "the shared part; recovery store, a process per core", bytewax),
    Engine("PyFlink per event", "the shared part; DataStream state and windows", flink_datastream, slow=True),
    Engine(
        "Tributary, events and windows",
        "the shared part, minutes and roll-ups; all stored in ClickHouse, windows in Redis and Kafka",
        tributary_windows,
    ),
    Engine("Tributary, end to end", "all of that, attribution, alerts, counts, quarantine", tributary_all),
)


def _single(task: Task, command: tuple[str, ...]) -> Cost:
    return measured_run.run([command], [{}], task.folder / "log", _LIMIT_SECONDS)


def _flink(task: Task, module: str, topic: str) -> tuple[Cost, Windows]:
    arguments = (task.bootstrap, f"{task.events.prefix}{topic}", str(task.folder), str(task.processes))
    cost = _single(task, (_JOBS, "-m", module, *arguments))
    return cost, read_windows([file for file in (task.folder / "windows").rglob("*") if file.is_file()])


def _workers(task: Task, commands: Sequence[tuple[str, ...]]) -> tuple[Cost, Windows]:
    shared = {
        "PEER_BOOTSTRAP": task.bootstrap,
        "PEER_TOPIC": f"{task.events.prefix}{SHARED}",
        "PEER_OUT": str(task.folder),
        "PEER_GROUP": f"{task.events.prefix}{os.getpid()}",
    }
    environments = [shared | {"PEER_WORKER": str(number)} for number in range(len(commands))]
    cost = measured_run.run(commands, environments, task.folder / "log", _LIMIT_SECONDS)
    # Seconds of waiting for partitions and, at the end, for more messages are no work.
    return replace(cost, wall=_span(task)), read_windows(sorted(task.folder.glob("windows-*.jsonl")))


def _span(task: Task) -> float:
    return span([json.loads(file.read_text(encoding="utf-8")) for file in task.folder.glob("progress-*.json")])


def span(progress: Sequence[Mapping[str, float]]) -> float:
    """Return the seconds from the first message of any worker to the last; a worker without messages has none."""
    worked = [one for one in progress if one["messages"]]
    return max(one["last"] for one in worked) - min(one["first"] for one in worked)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
