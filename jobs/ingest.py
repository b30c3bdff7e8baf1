"""Events in: read, decode, validate, quarantine, store, deduplicate.

Store, then derive: an event is in ClickHouse before any later stage sees it, so that whatever is recomputed from the
store after late data holds every event that the stream has counted. All copies of an event are stored, and the store
keeps the first (`event_rows.version`); see `jobs.duplicates` for copies that it cannot know as such.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson
from pyflink.datastream import DataStream
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes, Schema
from pyflink.table.udf import ScalarFunction, udf

from connectors.clickhouse.event_rows import EVENT_ROW, FORMAT, event_lines, version
from connectors.clickhouse.refusals import message, refusals, store_refusals
from connectors.kafka.decode_batch import QUARANTINED, TICK, VALID
from connectors.kafka.topics import Topics
from jobs.kafka_tables import kafka_table
from jobs.options import Options, Stage, Start
from jobs.workers import clickhouse_sink, milliseconds, sink_metrics
from udfs.identity.lines import observation_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from pyflink.table import StatementSet, StreamTableEnvironment, Table
    from pyflink.table.types import DataType
    from pyflink.table.udf import FunctionContext

TALLY_BUCKET_MS = 10_000  # fine enough to find when something went wrong, coarse enough to keep the table small
# Journey facts reach Python in one micro-batch per shard, and the parallelism can be no more than this. A shard is
# part of the state's key: changing the number needs a rebuild from the topic.
SHARDS = 64

_S, _I, _L = DataTypes.STRING(), DataTypes.INT(), DataTypes.BIGINT()
DECODED: tuple[tuple[str, DataType], ...] = (
    ("tenant_id", _S),
    ("event_id", _S),
    ("event_type", _S),
    ("event_time", _L),
    ("created_at", _L),
    ("campaign_id", _S),
    ("channel", _S),
    ("impressions", _L),
    ("clicks", _L),
    ("conversions", _L),
    ("cost_micros", _L),
    ("revenue_micros", _L),
    ("currency", _S),
    ("shard", _I),
    ("journey_fact", _S),
    ("identity_fact", _S),
    ("launch", _S),
    ("received_at", _L),
    ("version", _L),
    ("refused", _S),
    ("tally", _S),
)
"""Columns of the decoded stream: what later stages work on.

