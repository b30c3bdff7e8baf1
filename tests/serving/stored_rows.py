"""Inserts of the tests into the tables, through the connector that the pipeline uses."""

from __future__ import annotations

import orjson
import pyarrow as pa

from connectors.clickhouse.arrow_sink import ArrowSink, times
from tests.serving.pipeline_model import KEY, SUMS


def _sums(rows, first: int):
    columns = {name: [row[first + index] for row in rows] for index, name in enumerate(SUMS)}
    columns["events"] = pa.array(columns["events"], type=pa.uint64())
    return columns


def _key(rows):
    return {name: [row[index] for row in rows] for index, name in enumerate(KEY)}


def insert_windows(address, rows, revision: int = 0) -> None:
    """Insert rows of `pipeline_model.windows`."""
    ArrowSink(address).write(
        "campaign_metrics",
        {
            **_key(rows),
            "window_start": times([row[4] for row in rows]),
            "window_end": times([row[5] for row in rows]),
            **_sums(rows, 6),
            "performance_score": pa.array([None] * len(rows), type=pa.float64()),
            "revision": pa.array([revision] * len(rows), type=pa.uint64()),
        },
    )


def insert_rollups(address, rows, revision: int = 0) -> None:
    """Insert rows of `pipeline_model.rollups`."""
    ArrowSink(address).write(
        "campaign_rollups",
        {
            **_key(rows),
            "grain": [row[4] for row in rows],
            "bucket_start": times([row[5] for row in rows]),
            **_sums(rows, 6),
            "revision": pa.array([revision] * len(rows), type=pa.uint64()),
        },
    )


def insert_events(address, events) -> None:
    """Insert `pipeline_model.CampaignEvent`s into the event store."""
    count = len(events)
    empty = ("source_platform", "customer_id", "journey_id", "kind", "payload")
    ArrowSink(address).write(
        "events",
        {
            **_key([event.key for event in events]),
            "event_time": times([event.time_ms for event in events]),
            "event_id": [event.event_id for event in events],
            "event_type": ["campaign_optimization" if index % 3 else "campaign_launch" for index in range(count)],
            "received_at": times([event.time_ms for event in events]),
            "created_at": times([0] * count),
            **{name: [""] * count for name in empty},
            **{name: [event.sums[index] for event in events] for index, name in enumerate(SUMS[:-1])},
            "value_micros": [0] * count,
            "schema_id": pa.array([1] * count, type=pa.uint32()),
            "source_partition": pa.array([0] * count, type=pa.int32()),
            "source_offset": list(range(count)),
            "version": pa.array([1] * count, type=pa.uint64()),
        },
    )


def insert_credits(address, rows) -> None:
    """Insert rows of `attribution_credits`: dicts of its columns, touches as (id, channel, campaign, time, weight,
    micros)."""
    plain = ("tenant_id", "conversion_id", "model", "conversion_type", "customer_id", "journey_id", "currency")
    touch = (
        ("touchpoint_id", pa.string()),
        ("channel", pa.string()),
        ("campaign_id", pa.string()),
        ("time", None),
        ("weight", pa.float64()),
        ("credited_micros", pa.int64()),
    )
    columns = {name: [row[name] for row in rows] for name in plain}
    for index, (name, kind) in enumerate(touch):
        values = [[entry[index] for entry in row["touches"]] for row in rows]
        if kind is None:
            columns[f"touches.{name}"] = pa.array(values, type=pa.list_(pa.int64())).cast(
                pa.list_(pa.timestamp("ms", tz="UTC"))
            )
        else:
            columns[f"touches.{name}"] = pa.array(values, type=pa.list_(kind))
    ArrowSink(address).write(
        "attribution_credits",
        {
            **columns,
            "model_version": [""] * len(rows),
            "conversion_time": times([row["conversion_time"] for row in rows]),
            "attributed_at": times([row["conversion_time"] for row in rows]),
            "gross_value_micros": [row["gross"] for row in rows],
            "value_micros": [sum(entry[5] for entry in row["touches"]) for row in rows],
            "revision": pa.array([row.get("revision", 1) for row in rows], type=pa.uint64()),
        },
    )


