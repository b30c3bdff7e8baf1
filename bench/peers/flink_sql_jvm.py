"""The windows in Flink SQL without any Python at run time, over decoded lines: the bound of what the JVM can do.

`python -m bench.peers.flink_sql_jvm BOOTSTRAP TOPIC FOLDER PARALLELISM`, in the environment of the jobs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyflink.table import EnvironmentSettings, TableEnvironment

from bench.peers.flink_settings import settings
from bench.peers.shared_part import DISORDER_MS

_SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")


def main(bootstrap: str, topic: str, folder: Path, parallelism: int) -> None:
    """Run the query over the topic as it is now."""
    configuration = settings(folder, parallelism)
    # Beside a processing-time deduplication, mini-batches would break event time.
    configuration.set_string("table.exec.mini-batch.enabled", "false")
    configuration.set_string("table.local-time-zone", "UTC")
    t_env = TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    )
    sums = ", ".join(f"{name} BIGINT" for name in _SUMS)
    t_env.execute_sql(
        f"""
        CREATE TABLE events (
            tenant_id STRING, event_id STRING, campaign STRING, event_time BIGINT, {sums},
            ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, arrival AS PROCTIME(),
            WATERMARK FOR ts AS ts - INTERVAL '{DISORDER_MS // 1000}' SECOND
        ) WITH (
            'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{bootstrap}',
            'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'csv'
        )"""
    )
    outputs = ", ".join(f"{name} BIGINT" for name in (*_SUMS, "events"))
    t_env.execute_sql(
        f"""
        CREATE TABLE windows (campaign STRING, start_ms BIGINT, {outputs})
        WITH ('connector' = 'filesystem', 'path' = '{(folder / "windows").as_uri()}', 'format' = 'json')"""
    )
    summed = ", ".join(f"SUM({name})" for name in _SUMS)
    # The rules that need no decoder are checked here as well: a bound that does less would flatter nobody.
    query = f"""
        INSERT INTO windows
        SELECT campaign, 1000 * UNIX_TIMESTAMP(CAST(window_start AS STRING)), {summed}, COUNT(*)
        FROM TABLE(HOP(TABLE accepted, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '5' SECOND))
        WHERE campaign <> ''
        GROUP BY campaign, window_start, window_end"""  # noqa: S608 - built from the constants above
    t_env.execute_sql(
        """
        CREATE TEMPORARY VIEW accepted AS SELECT * FROM (
            SELECT *, ROW_NUMBER() OVER (PARTITION BY tenant_id, event_id ORDER BY arrival ASC) AS copy FROM events
            WHERE impressions >= 0 AND clicks >= 0 AND conversions >= 0 AND cost_micros >= 0 AND revenue_micros >= 0
        ) WHERE copy = 1"""
    )
    t_env.execute_sql(query).wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