`version` is that of the copy in `events`, above 0 for valid events; `refused` (the record of the quarantine topic) is
set for quarantined ones; neither is for a clock tick. `shard` says where the facts of a customer meet, `identity_fact`
is the observation of a journey event where the stage identity asks for it, `launch` is the payload of a campaign's
launch, `received_at` the append time in ms, `tally` the batch's tally, on its first row.
"""
KEPT = tuple(name for name, _ in DECODED if name not in {"refused", "tally"})
"""Columns that later stages need of an event."""
MOST_COPIES = 1_000_000_000  # of one event that are numbered: all


class DecodeEvents(ScalarFunction):  # type: ignore[misc]
    """Vectorised: messages with key, append time and position in; the columns of DECODED out.

    Valid events are in `events` before the batch is handed on. One bad message never fails the batch: it is in
    `quarantine` by then.
    """

    def __init__(self, options: Options, *, store: bool, store_refused: bool) -> None:
        """Keep the options; registry and store are opened in the worker."""
        self._options = options
        self._store = store
        self._store_refused = store_refused
        self._observe = Stage.IDENTITY in options.stage_set

    def open(self, function_context: FunctionContext) -> None:
        """Open the registry and compile the decoders."""
        from connectors.kafka.decode_batch import BatchDecoder
        from connectors.schema_registry import open_registry

        self._decoder = BatchDecoder(open_registry(self._options.registry))
        self._seen = function_context.get_metric_group().counter("events_decoded")
        self._topic = Topics(self._options.topic_prefix).events
        self._sink = clickhouse_sink(self._options)
        self._stored = sink_metrics(function_context, "events")
        self._quarantined = sink_metrics(function_context, "quarantine")

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False

    def eval(
        self, value: pd.Series, key: pd.Series, append_time: pd.Series, partition: pd.Series, offset: pd.Series
    ) -> pd.DataFrame:
        """Decode, validate, store and quarantine one batch."""
        received_at = milliseconds(append_time).tolist()
        partitions, offsets = partition.tolist(), offset.tolist()
        columns = self._decoder.decode_batch(value.tolist(), key.tolist(), received_at)
        outcomes = columns["outcome"]
        columns["received_at"] = received_at
        count = len(outcomes)
        columns["version"] = [
            version(time, at) if outcome == VALID else 0
            for outcome, time, at in zip(outcomes, received_at, offsets, strict=True)
        ]
        # A batch may be clock ticks only.
        if self._store and (lines := event_lines(columns, partitions, offsets)):
            with self._stored.timed(len(lines)):
                self._sink.write_lines("events", EVENT_ROW, lines, FORMAT)
        refused: list[str | None] = [None] * count
        if outcomes.count(VALID) < count:
            rows = [row for row, outcome in enumerate(outcomes) if outcome == QUARANTINED]
            if rows and self._store_refused:
                records = refusals(columns, rows, self._topic, partitions, offsets)
                with self._quarantined.timed(len(rows)):
                    store_refusals(self._sink, records)
                for row, record in zip(rows, records, strict=True):
                    refused[row] = message(record)
        columns["refused"] = refused
        facts = columns["journey_fact"]
        # Only facts are sent to a shard.
        columns["shard"] = [
            0 if fact is None else shard(tenant, customer)
            for fact, tenant, customer in zip(facts, columns["tenant_id"], columns["customer_id"], strict=True)
        ]
        columns["identity_fact"] = (
            [
                None if fact is None else observation_line(payload)
                for fact, payload in zip(facts, columns["payload"], strict=True)
            ]
            if self._observe
            else [None] * count
        )
        columns["launch"] = [
            payload if kind == "campaign_launch" else None
            for kind, payload in zip(columns["event_type"], columns["payload"], strict=True)
        ]
        # A clock tick is not an event: it is in no tally.
        counted = ("" if outcome == TICK else outcome for outcome in outcomes)
        columns["tally"] = first_row_only(tally(columns["tenant_id"], received_at, counted, columns["reasons"]), count)
        self._seen.inc(count)
        return frame(columns)


def frame(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return the columns of DECODED as a data frame, without pandas looking for better types value by value."""
    import numpy as np
    import pandas as pd

    kinds: dict[DataType, Any] = {_S: object, _I: "int32", _L: "int64"}
    return pd.DataFrame({name: np.array(columns[name], dtype=kinds[kind]) for name, kind in DECODED}, copy=False)


def shard(tenant_id: str, customer_id: str) -> int:
    """Return the shard of a customer's journey facts; a tenant holds no slash, so no two customers share a text."""
    return crc32(f"{tenant_id}/{customer_id}".encode()) % SHARDS


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


def accept(t_env: StreamTableEnvironment, options: Options, *, store: bool) -> None:
    """Make the views of what comes in: `decoded` (all messages, event time `append_time`), `copies` (valid events,
    event time `ts`, numbered by `copy`) and `accepted` (the first of each).

    With `store`, valid events are in `events` before they are handed on.
    """
    t_env.create_temporary_view(
        "decoded",
        read(t_env, options, store=store),
        Schema.new_builder()
        .column_by_expression("arrival", "PROCTIME()")
        .column_by_expression("append_time", "TO_TIMESTAMP_LTZ(received_at, 3)")
        .watermark("append_time", "SOURCE_WATERMARK()")
        .build(),
    )
    t_env.create_temporary_view(
        "copies",
        number_copies(t_env),
        Schema.new_builder()
        .column_by_expression("arrival", "PROCTIME()")
        .watermark("ts", "SOURCE_WATERMARK()")
        .build(),
    )
    t_env.create_temporary_view("accepted", t_env.sql_query("SELECT * FROM copies WHERE copy = 1"))


