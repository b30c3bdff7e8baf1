"""Late events: recorded as late, shown as a side output, and never left out of any figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from jobs.workers import clickhouse_sink, sink_metrics

if TYPE_CHECKING:
    import pandas as pd
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.udf import FunctionContext

    from jobs.options import Options


class StoreLate(ScalarFunction):  # type: ignore[misc]
    """Vectorised: writes late events to `late_events` and returns the JSON for the late-events topic."""

    def __init__(self, options: Options) -> None:
        """Keep the options; the connection is opened in the worker."""
        self._options = options

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sink and its metrics."""
        self._sink = clickhouse_sink(self._options)
        self._metrics = sink_metrics(function_context, "late_events")

    def eval(
        self,
        tenant_id: pd.Series,
        event_id: pd.Series,
        event_type: pd.Series,
        event_time: pd.Series,
        received_at: pd.Series,
    ) -> pd.Series:
        """Store one batch."""
        import pandas as pd
        import pyarrow as pa

        from connectors.clickhouse.arrow_sink import times

        lateness = received_at - event_time
        with self._metrics.timed(len(tenant_id)):
            self._sink.write(
                "late_events",
                {
                    "tenant_id": pa.Array.from_pandas(tenant_id),
                    "event_time": times(event_time),
                    "event_id": pa.Array.from_pandas(event_id),
                    "event_type": pa.Array.from_pandas(event_type),
                    "received_at": times(received_at),
                    "lateness_ms": pa.Array.from_pandas(lateness),
                },
            )
        names = ("tenant_id", "event_id", "event_type", "event_time", "received_at", "lateness_ms")
        columns = (column.tolist() for column in (tenant_id, event_id, event_type, event_time, received_at, lateness))
        return pd.Series(
            [orjson.dumps(dict(zip(names, row, strict=True))).decode() for row in zip(*columns, strict=True)],
            dtype="object",
        )

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


def split(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Split the view `accepted` into the views `on_time` and `late`, and store what is late.

    Everything in `late` is left out of the stream's windows and counted by their revision instead, so an event is on
    time only when no window of it can have been fired. That cannot be told by the watermark alone: after a recovery
    there is none at first, though windows were fired before. So an event is `late` when it was late against its own
    append time, which no recovery or replay changes, when the watermark has passed it, or when there is no watermark
    yet. Only the first of these makes it a late event to users.
    """
    late_on_arrival = f"event_time <= received_at - {options.watermark_delay_ms}"
    unsafe = f"(CURRENT_WATERMARK(ts) IS NULL OR ts <= CURRENT_WATERMARK(ts) OR {late_on_arrival})"
    # The names and the number are ours. Both views meet the same watermark: they follow one source in one chain.
    t_env.create_temporary_view("on_time", t_env.sql_query(f"SELECT * FROM accepted WHERE NOT {unsafe}"))  # noqa: S608
    t_env.create_temporary_view("late", t_env.sql_query(f"SELECT * FROM accepted WHERE {unsafe}"))  # noqa: S608
    t_env.create_temporary_function(
        "store_late", udf(StoreLate(options), result_type=DataTypes.STRING(), func_type="pandas")
    )
    out.add_insert_sql(
        f"""
        INSERT INTO late_topic
        SELECT tenant_id, store_late(tenant_id, event_id, event_type, event_time, received_at)
        FROM late
        WHERE {late_on_arrival}
        """  # noqa: S608 - a validated number
    )
