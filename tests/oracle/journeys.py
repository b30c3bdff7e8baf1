"""The journeys table, as SQL over the table `accepted`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def add_journeys(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `journeys`, one row a customer and journey id.

    Stage and end are those of the newest event by (time, id), the value is in the newest conversion's currency.
    """
    connection.execute(
        """
        CREATE TABLE journeys AS
        WITH facts AS (
            SELECT *, own_type = 'conversion_event' AND kind = 'conversion' AS won
            FROM accepted WHERE family = 'journey' AND journey_id <> ''
        ), whole AS (
            SELECT tenant_id, customer_id, journey_id,
                   last(stage ORDER BY event_time, event_id) AS stage,
                   min(event_time) AS started_at, max(event_time) AS last_event_at,
                   count(*) FILTER (own_type = 'touchpoint_interaction') AS touchpoints,
                   count(*) FILTER (won) AS conversions,
                   coalesce(last(currency ORDER BY event_time, event_id) FILTER (won), '') AS currency
            FROM facts GROUP BY ALL
        ), values_won AS (
            SELECT tenant_id, customer_id, journey_id, currency, sum(value_micros)::BIGINT AS value_micros
            FROM facts WHERE won GROUP BY ALL
        )
        SELECT whole.*, coalesce(value_micros, 0) AS value_micros
        FROM whole LEFT JOIN values_won USING (tenant_id, customer_id, journey_id, currency)
        """
    )
