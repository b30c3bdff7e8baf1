"""Where a local stack lives, its ports and its size: one typed object, read once from the environment."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
# Prometheus reporters of the TaskManagers take the ports from base + 12 to base + 29.
MOST_TASKMANAGERS = 18
PORTS_USED = 30


class ConfigError(ValueError):
    """A setting has a value that is not allowed; the message names the variable, the value and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """Settings of one stack.

    `from_environment` reads and checks them; each is the environment variable of the same name.
    """

    run_dir: Path
    """Folder of the stack's data, logs and process records, absolute. Two stacks must not share one."""
    port_base: int = 19090
    """First of the 30 ports of the stack."""
    taskmanagers: int = 1
    """Flink TaskManagers."""
    slots: int = 2
    """Slots of each TaskManager; the job runs with the parallelism of all slots together."""
    taskmanager_memory_mb: int = 3584
    """Process size of one TaskManager, MB; Python's memory comes on top."""
    jobmanager_memory_mb: int = 1024
    """Process size of the JobManager, MB."""
    checkpoint_seconds: int = 30
    """Seconds between two checkpoints."""
    start_timeout_seconds: int = 300
    """How long one component may take to become ready; generous, for a cold machine that shares its cores."""
    clickhouse_database: str = "tributary"
    """ClickHouse database."""
    job_options: tuple[str, ...] = ()
    """More options for the measurement job, as they follow `jobs/measurement.py`."""
    demo_rate: int = 200
    """Events per second of the demo producer of `make run`."""

    def __post_init__(self) -> None:
        """Check every value; raises ConfigError."""
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise _refuse(name, value, f"a whole number from {low} to {high}")
        if not self.run_dir.is_absolute():
            raise _refuse("run_dir", self.run_dir, "an absolute path")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> StackConfig:
        """Read the settings; an unset or empty variable takes its default, RUN_DIR the folder `.run` of the repository.

        Raises:
            ConfigError: a value is not allowed.
        """
        given = os.environ if environment is None else environment
        numbers = {}
        for name, (low, high) in _BOUNDS.items():
            text = given.get(name.upper(), "")
            if text:
                try:
                    numbers[name] = int(text)
                except ValueError as error:
                    raise _refuse(name, text, f"a whole number from {low} to {high}") from error
        try:
            job_options = tuple(shlex.split(given.get("JOB_OPTIONS", "")))
        except ValueError as error:
            raise _refuse("job_options", given["JOB_OPTIONS"], "options as a shell would split them") from error
        run_dir = (REPOSITORY / Path(given.get("RUN_DIR") or ".run").expanduser()).resolve()
        return cls(
            run_dir=run_dir,
            clickhouse_database=given.get("CLICKHOUSE_DATABASE") or "tributary",
            job_options=job_options,
            **numbers,
        )

    def to_environment(self) -> dict[str, str]:
        """Return the variables from which `from_environment` reads this same object, for a child process."""
        variables = {name.upper(): str(getattr(self, name)) for name in _BOUNDS}
        return variables | {
            "RUN_DIR": str(self.run_dir),
            "CLICKHOUSE_DATABASE": self.clickhouse_database,
            "JOB_OPTIONS": shlex.join(self.job_options),
        }

    @property
    def parallelism(self) -> int:
        """Slots of all TaskManagers together."""
        return self.taskmanagers * self.slots

    @property
    def logs(self) -> Path:
        """Folder of the logs, one file a component."""
        return self.run_dir / "logs"

    @property
    def kafka_port(self) -> int:
        """Kafka clients connect here."""
        return self.port_base

    @property
    def controller_port(self) -> int:
        """The broker's KRaft controller."""
        return self.port_base + 1

    @property
    def clickhouse_port(self) -> int:
        """ClickHouse over HTTP."""
        return self.port_base + 2

    @property
    def redis_port(self) -> int:
        """Redis."""
        return self.port_base + 3

    @property
    def flink_port(self) -> int:
        """Flink's REST interface and web pages."""
        return self.port_base + 4

    @property
    def grpc_port(self) -> int:
        """Serving over gRPC."""
        return self.port_base + 5

    @property
    def http_port(self) -> int:
        """Serving over HTTP: metrics now, the dashboard's API later."""
        return self.port_base + 6

    @property
    def prometheus_port(self) -> int:
        """Prometheus, if it is installed."""
        return self.port_base + 7

    @property
    def jobmanager_rpc_port(self) -> int:
        """TaskManagers reach the JobManager here.

        Flink's other ports (blobs, data, TaskManager RPC) are picked by the system.
        """
        return self.port_base + 10

    @property
    def jobmanager_metrics_port(self) -> int:
        """The JobManager's Prometheus reporter."""
        return self.port_base + 11

    def taskmanager_metrics_port(self, number: int) -> int:
        """Return the port of the Prometheus reporter of TaskManager `number`, counted from 1."""
        return self.port_base + 11 + number


# Inclusive bounds of the numbers.
_BOUNDS: dict[str, tuple[int, int]] = {
    "port_base": (1024, 65535 - PORTS_USED),  # lower ports need privileges
    "taskmanagers": (1, MOST_TASKMANAGERS),
    "slots": (1, 16),
    "taskmanager_memory_mb": (1024, 65536),  # below, Flink's own parts leave no heap for the job
    "jobmanager_memory_mb": (768, 65536),
    "checkpoint_seconds": (1, 3600),
    "start_timeout_seconds": (5, 3600),
    "demo_rate": (1, 50_000),
}


def _refuse(name: str, value: object, allowed: str) -> ConfigError:
    return ConfigError(f"{name.upper()} is {str(value)!r}; allowed: {allowed}")