def read(t_env: StreamTableEnvironment, options: Options, *, store: bool) -> DataStream:
    """Return the stream of DECODED columns; with `store`, valid events are in `events` before they are handed on.

    Watermarks are made in the Kafka source, per partition, from the broker's append time: a partition that is read
    late does not make its events late, and a replay sees the watermarks of the first run. No partition is ever taken
    for idle, however long it is silent (docs/adr/0002-clock-ticks.md).
    """
    delay = f"INTERVAL '{options.watermark_delay_ms / 1000:.3f}' SECOND"
    t_env.create_temporary_table(
        "marketing_events",
        kafka_table(options, Topics(options.topic_prefix).events)
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
        .option("properties.group.id", options.consumer_group)
        .option("properties.auto.offset.reset", "earliest")
        # Messages up to 16 MiB are legal for the broker; they reach the decoder, which refuses what is too large.
        .option("properties.max.partition.fetch.bytes", str(16 * 1024 * 1024))
        # A fetch waits for half a megabyte or 50 ms: at high rates the broker answers tens of fetches a second instead
        # of thousands.
        .option("properties.fetch.min.bytes", str(512 * 1024))
        .option("properties.fetch.max.wait.ms", "50")
        .option(
            "scan.startup.mode", {Start.GROUP: "group-offsets"}.get(Start(options.start), f"{options.start}-offset")
        )
        .option("key.format", "raw")
        .option("key.fields", "message_key")
        .option("value.format", "raw")
        .option("value.fields-include", "EXCEPT_KEY")
        .build(),
    )
    row = DataTypes.ROW([DataTypes.FIELD(name, kind) for name, kind in DECODED])
    decode = DecodeEvents(options, store=store, store_refused=Stage.EVENTS in options.stage_set)
    t_env.create_temporary_function("decode_events", udf(decode, result_type=row, func_type="pandas"))
    columns = ", ".join(f"batch.decoded.{name} AS {name}" for name, _ in DECODED)
    return _internal_rows(
        t_env,
        t_env.sql_query(
            f"SELECT {columns} "  # noqa: S608 - the names are the constants above
            "FROM (SELECT decode_events(message, message_key, append_time, source_partition, source_offset) AS decoded "
            "FROM marketing_events) AS batch"
        ),
    )


def _internal_rows(t_env: StreamTableEnvironment, table: Table) -> DataStream:
    """Convert a table to a stream of the engine's own rows: `to_data_stream` would make Java objects of each value, and
    the view on the stream would turn them back."""
    j_table = table._j_table  # noqa: SLF001 - PyFlink has no call that takes a data type
    rows = get_gateway().jvm.java.lang.Class.forName("org.apache.flink.table.data.RowData")
    kind = j_table.getResolvedSchema().toPhysicalRowDataType().notNull().bridgedTo(rows)
    return DataStream(t_env._j_tenv.toDataStream(j_table, kind))  # noqa: SLF001


def number_copies(t_env: StreamTableEnvironment) -> DataStream:
    """Return the valid events of the view `decoded` with the column `copy`: 1 for the first of each (tenant, event id),
    and so on. Event time is `ts`."""
    numbered = t_env.sql_query(
        f"""
        SELECT copy, {", ".join(KEPT)}, TO_TIMESTAMP_LTZ(event_time, 3) AS ts
        FROM (
            SELECT *, ROW_NUMBER() OVER (PARTITION BY tenant_id, event_id ORDER BY arrival ASC) AS copy
            FROM decoded
            WHERE version > 0
        )
        WHERE copy <= {MOST_COPIES}
        """  # noqa: S608 - the names are the constants above
    )
    # The planner takes numbering for an updating query; in the order of arrival no number changes.
    return t_env.to_changelog_stream(numbered)


def quarantine(out: StatementSet) -> None:
    """Copy refused messages of the view `decoded`, which are stored by then, to the quarantine topic."""
    out.add_insert_sql("INSERT INTO quarantine_topic SELECT tenant_id, refused FROM decoded WHERE refused IS NOT NULL")
