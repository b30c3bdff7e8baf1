"""The journeys table, as SQL over the table `accepted`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def add_journeys(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `journeys`: stage and end of the newest event by (time, id), value in the newest conversion's
    currency.

    A journey that several customers claim is left out: the contract gives it to one customer.
    """
    connection.execute(
        """
        CREATE TABLE journeys AS
        WITH facts AS (
            SELECT *, own_type = 'conversion_event' AND kind = 'conversion' AS won
            FROM accepted WHERE family = 'journey' AND journey_id <> ''
        ), newest AS (
            SELECT tenant_id, journey_id, currency FROM facts WHERE won
            QUALIFY row_number() OVER (PARTITION BY tenant_id, journey_id ORDER BY event_time DESC, event_id DESC) = 1
        ), whole AS (
            SELECT tenant_id, journey_id, min(customer_id) AS customer_id,
                   last(stage ORDER BY event_time, event_id) AS stage,
                   min(event_time) AS started_at, max(event_time) AS last_event_at,
                   count(*) FILTER (own_type = 'touchpoint_interaction') AS touchpoints,
                   count(*) FILTER (won) AS conversions
            FROM facts GROUP BY ALL HAVING count(DISTINCT customer_id) = 1
        )
        SELECT whole.*, coalesce(newest.currency, '') AS currency,
               (SELECT coalesce(sum(value_micros), 0)::BIGINT FROM facts
                WHERE facts.tenant_id = whole.tenant_id AND facts.journey_id = whole.journey_id
                  AND won AND facts.currency = newest.currency) AS value_micros
        FROM whole LEFT JOIN newest USING (tenant_id, journey_id)
        """
    )
