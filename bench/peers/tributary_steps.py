"""The steps of the pipeline that the other engines do as well, without its sinks: the job's own reading, decoding,
deduplication and window query, with the windows in files.

`python -m bench.peers.tributary_steps BOOTSTRAP TOPIC_PREFIX FOLDER PARALLELISM`, in the environment of the jobs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import DataTypes, StreamTableEnvironment, TableDescriptor
from pyflink.table.udf import udf

from bench.peers.flink_settings import settings_of_workers
from bench.peers.shared_part import DISORDER_MS, window_line
from jobs import campaign_metrics, ingest
from jobs.campaign_metrics import FAMILY
from jobs.measurement import table_environment
from jobs.options import Options, Stage, Start
from jobs.workers import milliseconds

if TYPE_CHECKING:
    import pandas as pd

# Nothing is sent there: the steps below open no connection.
_NOWHERE = "127.0.0.1:1"


class Bounded(StreamTableEnvironment):  # type: ignore[misc]
    """A table environment whose topics end where they end now."""

    def create_temporary_table(self, path: str, descriptor: TableDescriptor, ignore_if_exists: bool = False) -> None:
        """Make the table, with an end."""
        builder = TableDescriptor.Builder(descriptor._j_table_descriptor.toBuilder())  # noqa: SLF001 - no other way
        bounded = builder.option("scan.bounded.mode", "latest-offset").build()
        super().create_temporary_table(path, bounded, ignore_if_exists)


def lines(*columns: pd.Series) -> pd.Series:
    """Return windows as lines; `columns` are those of `campaign_metrics.PublishWindows`."""
    import pandas as pd

    starts = milliseconds(columns[4]).tolist()
    keys = zip(*(column.tolist() for column in columns[:4]), strict=True)
    sums = zip(*(column.tolist() for column in columns[5:11]), strict=True)
    return pd.Series(
        [window_line("/".join(key), start, row) for key, start, row in zip(keys, starts, sums, strict=True)],
        dtype="object",
    )


def main(bootstrap: str, prefix: str, folder: Path, parallelism: int) -> None:
    """Run the steps over the topic as it is now."""
    options = Options(
        kafka_bootstrap=bootstrap,
        clickhouse_url=f"http://{_NOWHERE}",
        redis_url=f"redis://{_NOWHERE}/0",
        topic_prefix=prefix,
        consumer_group=f"{prefix}steps",
        stages=Stage.CAMPAIGN_METRICS.value,
        start=Start.EARLIEST.value,
        watermark_delay_ms=DISORDER_MS,
    )
    env = StreamExecutionEnvironment.get_execution_environment(settings_of_workers(folder, parallelism))
    t_env = Bounded(table_environment(env, options)._j_tenv)  # noqa: SLF001 - PyFlink makes one of its own class only
    ingest.accept(t_env, options, store=False)
    t_env.create_temporary_view(
        "campaign_events",
        t_env.sql_query(f"SELECT * FROM accepted WHERE event_type IN ({FAMILY})"),  # noqa: S608 - constants
    )
    t_env.create_temporary_function(
        "publish_windows", udf(lines, result_type=DataTypes.STRING(), func_type="pandas", deterministic=False)
    )
    t_env.execute_sql(
        "CREATE TEMPORARY TABLE files (line STRING) "
        f"WITH ('connector' = 'filesystem', 'path' = '{(folder / 'windows').as_uri()}', 'format' = 'raw')"
    )
    t_env.execute_sql(f"INSERT INTO files SELECT signal FROM ({campaign_metrics.WINDOWS})").wait()  # noqa: S608


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
