"""Start, recognise and stop processes.

A record of a process holds its start time, so a recycled process id is never signalled.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Leaving these would make a component import another environment's packages.
_NOT_INHERITED = (
    "VIRTUAL_ENV",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "FLINK_CONF_DIR",
    "FLINK_LIB_DIR",
    "FLINK_HOME",
    "JVM_ARGS",
)
_POLL_SECONDS = 0.05
_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process that was started, and leads its own session."""

    pid: int
    started: int
    """Start time in clock ticks since boot, as the kernel reports it."""


def _status(pid: int) -> tuple[str, int, int] | None:
    """Return (state, session id, start time in ticks) of a process, None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold anything, so the rest is counted from its end.
    rest = text.rpartition(")")[2].split()
    return rest[0], int(rest[3]), int(rest[19])


# Exit codes of children of this process, kept when they are collected.
_exit_codes: dict[int, int] = {}


def alive(record: ProcessRecord) -> bool:
    """Tell whether the recorded process still runs; a zombie does not."""
    with contextlib.suppress(ChildProcessError):
        pid, waited = os.waitpid(record.pid, os.WNOHANG)
        if pid:
            _exit_codes[pid] = os.waitstatus_to_exitcode(waited)
    status = _status(record.pid)
    return status is not None and status[0] != "Z" and status[2] == record.started


def exit_code(record: ProcessRecord) -> int | None:
    """Return the exit code of an ended child of this process (negative: its signal), None for any other."""
    return None if alive(record) else _exit_codes.get(record.pid)


def session_members(record: ProcessRecord) -> Iterator[ProcessRecord]:
    """Yield the living processes of the record's session: itself and what it has started."""
    leader = _status(record.pid)
    if leader is not None and leader[2] != record.started:
        return  # the id belongs to somebody else now, and so would its session
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            status = _status(int(folder.name))
            if status is not None and status[0] != "Z" and status[1] == record.pid and status[2] >= record.started:
                yield ProcessRecord(int(folder.name), status[2])


def start(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> ProcessRecord:
    """Start a program in its own session, detached from the terminal, with its output appended to `log`.

    Raises:
        OSError: the program does not exist or cannot be run.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=inherited | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Nobody waits for the child through this object; `alive` collects it when it has ended.
    child.returncode = 0
    status = _status(child.pid)
    return ProcessRecord(child.pid, status[2] if status else 0)


def _signal(record: ProcessRecord, number: signal.Signals) -> None:
    if alive(record):
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, number)


def stop(record: ProcessRecord, seconds: float) -> bool:
    """Ask the process to stop, wait `seconds`, then kill it and all it has started.

    Returns whether it stopped when asked.
    """
    _signal(record, signal.SIGTERM)
    clean = wait_until_gone(record, seconds)
    kill(record)
    return clean


def kill(record: ProcessRecord) -> None:
    """Kill the process and all it has started, and wait until they are gone."""
    members = list(session_members(record))
    for member in members:
        _signal(member, signal.SIGKILL)
    for member in members:
        wait_until_gone(member, _KILL_SECONDS)


def wait_until_gone(record: ProcessRecord, seconds: float) -> bool:
    """Wait until the process has ended; returns False if it still runs after `seconds`."""
    deadline = time.monotonic() + seconds
    while alive(record):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


@dataclass(frozen=True, slots=True)
class ProcessRecords:
    """The process records of a stack, one file a component."""

    folder: Path

    def read(self, name: str) -> ProcessRecord | None:
        """Return the record of a component, None if there is none."""
        try:
            return ProcessRecord(**json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, name: str, record: ProcessRecord) -> None:
        """Keep the record of a component."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{name}.json"
        draft = target.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(record)), encoding="utf-8")
        draft.replace(target)

    def remove(self, name: str) -> None:
        """Forget a component."""
        (self.folder / f"{name}.json").unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of all components that have a record."""
        return sorted(path.stem for path in self.folder.glob("*.json"))
