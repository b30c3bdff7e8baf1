"""The clock of quiet partitions.

A watermark is the minimum over all partitions, so one without traffic would hold back the results of the others, and
the last windows before
all traffic stops would never close. A clock tick, a record with a null value and the key `tributary.clock`, is
appended to a partition that
has been quiet since the last look, as long as any partition has had an event lately. Being part of the partition, it
says exactly that
all before it has been read; the wall clock of a worker could not say that while it catches up.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from kafka import TopicPartition
from kafka.errors import KafkaError

from connectors.kafka import clients
from connectors.kafka.settings import KafkaSettings, KafkaSettingsError
from connectors.kafka.topics import CLOCK_TICK_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafka import KafkaConsumer, KafkaProducer

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_MS = 5_000
# Ticks go on this long after the newest event of the topic: the longest window (a minute), and time for what is late
# to be revised after it.
LINGER_SECONDS = 90.0


class QuietPartitions:
    """Decides which partitions need a tick, from their end offsets at successive looks. Pure; times in seconds."""

    def __init__(self, now: float) -> None:
        """Begin as if an event had just come: what was read before the start may have left windows open."""
        self._ends: dict[int, int] = {}
        self._newest_event = now

    def look(self, ends: Mapping[int, int], now: float) -> list[int]:
        """Return the partitions to tick, given the end offset of each partition."""
        quiet = [partition for partition, end in ends.items() if self._ends.get(partition) == end]
        if len(quiet) < len(ends) and self._ends:
            self._newest_event = now
        self._ends = dict(ends)
        return quiet if now - self._newest_event <= LINGER_SECONDS else []

    def ticked(self, partition: int, offset: int) -> None:
        """Note that the tick of a partition was appended at `offset`, so that it is not taken for an event."""
        if self._ends.get(partition) == offset:
            self._ends[partition] = offset + 1


class Clock:
    """Ticks the quiet partitions of one topic. A fault of the broker is logged and the next look tries again."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        """Keep the settings; nothing is connected yet."""
        self._settings = settings
        self._topic = topic
        self._consumer: KafkaConsumer | None = None
        self._producer: KafkaProducer | None = None
        self._quiet = QuietPartitions(time.monotonic())

    def tick(self) -> int:
        """Look once and tick what is quiet.

        Return how many ticks were sent. Blocks for the broker's time-out at most.
        """
        try:
            return self._tick()
        except (KafkaError, KafkaSettingsError) as error:
            log.warning("no clock tick: %s", clients.told(error))
            self.close()
            return 0

    def _tick(self) -> int:
        if self._consumer is None:
            self._consumer = clients.consumer(
                self._settings,
                bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                enable_auto_commit=False,
            )
        if self._producer is None:
            self._producer = clients.producer(
                self._settings,
                acks=1,
                linger_ms=0,
                retries=0,
                bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                max_block_ms=REQUEST_TIMEOUT_MS,
            )
        partitions = sorted(self._consumer.partitions_for_topic(self._topic) or ())
        ends = self._consumer.end_offsets([TopicPartition(self._topic, partition) for partition in partitions])
        quiet = self._quiet.look({at.partition: end for at, end in ends.items()}, time.monotonic())
        sent = [
            self._producer.send(self._topic, key=CLOCK_TICK_KEY.encode(), value=None, partition=partition)
            for partition in quiet
        ]
        for future in sent:
            metadata = future.get(timeout=REQUEST_TIMEOUT_MS / 1000)
            self._quiet.ticked(metadata.partition, metadata.offset)
        return len(sent)

    def close(self) -> None:
        """Close the connections; the next tick opens them again."""
        for client in (self._consumer, self._producer):
            if client is not None:
                try:
                    client.close()
                except KafkaError:
                    log.debug("closing a broken Kafka client failed")
        self._consumer = self._producer = None
