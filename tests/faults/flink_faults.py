"""Faults of Flink's processes and of the job: killed, frozen, stopped and resumed, rescaled, replayed."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from local import flink_job, process
from local.http_probe import HttpProbeError
from tests.faults.rig import FaultError

if TYPE_CHECKING:
    from random import Random

    from tests.faults.rig import Rig

TASKMANAGER = "taskmanager-1"
# Longer than the longest that the local stack leaves between two checkpoints, on a machine that is busy.
_CHECKPOINT_SECONDS = 120.0
# Planning the job takes a minute on a machine that is busy.
_SUBMITTED_SECONDS = 600.0
_POLL_SECONDS = 0.2


def _at_a_random_point(rig: Rig, random: Random) -> None:
    time.sleep(random.uniform(0, rig.stack.config.checkpoint_seconds))


def _within_a_checkpoint(rig: Rig, random: Random) -> str:
    name = rig.await_checkpoint(_CHECKPOINT_SECONDS)
    # Barriers take some tenths of a second through the job: anywhere from the trigger to the acknowledgements.
    time.sleep(random.uniform(0, 0.5))
    return f"in {name}"


def taskmanager_killed(rig: Rig, random: Random) -> str:
    """Kill -9 the TaskManager and its Python workers at a random point between two checkpoints."""
    _at_a_random_point(rig, random)
    return f"pid {rig.stack.kill(TASKMANAGER)}"


def taskmanager_killed_in_checkpoint(rig: Rig, random: Random) -> str:
    """Kill -9 the TaskManager while a checkpoint is under way."""
    within = _within_a_checkpoint(rig, random)
    rig.stack.kill(TASKMANAGER)
    return within


def jobmanager_killed(rig: Rig, random: Random) -> str:
    """Kill -9 the JobManager: its job is submitted again from the newest retained checkpoint."""
    _at_a_random_point(rig, random)
    return _kill_jobmanager(rig)


def _kill_jobmanager(rig: Rig) -> str:
    """Kill it and wait for the new submission: a TaskManager that has not noticed works on as if all were well."""
    before = flink_job.running_job(rig.stack.config)
    began = time.monotonic()
    pid = rig.stack.kill("jobmanager")
    while time.monotonic() < began + _SUBMITTED_SECONDS:
        with suppress(HttpProbeError):
            after = flink_job.running_job(rig.stack.config)
            if before and after and after.job_id != before.job_id:
                return f"pid {pid}, job submitted again after {time.monotonic() - began:.1f} s"
        time.sleep(_POLL_SECONDS)
    raise FaultError(f"the job was not submitted again within {_SUBMITTED_SECONDS:g} s")


def jobmanager_killed_in_checkpoint(rig: Rig, random: Random) -> str:
    """Kill -9 the JobManager while a checkpoint is under way: the incomplete one must not be resumed from."""
    within = _within_a_checkpoint(rig, random)
    return f"{within}, {_kill_jobmanager(rig)}"


def cluster_killed(rig: Rig, random: Random) -> str:
    """Kill -9 the JobManager and the TaskManager together, as when their machine goes down."""
    _at_a_random_point(rig, random)
    return f"pids {rig.stack.kill('jobmanager')}, {rig.stack.kill(TASKMANAGER)}"


def python_worker_killed(rig: Rig, random: Random) -> str:
    """Kill -9 one Python worker process of the TaskManager."""
    _at_a_random_point(rig, random)
    leader = rig.record(TASKMANAGER)
    workers = sorted(
        member.pid
        for member in process.session_members(leader)
        if member.pid != leader.pid and _runs(member.pid, "pyflink")
    )
    if not workers:
        raise FaultError("the TaskManager has no Python worker")
    chosen = random.choice(workers)
    with suppress(ProcessLookupError):
        os.kill(chosen, signal.SIGKILL)
    return f"one of {len(workers)} workers"


def _runs(pid: int, what: str) -> bool:
    try:
        return what in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def taskmanager_frozen(rig: Rig, random: Random) -> str:
    """Freeze the TaskManager, sometimes for longer than its heartbeat time-out: it wakes up after it was given up."""
    return rig.freeze(TASKMANAGER, random.choice((random.uniform(2, 10), random.uniform(35, 45))))


def resumed_from_savepoint(rig: Rig, random: Random) -> str:
    """Stop the job with a savepoint and submit it again, as an upgrade does."""
    _at_a_random_point(rig, random)
    rig.submit()
    return ""


def rescaled(rig: Rig, random: Random) -> str:
    """Savepoint and parallelism 1, a while of work, savepoint and the parallelism from before."""
    _at_a_random_point(rig, random)
    rig.submit(slots=1)
    time.sleep(random.uniform(2, 10))
    rig.submit()
    return f"{rig.stack.config.slots} -> 1 -> {rig.stack.config.slots}"


def replayed_in_full(rig: Rig, random: Random) -> str:
    """Forget all state and read the topic from its start into the same tables."""
    _at_a_random_point(rig, random)
    rig.submit(fresh=True)
    return ""
