"""ClickHouse: the engine behind its HTTP front, and the schema of the data contract."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from connectors.clickhouse.client import ClickHouseAddress, connect, with_retries
from connectors.clickhouse.migrations import migrate
from local.component import Component
from local.config import HOST, REPOSITORY
from local.http_probe import HttpProbeError, get

if TYPE_CHECKING:
    from local.config import StackConfig


def component(config: StackConfig) -> Component:
    """Describe the ClickHouse of a stack."""
    folder = config.run_dir / "clickhouse"
    url = f"http://{HOST}:{config.clickhouse_port}"
    return Component(
        name="clickhouse",
        ports={"HTTP": config.clickhouse_port},
        prepare=lambda: folder.mkdir(parents=True, exist_ok=True),
        command=lambda: (
            sys.executable,
            "-m",
            "local.clickhouse",
            "--path",
            str(folder),
            "--port",
            str(config.clickhouse_port),
        ),
        environment={"PYTHONPATH": str(REPOSITORY)},
        missing=lambda: _missing(config.clickhouse_port),
        finish=lambda: _migrate(url, config.clickhouse_database),
        # Parts that were inserted are on disk already; merges in flight are given up, not waited for.
        stop_seconds=30,
        address=url,
    )


def _missing(port: int) -> str | None:
    try:
        return None if get(port, "/ping") == "Ok.\n" else "/ping does not answer Ok."
    except HttpProbeError as error:
        return f"/ping: {error}"


def _migrate(url: str, database: str) -> None:
    address = ClickHouseAddress.parse(url, database)
    client = with_retries(lambda: connect(address, database="default"), "connection")
    try:
        migrate(client, database)
    finally:
        client.close()
