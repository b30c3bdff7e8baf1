"""Fill a ClickHouse database with campaign roll-ups of many campaigns and days, and time serving's queries over them.

    python -m bench.metric_rows --clickhouse http://127.0.0.1:19092 --database bench_rows --rows 10000000 --days 90

Minute rows are made inside ClickHouse, hours, days and weeks summed from them as the pipeline does; the range before,
which is compared with, gets its hours, days and weeks at once. The newest minute is of now. The complex query is a
breakdown by campaign, channel, day of week and hour of day over all days, compared with the days before. Prints one
JSON object: rows by grain, and milliseconds of each query, the first time and the median of the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import clickhouse_connect

from connectors.clickhouse.client import ClickHouseAddress
from connectors.clickhouse.migrations import migrate
from serving.metrics import ServingMetrics
from serving.queries.breakdowns import BreakdownQueries, Dimensions, Order
from serving.queries.campaign_metrics import CampaignMetricsQueries, Page, Split, Wanted
from serving.queries.campaign_rows import Selection
from serving.queries.history import History
from serving.queries.tiling import DAY_MS, HOUR_MS, MINUTE_MS, Figures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TENANT = "bench"
MINUTES_A_DAY = 24 * 60
# Rows written by one statement: a few hundred megabytes of memory in the engine.
ROWS_A_STATEMENT = 2_000_000
# More would only measure the same again.
REPEATS = 5
# What a query of this benchmark may take; more is a finding by itself.
QUERY_SECONDS = 60.0
COLUMNS = "campaign_id, channel, currency, bucket_start, impressions, clicks, conversions, cost_micros, revenue_micros"
# Figures that look like traffic: they differ by campaign and minute, and clicks stay below impressions.
FIGURES = """
    'c' || leftPad(toString(campaign), 4, '0'),
    ['email', 'social', 'display', 'search', 'video', 'native'][campaign % 6 + 1], 'EUR',
    fromUnixTimestamp64Milli(start_ms, 'UTC'), 400 + hash % 200, 20 + hash % 30, hash % 5,
    10000000 + hash % 1000000, 30000000 + hash % 5000000
