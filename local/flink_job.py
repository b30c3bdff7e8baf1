"""The measurement job on the local cluster: submit it, resume it from its newest snapshot, stop it with a savepoint."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local import flink_cluster
from local.component import Component
from local.config import HOST, REPOSITORY
from local.http_probe import HttpProbeError, get_json, patch, post_json

if TYPE_CHECKING:
    from local.config import StackConfig

JOB_NAME = "tributary-measurement"
# Long enough for a savepoint of a few GB on a busy machine; after that the newest checkpoint serves as well.
_SAVEPOINT_SECONDS = 60.0
_CANCEL_SECONDS = 30.0
_POLL_SECONDS = 0.2
# The newest checkpoint may be several starts old when the jobs since then did not live to make one.
_JOBS_REMEMBERED = 20
_CAUSE_LENGTH = 500
# The command plans the job once and ends: compiling less of the planner halved its CPU time (22 s to 12 s, measured).
_SHORT_LIVED_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_ENDED = frozenset({"FINISHED", "CANCELED", "FAILED", "SUSPENDED"})


class SavepointError(Exception):
    """A savepoint was not taken; the message says why."""


@dataclass(frozen=True, slots=True)
class JobState:
    """One job as Flink shows it."""

    job_id: str
    name: str
    state: str
    started: int
    """UTC, ms."""


def component(config: StackConfig, *, fresh: bool = False, await_operators: bool = True) -> Component:
    """Describe the submission of the measurement job; `fresh` forgets its state and reads the topic from the start.

    It is ready when all its operators run, or without `await_operators` once the JobManager knows it.
    """
    snapshot = None if fresh else newest_snapshot(config)
    restore = () if snapshot is None else ("-s", snapshot.as_uri(), "--claimMode", "claim")
    options = {
        "--kafka-bootstrap": f"{HOST}:{config.kafka_port}",
        "--clickhouse-url": f"http://{HOST}:{config.clickhouse_port}",
        "--clickhouse-database": config.clickhouse_database,
        "--redis-url": f"redis://{HOST}:{config.redis_port}/0",
        "--registry": str(REPOSITORY / "avro"),
        "--job-name": JOB_NAME,
        # Reading, decoding and storing want both slots. What follows has a tenth of the rows, and costs by the batch
        # and by the insert, which two parts make twice as many of.
        "--derived-parallelism": "1",
    }
    if fresh:
        options["--start"] = "earliest"
    return Component(
        name="job",
        needs=("kafka", "clickhouse", "redis", "jobmanager", *_taskmanagers(config)),
        command=lambda: (
            str(flink_cluster.FLINK_HOME / "bin" / "flink"),
            "run",
            "--detached",
            "--parallelism",
            str(config.parallelism),
            *restore,
            "--pyClientExecutable",
            str(flink_cluster.JOBS_PYTHON),
            "--python",
            str(REPOSITORY / "jobs" / "measurement.py"),
            *(part for option in options.items() for part in option),
            *config.job_options,
        ),
        environment=flink_cluster.environment(config, "jobmanager") | {"JVM_ARGS": _SHORT_LIVED_JVM},
        missing=lambda: (_missing if await_operators else _unknown)(config),
        finish=lambda: _remember(config),
        before_stop=lambda: stop(config),
        exists=lambda: _exists(config),
        address="from the start of its topic"
        if snapshot is None
        else f"resumed from {snapshot.parent.name}/{snapshot.name}",
    )


def _taskmanagers(config: StackConfig) -> tuple[str, ...]:
    return tuple(flink_cluster.taskmanager_name(number) for number in range(1, config.taskmanagers + 1))


def jobs(config: StackConfig) -> list[JobState]:
    """Return the jobs of the cluster, ended ones too; raises HttpProbeError."""
    listed = get_json(config.flink_port, "/jobs/overview")["jobs"]
    return [JobState(one["jid"], one["name"], one["state"], one["start-time"]) for one in listed]


def running_job(config: StackConfig, name: str = JOB_NAME) -> JobState | None:
    """Return the newest job of that name that has not ended, None if there is none; raises HttpProbeError."""
    live = [job for job in jobs(config) if job.name == name and job.state not in _ENDED]
    return max(live, key=lambda job: job.started, default=None)


def forgotten(config: StackConfig) -> bool:
    """Tell whether a JobManager answers that knows of no measurement job, not even of one that has ended."""
    try:
        return all(job.name != JOB_NAME for job in jobs(config))
    except (HttpProbeError, KeyError):
        return False


def newest_snapshot(config: StackConfig) -> Path | None:
    """Return the folder of the newest complete savepoint or retained checkpoint of the measurement job."""
    kept = flink_cluster.folder(config)
    folders = [kept / "savepoints", *(kept / "checkpoints" / job_id for job_id in _remembered(config))]
    # The metadata file is written last: a folder without one is not complete.
    complete = [found for folder in folders for found in folder.glob("*/_metadata")]
    return max(complete, key=lambda found: found.stat().st_mtime).parent if complete else None


def stop(config: StackConfig) -> str:
    """Stop the job, with a savepoint if it can be, and return what the user should know; raises nothing."""
    try:
        job = running_job(config)
        if job is None:
            return "was not running"
        try:
            return f"stopped, its state is in {stop_with_savepoint(config, job)}"
        except SavepointError as error:
            _cancel(config, job)
            return f"stopped without a savepoint ({error}); resumes from its newest checkpoint"
    except HttpProbeError as error:
        return f"left as it is: the JobManager does not answer ({error}); it will resume from its newest checkpoint"


def stop_with_savepoint(config: StackConfig, job: JobState) -> Path:
    """Stop the job after a savepoint and return the savepoint's folder.

    Raises:
        SavepointError: it failed or took too long; the job still runs.
        HttpProbeError: the JobManager does not answer.
    """
    target = (flink_cluster.folder(config) / "savepoints").as_uri()
    request = post_json(config.flink_port, f"/jobs/{job.job_id}/stop", {"targetDirectory": target, "drain": False})
    path = f"/jobs/{job.job_id}/savepoints/{request['request-id']}"
    deadline = time.monotonic() + _SAVEPOINT_SECONDS
    while time.monotonic() < deadline:
        answer = get_json(config.flink_port, path)
        if answer["status"]["id"] == "COMPLETED":
            operation = answer["operation"]
            if "location" in operation:
                return Path(operation["location"].removeprefix("file:"))
            raise SavepointError(innermost_cause(operation.get("failure-cause", {}).get("stack-trace", "")))
        time.sleep(_POLL_SECONDS)
    raise SavepointError(f"it took more than {_SAVEPOINT_SECONDS:g} s")


def _cancel(config: StackConfig, job: JobState) -> None:
    """Cancel the job and wait until it has ended; its newest checkpoint is kept. Raises HttpProbeError."""
    patch(config.flink_port, f"/jobs/{job.job_id}?mode=cancel")
    deadline = time.monotonic() + _CANCEL_SECONDS
    while running_job(config, job.name) is not None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _record(config: StackConfig) -> Path:
    return flink_cluster.folder(config) / "measurement-jobs.json"


def _remembered(config: StackConfig) -> list[str]:
    try:
        return list(json.loads(_record(config).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []


def _remember(config: StackConfig) -> None:
    """Note the id of the running job: its checkpoints are found under it, beside those of other jobs."""
    job = running_job(config)
    if job is not None:
        known = [job_id for job_id in _remembered(config) if job_id != job.job_id]
        _record(config).write_text(json.dumps([*known, job.job_id][-_JOBS_REMEMBERED:]), encoding="utf-8")


def _exists(config: StackConfig) -> bool:
    try:
        return running_job(config) is not None
    except HttpProbeError:
        return False


def _unknown(config: StackConfig) -> str | None:
    return None if _exists(config) else "is not known to the JobManager"


def _missing(config: StackConfig) -> str | None:
    try:
        job = running_job(config)
        if job is None:
            return "is not known to the JobManager"
        vertices: list[dict[str, Any]] = get_json(config.flink_port, f"/jobs/{job.job_id}")["vertices"]
        waiting = [vertex for vertex in vertices if vertex["status"] not in {"RUNNING", "FINISHED"}]
        # A job that the JobManager still initializes has no operators yet.
        if vertices and not waiting:
            return None
        return f"is {job.state}, {len(waiting)} of {len(vertices)} operators are not running{_root_cause(config, job)}"
    except (HttpProbeError, KeyError) as error:
        return str(error)


def _root_cause(config: StackConfig, job: JobState) -> str:
    entries = get_json(config.flink_port, f"/jobs/{job.job_id}/exceptions?maxExceptions=1")["exceptionHistory"][
        "entries"
    ]
    return f"; {innermost_cause(entries[0]['stacktrace'])}" if entries else ""


def innermost_cause(stack_trace: str) -> str:
    """Return the innermost message of a Java stack trace, with the lines that follow it up to the first frame."""
    lines = [line for line in stack_trace.splitlines() if line and not line.startswith(("\tat ", "\t... "))]
    innermost = [number for number, line in enumerate(lines) if line.startswith("Caused by: ")]
    return " ".join(lines[innermost[-1] if innermost else 0 :])[:_CAUSE_LENGTH].removeprefix("Caused by: ")
