"""Events in: read, decode, validate, quarantine, deduplicate, store, split off late ones.

Store, then derive: an event is in ClickHouse before any later stage sees it, so that whatever is recomputed from the
store
after late data holds every event that the stream has counted.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
from pyflink.table import DataTypes, Schema, TableDescriptor
from pyflink.table.udf import ScalarFunction, udf

from connectors.kafka.topics import Topics
from jobs.options import Options, Start
from jobs.workers import clickhouse_sink, milliseconds, sink_metrics

if TYPE_CHECKING:
    import pandas as pd
    from pyflink.datastream import DataStream
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.types import DataType
    from pyflink.table.udf import FunctionContext

TALLY_BUCKET_MS = 10_000  # fine enough to find when something went wrong, coarse enough to keep the table small
FIRST_VERSION = 1 << 63  # an earlier arrival must have the larger version, so that the first copy of an event wins

_S, _I, _L = DataTypes.STRING(), DataTypes.INT(), DataTypes.BIGINT()
DECODED: tuple[tuple[str, DataType], ...] = (
    ("outcome", _S),
    ("reasons", _S),
    ("tenant_id", _S),
    ("event_id", _S),
    ("event_type", _S),
    ("event_time", _L),
    ("created_at", _L),
    ("source_platform", _S),
    ("customer_id", _S),
    ("journey_id", _S),
    ("campaign_id", _S),
    ("channel", _S),
    ("kind", _S),
    ("impressions", _L),
    ("clicks", _L),
    ("conversions", _L),
    ("cost_micros", _L),
    ("revenue_micros", _L),
    ("value_micros", _L),
    ("currency", _S),
    ("schema_id", _I),
    ("payload", _S),
    ("journey_fact", _S),
    ("refused", DataTypes.BYTES()),
    ("received_at", _L),
    ("tally", _S),
)
"""Columns of the decoded stream.

Those of `decode_batch`, then the append time in ms and the batch's tally (on its first row).
"""

STORED = tuple(name for name, _ in DECODED if name not in {"outcome", "reasons", "journey_fact", "refused", "tally"})
"""Columns that go into the `events` table, beside the position in the topic."""

KEPT = (
    *(
        "tenant_id",
        "event_id",
        "event_type",
        "event_time",
        "created_at",
        "customer_id",
        "journey_id",
        "campaign_id",
        "channel",
    ),
    *(
        "impressions",
        "clicks",
        "conversions",
        "cost_micros",
        "revenue_micros",
        "currency",
        "journey_fact",
        "received_at",
    ),
)
"""Columns that later stages need of an accepted event."""


class DecodeEvents(ScalarFunction):  # type: ignore[misc]
    """Vectorised.

    Message bytes, key and append time in; the columns of DECODED out. One bad message never fails the batch.
    """

    def __init__(self, registry: str) -> None:
        """Keep the registry's folder or URL; it is opened in the worker."""
        self._registry = registry

    def open(self, function_context: FunctionContext) -> None:
        """Open the registry and compile the decoders."""
        from connectors.kafka.decode_batch import BatchDecoder
        from connectors.schema_registry import open_registry

        self._decoder = BatchDecoder(open_registry(self._registry))
        self._seen = function_context.get_metric_group().counter("events_decoded")

    def eval(self, value: pd.Series, key: pd.Series, append_time: pd.Series) -> pd.DataFrame:
        """Decode and validate one batch."""
        import pandas as pd

        received_at = milliseconds(append_time).tolist()
        columns = self._decoder.decode_batch(value.tolist(), key.tolist(), received_at)
        columns["refused"] = columns.pop("raw")  # RAW is a word of SQL
        columns["received_at"] = received_at
        columns["tally"] = first_row_only(
            tally(
                columns["tenant_id"],
                received_at,
                # A clock tick is not an event: it is in no tally.
                ("" if outcome == "tick" else outcome for outcome in columns["outcome"]),
                columns["reasons"],
            ),
            len(received_at),
        )
        self._seen.inc(len(received_at))
        return pd.DataFrame({name: columns[name] for name, _ in DECODED}, copy=False)


