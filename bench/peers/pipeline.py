"""The pipeline itself over the same events, as the local stack runs it: stored in ClickHouse, cached, and signalled."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import clickhouse_connect

from bench.peers.events import CLOSING_TENANT
from bench.peers.measured_run import Cost, PeerError, cpu_seconds
from connectors.clickhouse.migrations import migrate
from local.stack import Stack

if TYPE_CHECKING:
    from bench.peers.engines import Task, Windows

NAME = "Tributary"
DOES = "the shared part, and stores every event and window, caches and signals them"
_LIMIT_SECONDS = 900.0
_POLL_SECONDS = 0.5
_ENGINE = ("clickhouse", "redis", "jobmanager", "taskmanager-1")
_KEY = "concat(tenant_id, '/', campaign_id, '/', toString(channel), '/', currency)"


def run(stack: Stack, task: Task, expected: int) -> tuple[Cost, Windows]:
    """Submit the job without state to a stack that is up and wait until it has stored `expected` windows.

    Each size has a database of its own. The broker's processor time is left out, as for the other engines.

    Raises:
        PeerError: they were not stored in time.
    """
    database = "bench_" + task.prefix.rstrip("-")
    at = urlsplit(str(stack.endpoints()["clickhouse"]))
    default = clickhouse_connect.get_client(host=at.hostname, port=at.port, autogenerate_session_id=False)
    migrate(default, database)
    options = ("--topic-prefix", task.prefix, "--stages", "campaign_metrics", "--consumer-group", f"{task.prefix}bench")
    submitting = Stack(replace(stack.config, clickhouse_database=database, job_options=options))
    records = [record for name in _ENGINE if (record := stack.records.read(name)) is not None]
    used_before = sum(cpu_seconds(records).values())
    began = time.monotonic()
    submitting.submit(fresh=True)
    counted = f"SELECT count() FROM {database}.campaign_metrics FINAL WHERE tenant_id != '{CLOSING_TENANT}'"  # noqa: S608
    while int(default.query(counted).result_rows[0][0]) < expected:
        if time.monotonic() - began > _LIMIT_SECONDS:
            raise PeerError(f"{NAME} did not store {expected} windows within {_LIMIT_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)
    cost = Cost(time.monotonic() - began, sum(cpu_seconds(records).values()) - used_before)
    rows = default.query(
        f"SELECT {_KEY}, toUnixTimestamp64Milli(window_start), impressions, clicks, conversions, cost_micros, "  # noqa: S608
        f"revenue_micros, toInt64(events) FROM {database}.campaign_metrics FINAL WHERE tenant_id != '{CLOSING_TENANT}'"
    ).result_rows
    default.close()
    return cost, {(key, start): tuple(sums) for key, start, *sums in rows}
