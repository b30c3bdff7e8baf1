"""Inserts of the tests into the tables, through the connector that the pipeline uses."""

from __future__ import annotations

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