class StoreEvents(ScalarFunction):  # type: ignore[misc]
    """Vectorised.

    Writes accepted events to `events` and returns the batch's tally on its first row, null on the others.
    """

    def __init__(self, options: Options) -> None:
        """Keep the options; the connection is opened in the worker."""
        self._options = options

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sink and its metrics."""
        self._sink = clickhouse_sink(self._options)
        self._metrics = sink_metrics(function_context, "events")

    def eval(self, *columns: pd.Series) -> pd.Series:
        """Store one batch; `columns` are STORED, then the partition and offset."""
        import pandas as pd
        import pyarrow as pa

        from connectors.clickhouse.arrow_sink import times

        names = (*STORED, "source_partition", "source_offset")
        arrays: dict[str, Any] = {
            name: pa.Array.from_pandas(column) for name, column in zip(names, columns, strict=True)
        }
        received_at = arrays["received_at"].to_numpy()
        arrays["version"] = pa.array(FIRST_VERSION - received_at.astype("uint64"), type=pa.uint64())
        for name in ("event_time", "created_at", "received_at"):
            arrays[name] = times(arrays[name])
        with self._metrics.timed(len(received_at)):
            self._sink.write("events", arrays)
        tenant_id = columns[names.index("tenant_id")]
        counted = tally(tenant_id, received_at.tolist(), ["accepted"] * len(received_at), [""] * len(received_at))
        return pd.Series(first_row_only(counted, len(received_at)), dtype="object")

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


class StoreQuarantined(ScalarFunction):  # type: ignore[misc]
    """Vectorised: writes refused messages to `quarantine` and returns the JSON for the quarantine topic."""

    def __init__(self, options: Options) -> None:
        """Keep the options; the connection is opened in the worker."""
        self._options = options

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sink and its metrics."""
        self._sink = clickhouse_sink(self._options)
        self._metrics = sink_metrics(function_context, "quarantine")

    def eval(
        self,
        tenant_id: pd.Series,
        reasons: pd.Series,
        event_id: pd.Series,
        event_type: pd.Series,
        schema_id: pd.Series,
        raw: pd.Series,
        received_at: pd.Series,
        source_partition: pd.Series,
        source_offset: pd.Series,
    ) -> pd.Series:
        """Store one batch."""
        import pandas as pd
        import pyarrow as pa

        from connectors.clickhouse.arrow_sink import times

        count = len(tenant_id)
        codes = [text.split(",") for text in reasons]
        topic = Topics(self._options.topic_prefix).events
        with self._metrics.timed(count):
            self._sink.write(
                "quarantine",
                {
                    "tenant_id": pa.Array.from_pandas(tenant_id),
                    "source_topic": [topic] * count,
                    "source_partition": pa.Array.from_pandas(source_partition),
                    "source_offset": pa.Array.from_pandas(source_offset),
                    "received_at": times(received_at),
                    "reasons": pa.array(codes, type=pa.list_(pa.string())),
                    "event_id": pa.Array.from_pandas(event_id),
                    "event_type": pa.Array.from_pandas(event_type),
                    "schema_id": pa.array(schema_id, type=pa.uint32()),
                    "raw": pa.array([value or b"" for value in raw], type=pa.binary()),
                    "status": ["quarantined"] * count,
                    "status_at": times(received_at),
                    "version": pa.array([0] * count, type=pa.uint64()),
                },
            )
        rows = zip(
            tenant_id,
            codes,
            event_id,
            event_type,
            schema_id,
            raw,
            received_at,
            source_partition,
            source_offset,
            strict=True,
        )
        return pd.Series(
            [
                orjson.dumps(
                    {
                        "tenant_id": tenant,
                        "source_topic": topic,
                        "source_partition": int(partition),
                        "source_offset": int(offset),
                        "received_at": int(received),
                        "reasons": why,
                        "event_id": event,
                        "event_type": kind,
                        "schema_id": int(schema),
                        "raw_base64": base64.b64encode(message or b"").decode("ascii"),
                    }
                ).decode()
                for tenant, why, event, kind, schema, message, received, partition, offset in rows
            ],
            dtype="object",
        )

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


def tally(tenants: Any, received_at: Any, outcomes: Any, reasons: Any) -> str:
    """Count a batch by tenant, append-time bucket, outcome and reasons: a JSON array of [tenant, bucket ms, outcome,
    reasons, n].

    Rows with an empty outcome are not counted.
    """
    counts = Counter(zip(tenants, (ms - ms % TALLY_BUCKET_MS for ms in received_at), outcomes, reasons, strict=True))
    return orjson.dumps([[*key, n] for key, n in counts.items() if key[2]]).decode()


def first_row_only(text: str, rows: int) -> list[str | None]:
    """Return a column of `rows` values that carries `text` on its first row: one value a batch, exactly once."""
    return [text, *([None] * (rows - 1))] if rows else []


