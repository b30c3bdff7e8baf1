"""What every table on a Kafka topic has in common: the brokers, and how the job's clients reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyflink.table import TableDescriptor

from connectors.kafka.settings import FLINK_PACKAGE, KafkaSettings

if TYPE_CHECKING:
    from jobs.options import Options


def kafka_table(options: Options, topic: str) -> TableDescriptor.Builder:
    """Begin the descriptor of a table on a topic. It holds no secret: each process reads its own."""
    table = TableDescriptor.for_connector("kafka").option("topic", topic)
    for name, value in KafkaSettings.of(options).for_java(FLINK_PACKAGE).items():
        table = table.option(f"properties.{name}", value)
    return table
