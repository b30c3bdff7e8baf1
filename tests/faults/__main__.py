"""`make faults`: seeded faults on a real local stack of its own, judged by the batch oracle.

Each injection prints a line with its time, kind, seed and the seconds until serving showed live figures again; each
round ends with the oracle's verdict. The same seed injects the same faults in the same order (what they meet is a
matter of time). Exit status: 0 all came right by itself, 1 something did not; then the stack's folder is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from local.component import StackError
from local.config import HOST, StackConfig
from local.stack import Stack
from tests.conftest import free_port_base
from tests.faults import invariants, store_faults
from tests.faults.fault_run import Outcome, run_round
from tests.faults.kinds import KINDS, plan
from tests.faults.rig import FaultError, Rig
from tests.faults.small_disk import NoSmallDiskError, may_mount, small_disk
from tests.faults.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.kinds import Injection

_RESULT = Path("results/faults.json")
ALL_KINDS = ",".join(KINDS)
DISK_FULL = store_faults.clickhouse_disk_full.__name__


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    # A stop signal ends the run as Ctrl-C does: the stack is stopped.
    signal.signal(signal.SIGTERM, _interrupt)
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time, printed")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--injections", type=int, metavar="N", help="so many faults (default: each kind once)")
    length.add_argument("--minutes", type=float, metavar="M", help="rounds until so much time has passed")
    parser.add_argument("--kinds", default=ALL_KINDS, metavar="A,B", help=f"of: {', '.join(KINDS)}")
    parser.add_argument("--round", type=int, default=8, metavar="N", help="faults between two verdicts (8)")
    parser.add_argument("--rate", type=int, default=300, metavar="R", help="events a second meanwhile (300)")
    parser.add_argument("--patience", type=float, default=300.0, metavar="S", help="seconds for a recovery (300)")
    parser.add_argument("--checkpoint-seconds", type=int, default=10)
    asked = parser.parse_args(arguments)
    seed = secrets.randbits(31) if asked.seed is None else asked.seed
    kinds = tuple(asked.kinds.split(","))
    if asked.kinds == ALL_KINDS and not may_mount():
        kinds = tuple(kind for kind in kinds if kind != DISK_FULL)
        print(f"left out, because no file system can be mounted here: {DISK_FULL}", flush=True)
    try:
        injections = plan(seed, kinds)
    except ValueError as refused:
        parser.error(str(refused))
    wanted = islice(injections, asked.injections or (len(kinds) if asked.minutes is None else sys.maxsize))
    folder = Path(os.environ.get("RUN_DIR") or tempfile.mkdtemp(prefix="faults-")).resolve()
    port_base = int(os.environ.get("PORT_BASE") or free_port_base())
    outcome = Outcome()
    print(f"seed {seed}; stack in {folder}, ports from {port_base}", flush=True)
    try:
        error = _run(asked, seed, wanted, folder, port_base, outcome, disk=DISK_FULL in kinds)
    except NoSmallDiskError as refused:
        parser.error(f"{DISK_FULL}: {refused}")
    _RESULT.parent.mkdir(exist_ok=True)
    summary = {"seed": seed, "error": error} | outcome.to_dict()
    _RESULT.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    slowest = max((one.recovery_seconds for one in outcome.injected), default=0.0)
    print(f"{len(outcome.injected)} faults injected, slowest recovery {slowest:.1f} s; all in {_RESULT}")
    if error:
        print(f"FAILED (seed {seed}, stack kept in {folder}): {error}", file=sys.stderr)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print(f"oracle 0 tables differ; {outcome.reconciled}")
    return 0


def _run(
    asked: argparse.Namespace,
    seed: int,
    wanted: Iterator[Injection],
    folder: Path,
    port_base: int,
    outcome: Outcome,
    *,
    disk: bool,
) -> str | None:
    """Start the stack, inject, judge, stop; returns what went wrong."""
    config = StackConfig(
        run_dir=folder,
        port_base=port_base,
        checkpoint_seconds=asked.checkpoint_seconds,
        start_timeout_seconds=900,
    )
    deadline = time.monotonic() + 60 * (asked.minutes or float("inf"))
    with (
        TcpProxy(config.clickhouse_port) as store,
        TcpProxy(config.redis_port) as cache,
        small_disk(folder / "clickhouse") if disk else nullcontext() as mounted,
    ):
        through = ("--clickhouse-url", f"http://{HOST}:{store.port}", "--redis-url", f"redis://{HOST}:{cache.port}/0")
        stack = Stack(replace(config, job_options=through), report=lambda line: print(line, flush=True))
        records = folder / "records"
        records.mkdir(parents=True, exist_ok=True)
        rig = Rig(stack, records, seed, "f", store, cache, mounted)
        try:
            stack.up(without=["prometheus"])
            while time.monotonic() < deadline:
                injections = list(islice(wanted, asked.round))
                if not injections:
                    break
                run_round(rig, injections, asked.rate, asked.patience, lambda line: print(line, flush=True), outcome)
            invariants.stored_is_right(rig)
            outcome.reconciled = invariants.counts_reconcile(rig)
        except (FaultError, StackError) as error:
            return str(error)
        except KeyboardInterrupt:
            return "interrupted"
        finally:
            stack.down()
    return None


if __name__ == "__main__":
    sys.exit(main())
