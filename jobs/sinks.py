"""Where the streams end: JSON records in Kafka topics, and nowhere for what a stage has already stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyflink.table import DataTypes, Schema, TableDescriptor

from connectors.kafka.topics import Topics
from jobs.kafka_tables import kafka_table

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment

    from jobs.options import Options


def define(t_env: StreamTableEnvironment, options: Options) -> None:
    """Make the sink tables.

    `signals`, `alerts`, `quarantine_topic`, `late_topic` have (tenant_id, message), `stored` has (n).
    """
    topics = Topics(options.topic_prefix)
    schema = Schema.new_builder().column("tenant_id", DataTypes.STRING()).column("message", DataTypes.STRING()).build()
    for table, topic in (
        ("signals", topics.signals),
        ("alerts", topics.alerts),
        ("quarantine_topic", topics.quarantine),
        ("late_topic", topics.late),
    ):
        t_env.create_temporary_table(
            table,
            kafka_table(options, topic)
            .schema(schema)
            # A quarantined message may be as large as the broker takes, and base64 makes it a third larger.
            .option("properties.max.request.size", str(24 * 1024 * 1024))
            .option("properties.compression.type", "lz4")
            # Every row has a natural key, so a repeated record is harmless; transactions would show
            # results only at checkpoints.
            .option("sink.delivery-guarantee", "at-least-once")
            .option("key.format", "raw")
            .option("key.fields", "tenant_id")
            .option("value.format", "raw")
            .option("value.fields-include", "EXCEPT_KEY")
            .build(),
        )
    # Rows that a stage has written to ClickHouse end here.
    t_env.create_temporary_table(
        "stored",
        TableDescriptor.for_connector("blackhole")
        .schema(Schema.new_builder().column("n", DataTypes.INT()).build())
        .build(),
    )
