"""Record files into a table: one row a Kafka record, with its verdict.

`messages` has the fields of the contract flattened and `reasons`, sorted, empty for a valid event. `accepted` is the
first valid event of each (tenant, event id) in the order of production; what is valid and not accepted is a
duplicate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

# Only what is needed is read. A message may have 16 MiB, a third more in base64.
_COLUMNS = """{
    n: 'BIGINT', produced_at: 'BIGINT', value_b64: 'VARCHAR', key: 'VARCHAR', schema: 'VARCHAR', fault: 'VARCHAR',
    record: 'STRUCT(
        envelope STRUCT(event_id VARCHAR, tenant_id VARCHAR, event_type VARCHAR, event_time BIGINT, created_at BIGINT,
            source_platform VARCHAR, consent STRUCT(analytics BOOLEAN), identifiers MAP(VARCHAR, VARCHAR)),
        campaign STRUCT(campaign_id VARCHAR, name VARCHAR, channel VARCHAR),
        metrics STRUCT(kind VARCHAR, impressions BIGINT, clicks BIGINT, conversions BIGINT, cost_micros BIGINT,
            revenue_micros BIGINT, currency VARCHAR),
        budget_micros BIGINT,
        changes STRUCT(budget_allocation_micros BIGINT),
        journey STRUCT(customer_id VARCHAR, journey_id VARCHAR, stage VARCHAR),
        touchpoint STRUCT(channel VARCHAR, campaign_id VARCHAR, interaction_type VARCHAR),
        conversion STRUCT(conversion_type VARCHAR, kind VARCHAR, value_micros BIGINT, currency VARCHAR,
            original_event_id VARCHAR),
        customer_id VARCHAR,
        variants STRUCT(views BIGINT, clicks BIGINT, conversions BIGINT)[]
    )'
}"""
_LARGEST_LINE = 64 << 20

# What becomes of bytes from which no record can be read: the file says how they were spoilt, the contract what that
# is called.
FRAMING_REASONS = {
    "null_value": "empty",
    "empty_value": "empty",
    "random_bytes": "bad_magic",
    "json_text": "bad_magic",
    "unknown_schema": "unknown_schema_id",
    "truncated": "undecodable",
    "trailing_bytes": "undecodable",
    "garbage_body": "undecodable",
    "length_bomb": "undecodable",
    "header_only": "undecodable",
    "too_large": "too_large",
}

_FAMILIES = """
    CASE WHEN own_type LIKE 'campaign\\_%' ESCAPE '\\' THEN 'campaign'
         WHEN own_type IN ('journey_start', 'touchpoint_interaction', 'conversion_event', 'journey_stage_change') THEN
         'journey' WHEN own_type IN ('personalization_trigger', 'content_optimization', 'segment_update') THEN
         'personalization'
    END"""

_FIVE_MINUTES_MS, _NINETY_DAYS_MS = 5 * 60_000, 90 * 86_400_000
_LARGEST_METRIC = 10**16

# The rules of the contract, one condition a reason code, over the flattened record.
_RULES = {
    "missing_event_id": "event_id = ''",
    "missing_tenant_id": "record_tenant_id = ''",
    "invalid_tenant_id": "record_tenant_id <> '' AND NOT regexp_full_match(record_tenant_id, '[A-Za-z0-9._-]{1,64}')",
    "tenant_mismatch": "regexp_full_match(record_tenant_id, '[A-Za-z0-9._-]{1,64}') "
    "AND coalesce(key, '') <> '' AND record_tenant_id <> key",
    "missing_event_type": "event_type = ''",
    "unknown_event_type": "event_type <> '' AND event_type <> own_type",
    "missing_event_time": "event_time <= 0",
    "event_time_in_future": f"event_time > 0 AND event_time > produced_at + {_FIVE_MINUTES_MS}",
    "event_time_too_old": f"event_time > 0 AND event_time < produced_at - {_NINETY_DAYS_MS}",
    "missing_customer_id": "family IN ('journey', 'personalization') AND customer_id = ''",
    "missing_campaign_id": "family = 'campaign' AND campaign_id = ''",
    "missing_channel": "own_type = 'touchpoint_interaction' AND channel = ''",
    "invalid_currency": "(family = 'campaign' OR own_type = 'conversion_event') "
    "AND NOT regexp_full_match(currency, '[A-Z]{3}')",
    "negative_metric": "least(impressions, clicks, conversions, cost_micros, revenue_micros) < 0 "
    "OR least(budget_micros, new_budget_micros) < 0 "
    "OR len(list_filter(coalesce(variants, []), lambda v: least(v.views, v.clicks, v.conversions) < 0)) > 0",
    "metric_out_of_range": "greatest(impressions, clicks, conversions, cost_micros, revenue_micros, budget_micros, "
    f"new_budget_micros, value_micros) > {_LARGEST_METRIC} OR len(list_filter(coalesce(variants, []), "
    f"lambda v: greatest(v.views, v.clicks, v.conversions) > {_LARGEST_METRIC})) > 0",
    "clicks_exceed_impressions": "kind = 'report' AND clicks > impressions",
    "conversions_exceed_clicks": "kind = 'report' AND conversions > clicks",
    "negative_value": "own_type = 'conversion_event' AND value_micros < 0",
    "missing_original_event_id": "kind IN ('refund', 'cancellation') AND original_event_id = ''",
}

# An event this near to a limit of time may fall on either side of it, because its append time is not in the file.
_TIME_MARGIN_MS = 60_000


class RecordFileError(ValueError):
    """A record file cannot be judged. The message says why."""


def load(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Make the tables `messages` and `accepted` from record files, given in the order in which they were produced.

    Raises RecordFileError for a fault that is not known, and for events so near to a limit of time that their
    validity depends on the broker's clock.
    """
    for place, file in enumerate(files):
        read = f"SELECT {place} AS file, * FROM read_json(?, format = 'newline_delimited', columns = {_COLUMNS}, "
        read += f"maximum_object_size = {_LARGEST_LINE})"
        target = "INSERT INTO lines" if place else "CREATE TEMP TABLE lines AS"
        connection.execute(f"{target} {_LINE_COLUMNS} FROM ({read})", [str(file)])
    _refuse_unknown_faults(connection)
    framing = " ".join(f"WHEN '{fault}' THEN '{reason}'" for fault, reason in FRAMING_REASONS.items())
    rules = ", ".join(f"CASE WHEN {condition} THEN '{reason}' END" for reason, condition in _RULES.items())
    connection.execute(
        f"""
        CREATE TABLE messages AS
        SELECT * EXCLUDE (record_tenant_id, variants, new_budget_micros, value_b64, reasons),
               -- What comes under a tenant's key and names another is kept from the other.
               CASE WHEN coalesce(record_tenant_id, '') = '' OR list_contains(reasons, 'tenant_mismatch') THEN key
                    ELSE record_tenant_id END AS tenant_id,
               reasons,
               CASE WHEN len(reasons) > 0 THEN md5(from_base64(coalesce(value_b64, ''))) END AS raw_md5
        FROM (
            SELECT *,
                   CASE WHEN own_type IS NULL THEN [CASE fault {framing} END]
                        ELSE list_sort(list_filter([{rules}], lambda reason: reason IS NOT NULL)) END AS reasons
            FROM (SELECT *, {_FAMILIES} AS family FROM lines)
        )
        """
    )
    connection.execute("DROP TABLE lines")
    _refuse_close_calls(connection)
    connection.execute(
        """
        CREATE TABLE accepted AS
        SELECT * FROM messages WHERE len(reasons) = 0
        QUALIFY row_number() OVER (PARTITION BY tenant_id, event_id ORDER BY file, n) = 1
        """
    )


