"""How many events a running stack has taken so far: its own counts, read from its store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import clickhouse_connect

if TYPE_CHECKING:
    from collections.abc import Callable

_STORED = "SELECT sum(events) FROM ingest_counts FINAL WHERE outcome = {outcome:String}"


def read_endpoints(file: str) -> dict[str, Any]:
    """Return the addresses that `make up` wrote."""
    ends: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    return ends


def counts_of(endpoints: dict[str, Any], database: str) -> Callable[[str], int]:
    """Return a function from an outcome (valid, accepted, duplicate, quarantined) to its number of messages so far."""
    at = urlsplit(endpoints["clickhouse"])
    clickhouse = clickhouse_connect.get_client(host=at.hostname, port=at.port, database=database)
    return lambda outcome: int(clickhouse.query(_STORED, parameters={"outcome": outcome}).result_rows[0][0] or 0)
