"""Commands to the device graphs: one record each, keyed by tenant, read by the jobs that link customers."""

from __future__ import annotations

from contextlib import closing

from kafka.errors import KafkaError

from connectors.kafka import clients
from connectors.kafka.settings import KafkaSettings, KafkaSettingsError

SEND_TIMEOUT_SECONDS = 30
REQUEST_TIMEOUT_MS = 10_000


class CommandNotSentError(Exception):
    """The brokers did not take the command; the text says why."""


def send_command(kafka: KafkaSettings, topic: str, tenant_id: str, line: str) -> None:
    """Append a command (a line of `udfs/identity/lines.py`) and wait until the brokers have it.

    Blocks for SEND_TIMEOUT_SECONDS at most. Sent twice it does the same. Raises CommandNotSentError.
    """
    try:
        with closing(
            clients.producer(
                kafka,
                acks="all",
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                max_block_ms=REQUEST_TIMEOUT_MS,
            )
        ) as producer:
            producer.send(topic, key=tenant_id.encode(), value=line.encode()).get(SEND_TIMEOUT_SECONDS)
    except (KafkaError, KafkaSettingsError) as error:
        raise CommandNotSentError(f"topic {topic} does not take the command: {clients.told(error)}") from None