_LINE_COLUMNS = """
    SELECT file, n, produced_at, value_b64, key, fault,
        CASE WHEN record IS NOT NULL THEN split_part(schema, '.', 1) END AS own_type,
        record.envelope.event_id AS event_id,
        record.envelope.tenant_id AS record_tenant_id,
        record.envelope.event_type AS event_type,
        record.envelope.event_time AS event_time,
        -- A time of making that cannot be true counts as unknown, by the limits of the event time.
        CASE WHEN record.envelope.created_at BETWEEN produced_at - 7776000000 AND produced_at + 300000
             THEN record.envelope.created_at ELSE 0 END AS created_at,
        record.envelope.source_platform AS source_platform,
        record.envelope.consent.analytics AS analytics,
        record.envelope.identifiers AS identifiers,
        coalesce(record.journey.customer_id, record.customer_id, '') AS customer_id,
        coalesce(record.journey.journey_id, '') AS journey_id,
        coalesce(record.journey.stage, '') AS stage,
        coalesce(record.campaign.campaign_id, record.touchpoint.campaign_id, '') AS campaign_id,
        coalesce(record.campaign.name, '') AS campaign_name,
        coalesce(record.campaign.channel, record.touchpoint.channel, '') AS channel,
        coalesce(record.metrics.kind, record.conversion.kind, '') AS kind,
        coalesce(record.metrics.impressions, 0) AS impressions,
        coalesce(record.metrics.clicks, 0) AS clicks,
        coalesce(record.metrics.conversions, 0) AS conversions,
        coalesce(record.metrics.cost_micros, 0) AS cost_micros,
        coalesce(record.metrics.revenue_micros, 0) AS revenue_micros,
        coalesce(record.metrics.currency, record.conversion.currency, '') AS currency,
        coalesce(record.budget_micros, 0) AS budget_micros,
        coalesce(record.changes.budget_allocation_micros, 0) AS new_budget_micros,
        coalesce(record.conversion.value_micros, 0) AS value_micros,
        coalesce(record.conversion.conversion_type, '') AS conversion_type,
        coalesce(record.conversion.original_event_id, '') AS original_event_id,
        coalesce(record.touchpoint.interaction_type, '') AS interaction_type,
        record.variants AS variants
"""


def _refuse_unknown_faults(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute("SELECT DISTINCT fault FROM lines WHERE own_type IS NULL").fetchall()
    unknown = [fault for (fault,) in found if fault not in FRAMING_REASONS]
    if unknown:
        raise RecordFileError(f"records that cannot be read have faults {unknown}, known: {sorted(FRAMING_REASONS)}")


def _refuse_close_calls(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute(
        f"""
        SELECT event_id FROM messages
        WHERE event_time > 0 AND (abs(event_time - produced_at - {_FIVE_MINUTES_MS}) < {_TIME_MARGIN_MS}
                                  OR abs(produced_at - {_NINETY_DAYS_MS} - event_time) < {_TIME_MARGIN_MS})
        LIMIT 3
        """
    ).fetchall()
    if rows:
        raise RecordFileError(
            f"events within {_TIME_MARGIN_MS // 1000} s of a limit of time, for example {[row[0] for row in rows]}: "
            "whether they are valid depends on the broker's clock"
        )