"""
SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "events")
COARSER = (("minute", "hour", "toStartOfHour(bucket_start)"), ("hour", "day", "toStartOfDay(bucket_start)"))


def fill(client: Any, rows: int, days: int, end_ms: int) -> None:
    """Write about `rows` minute rows from `days` days before `end_ms`, at midnight, up to it, and the roll-ups of twice
    as many days."""
    campaigns = max(1, round(rows / days / MINUTES_A_DAY))
    begin = (end_ms - days * DAY_MS) // DAY_MS * DAY_MS
    minutes = (end_ms - begin) // MINUTE_MS
    step = max(1, ROWS_A_STATEMENT // campaigns)
    for minute in range(0, minutes, step):
        count = min(step, minutes - minute) * campaigns
        _made(client, "minute", begin + minute * MINUTE_MS, MINUTE_MS, campaigns, count)
    # Hours of the compared range need no minutes of their own: nothing reads those.
    _made(client, "hour", begin - days * DAY_MS, HOUR_MS, campaigns, days * 24 * campaigns)
    for finer, coarser, start in COARSER:
        client.command(_summed(finer, coarser, start))
    client.command(_summed("day", "week", "toDateTime64(toMonday(bucket_start), 3, 'UTC')"))


def _made(client: Any, grain: str, begin_ms: int, width_ms: int, campaigns: int, count: int) -> None:
    client.command(
        f"INSERT INTO campaign_rollups (tenant_id, grain, {COLUMNS}, events, revision) "  # noqa: S608 - constants and integers
        f"SELECT '{TENANT}', '{grain}', {FIGURES}, 3, 0 FROM (SELECT number % {campaigns} AS campaign, "
        f"toInt64({begin_ms} + intDiv(number, {campaigns}) * {width_ms}) AS start_ms, "
        f"toInt64(cityHash64(number) % 1000003) AS hash FROM numbers({count}))"
    )


def _summed(finer: str, coarser: str, start: str) -> str:
    sums = ", ".join(f"sum({name})" for name in SUMS)
    return (
        f"INSERT INTO campaign_rollups (tenant_id, grain, {COLUMNS}, events, revision) "  # noqa: S608 - constants
        f"SELECT '{TENANT}', '{coarser}', campaign_id, channel, currency, {start} AS start, {sums}, 1 "
        f"FROM campaign_rollups WHERE tenant_id = '{TENANT}' AND grain = '{finer}' "
        "GROUP BY campaign_id, channel, currency, start"
    )


async def timed(ask: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    """Return milliseconds of the first answer and the median of the others, and the size of an answer."""
    took = []
    for _ in range(REPEATS):
        began = time.monotonic()
        answer = await ask()
        took.append(round((time.monotonic() - began) * 1000))
    groups = answer[0] if isinstance(answer, tuple) else answer
    return {"first_ms": took[0], "median_ms": round(statistics.median(took[1:])), "groups": len(groups)}


async def ask_all(address: ClickHouseAddress, days: int, end_ms: int) -> dict[str, Any]:
    """Time the queries of the dashboards over the rows."""
    history = History(address, ServingMetrics(), connections=4, timeout_seconds=QUERY_SECONDS)
    figures = CampaignMetricsQueries(history, lambda _: end_ms)
    breakdowns = BreakdownQueries(history, figures)
    everything = Selection()
    everywhere = Dimensions(campaign=True, channel=True, day_of_week=True, hour_of_day=True)
    hour = end_ms // HOUR_MS * HOUR_MS
    span = days * DAY_MS
    compared = Wanted(hour - span, hour, (hour - 2 * span, hour - span), span)
    by_campaign, cost = Split(campaign=True, channel=False), Order("cost_micros", descending=True)
    minutes = end_ms // MINUTE_MS * MINUTE_MS
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "complex": lambda: breakdowns.breakdown(TENANT, compared, everything, everywhere, cost, 100, 0, QUERY_SECONDS),
        "sums": lambda: figures.sums(
            TENANT, Wanted(hour - span, hour), everything, by_campaign, Page(100), QUERY_SECONDS
        ),
        "sums_of_a_day": lambda: figures.sums(
            TENANT, Wanted(minutes - DAY_MS, minutes), everything, by_campaign, Page(100), QUERY_SECONDS
        ),
        "minutes_of_6_hours": lambda: figures.series(
            TENANT,
            Wanted(minutes - 6 * HOUR_MS, minutes),
            Figures.MINUTE,
            everything,
            Split(campaign=False, channel=False),
            Page(1000),
            QUERY_SECONDS,
        ),
    }
    try:
        return {name: await timed(ask) for name, ask in asked.items()}
    finally:
        await history.close()


def main(arguments: list[str] | None = None) -> int:
    """Fill the database unless it is filled, and ask."""
    made = argparse.ArgumentParser(prog="python -m bench.metric_rows", description=__doc__, allow_abbrev=False)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("--clickhouse", required=True, help="http://host:port")
    made.add_argument("--database", default="bench_rows", help="made if it is missing (default: %(default)s)")
    made.add_argument("--rows", type=int, default=10_000_000, help="minute rows (default: %(default)s)")
    made.add_argument("--days", type=int, default=90, help="days that they lie on (default: %(default)s)")
    chosen = made.parse_args(arguments)
    if chosen.rows < 1 or not 1 <= chosen.days <= 180:
        made.error("--rows must be above 0, --days between 1 and 180")
    address = ClickHouseAddress.parse(chosen.clickhouse, chosen.database)
    client = clickhouse_connect.get_client(
        host=address.host,
        port=address.port,
        database="default",
        autogenerate_session_id=False,
        send_receive_timeout=3600,
    )
    migrate(client, chosen.database)
    client.database = chosen.database
    end_ms = int(time.time() * 1000)
    began = time.monotonic()
    counted = "SELECT toString(grain), count() FROM campaign_rollups GROUP BY grain ORDER BY grain"
    if not client.query(counted).result_rows:
        fill(client, chosen.rows, chosen.days, end_ms)
    filled = round(time.monotonic() - began, 1)
    rows = {str(grain): int(count) for grain, count in client.query(counted).result_rows}
    client.close()
    found = asyncio.run(ask_all(address, chosen.days, end_ms))
    sys.stdout.write(json.dumps({"rows": rows, "fill_seconds": filled, "queries": found}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