def insert_alerts(address, records) -> None:
    """Insert records of `signals.alert_record`."""
    times_of = ("opened_at", "updated_at")
    columns = {name: [record[name] for record in records] for name in records[0] if name not in times_of}
    columns |= {name: times([record[name] for record in records]) for name in times_of}
    columns["version"] = pa.array([record["updated_at"] for record in records], type=pa.uint64())
    ArrowSink(address).write("alerts", columns)


def insert_counts(address, rows) -> None:
    """Insert rows of `ingest_counts`: (tenant, window start, outcome, reasons, events)."""
    ArrowSink(address).write(
        "ingest_counts",
        {
            "tenant_id": [row[0] for row in rows],
            "window_start": times([row[1] for row in rows]),
            "outcome": [row[2] for row in rows],
            "reasons": [row[3] for row in rows],
            "events": pa.array([row[4] for row in rows], type=pa.uint64()),
        },
    )


def insert_late(address, rows) -> None:
    """Insert rows of `late_events`: (tenant, event time, event id, received at)."""
    ArrowSink(address).write(
        "late_events",
        {
            "tenant_id": [row[0] for row in rows],
            "event_time": times([row[1] for row in rows]),
            "event_id": [row[2] for row in rows],
            "event_type": ["campaign_optimization"] * len(rows),
            "received_at": times([row[3] for row in rows]),
            "lateness_ms": [5000] * len(rows),
        },
    )


def insert_campaigns(address, rows) -> None:
    """Insert rows of `campaigns`: (tenant, campaign id, name, channel, currency, budget in micros, launch time)."""
    names = ("tenant_id", "campaign_id", "name", "channel", "currency", "budget_micros")
    ArrowSink(address).write(
        "campaigns",
        {
            **{name: [row[index] for row in rows] for index, name in enumerate(names)},
            "launched_at": times([row[6] for row in rows]),
            "version": pa.array([row[6] for row in rows], type=pa.uint64()),
        },
    )


def insert_anomalies(address, rows) -> None:
    """Insert rows of `anomalies`: (tenant, campaign, channel, currency, metric, bucket start, value, expected,
    deviations)."""
    names = ("tenant_id", "campaign_id", "channel", "currency", "metric")
    ArrowSink(address).write(
        "anomalies",
        {
            **{name: [row[index] for row in rows] for index, name in enumerate(names)},
            "bucket_start": times([row[5] for row in rows]),
            **{
                name: [row[6 + index] for row in rows] for index, name in enumerate(("value", "expected", "deviations"))
            },
            "version": pa.array([1] * len(rows), type=pa.uint64()),
        },
    )


def insert_journeys(address, rows) -> None:
    """Insert rows of `journeys`: dicts of its columns."""
    plain = ("tenant_id", "journey_id", "customer_id", "stage", "value_micros", "currency")
    ArrowSink(address).write(
        "journeys",
        {
            **{name: [row[name] for row in rows] for name in plain},
            **{name: times([row[name] for row in rows]) for name in ("started_at", "last_event_at")},
            **{
                name: pa.array([row[name] for row in rows], type=kind)
                for name, kind in (
                    ("touchpoints", pa.uint32()),
                    ("conversions", pa.uint32()),
                    ("revision", pa.uint64()),
                )
            },
        },
    )


def insert_journey_events(address, rows) -> None:
    """Insert events of the journey family: dicts with event_id, event_type, event_time, payload (an object), and any
    other column of `events`."""
    texts = (
        "tenant_id",
        "event_id",
        "event_type",
        "customer_id",
        "journey_id",
        "campaign_id",
        "channel",
        "kind",
        "currency",
    )
    moments = ("event_time", "received_at", "created_at")
    wholes = (*SUMS[:-1], "value_micros", "source_offset")
    ArrowSink(address).write(
        "events",
        {
            **{name: [row.get(name, "") for row in rows] for name in texts},
            **{name: times([row["event_time"] for row in rows]) for name in moments},
            **{name: [row.get(name, 0) for row in rows] for name in wholes},
            "source_platform": [""] * len(rows),
            "payload": [orjson.dumps(row["payload"]).decode() for row in rows],
            "schema_id": pa.array([1] * len(rows), type=pa.uint32()),
            "source_partition": pa.array([0] * len(rows), type=pa.int32()),
            "version": pa.array([1] * len(rows), type=pa.uint64()),
        },
    )