def read(t_env: StreamTableEnvironment, options: Options) -> DataStream:
    """Return the stream of DECODED columns and the position of each record in the topic, without clock ticks.

    Watermarks are made in the Kafka source, per partition, from the broker's append time: a partition that is read
    late does not make its
    events late, and a replay sees the watermarks of the first run.
    """
    delay = f"INTERVAL '{options.watermark_delay_ms / 1000:.3f}' SECOND"
    t_env.create_temporary_table(
        "marketing_events",
        TableDescriptor.for_connector("kafka")
        .schema(
            Schema.new_builder()
            .column("message_key", DataTypes.STRING())
            .column("message", DataTypes.BYTES())
            .column_by_metadata("append_time", DataTypes.TIMESTAMP_LTZ(3), "timestamp", is_virtual=True)
            .column_by_metadata("source_partition", DataTypes.INT(), "partition", is_virtual=True)
            .column_by_metadata("source_offset", DataTypes.BIGINT(), "offset", is_virtual=True)
            .watermark("append_time", f"append_time - {delay}")
            .build()
        )
        .option("topic", Topics(options.topic_prefix).events)
        .option("properties.bootstrap.servers", options.kafka_bootstrap)
        .option("properties.group.id", options.consumer_group)
        .option("properties.auto.offset.reset", "earliest")
        # Messages up to 16 MiB are legal for the broker; they reach the decoder, which refuses what is too large.
        .option("properties.max.partition.fetch.bytes", str(16 * 1024 * 1024))
        .option(
            "scan.startup.mode", {Start.GROUP: "group-offsets"}.get(Start(options.start), f"{options.start}-offset")
        )
        .option("scan.watermark.idle-timeout", f"{options.idle_timeout_ms} ms")
        .option("key.format", "raw")
        .option("key.fields", "message_key")
        .option("value.format", "raw")
        .option("value.fields-include", "EXCEPT_KEY")
        .build(),
    )
    row = DataTypes.ROW([DataTypes.FIELD(name, kind) for name, kind in DECODED])
    t_env.create_temporary_function(
        "decode_events", udf(DecodeEvents(options.registry), result_type=row, func_type="pandas")
    )
    columns = ", ".join(f"batch.decoded.{name} AS {name}" for name, _ in DECODED)
    return t_env.to_data_stream(
        t_env.sql_query(
            f"SELECT {columns}, source_partition, source_offset "  # noqa: S608 - the names are the constants above
            "FROM (SELECT decode_events(message, message_key, append_time) AS decoded, source_partition, source_offset "
            "FROM marketing_events) AS batch"
        )
    )


def deduplicate_and_store(t_env: StreamTableEnvironment, options: Options, *, store: bool) -> DataStream:
    """Return accepted events of the view `decoded`: the first of each (tenant, event id), stored before they are
    handed on.

    `tally` is the batch's count of accepted events on its first row. Event time is `ts`.
    """
    if store:
        t_env.create_temporary_function(
            "store_events", udf(StoreEvents(options), result_type=DataTypes.STRING(), func_type="pandas")
        )
    tally_column = (
        f"store_events({', '.join(STORED)}, source_partition, source_offset)" if store else "CAST(NULL AS STRING)"
    )
    accepted = t_env.sql_query(
        f"""
        SELECT {tally_column} AS tally, {", ".join(KEPT)}, TO_TIMESTAMP_LTZ(event_time, 3) AS ts,
               CASE WHEN event_type = 'campaign_launch' THEN payload END AS launch
        FROM (
            SELECT *, ROW_NUMBER() OVER (PARTITION BY tenant_id, event_id ORDER BY arrival ASC) AS copy
            FROM decoded
            WHERE outcome = 'valid'
        )
        WHERE copy = 1
        """  # noqa: S608 - the names are the constants above
    )
    # The planner takes deduplication for an updating query; keeping the first copy makes it insert-only all the same.
    return t_env.to_changelog_stream(accepted)


def quarantine(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Store refused messages of the view `decoded` and copy them to the quarantine topic."""
    t_env.create_temporary_function(
        "store_quarantined", udf(StoreQuarantined(options), result_type=DataTypes.STRING(), func_type="pandas")
    )
    out.add_insert_sql(
        """
        INSERT INTO quarantine_topic
        SELECT tenant_id,
               store_quarantined(tenant_id, reasons, event_id, event_type, schema_id, refused, received_at,
               source_partition, source_offset)
        FROM decoded
        WHERE outcome = 'quarantined'
        """
    )
