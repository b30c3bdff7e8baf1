"""The windows as one `INSERT … SELECT` of the ClickHouse engine over the decoded file: the limit of aggregation.

`python -m bench.peers.clickhouse_limit FILE FOLDER THREADS`, in the environment of serving.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from chdb import session

from bench.peers.shared_part import STEP_MS, WINDOW_MS, Progress, window_line

_SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")


def main(file: Path, folder: Path, threads: int) -> None:
    """Run it and write the windows."""
    engine: Any = session.Session(str(folder / "engine"))  # type: ignore[no-untyped-call]
    columns = ", ".join(f"{name} Int64" for name in (*_SUMS, "events"))
    engine.query("CREATE DATABASE IF NOT EXISTS bench")
    engine.query(
        f"CREATE TABLE bench.windows (campaign LowCardinality(String), start_ms Int64, {columns}) "
        "ENGINE = MergeTree ORDER BY (campaign, start_ms)"
    )
    summed = ", ".join(f"sum({name})" for name in _SUMS)
    starts = f"arrayMap(i -> intDiv(event_time, {STEP_MS}) * {STEP_MS} - i * {STEP_MS}, range({WINDOW_MS // STEP_MS}))"
    progress = Progress()
    progress.note(0)
    engine.query(
        f"INSERT INTO bench.windows SELECT campaign, start, {summed}, count() FROM "  # noqa: S608 - constants
        f"(SELECT * FROM file('{file}', Parquet) LIMIT 1 BY tenant_id, event_id) "
        f"ARRAY JOIN {starts} AS start WHERE campaign <> '' GROUP BY campaign, start SETTINGS max_threads = {threads}"
    )
    progress.note(1)
    progress.write(folder / "progress-0.json")
    rows = engine.query("SELECT * FROM bench.windows", "JSONCompactEachRow").bytes().decode().splitlines()
    with (folder / "windows.jsonl").open("w", encoding="utf-8") as out:
        for row in rows:
            campaign, *numbers = json.loads(row)
            start, *sums = (int(number) for number in numbers)
            out.write(window_line(campaign, start, sums) + "\n")
    engine.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
