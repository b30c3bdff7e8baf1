"""Counts that reconcile: every record that was read is valid or quarantined, every valid one accepted or a duplicate.

Each batch that is decoded carries its own tally on its first row, so that the tallies are part of the stream and
exactly as often counted as the events. Accepted events are counted behind the deduplication.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
from pyflink.common import Row, Types
from pyflink.datastream.functions import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from jobs.ingest import TALLY_BUCKET_MS
from jobs.micro_batches import SLOW_MS, micro_batches
from jobs.state import time_to_live
from jobs.workers import clickhouse_sink, sink_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from pyflink.datastream import DataStream
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.udf import FunctionContext

    from jobs.options import Options

RETENTION_DAYS = (
    2  # an append-time bucket gets its last record when the topic has been read past it; a job may lag by a day
)

# Shorter than the batches of tallies that these are put into: an accepted event is counted within two seconds.
ACCEPTED = """
SELECT JSON_ARRAY(JSON_ARRAY(tenant_id, bucket, 'accepted', '', COUNT(*))) AS tally
FROM TABLE(TUMBLE(TABLE accepted_buckets, DESCRIPTOR(arrival), INTERVAL '0.5' SECOND))
GROUP BY tenant_id, bucket, window_start, window_end
"""
ACCEPTED_BUCKETS = f"""
SELECT tenant_id, received_at - MOD(received_at, {TALLY_BUCKET_MS}) AS bucket, arrival FROM accepted
"""  # noqa: S608 - a constant

TALLIES = f"""
SELECT 0 AS everything, tally, PROCTIME() AS arrival FROM decoded WHERE tally IS NOT NULL
UNION ALL SELECT 0, tally, PROCTIME() FROM ({ACCEPTED})
"""  # noqa: S608 - the constant above


class SumTallies(KeyedProcessFunction):  # type: ignore[misc]
    """Add up tallies to absolute counts per (tenant, append-time bucket, outcome, reasons).

    In: tallies, the JSON of one a line. Out: per tenant the JSON of the counts that they changed, as new totals.
    State: one number per such key, for two days.
    """

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the state."""
        descriptor = MapStateDescriptor("counts", Types.STRING(), Types.LONG())
        descriptor.enable_time_to_live(time_to_live(RETENTION_DAYS))
        self._counts = runtime_context.get_map_state(descriptor)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Add the tallies of one second."""
        added: Counter[tuple[Any, ...]] = Counter()
        for tally in value[1].split("\n"):
            for *key, number in orjson.loads(tally):
                added[tuple(key)] += number
        changed: dict[str, list[list[Any]]] = {}
        for counted, number in added.items():
            name = orjson.dumps(counted).decode()
            total = (self._counts.get(name) or 0) + number
            self._counts.put(name, total)
            changed.setdefault(counted[0], []).append([*counted, total])
        for tenant_id, totals in changed.items():
            yield Row(tenant_id, orjson.dumps(totals).decode())


class StoreCounts(ScalarFunction):  # type: ignore[misc]
    """Vectorised: changed totals in; written to `ingest_counts`; their number comes out."""

    def __init__(self, options: Options) -> None:
        """Keep the options; the connection is opened in the worker."""
        self._options = options

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sink and its metrics."""
        self._sink = clickhouse_sink(self._options)
        self._metrics = sink_metrics(function_context, "ingest_counts")

    def eval(self, totals: pd.Series) -> pd.Series:
        """Store one batch; of several totals of one key the last, which is the largest, is written."""
        import pandas as pd
        import pyarrow as pa

        from connectors.clickhouse.arrow_sink import times

        newest = {tuple(key): total for text in totals for *key, total in orjson.loads(text)}
        with self._metrics.timed(len(newest)):
            self._sink.write(
                "ingest_counts",
                {
                    "tenant_id": [key[0] for key in newest],
                    "window_start": times([key[1] for key in newest]),
                    "outcome": [key[2] for key in newest],
                    "reasons": [key[3] for key in newest],
                    "events": pa.array(list(newest.values()), type=pa.uint64()),
                },
            )
        return pd.Series([1] * len(totals), dtype="int32")

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


def count(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Sum up the tallies of the views `decoded` and `accepted` and store the totals.

    Makes the view `counts` (tenant_id, totals).
    """
    t_env.create_temporary_view("accepted_buckets", t_env.sql_query(ACCEPTED_BUCKETS))
    # One key: a tally is one row a batch, or one a second for each tenant. Added up once a second, as each tenant's
    # totals are a line to its rules.
    t_env.create_temporary_view(
        "tallies",
        t_env.sql_query(TALLIES),
    )
    tallies: DataStream = t_env.to_data_stream(
        t_env.sql_query(micro_batches(SLOW_MS, "tallies", "everything", "tally", "tallies"))
    )
    totals = (
        tallies.key_by(lambda row: row[0], key_type=Types.INT())
        .process(SumTallies(), output_type=Types.ROW_NAMED(["tenant_id", "totals"], [Types.STRING(), Types.STRING()]))
        .name("Sum up tallies")
        .uid("sum-tallies")
    )
    t_env.create_temporary_view("counts", totals)
    t_env.create_temporary_function(
        "store_counts", udf(StoreCounts(options), result_type=DataTypes.INT(), func_type="pandas")
    )
    out.add_insert_sql("INSERT INTO stored SELECT store_counts(totals) FROM counts")
