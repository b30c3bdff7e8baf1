"""Start components in the order of their needs, each as soon as it can, and wait until every one answers."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local import process
from local.component import Component, StackError
from local.config import REPOSITORY
from local.ports import require_free

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from local.config import StackConfig
    from local.process import ProcessRecord, ProcessRecords

_POLL_SECONDS = 0.1
# How often a wait is explained: often enough to see that nothing hangs.
_EXPLAIN_SECONDS = 10.0
_LOG_LINES = 25
_FRAMES = ("at ", "... ")


@dataclass(slots=True)
class _Start:
    component: Component
    record: ProcessRecord
    began: float
    explained: float
    launched: bool
    """Started by this call, and not found running."""


def log_path(config: StackConfig, name: str) -> Path:
    """Return the log file of a component."""
    return config.logs / f"{name}.log"


def launch(config: StackConfig, records: ProcessRecords, component: Component) -> ProcessRecord:
    """Start the process of a component, without waiting for it.

    Raises:
        StackError: a port is busy, or the component could not be prepared or started.
    """
    require_free(component.name, component.ports, config.port_base)
    component.prepare()
    command = component.command()
    log = log_path(config, component.name)
    if log.exists():  # what is read at a failure must belong to it
        log.replace(log.with_suffix(".previous.log"))
    try:
        record = process.start(command, component.environment, REPOSITORY, log)
    except OSError as error:
        raise StackError(
            f"{component.name}: {command[0]} cannot be started ({error.strerror}): run `make toolchain env`"
        ) from error
    records.write(component.name, record)
    return record


def start_all(
    config: StackConfig, records: ProcessRecords, components: Sequence[Component], report: Callable[[str], None]
) -> None:
    """Start the components that do not run yet and return when all are ready.

    Each line of progress goes to `report`. On an error, or when interrupted, what this call has started is stopped
    again.

    Raises:
        StackError: naming the component that did not start, why, and the end of its log.
    """
    names = {component.name for component in components}
    waiting = list(components)
    starting: list[_Start] = []
    ready: set[str] = set()
    launched: list[_Start] = []
    try:
        while waiting or starting:
            for component in [one for one in waiting if ready.issuperset(names.intersection(one.needs))]:
                waiting.remove(component)
                starting.append(_begin(config, records, component))
                if starting[-1].launched:
                    launched.append(starting[-1])
            for one in [one for one in starting if _is_ready(config, one, report)]:
                starting.remove(one)
                ready.add(one.component.name)
            if starting:
                time.sleep(_POLL_SECONDS)
    except BaseException:
        for one in reversed(launched):
            process.stop(one.record, one.component.stop_seconds)
            records.remove(one.component.name)
        raise


def _begin(config: StackConfig, records: ProcessRecords, component: Component) -> _Start:
    now = time.monotonic()
    record = records.read(component.name)
    if record is not None and (process.alive(record) if component.exists is None else component.exists()):
        return _Start(component, record, now, now, launched=False)
    return _Start(component, launch(config, records, component), now, now, launched=True)


def _is_ready(config: StackConfig, one: _Start, report: Callable[[str], None]) -> bool:
    name = one.component.name
    log = log_path(config, name)
    if one.launched:
        ended = not process.alive(one.record)
        code = process.exit_code(one.record)
        if ended and (one.component.exists is None or code):
            raise StackError(f"{name} ended with code {code} before it was ready. The end of {log}:\n{_tail(log)}")
        if not ended and one.component.exists is not None:
            missing: str | None = "is being submitted"
        else:
            missing = one.component.missing()
    else:
        missing = one.component.missing()
    now = time.monotonic()
    if missing is None:
        _finish(one.component)
        state = f"ready after {time.monotonic() - one.began:.1f} s" if one.launched else "was running"
        report(f"{name:<14} {state:<19} {one.component.address}".rstrip())
        return True
    if now - one.began > config.start_timeout_seconds:
        raise StackError(
            f"{name} was not ready after {config.start_timeout_seconds} s: {missing}. The end of {log}:\n{_tail(log)}\n"
            "On a slow machine, set START_TIMEOUT_SECONDS higher."
        )
    if now - one.explained > _EXPLAIN_SECONDS:
        one.explained = now
        report(f"{name:<14} waiting: {missing}")
    return False


def _finish(component: Component) -> None:
    try:
        component.finish()
    except Exception as error:  # whatever a client library raises, the user needs the component's name beside it
        raise StackError(f"{component.name} answers, but could not be set up: {error}") from error


def _tail(log: Path) -> str:
    """Return the last lines of a log without Java's stack frames, which bury what went wrong."""
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            telling = (line for line in lines if not line.lstrip().startswith(_FRAMES))
            return "".join(deque(telling, _LOG_LINES)).rstrip()
    except OSError:
        return "(empty)"
