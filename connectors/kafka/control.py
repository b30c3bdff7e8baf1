"""The control topic: one record a tenant, compacted, that tells running jobs the tenant's settings and models.

Records of a key are read in the order in which they were written. What the values mean is not known here.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafka import TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from connectors.kafka import clients
from connectors.kafka.settings import KafkaSettings, KafkaSettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Reading the topic takes well below a second; a broker that does not answer for so long is down.
TIMEOUT_SECONDS = 30.0
REQUEST_TIMEOUT_MS = 10_000
POLL_MS = 500
# All records of one key are in one partition, so any number would do; one keeps the order of all.
PARTITIONS = 1
CONFIGURATION = {
    "cleanup.policy": "compact",
    # Compacted soon, but never before a reader that checks its own write has read it.
    "min.compaction.lag.ms": "60000",
    "segment.ms": "3600000",
}


class ControlTopicError(Exception):
    """The control topic cannot be read or written; the text says why."""


@dataclass(frozen=True, slots=True)
class ControlTopic:
    """The control topic of one installation. Each call connects, and blocks for TIMEOUT_SECONDS at most."""

    kafka: KafkaSettings
    topic: str

    def create(self) -> bool:
        """Make the topic where it is missing; returns whether it was. Raises ControlTopicError."""
        wanted = NewTopic(self.topic, num_partitions=PARTITIONS, replication_factor=-1, topic_configs=CONFIGURATION)
        try:
            with closing(
                clients.admin(
                    self.kafka, request_timeout_ms=REQUEST_TIMEOUT_MS, bootstrap_timeout_ms=REQUEST_TIMEOUT_MS
                )
            ) as admin:
                admin.create_topics([wanted])
        except TopicAlreadyExistsError:
            return False
        except (KafkaError, KafkaSettingsError) as error:
            raise ControlTopicError(f"topic {self.topic} cannot be made: {clients.told(error)}") from None
        return True

    def put(self, key: str, value: bytes) -> None:
        """Append a record and wait until the brokers have it. Raises ControlTopicError."""
        try:
            with closing(
                clients.producer(
                    self.kafka,
                    acks="all",
                    request_timeout_ms=REQUEST_TIMEOUT_MS,
                    bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                    max_block_ms=REQUEST_TIMEOUT_MS,
                    max_request_size=2 << 20,
                )
            ) as producer:
                producer.send(self.topic, key=key.encode(), value=value).get(TIMEOUT_SECONDS)
        except (KafkaError, KafkaSettingsError) as error:
            raise ControlTopicError(f"topic {self.topic} does not take the record: {clients.told(error)}") from None

    def read(self) -> dict[str, list[bytes]]:
        """Return all records that are still kept, by key, oldest first. Raises ControlTopicError.

        A topic that does not exist has no records.
        """
        found: dict[str, list[bytes]] = {}
        try:
            for key, value in self._records():
                found.setdefault(key, []).append(value)
        except (KafkaError, KafkaSettingsError) as error:
            raise ControlTopicError(f"topic {self.topic} cannot be read: {clients.told(error)}") from None
        return found

    def _records(self) -> Iterator[tuple[str, bytes]]:
        until = time.monotonic() + TIMEOUT_SECONDS
        with closing(
            clients.consumer(
                self.kafka,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                enable_auto_commit=False,
                group_id=None,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
            )
        ) as consumer:
            parts = [TopicPartition(self.topic, part) for part in consumer.partitions_for_topic(self.topic) or ()]
            if not parts:
                return
            ends = consumer.end_offsets(parts)
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            while any(consumer.position(part) < end for part, end in ends.items()):
                if time.monotonic() > until:
                    raise ControlTopicError(f"topic {self.topic} was not read within {TIMEOUT_SECONDS:.0f} s")
                for part, records in consumer.poll(timeout_ms=POLL_MS).items():
                    for record in records:
                        if record.offset < ends[part] and record.key and record.value:
                            yield record.key.decode(errors="replace"), record.value
