"""Starts again what dies while a stack is up: a standalone Flink cluster does not replace a TaskManager by itself."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local import flink_job, process
from local.catalogue import JOB, SIMULATOR
from local.component import StackBusyError, StackError
from local.http_probe import HttpProbeError
from local.stack import SUPERVISOR, Stack

if TYPE_CHECKING:
    from local.config import StackConfig

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25
# The JobManager is asked for this: rarely enough to cost nothing, and little beside the submission that may follow.
_JOB_LOOK_SECONDS = 2.0
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0
# Whoever has run for this long starts again without delay the next time.
_HEALTHY_SECONDS = 60.0
# The command that submits the job ends at once, and the demo producer when it was told to.
_NOT_WATCHED = frozenset({SUPERVISOR, JOB, SIMULATOR})


@dataclass(slots=True)
class Failures:
    """How often one component has died of late, and when it is due to be started again (monotonic seconds)."""

    count: int = 0
    newest: float = 0.0
    due: float = 0.0

    def note(self, now: float) -> float:
        """Count one more and return the seconds until the next attempt."""
        if now - self.newest > _HEALTHY_SECONDS:
            self.count = 0
        jitter = random.uniform(0.8, 1.0)  # noqa: S311 - not a secret
        delay = jitter * min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0**self.count)
        self.count += 1
        self.newest = now
        self.due = now + delay
        return delay


def supervise(config: StackConfig) -> None:
    """Watch the stack until SIGTERM, or until it is no longer this process that its records name."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    stack = Stack(config)
    failures: dict[str, Failures] = {}
    while not stopping.wait(_LOOK_SECONDS):
        own = stack.records.read(SUPERVISOR)
        if own is not None and own.pid != os.getpid():
            log.info("another supervisor has taken over")
            return
        if not config.run_dir.exists():
            log.info("%s is gone", config.run_dir)
            return
        for name in _dead(stack):
            _revive(stack, name, failures.setdefault(name, Failures()))
        _submit_again(stack, failures.setdefault(JOB, Failures()))


def _dead(stack: Stack) -> list[str]:
    names = []
    for name in stack.records.names():
        record = stack.records.read(name)
        if name not in _NOT_WATCHED and record is not None and not process.alive(record):
            names.append(name)
    return names


def _revive(stack: Stack, name: str, failures: Failures) -> None:
    now = time.monotonic()
    if failures.due == 0.0:
        log.warning("%s has died, starting it again in %.1f s", name, failures.note(now))
        return
    if now < failures.due:
        return
    failures.due = 0.0
    try:
        if stack.revive(name):
            log.info("%s was started again", name)
    except StackError as error:
        log.warning("%s could not be started: %s", name, error)


def _submit_again(stack: Stack, failures: Failures) -> None:
    """Bring the job back when the JobManager has forgotten it: without high availability it does so when it dies."""
    now = time.monotonic()
    if now < failures.due or stack.records.read(JOB) is None:
        return
    if not flink_job.forgotten(stack.config):
        failures.due = now + _JOB_LOOK_SECONDS
        return
    failures.note(now)
    try:
        if stack.revive_job():
            job = flink_job.running_job(stack.config)
            log.info("the job was submitted again as %s", job.job_id if job else "(unknown)")
    except StackBusyError:
        log.info("the job is being submitted by another command")
    except (StackError, HttpProbeError) as error:
        log.warning("the job could not be submitted again: %s", error)
