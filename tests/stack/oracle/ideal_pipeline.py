"""Stores what the oracle says must be stored: a pipeline without a fault, to test the comparison with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tests.oracle.attribution import MODELS, UNATTRIBUTED, largest_remainder

if TYPE_CHECKING:
    from tests.oracle import Answer

TIME = pa.timestamp("ms", tz="UTC")
_TIMES = (
    "event_time",
    "created_at",
    "window_start",
    "window_end",
    "bucket_start",
    "launched_at",
    "started_at",
    "last_event_at",
    "received_at",
)
_QUERIES = {
    "events": """SELECT tenant_id, event_time, event_id, event_type, created_at, source_platform, customer_id,
        journey_id, campaign_id, channel, kind, impressions, clicks, conversions, cost_micros, revenue_micros,
        value_micros, currency FROM accepted""",
    "campaign_metrics": "SELECT *, 0::UBIGINT AS revision FROM campaign_metrics",
    "campaign_rollups": "SELECT *, 0::UBIGINT AS revision FROM campaign_rollups",
    "campaigns": "SELECT *, launched_at::UBIGINT AS version FROM campaigns",
    "journeys": "SELECT *, 1::UBIGINT AS revision FROM journeys",
    "late_events": """SELECT tenant_id, event_time, event_id, event_type,
        produced_at + 20 AS received_at FROM accepted WHERE event_time <= produced_at - 980""",
    "ingest_counts": """SELECT tenant_id, CASE WHEN len(reasons) = 0 THEN 'valid' ELSE 'quarantined' END AS outcome,
        -- The pipeline has its own order of codes.
        array_to_string(list_reverse(reasons), ',') AS reasons, produced_at - produced_at % 10000 AS window_start,
        count(*)::UBIGINT AS events FROM messages GROUP BY ALL
        UNION ALL SELECT tenant_id, 'accepted', '', produced_at - produced_at % 10000, count(*)::UBIGINT
        FROM accepted GROUP BY ALL""",
}


def store(client: Any, answer: Answer, values: dict[int, bytes | None]) -> None:
    """Fill every table. `values` are the messages' bytes by line number."""
    for table, query in _QUERIES.items():
        insert(client, table, answer.connection.sql(query).to_arrow_table())
    refused = answer.rows(
        "SELECT n, tenant_id, reasons, coalesce(event_id, ''), produced_at FROM messages WHERE len(reasons) > 0"
    )
    insert(
        client,
        "quarantine",
        pa.table(
            {
                "tenant_id": [row[1] for row in refused],
                "source_offset": [row[0] for row in refused],
                "reasons": [list(reversed(row[2])) for row in refused],
                "event_id": [row[3] for row in refused],
                "received_at": [row[4] for row in refused],
                "raw": pa.array([values[row[0]] or b"" for row in refused], type=pa.binary()),
            }
        ),
    )
    insert(client, "attribution_credits", _credits(answer))


def insert(client: Any, table: str, rows: pa.Table) -> None:
    """Insert rows, their times given in UTC ms."""
    for name in rows.column_names:
        if name in _TIMES:
            place = rows.column_names.index(name)
            rows = rows.set_column(place, name, rows.column(name).cast(pa.int64()).cast(TIME))
    client.insert_arrow(table, rows)


def _credits(answer: Answer) -> pa.Table:
    rows = []
    for conversion in answer.conversions():
        for model in MODELS:
            weights = conversion.weights(model)
            rows.append(
                {
                    "tenant_id": conversion.tenant_id,
                    "conversion_time": conversion.time,
                    "conversion_id": conversion.conversion_id,
                    "model": model,
                    "conversion_type": conversion.conversion_type,
                    "customer_id": conversion.customer_id,
                    "journey_id": conversion.journey_id,
                    "currency": conversion.currency,
                    "gross_value_micros": conversion.gross,
                    "value_micros": conversion.net,
                    "touches.touchpoint_id": [touch.touchpoint_id for touch in conversion.touches] or [""],
                    "touches.channel": [touch.channel for touch in conversion.touches] or [UNATTRIBUTED],
                    "touches.campaign_id": [touch.campaign_id for touch in conversion.touches] or [""],
                    "touches.time": [touch.time for touch in conversion.touches] or [conversion.time],
                    "touches.weight": [float(weight) for weight in weights],
                    "touches.credited_micros": largest_remainder(conversion.net, weights),
                    "revision": 1,
                }
            )
    table = pa.Table.from_pylist(rows)
    for name, kind in (("conversion_time", TIME), ("touches.time", pa.list_(TIME))):
        table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
    return table
