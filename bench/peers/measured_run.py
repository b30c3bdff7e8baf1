"""Run programs and measure them: wall-clock and processor seconds, of all processes that they start."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import process
from local.config import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.process import ProcessRecord

BENCH_PYTHON = str(REPOSITORY / ".venv" / "bench" / "bin" / "python")

# Ticks of the kernel's accounting a second; fixed on Linux.
_TICKS = 100
_SAMPLE_SECONDS = 0.2
_LOG_LINES = 15


class PeerError(Exception):
    """A program failed or took too long; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one run."""

    wall: float
    cpu: float


def cpu_seconds(records: Sequence[ProcessRecord]) -> dict[tuple[int, int], float]:
    """Return the processor seconds so far of every process of these sessions, by process id and start."""
    found = {}
    for record in records:
        for member in process.session_members(record):
            try:
                text = Path(f"/proc/{member.pid}/stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            fields = text.rpartition(")")[2].split()
            found[member.pid, member.started] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def run(commands: Sequence[Sequence[str]], environments: Sequence[Mapping[str, str]], log: Path, limit: float) -> Cost:
    """Run programs side by side until all have ended.

    Raises:
        PeerError: one ended with an error, or they took more than `limit` seconds; all are stopped then.
    """
    began = time.monotonic()
    started = [
        process.start(command, {"PYTHONPATH": str(REPOSITORY)} | dict(environment), REPOSITORY, log)
        for command, environment in zip(commands, environments, strict=True)
    ]
    used: dict[tuple[int, int], float] = {}
    try:
        while any(process.alive(one) for one in started):
            used |= cpu_seconds(started)
            if time.monotonic() - began > limit:
                raise PeerError(f"{commands[0][-1]} took more than {limit:g} s; {_tail(log)}")
            time.sleep(_SAMPLE_SECONDS)
        wall = time.monotonic() - began
        if any(process.exit_code(one) for one in started):
            raise PeerError(f"{' '.join(commands[0][:4])} failed; {_tail(log)}")
        return Cost(wall, sum(used.values()))
    finally:
        for one in started:
            process.kill(one)


def check_output(command: Sequence[str]) -> str:
    """Return what a short program prints; raises PeerError."""
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise PeerError(f"{' '.join(command[:4])} failed: {done.stderr[-1000:]}")
    return done.stdout


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    return f"the end of {log}:\n" + "\n".join(lines)
