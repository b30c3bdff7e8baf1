"""How each engine is run over one set of topics, and where its windows are."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.peers import measured_run
from bench.peers.events import FLAT, SHARED, read_windows
from local.config import HOST, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.peers.events import Events
    from bench.peers.measured_run import Cost

Windows = dict[tuple[str, int], tuple[int, ...]]
_JOBS = str(REPOSITORY / ".venv" / "jobs" / "bin" / "python")
_BENCH = str(REPOSITORY / ".venv" / "bench" / "bin" / "python")
# Far beyond the slowest, which does some thousand events a second.
_LIMIT_SECONDS = 900.0
# Seconds between two durable snapshots: as often as the pipeline checkpoints.
_SNAPSHOT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Task:
    """One size of the events, and where a run may write."""

    bootstrap: str
    prefix: str
    events: Events
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
    return cost, read_windows([task.folder / "windows.jsonl"])


def flink_sql_jvm(task: Task) -> tuple[Cost, Windows]:
    """Run Flink SQL without Python."""
    cost = _flink(task, "bench.peers.flink_sql_jvm", FLAT)
    windows: Windows = {}
    for file in (task.folder / "windows").rglob("part-*"):
        for line in file.read_text(encoding="utf-8").splitlines():
            key, start, *sums = json.loads(line).values()
            if (key, start) in windows:
                raise ValueError(f"the window of {key} at {start} was written twice")
            windows[key, start] = tuple(sums)
    return cost, {at: sums for at, sums in windows.items() if not at[0].startswith("closing/")}


def flink_datastream(task: Task) -> tuple[Cost, Windows]:
    """Run the per-event PyFlink program."""
    cost = _flink(task, "bench.peers.flink_datastream", SHARED)
    return cost, read_windows([file for file in (task.folder / "windows").rglob("*") if file.is_file()])


def quix(task: Task) -> tuple[Cost, Windows]:
    """Run Quix Streams, a process per core."""
    commands = [(_BENCH, "-m", "bench.peers.quix_worker")] * task.processes
    return _workers(task, commands)


def bytewax(task: Task) -> tuple[Cost, Windows]:
    """Run Bytewax, a process per core."""
    recovery = task.folder / "recovery"
    recovery.mkdir()
    measured_run.check_output((_BENCH, "-m", "bytewax.recovery", str(recovery), str(task.processes)))
    addresses = ";".join(f"{HOST}:{port}" for port in _free_ports(task.processes))
    commands = [
        (
            *(_BENCH, "-m", "bytewax.run", "bench.peers.bytewax_flow:flow", "-i", str(number), "-a", addresses),
            *("-r", str(recovery), "-s", str(_SNAPSHOT_SECONDS), "-b", "0"),
        )
        for number in range(task.processes)
    ]
    return _workers(task, commands)


ENGINES = (
    Engine("ClickHouse INSERT … SELECT", "deduplicates and sums a decoded file: the limit", clickhouse_limit),
    Engine("Flink SQL in the JVM", "deduplicates and sums decoded lines: the bound", flink_sql_jvm),
    Engine("Quix Streams", "the shared part; RocksDB and changelog topics, a process per core", quix),
    Engine("Bytewax", "the shared part; recovery store, a process per core", bytewax),
    Engine("PyFlink per event", "the shared part; DataStream state and windows, process mode", flink_datastream, True),
)


def _single(task: Task, command: tuple[str, ...]) -> Cost:
    return measured_run.run([command], [{}], task.folder / "log", _LIMIT_SECONDS)


def _flink(task: Task, module: str, topic: str) -> Cost:
    arguments = (task.bootstrap, f"{task.prefix}{topic}", str(task.folder), str(task.processes))
    return _single(task, (_JOBS, "-m", module, *arguments))


def _workers(task: Task, commands: Sequence[tuple[str, ...]]) -> tuple[Cost, Windows]:
    shared = {
        "PEER_BOOTSTRAP": task.bootstrap,
        "PEER_TOPIC": f"{task.prefix}{SHARED}",
        "PEER_OUT": str(task.folder),
        "PEER_GROUP": f"{task.prefix}{os.getpid()}",
    }
    environments = [shared | {"PEER_WORKER": str(number)} for number in range(len(commands))]
    cost = measured_run.run(commands, environments, task.folder / "log", _LIMIT_SECONDS)
    return cost, read_windows(sorted(task.folder.glob("windows-*.jsonl")))


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
