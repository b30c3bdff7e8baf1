"""Run by the Python of the jobs: copies the topic of late events to the alerts, through the job's own tables.

Its argument is JSON: `read` and `write` are options of the job, for the table that is read and those that are written,
`wrong_file` is a file with a wrong password, `rest_ports` a range. It copies until it is cancelled, then tries to read
with the wrong password.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import DataTypes, Schema, StreamTableEnvironment

from connectors.kafka.topics import Topics
from jobs import sinks
from jobs.kafka_tables import kafka_table
from jobs.options import parse
from local.config import REPOSITORY

if TYPE_CHECKING:
    from jobs.options import Options


def environment(rest_ports: str) -> StreamTableEnvironment:
    configuration = Configuration()
    jars = (REPOSITORY / ".cache" / "jars" / "flink").glob("*.jar")
    configuration.set_string("pipeline.jars", ";".join(jar.as_uri() for jar in jars))
    # One attempt: what is wrong is to be seen, not tried again.
    configuration.set_string("restart-strategy.type", "none")
    configuration.set_string("parallelism.default", "1")
    configuration.set_string("rest.bind-port", rest_ports)
    return StreamTableEnvironment.create(StreamExecutionEnvironment.get_execution_environment(configuration))


def source(t_env: StreamTableEnvironment, name: str, options: Options) -> None:
    columns = Schema.new_builder().column("tenant_id", DataTypes.STRING()).column("message", DataTypes.STRING())
    t_env.create_temporary_table(
        name,
        kafka_table(options, Topics(options.topic_prefix).late)
        .schema(columns.build())
        .option("scan.startup.mode", "earliest-offset")
        .option("key.format", "raw")
        .option("key.fields", "tenant_id")
        .option("value.format", "raw")
        .option("value.fields-include", "EXCEPT_KEY")
        .build(),
    )


def copy(t_env: StreamTableEnvironment, name: str) -> None:
    running = t_env.execute_sql(f"INSERT INTO alerts SELECT tenant_id, message FROM {name}")
    print(f"{name}: {running.get_job_client().get_job_id()}", flush=True)
    try:
        running.wait()
    except Exception as error:  # noqa: BLE001 - whatever Flink raises is what the test looks at
        print(f"{name} ended: {error}", flush=True)


def main() -> None:
    chosen = json.loads(sys.argv[1])
    reading = parse(chosen["read"])
    t_env = environment(chosen["rest_ports"])
    sinks.define(t_env, parse(chosen["write"]))
    source(t_env, "late_events", reading)
    source(t_env, "refused", replace(reading, kafka_password_file=chosen["wrong_file"]))
    copy(t_env, "late_events")
    copy(t_env, "refused")


if __name__ == "__main__":
    main()
