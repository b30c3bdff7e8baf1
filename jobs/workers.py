"""What functions open in a Python worker.

Connections from options and passwords from the environment, and sink metrics.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from connectors.clickhouse.arrow_sink import ArrowSink
from connectors.clickhouse.client import ClickHouseAddress
from connectors.redis.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from pyflink.table.udf import FunctionContext

    from jobs.options import Options


def milliseconds(times: pd.Series) -> Any:
    """Return a series of times, of whatever unit and zone pandas chose, as a numpy array of UTC ms (int64)."""
    return times.to_numpy(dtype="datetime64[ms]").astype("int64")


def clickhouse_sink(options: Options) -> ArrowSink:
    """Return a sink for the options' database, with the password of the worker's environment."""
    address = ClickHouseAddress.parse(options.clickhouse_url, options.clickhouse_database)
    return ArrowSink(replace(address, password=os.environ.get("TRIBUTARY_CLICKHOUSE_PASSWORD", "")))


@dataclass(frozen=True, slots=True)
class SinkMetrics:
    """Flink metrics of one sink: rows written, and the time of the newest batch's write in ms."""

    rows: Any
    write_ms: Any

    @contextmanager
    def timed(self, count: int) -> Iterator[None]:
        """Measure the write of a batch of `count` rows."""
        began = time.monotonic()
        yield
        self.write_ms.update(int((time.monotonic() - began) * 1000))
        self.rows.inc(count)


def sink_metrics(function_context: FunctionContext, sink: str) -> SinkMetrics:
    """Register the metrics of the named sink."""
    group = function_context.get_metric_group().add_group("sink", sink)
    return SinkMetrics(group.counter("rows_written"), group.distribution("write_ms"))


def cache(options: Options) -> Cache:
    """Return the Redis cache of the options, with the password of the worker's environment."""
    return Cache(options.redis_url, os.environ.get("TRIBUTARY_REDIS_PASSWORD"))
