"""One stack: bring it up, look at it, change it, take it down."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local import endpoints, flink_cluster, flink_job, process
from local.catalogue import JOB, builders, choose
from local.component import Component, StackBusyError, StackError
from local.config import REPOSITORY
from local.process import ProcessRecord, ProcessRecords
from local.startup import launch, log_path, start_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from local.config import StackConfig

SUPERVISOR = "supervisor"
# Another command of the same stack is given this long to finish before the user is told.
_LOCK_SECONDS = 10.0
_SUPERVISOR_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """What is known of one component."""

    name: str
    pid: int
    state: str
    """`ready`, `ended`, or what is missing until it answers."""


class Stack:
    """The processes under one RUN_DIR. Safe to use from several processes: commands that change it take turns."""

    def __init__(self, config: StackConfig, report: Callable[[str], None] = lambda _line: None) -> None:
        """Look at the stack of `config`; nothing is started. Lines of progress go to `report`."""
        self.config = config
        self.records = ProcessRecords(config.run_dir / "pids")
        self._report = report

    def up(
        self, only: Iterable[str] = (), without: Iterable[str] = (), *, supervise: bool = True
    ) -> dict[str, str | None]:
        """Start what does not run yet, return the endpoints when everything answers.

        `only` and `without` choose components by name (`flink` stands for all of Flink). With `supervise`, a
        background process starts again whatever dies while the stack is up.

        Raises:
            StackError: a component did not start; what this call started has been stopped again.
        """
        names = choose(self.config, only, without)
        with self._turn():
            self._start(names)
            if supervise:
                self._supervise()
            return endpoints.write(self.config, self.records.names())

    def endpoints(self) -> dict[str, str | None]:
        """Return the addresses, None for what is not part of the stack; raises StackError if it is not up."""
        return endpoints.read(self.config)

    def down(self) -> None:
        """Stop everything in reverse order; the job with a savepoint. Data stays in RUN_DIR."""
        # First, and before waiting for its turn: the supervisor takes turns itself.
        self._stop_process(SUPERVISOR, _SUPERVISOR_STOP_SECONDS)
        with self._turn():
            for name, build in reversed(builders(self.config).items()):
                if self.records.read(name) is not None:
                    self._stop(build())
            for name in self.records.names():  # of a larger stack that was started with other settings
                self._stop_process(name, _SUPERVISOR_STOP_SECONDS)
            endpoints.remove(self.config)

    def restart(self, name: str) -> None:
        """Stop one component cleanly and start it again; the job, and a JobManager's job, resume from a savepoint.

        Raises:
            StackError: the component is not part of the running stack, or did not come back.
        """
        self._known(name)
        with self._turn():
            names = [name]
            if name == "jobmanager" and self.records.read(JOB) is not None:
                names.append(JOB)
            for one in reversed(names):
                self._stop(builders(self.config)[one]())
            self._start(names)

    def submit(self, *, fresh: bool = False) -> None:
        """Submit the measurement job, in place of the one that runs.

        It resumes from a savepoint of that one, or the newest snapshot. With `fresh` it forgets all state and reads
        its topic from the start, which writes the same rows again.

        Raises:
            StackError: the job did not start.
        """
        with self._turn():
            if self.records.read(JOB) is not None:
                self._stop(builders(self.config)[JOB]())
            start_all(self.config, self.records, [flink_job.component(self.config, fresh=fresh)], self._report)

    def kill(self, name: str) -> int:
        """Kill a component as a crash would (SIGKILL) and return the process id it had.

        The supervisor starts it again.

        Raises:
            StackError: it is not part of the running stack, or not a process.
        """
        record = self._known(name)
        if name == JOB:
            raise StackError(
                "the job is not a process: kill a TaskManager or the JobManager, or cancel the job on Flink's pages"
            )
        process.kill(record)
        return record.pid

    def kill_taskmanager(self, number: int) -> int:
        """Kill TaskManager `number`, counted from 1, as a crash would, and return the process id it had."""
        return self.kill(flink_cluster.taskmanager_name(number))

    def wait_ready(self, name: str, seconds: float, *, not_pid: int | None = None) -> ProcessRecord:
        """Wait until the component runs (as another process than `not_pid`) and answers, and return its process.

        Raises:
            StackError: it was not ready after `seconds`.
        """
        component = builders(self.config)[name]()
        deadline = time.monotonic() + seconds
        missing: str | None = "is not running"
        while time.monotonic() < deadline:
            record = self.records.read(name)
            if record is not None and record.pid != not_pid and (component.exists is not None or process.alive(record)):
                missing = component.missing()
                if missing is None:
                    return record
            time.sleep(_POLL_SECONDS)
        raise StackError(f"{name} was not ready after {seconds:g} s: {missing}. See {log_path(self.config, name)}")

    def status(self) -> list[ComponentStatus]:
        """Return the state of every component that was started and not stopped."""
        found = []
        for name, build in [*builders(self.config).items(), (SUPERVISOR, None)]:
            record = self.records.read(name)
            if record is None:
                continue
            component = build() if build else None
            lasts = component is None or component.exists is None
            missing = component.missing() if component else None
            state = "ended" if lasts and not process.alive(record) else missing or "ready"
            found.append(ComponentStatus(name, record.pid, state))
        return found

    def revive(self, name: str) -> bool:
        """Start a component again if its process has died; used by the supervisor. Returns whether it did.

        Raises:
            StackError: it could not be started.
        """
        with self._turn():
            record = self.records.read(name)
            if record is None or process.alive(record):
                return False
            process.kill(record)  # what it may have left behind: workers of its own
            launch(self.config, self.records, builders(self.config)[name]())
            return True

    def revive_job(self) -> bool:
        """Submit the job again if the JobManager has forgotten it; used by the supervisor. Returns whether it did.

        Does not wait for the job's operators: a TaskManager that they wait for may have to be revived first.

        Raises:
            StackError: it could not be submitted; it is still part of the stack.
        """
        with self._turn():
            record = self.records.read(JOB)
            if record is None or not flink_job.forgotten(self.config):
                return False
            process.kill(record)  # the command that submits it may still wait for the JobManager that died
            try:
                start_all(
                    self.config, self.records, [flink_job.component(self.config, await_operators=False)], self._report
                )
            except StackError:
                self.records.write(JOB, record)
                raise
            return True

    def _start(self, names: Sequence[str]) -> None:
        available = builders(self.config)
        start_all(self.config, self.records, [available[name]() for name in names], self._report)

    def _known(self, name: str) -> ProcessRecord:
        record = self.records.read(name)
        if name not in builders(self.config) or record is None:
            running = ", ".join(one for one in self.records.names() if one != SUPERVISOR)
            raise StackError(f"{name!r} is not part of this stack; running are: {running or 'none'}")
        return record

    def _stop(self, component: Component) -> None:
        told = component.before_stop()
        if told:
            self._report(f"{component.name:<14} {told}")
        self._stop_process(component.name, component.stop_seconds)

    def _stop_process(self, name: str, seconds: float) -> None:
        record = self.records.read(name)
        if record is None:
            return
        began = time.monotonic()
        ran = process.alive(record)
        clean = process.stop(record, seconds)
        self.records.remove(name)
        if not ran:
            return
        how = "stopped" if clean else f"killed, it did not stop within {seconds:g} s"
        self._report(f"{name:<14} {how} after {time.monotonic() - began:.1f} s")

    def _supervise(self) -> None:
        record = self.records.read(SUPERVISOR)
        if record is not None and process.alive(record):
            return
        command = (sys.executable, "-m", "local", "supervise")
        environment = self.config.to_environment() | {"PYTHONPATH": str(REPOSITORY)}
        self.records.write(
            SUPERVISOR, process.start(command, environment, REPOSITORY, log_path(self.config, SUPERVISOR))
        )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the stack's lock: one command at a time changes it."""
        self.config.run_dir.mkdir(parents=True, exist_ok=True)
        with (self.config.run_dir / "lock").open("a+", encoding="utf-8") as lock:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        lock.seek(0)
                        raise StackBusyError(
                            f"another command (process {lock.read().strip()}) is changing the stack in "
                            f"{self.config.run_dir}; wait for it, or interrupt it"
                        ) from None
                    time.sleep(_POLL_SECONDS)
            lock.seek(0)
            lock.truncate()
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield
