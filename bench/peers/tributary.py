"""The pipeline itself over the same events, as the local stack runs it: all that it computes, or the windows alone.

Each run has a stack of its own, so that it starts as cold as the other engines do.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import clickhouse_connect

from bench.peers.events import CLOSING_TENANT
from bench.peers.measured_run import Cost, PeerError, cpu_seconds
from bench.peers.prepared import stack_config
from jobs.options import USUAL_STAGES
from local.stack import Stack

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from bench.peers.engines import Task
    from bench.peers.events import Windows

ALL_STAGES = ",".join(USUAL_STAGES)
WINDOWS_ALONE = "campaign_metrics"
_LIMIT_SECONDS = 900.0
# Each look counts the stored windows, which takes the engine some ten milliseconds.
_POLL_SECONDS = 1.0
_KEY = "concat(tenant_id, '/', campaign_id, '/', toString(channel), '/', currency)"
_STORED = f"SELECT count() FROM campaign_metrics FINAL WHERE tenant_id != '{CLOSING_TENANT}'"  # noqa: S608 - a constant
_COUNTED = "SELECT sum(events) FROM ingest_counts FINAL WHERE outcome IN ('valid', 'quarantined')"
_WINDOWS = (
    f"SELECT {_KEY}, toUnixTimestamp64Milli(window_start), impressions, clicks, conversions, cost_micros, "  # noqa: S608
    f"revenue_micros, toInt64(events) FROM campaign_metrics FINAL WHERE tenant_id != '{CLOSING_TENANT}'"
)


def run(task: Task, stages: str) -> tuple[Cost, Windows]:
    """Run the job with these stages until every window (and with the stage `events` every count) is stored.

    Processor time is that of Flink, ClickHouse and Redis; the broker's is left out, as for the other engines.

    Raises:
        PeerError: they were not stored in time.
        StackError: the stack did not start.
    """
    options = ("--kafka-bootstrap", task.bootstrap, "--topic-prefix", task.events.prefix, "--stages", stages)
    config = replace(stack_config(task.folder), slots=task.processes, job_options=options)
    stack = Stack(config)
    try:
        stack.up(only=("clickhouse", "redis", "flink"), supervise=False)
        at = urlsplit(str(stack.endpoints()["clickhouse"]))
        client = clickhouse_connect.get_client(
            host=at.hostname, port=at.port, database=config.clickhouse_database, autogenerate_session_id=False
        )
        cost = _measured(stack, client, len(task.right), task.events.messages if stages == ALL_STAGES else 0)
        rows = client.query(_WINDOWS).result_rows
        client.close()
    finally:
        stack.down()
    return cost, {(key, start): tuple(sums) for key, start, *sums in rows}


def _measured(stack: Stack, client: Client, windows: int, counted: int) -> Cost:
    records = [record for name in stack.records.names() if (record := stack.records.read(name)) is not None]
    before = cpu_seconds(records)
    used: dict[tuple[int, int], float] = {}
    began = time.monotonic()
    stack.submit(fresh=True)
    while int(client.query(_STORED).result_rows[0][0]) < windows or (
        counted and int(client.query(_COUNTED).result_rows[0][0] or 0) < counted
    ):
        used |= cpu_seconds(records)
        if time.monotonic() - began > _LIMIT_SECONDS:
            raise PeerError(f"{windows} windows were not stored within {_LIMIT_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)
    wall = time.monotonic() - began
    used |= cpu_seconds(records)
    return Cost(wall, sum(seconds - before.get(process, 0.0) for process, seconds in used.items()))
