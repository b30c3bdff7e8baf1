"""How each stored table is read, and which columns of the answer it must equal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table to compare. `stored` (ClickHouse, `{}` is the table) and `expected` (DuckDB) are queries that both give
    the columns `key`, `values` (compared exactly) and `floats` (compared within a tolerance). Times are UTC ms.
    """

    name: str
    key: tuple[str, ...]
    stored: str
    expected: str
    values: tuple[str, ...]
    floats: tuple[str, ...] = ()


def milliseconds(column: str) -> str:
    """A DateTime64 column as UTC ms under its own name."""
    return f"toUnixTimestamp64Milli({column}) AS {column}"


_SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")
_CAMPAIGN = ("tenant_id", "campaign_id", "channel", "currency")
_EVENT_VALUES = (
    *("event_type", "created_at", "source_platform", "customer_id", "journey_id", "campaign_id", "channel", "kind"),
    *_SUMS,
    *("value_micros", "currency"),
)
_TIMES = (
    "event_time",
    "created_at",
    "window_start",
    "window_end",
    "bucket_start",
    "launched_at",
    "started_at",
    "last_event_at",
)
_UNSIGNED = ("events", "touchpoints")


def _select(*columns: str) -> str:
    """Read columns of a table: times as UTC ms, unsigned numbers as signed ones."""

    def read(column: str) -> str:
        if column in _TIMES:
            return milliseconds(column)
        return f"toInt64({column}) AS {column}" if column in _UNSIGNED else column

    return f"SELECT {', '.join(map(read, columns))} FROM {{}}"


STORED_TABLES = (
    StoredTable(
        "events",
        ("tenant_id", "event_id", "event_time"),
        # A withdrawn copy has no event type.
        _select("tenant_id", "event_id", "event_time", *_EVENT_VALUES) + " WHERE event_type != ''",
        "SELECT * FROM accepted",
        _EVENT_VALUES,
    ),
    StoredTable(
        "quarantine",
        ("tenant_id", "reasons", "event_id", "raw_md5"),
        "SELECT tenant_id, arrayStringConcat(arraySort(reasons), ',') AS reasons, event_id, "
        "lower(hex(MD5(raw))) AS raw_md5, toInt64(count()) AS copies FROM {} GROUP BY ALL",
        "SELECT tenant_id, array_to_string(reasons, ',') AS reasons, coalesce(event_id, '') AS event_id, raw_md5, "
        "count(*) AS copies FROM messages WHERE len(reasons) > 0 GROUP BY ALL",
        ("copies",),
    ),
    StoredTable(
        "ingest_counts",
        ("tenant_id", "outcome", "reasons"),
        "SELECT tenant_id, outcome, arrayStringConcat(arraySort(splitByChar(',', toString(reasons))), ',') AS codes, "
        "codes AS reasons, toInt64(sum(events)) AS events FROM {} GROUP BY tenant_id, outcome, codes",
        "SELECT tenant_id, CASE WHEN len(reasons) = 0 THEN 'valid' ELSE 'quarantined' END AS outcome, "
        "array_to_string(reasons, ',') AS reasons, count(*) AS events FROM messages GROUP BY ALL "
        "UNION ALL SELECT tenant_id, 'accepted', '', count(*) FROM accepted GROUP BY ALL",
        ("events",),
    ),
    StoredTable(
        "campaign_metrics",
        (*_CAMPAIGN, "window_start"),
        _select(*_CAMPAIGN, "window_start", "window_end", *_SUMS, "events", "performance_score"),
        "SELECT * FROM campaign_metrics",
        ("window_end", *_SUMS, "events"),
        ("performance_score",),
    ),
    StoredTable(
        "campaign_rollups",
        ("grain", *_CAMPAIGN, "bucket_start"),
        _select("toString(grain) AS grain", *_CAMPAIGN, "bucket_start", *_SUMS, "events"),
        "SELECT * FROM campaign_rollups",
        (*_SUMS, "events"),
    ),
    StoredTable(
        "campaigns",
        ("tenant_id", "campaign_id"),
        _select("tenant_id", "campaign_id", "name", "channel", "currency", "budget_micros", "launched_at"),
        "SELECT * FROM campaigns",
        ("name", "channel", "currency", "budget_micros", "launched_at"),
    ),
    StoredTable(
        "journeys",
        ("tenant_id", "customer_id", "journey_id"),
        _select(
            *("tenant_id", "customer_id", "journey_id", "stage", "started_at", "last_event_at", "touchpoints"),
            "toInt64(conversions) AS conversions",
            *("value_micros", "currency"),
        ),
        "SELECT * FROM journeys",
        (
            "stage",
            "started_at",
            "last_event_at",
            "touchpoints",
            "conversions",
            "value_micros",
            "currency",
        ),
    ),
)

CREDITS_QUERY = (
    "SELECT tenant_id, conversion_id, model, toUnixTimestamp64Milli(conversion_time) AS conversion_time, "
    "conversion_type, customer_id, journey_id, currency, gross_value_micros, value_micros, "
    "touches.touchpoint_id AS touchpoint_ids, arrayMap(c -> toString(c), touches.channel) AS channels, "
    "touches.campaign_id AS campaign_ids, arrayMap(t -> toUnixTimestamp64Milli(t), touches.time) AS times, "
    "touches.weight AS weights, touches.credited_micros AS micros FROM {}"
)
