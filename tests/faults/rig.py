"""What a fault acts on: the stack, the proxies before its stores, and the events that are sent meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from local import flink_cluster, flink_job, process
from local.component import StackBusyError
from local.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.process import ProcessRecord
    from tests.faults.small_disk import SmallDisk
    from tests.faults.tcp_proxy import TcpProxy

# A restart that the supervisor makes holds the stack's lock while the job is planned and submitted.
_TURN_SECONDS = 300.0
# Between two attempts; each waits ten seconds for the lock besides.
_LONGEST_PAUSE_SECONDS = 5.0
_POLL_SECONDS = 0.02
# Sending ends when the broker has everything; it may just have been restarted.
_FINISH_SECONDS = 300.0


class FaultError(Exception):
    """A fault could not be injected, or the system did not come through it; the message says which and how."""


@dataclass
class Rig:
    """One stack under fault. `store` and `cache` stand between the job and ClickHouse, Redis, if faults need them."""

    stack: Stack
    folder: Path
    """Of the record files."""
    seed: int
    prefix: str
    """Begins the names of all producers, and with them tenants; letters and digits."""
    store: TcpProxy | None = None
    cache: TcpProxy | None = None
    disk: SmallDisk | None = None
    """ClickHouse's own, if a fault is to fill it."""
    files: list[Path] = field(default_factory=list)
    """Record files of all finished producers, in the order of their start."""
    produced: int = 0
    """Messages that the broker acknowledged."""
    _started: int = 0

    def tenants(self, name: str) -> tuple[str, ...]:
        """Return the tenants of a producer."""
        return tuple(f"{name}-{number}" for number in range(1, 4))

    def start(self, *options: str) -> tuple[str, subprocess.Popen[str]]:
        """Start a producer with tenants and a record file of its own; return its name and process."""
        self._started += 1
        name = f"{self.prefix}p{self._started}"
        command = [sys.executable, "-m", "bench.world", "produce", "--bootstrap", str(self.stack.endpoints()["kafka"])]
        command += ["--record", str(self.record_file(name)), "--run", name, "--tenants", ",".join(self.tenants(name))]
        command += ["--seed", str((self.seed * 1_000 + self._started) % 2**31), *options]
        self.files.append(self.record_file(name))
        return name, subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def record_file(self, name: str) -> Path:
        """Return where a producer's messages are recorded."""
        return self.folder / f"{name}.jsonl"

    def finish(self, producer: subprocess.Popen[str], *, now: bool = False) -> dict[str, Any]:
        """Wait until a producer has sent everything, or with `now` tell it to end; return its report.

        Raises:
            FaultError: it ended with an error, or a message was not acknowledged.
        """
        if now:
            producer.send_signal(signal.SIGTERM)
        out, _ = producer.communicate(timeout=_FINISH_SECONDS)
        report: dict[str, Any] = json.loads(out.strip().splitlines()[-1]) if out.strip() else {}
        if producer.returncode or report.get("failed") != 0:
            raise FaultError(f"the producer ended with code {producer.returncode}: {out[-500:]}")
        self.produced += int(report["produced"])
        return report

    def record(self, component: str) -> ProcessRecord:
        """Return the process of a component that runs."""
        found = self.stack.records.read(component)
        if found is None:
            raise FaultError(f"{component} is not part of the stack")
        return found

    def freeze(self, component: str, seconds: float) -> str:
        """Stop a component and all it has started (SIGSTOP) for a time, in which it holds its ports and is silent.

        Returns how long, in words.
        """
        members = list(process.session_members(self.record(component)))
        try:
            for member in members:
                with suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGSTOP)
            time.sleep(seconds)
        finally:
            for member in members:
                if process.alive(member):
                    os.kill(member.pid, signal.SIGCONT)
        return f"for {seconds:.1f} s"

    def submit(self, *, fresh: bool = False, slots: int | None = None) -> None:
        """Submit the job again from a savepoint, or with `fresh` from nothing; `slots` changes its parallelism."""
        stack = self.stack
        if slots is not None:
            stack = Stack(replace(stack.config, slots=slots))
        self.in_turn(lambda: stack.submit(fresh=fresh))

    def in_turn(self, action: Callable[[], object]) -> None:
        """Change the stack once the supervisor is not changing it.

        Raises:
            StackError: the change failed, or the supervisor did not end in time.
        """
        Retrying(
            retry=retry_if_exception_type(StackBusyError),
            stop=stop_after_delay(_TURN_SECONDS),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE_SECONDS),
            reraise=True,
        )(action)

    def await_checkpoint(self, seconds: float) -> str:
        """Wait until a checkpoint is under way and return its name; its folder exists and has no metadata yet.

        Raises:
            FaultError: none began in time.
        """
        job = flink_job.running_job(self.stack.config)
        if job is None:
            raise FaultError("the job does not run")
        folder = flink_cluster.folder(self.stack.config) / "checkpoints" / job.job_id
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for checkpoint in folder.glob("chk-*"):
                if not (checkpoint / "_metadata").exists():
                    return checkpoint.name
            time.sleep(_POLL_SECONDS)
        raise FaultError(f"no checkpoint began within {seconds:g} s")
