"""Settings that both Flink peers share with the pipeline: RocksDB, exactly-once checkpoints, the same memory."""

from __future__ import annotations

from pathlib import Path

_JARS = Path(__file__).resolve().parents[2] / ".cache" / "jars" / "flink"


def settings(folder: Path, parallelism: int) -> dict[str, str]:
    """Return the configuration of a cluster inside the client's JVM that keeps its state under `folder`."""
    return {
        "pipeline.jars": ";".join(jar.as_uri() for jar in sorted(_JARS.glob("*.jar"))),
        "parallelism.default": str(parallelism),
        "taskmanager.numberOfTaskSlots": str(parallelism),
        "taskmanager.memory.managed.size": "768m",
        "state.backend.type": "rocksdb",
        "execution.checkpointing.interval": "30 s",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.dir": (folder / "checkpoints").as_uri(),
    }
