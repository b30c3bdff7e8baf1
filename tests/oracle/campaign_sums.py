"""Windows and rollups of campaign events, as SQL over the table `accepted`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

WINDOW_MS, SLIDE_MS = 5_000, 1_000
_DAY_MS = 86_400_000
# Weeks start on Monday; the epoch was a Thursday, so the first Monday came four days later.
_GRAINS = {
    "minute": "event_time - event_time % 60000",
    "hour": "event_time - event_time % 3600000",
    "day": f"event_time - event_time % {_DAY_MS}",
    "week": f"event_time - (event_time - {4 * _DAY_MS}) % {7 * _DAY_MS}",
}

_KEY = "tenant_id, campaign_id, channel, currency"
_SUMS = """
    sum(impressions)::BIGINT AS impressions, sum(clicks)::BIGINT AS clicks, sum(conversions)::BIGINT AS conversions,
    sum(cost_micros)::BIGINT AS cost_micros, sum(revenue_micros)::BIGINT AS revenue_micros, count(*)::BIGINT AS
    events"""

# 100·(0.3·min(CTR/0.05, 1) + 0.3·min(CVR/0.10, 1) + 0.4·min(ROAS/3, 1)); a part without a denominator counts 0, and
# without any denominator there is no score. DuckDB's `least` passes over nulls, so they go first.
_SCORE = """
    CASE WHEN impressions = 0 AND clicks = 0 AND cost_micros = 0 THEN NULL ELSE
        100 * (0.3::DOUBLE * least(coalesce(clicks::DOUBLE / nullif(impressions, 0), 0) / 0.05::DOUBLE, 1)
             + 0.3::DOUBLE * least(coalesce(conversions::DOUBLE / nullif(clicks, 0), 0) / 0.10::DOUBLE, 1)
             + 0.4::DOUBLE * least(coalesce(revenue_micros::DOUBLE / nullif(cost_micros, 0), 0) / 3::DOUBLE, 1))
    END"""


def add_windows(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `campaign_metrics`: an event at t is in the windows [s, s + 5 s) with s a whole second, t - 5 s
    < s <= t.
    """
    starts = ", ".join(f"event_time - event_time % {SLIDE_MS} - {back}" for back in range(0, WINDOW_MS, SLIDE_MS))
    connection.execute(
        f"""
        CREATE TABLE campaign_metrics AS
        SELECT *, {_SCORE} AS performance_score FROM (
            SELECT {_KEY}, window_start, window_start + {WINDOW_MS} AS window_end, {_SUMS}
            FROM (SELECT *, unnest([{starts}]) AS window_start FROM accepted WHERE family = 'campaign')
            GROUP BY ALL
        )
        """
    )


def add_rollups(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `campaign_rollups` of all grains."""
    parts = " UNION ALL ".join(
        f"SELECT tenant_id, '{grain}' AS grain, campaign_id, channel, currency, {start} AS bucket_start, {_SUMS} "
        "FROM accepted WHERE family = 'campaign' GROUP BY ALL"
        for grain, start in _GRAINS.items()
    )
    connection.execute(f"CREATE TABLE campaign_rollups AS {parts}")


def add_campaigns(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `campaigns`: what the newest launch says of each campaign."""
    connection.execute(
        """
        CREATE TABLE campaigns AS
        SELECT tenant_id, campaign_id, campaign_name AS name, channel, currency, budget_micros, event_time AS
        launched_at FROM accepted WHERE own_type = 'campaign_launch' QUALIFY row_number() OVER (PARTITION BY
        tenant_id, campaign_id ORDER BY event_time DESC) = 1
        """
    )
