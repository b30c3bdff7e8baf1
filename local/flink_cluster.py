"""Flink: a standalone session cluster from the pip package, one JobManager and TaskManagers of one slot each."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import yaml

from local import flink_jvm
from local.component import Component, StackError
from local.config import HOST, REPOSITORY
from local.http_probe import HttpProbeError, get_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.config import StackConfig

JOBS_PYTHON = REPOSITORY / ".venv" / "jobs" / "bin" / "python"
_SITE_PACKAGES = JOBS_PYTHON.parent.parent / "lib" / "python3.11" / "site-packages"
FLINK_HOME = _SITE_PACKAGES / "pyflink"
_CONNECTOR_JARS = REPOSITORY / ".cache" / "jars" / "flink"
_TEMPLATES = REPOSITORY / "flink-conf" / "local"
CONFIG_NAME = "config.yaml"


def folder(config: StackConfig) -> Path:
    """Return the folder of everything that Flink keeps."""
    return config.run_dir / "flink"


def conf_folder(config: StackConfig, process: str) -> Path:
    """Return the configuration folder of one Flink process."""
    return folder(config) / "conf" / process


def taskmanager_name(number: int) -> str:
    """Return the component name of a TaskManager, counted from 1."""
    return f"taskmanager-{number}"


def environment(config: StackConfig, process: str) -> dict[str, str]:
    """Return the variables with which Flink finds our configuration, jars and packages."""
    return {
        "FLINK_CONF_DIR": str(conf_folder(config, process)),
        # flink-python and the connectors are loaded by the cluster itself. Loaded with each job instead, thread mode
        # fails at the second job or the first restart in a JVM, because a native library cannot be loaded twice.
        "FLINK_LIB_DIR": str(folder(config) / "lib"),
        "FLINK_OPT_DIR": str(FLINK_HOME / "opt"),
        "FLINK_PLUGINS_DIR": str(FLINK_HOME / "plugins"),
        "FLINK_BIN_DIR": str(FLINK_HOME / "bin"),
        "FLINK_LOG_DIR": str(config.logs),
        # The interpreter inside a TaskManager does not know of the virtual environment it was made for.
        "PYTHONPATH": f"{REPOSITORY}:{_SITE_PACKAGES}",
        # The Python workers use some ten megabytes for a batch and give them back, three times a second: at glibc's
        # thresholds that was two page faults an event. The production image has jemalloc, which keeps them for a while.
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    }


def jobmanager(config: StackConfig) -> Component:
    """Describe the JobManager of a stack."""
    return Component(
        name="jobmanager",
        ports={
            "REST": config.flink_port,
            "RPC": config.jobmanager_rpc_port,
            "metrics": config.jobmanager_metrics_port,
        },
        prepare=lambda: _prepare(
            config,
            "jobmanager",
            {
                "metrics.reporter.prom.port": config.jobmanager_metrics_port,
                "web.log.path": str(config.logs / "jobmanager.log"),
            },
        ),
        command=lambda: _command(config, "jobmanager", flink_jvm.Kind.JOBMANAGER),
        environment=environment(config, "jobmanager"),
        missing=lambda: _jobmanager_missing(config),
        address=f"http://{HOST}:{config.flink_port}",
    )


def taskmanager(config: StackConfig, number: int) -> Component:
    """Describe TaskManager `number` of a stack, counted from 1."""
    name = taskmanager_name(number)
    metrics_port = config.taskmanager_metrics_port(number)
    return Component(
        name=name,
        ports={"metrics": metrics_port},
        prepare=lambda: _prepare(
            config,
            name,
            {
                "metrics.reporter.prom.port": metrics_port,
                "taskmanager.log.path": str(config.logs / f"{name}.log"),
                # Another one at every start, so that a replacement is not taken for the one that died.
                "taskmanager.resource-id": f"{name}-{time.time_ns() // 1_000_000}",
            },
        ),
        command=lambda: _command(config, name, flink_jvm.Kind.TASKMANAGER),
        environment=environment(config, name),
        missing=lambda: _taskmanager_missing(config, name),
        address=f"{config.slots} slots",
    )


def resource_id(config: StackConfig, process: str) -> str | None:
    """Return under which id the running TaskManager registers, None before its first start."""
    try:
        written = yaml.safe_load((conf_folder(config, process) / CONFIG_NAME).read_text(encoding="utf-8"))
    except OSError:
        return None
    return str(written["taskmanager"]["resource-id"])


def _command(config: StackConfig, process: str, kind: flink_jvm.Kind) -> tuple[str, ...]:
    distribution = flink_jvm.Distribution(home=FLINK_HOME, lib=folder(config) / "lib")
    return flink_jvm.command(distribution, kind, conf_folder(config, process), folder(config) / "jvm")


def _prepare(config: StackConfig, process: str, of_process: Mapping[str, object]) -> None:
    if not (FLINK_HOME / "bin" / "flink").exists():
        raise StackError("Flink is missing from .venv/jobs: run `make env`")
    _link_jars(folder(config) / "lib")
    temporary = folder(config) / "tmp" / process
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed process has left; nothing in it outlives a process
    temporary.mkdir(parents=True)
    target = conf_folder(config, process)
    target.mkdir(parents=True, exist_ok=True)
    for template in _TEMPLATES.glob("log4j*.properties"):
        shutil.copyfile(template, target / template.name)
    settings = yaml.safe_load((_TEMPLATES / CONFIG_NAME).read_text(encoding="utf-8"))
    for key, value in (_of_stack(config) | {"io.tmp.dirs": str(temporary)} | dict(of_process)).items():
        _put(settings, key, value)
    text = yaml.safe_dump(settings, sort_keys=False)
    (target / CONFIG_NAME).write_text("# Written by the local stack at every start.\n" + text, encoding="utf-8")


def _of_stack(config: StackConfig) -> dict[str, object]:
    kept = folder(config)
    return {
        "jobmanager.rpc.address": HOST,
        "jobmanager.rpc.port": config.jobmanager_rpc_port,
        "jobmanager.memory.process.size": f"{config.jobmanager_memory_mb}m",
        "rest.address": HOST,
        "rest.port": config.flink_port,
        "taskmanager.memory.process.size": f"{config.taskmanager_memory_mb}m",
        "taskmanager.numberOfTaskSlots": config.slots,
        "parallelism.default": config.parallelism,
        "execution.checkpointing.interval": f"{config.checkpoint_seconds} s",
        "execution.checkpointing.dir": (kept / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (kept / "savepoints").as_uri(),
        "python.executable": str(JOBS_PYTHON),
        "python.client.executable": str(JOBS_PYTHON),
    }


def _put(settings: dict[str, Any], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        settings = settings.setdefault(parent, {})
    settings[last] = value


def _link_jars(lib: Path) -> None:
    jars = [
        *(FLINK_HOME / "lib").glob("*.jar"),
        *(FLINK_HOME / "opt").glob("flink-python-*.jar"),
        *_CONNECTOR_JARS.glob("*.jar"),
    ]
    if not any(jar.parent == _CONNECTOR_JARS for jar in jars):
        raise StackError("Flink's Kafka connector is missing from .cache/jars/flink: run `make jars`")
    lib.mkdir(parents=True, exist_ok=True)
    wanted = {jar.name: jar for jar in jars}
    for link in lib.iterdir():
        if link.name not in wanted or link.readlink() != wanted[link.name]:
            link.unlink()
    for name, jar in wanted.items():
        # Several processes of a stack may prepare at the same time.
        if not (lib / name).is_symlink():
            try:
                (lib / name).symlink_to(jar)
            except FileExistsError:
                continue


def _jobmanager_missing(config: StackConfig) -> str | None:
    try:
        get_json(config.flink_port, "/overview")
    except HttpProbeError as error:
        return f"/overview: {error}"
    return None


def _taskmanager_missing(config: StackConfig, process: str) -> str | None:
    try:
        registered = get_json(config.flink_port, "/taskmanagers")["taskmanagers"]
    except (HttpProbeError, KeyError) as error:
        return f"/taskmanagers: {error}"
    if resource_id(config, process) not in {one["id"] for one in registered}:
        return "is not registered at the JobManager"
    return None
