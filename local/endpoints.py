"""Where the components of a running stack are: `endpoints.json` in RUN_DIR."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.component import StackError
from local.config import HOST, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from local.config import StackConfig


def path(config: StackConfig) -> Path:
    """Return the file of a stack."""
    return config.run_dir / "endpoints.json"


def of(config: StackConfig, running: Iterable[str]) -> dict[str, str | None]:
    """Return the endpoints; None where the component is not part of the stack."""
    names = set(running)
    addresses = {
        "kafka": ("kafka", f"{HOST}:{config.kafka_port}"),
        "clickhouse": ("clickhouse", f"http://{HOST}:{config.clickhouse_port}"),
        "redis": ("redis", f"redis://{HOST}:{config.redis_port}/0"),
        "flink": ("jobmanager", f"http://{HOST}:{config.flink_port}"),
        "grpc": ("serving", f"{HOST}:{config.grpc_port}"),
        "http": ("serving", f"http://{HOST}:{config.http_port}"),
        "prometheus": ("prometheus", f"http://{HOST}:{config.prometheus_port}"),
    }
    found: dict[str, str | None] = {
        key: address if name in names else None for key, (name, address) in addresses.items()
    }
    return found | {"schema_registry": (REPOSITORY / "avro").as_uri()}


def write(config: StackConfig, running: Iterable[str]) -> dict[str, str | None]:
    """Write the file and return what it holds."""
    found = of(config, running)
    draft = path(config).with_suffix(".draft")
    draft.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    draft.replace(path(config))
    return found


def read(config: StackConfig) -> dict[str, str | None]:
    """Return the endpoints of a stack that is up; raises StackError if it is not."""
    try:
        return dict(json.loads(path(config).read_text(encoding="utf-8")))
    except OSError as error:
        raise StackError(f"no stack is up in {config.run_dir}: run `make up`") from error


def remove(config: StackConfig) -> None:
    """Remove the file: the stack is down."""
    path(config).unlink(missing_ok=True)
