"""`make run`: the stack with a demo producer, and what it has counted so far, until it is interrupted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import Error as ClickHouseClientError

from connectors.clickhouse.client import ClickHouseAddress, connect
from local.catalogue import SIMULATOR, choose
from local.config import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.config import StackConfig
    from local.stack import Stack

_EVERY_SECONDS = 5.0
_MICROS = 1_000_000

# Windows slide by a second and overlap; those that start on a multiple of 5 s do not, and their sums add up.
FIGURES = """
SELECT
    (SELECT count() FROM events FINAL WHERE event_type != '') AS events,
    (SELECT sum(cost_micros) FROM campaign_metrics FINAL WHERE toUnixTimestamp(window_start) % 5 = 0) AS spend,
    (SELECT sum(conversions) FROM campaign_metrics FINAL WHERE toUnixTimestamp(window_start) % 5 = 0) AS conversions,
    (SELECT uniqExact(tenant_id, conversion_id) FROM attribution_credits) AS attributed,
    (SELECT count() FROM quarantine FINAL) AS quarantined,
    (SELECT count() FROM late_events FINAL) AS late,
    (SELECT dateDiff('millisecond', max(received_at), now64(3, 'UTC')) FROM events) AS age_ms
"""


def demonstrate(stack: Stack, only: Iterable[str], without: Iterable[str], report: Callable[[str], None]) -> None:
    """Bring the stack up with the demo producer, report its figures until interrupted, and take it down.

    Raises:
        StackError: a component did not start.
        KeyboardInterrupt: interrupted before everything was up; what had started has stopped again.
    """
    chosen = choose(stack.config, only, without)
    stack.up([*chosen, SIMULATOR])
    try:
        for line in _welcome(stack):
            report(line)
        _follow(stack.config, report)
    except KeyboardInterrupt:
        report("stopping; the data stays, and the next start goes on from here")
    finally:
        stack.down()


def _welcome(stack: Stack) -> list[str]:
    config = stack.config
    clickhouse = f"http://{HOST}:{config.clickhouse_port}/?database={config.clickhouse_database}"
    return [
        "everything is up; Ctrl-C stops it",
        f"dashboards           http://{HOST}:{config.http_port}/executive?tenant=tenant-01",
        f"Flink's pages        http://{HOST}:{config.flink_port}",
        f"ClickHouse           curl '{clickhouse}' -d 'SHOW TABLES'",
        f"answers over gRPC    {HOST}:{config.grpc_port} (health and reflection are on)",
        f"metrics              http://{HOST}:{config.http_port}/metrics",
        f"logs                 {config.logs}",
        f"all addresses        {config.run_dir / 'endpoints.json'}",
    ]


def _follow(config: StackConfig, report: Callable[[str], None]) -> None:
    address = ClickHouseAddress.parse(f"http://{HOST}:{config.clickhouse_port}", config.clickhouse_database)
    before: tuple[float, int] | None = None
    while True:
        time.sleep(_EVERY_SECONDS)
        try:
            client = connect(address)
            events, spend, conversions, attributed, quarantined, late, age_ms = client.query(FIGURES).result_rows[0]
            client.close()
        except ClickHouseClientError as error:
            report(f"no figures: {error}")
            continue
        now = time.monotonic()
        rate = (events - before[1]) / (now - before[0]) if before else 0.0
        before = (now, events)
        age = f"newest {age_ms / 1000:.1f} s old" if events else "none yet"
        report(
            f"events {events:,} ({rate:,.0f}/s, {age})  spend {spend / _MICROS:,.2f}  "
            f"conversions {conversions:,}  attributed {attributed:,}  quarantined {quarantined:,}  late {late:,}"
        )
