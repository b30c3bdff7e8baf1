"""Settings that the Flink peers share with the pipeline: RocksDB, exactly-once checkpoints, the same memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyflink.common import Configuration

_JARS = Path(__file__).resolve().parents[2] / ".cache" / "jars" / "flink"


def settings(folder: Path, parallelism: int) -> Configuration:
    """Return the configuration of a cluster inside the client's JVM that keeps its state under `folder`."""
    made = Configuration()
    for name, value in {
        "pipeline.jars": ";".join(jar.as_uri() for jar in sorted(_JARS.glob("*.jar"))),
        "parallelism.default": str(parallelism),
        "taskmanager.numberOfTaskSlots": str(parallelism),
        "taskmanager.memory.managed.size": "768m",
        "state.backend.type": "rocksdb",
        "execution.checkpointing.interval": "30 s",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.dir": (folder / "checkpoints").as_uri(),
    }.items():
        made.set_string(name, value)
    return made


def settings_of_workers(folder: Path, parallelism: int) -> Configuration:
    """Return the same with a Python process for each slot, as on a cluster: a local run would put all Python into the
    client's process."""
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112 - the name that PyFlink reads
    made = settings(folder, parallelism)
    made.set_string("python.executable", sys.executable)
    return made
