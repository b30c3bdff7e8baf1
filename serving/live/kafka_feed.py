"""The live feed: one consumer per process that reads signals and alerts from now on and hands them to the hub.

It belongs to no consumer group and commits nothing: every process needs every record, and what was before its start
is in the stores.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from typing import TYPE_CHECKING

from kafka import TopicPartition
from kafka.errors import KafkaError

from connectors.kafka import clients
from connectors.kafka.settings import KafkaSettings, KafkaSettingsError
from serving.live.hub import Record, Topic
from serving.live.latest_values import Position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafka import KafkaConsumer

    from connectors.kafka.topics import Topics
    from serving.live.hub import LiveHub
    from serving.metrics import ServingMetrics

log = logging.getLogger(__name__)

# How long a fetch may wait for a record, and so how long a stop takes at most.
POLL_MS = 500
# Records in one batch for the event loop: small enough that filing it (about 20 microseconds each) delays no call
# noticeably.
BATCH_RECORDS = 500
# The event loop may be this many batches behind; then reading waits for it, and the records wait in Kafka.
BATCHES_IN_FLIGHT = 4
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
# New partitions and topics are looked for this often.
PARTITION_CHECK_SECONDS = 30.0


class KafkaFeed:
    """Reads in a thread of its own. `start` once, `stop` once; faults are retried for ever with growing pauses."""

    def __init__(self, kafka: KafkaSettings, topics: Topics, hub: LiveHub, metrics: ServingMetrics) -> None:
        """Keep the parts; nothing is connected yet."""
        self._kafka = kafka
        self._names: Mapping[str, Topic] = {topics.signals: Topic.SIGNALS, topics.alerts: Topic.ALERTS}
        self._hub = hub
        self._metrics = metrics
        self._stopping = threading.Event()
        self._in_flight = threading.Semaphore(BATCHES_IN_FLIGHT)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Where to go on after a fault; survives the consumer.
        self._next: dict[TopicPartition, int] = {}
        self.listening = asyncio.Event()
        """Set once the first consumer stands at the end of every partition."""

    def start(self) -> None:
        """Begin to read; called from the event loop that the hub belongs to."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="kafka-feed", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End reading. Takes at most about a second when the broker answers."""
        self._stopping.set()
        if self._thread is not None:
            # Batches that are still on their way need the loop, so it must not be blocked by the join.
            await asyncio.to_thread(self._thread.join, 5.0)

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                consumer = clients.consumer(
                    self._kafka,
                    group_id=None,
                    enable_auto_commit=False,
                    max_poll_records=BATCH_RECORDS,
                    bootstrap_timeout_ms=5_000,
                    request_timeout_ms=15_000,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
                try:
                    if self._read(consumer):
                        pause = FIRST_PAUSE_SECONDS
                finally:
                    consumer.close(autocommit=False, timeout_ms=1_000)
            except (KafkaError, KafkaSettingsError, OSError, RuntimeError) as error:
                log.warning("live feed: %s, trying again in %.1f s", clients.told(error), pause)
                self._metrics.feed_failures.inc()
            self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _read(self, consumer: KafkaConsumer) -> bool:
        """Read until stopped, or until the topics turn out not to exist (any more); tells whether anything was
        listened to."""
        checked = 0.0
        listened = False
        while not self._stopping.is_set():
            if time.monotonic() - checked > PARTITION_CHECK_SECONDS or not consumer.assignment():
                if not self._assign(consumer):
                    return listened
                listened = True
                checked = time.monotonic()
            polled = consumer.poll(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
            records = [
                Record(
                    self._names[partition.topic],
                    Position(partition.partition, message.offset),
                    message.value,
                    message.timestamp,
                )
                for partition, messages in polled.items()
                for message in messages
            ]
            for partition, messages in polled.items():
                self._next[partition] = messages[-1].offset + 1
            if records and not self._hand_over(records):
                break
        return listened

    def _assign(self, consumer: KafkaConsumer) -> bool:
        """Read all partitions of the topics that exist: those seen before from where they were left, others from
        their end."""
        found = {
            TopicPartition(name, partition)
            for name in self._names
            for partition in consumer.partitions_for_topic(name) or ()
        }
        if not found:
            log.warning("live feed: the topics do not exist yet")
            return False
        if found == consumer.assignment():
            return True
        ends = consumer.end_offsets(sorted(found))
        begins = consumer.beginning_offsets(sorted(found))
        consumer.assign(sorted(found))
        for partition in found:
            at = self._next.get(partition)
            if at is None or not begins[partition] <= at <= ends[partition]:
                # New to this process, or records were deleted unread: what is known begins at the end.
                at = ends[partition]
                self._begin(partition, at)
            self._next[partition] = at
            consumer.seek(partition, at)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.listening.set)
        return True

    def _begin(self, partition: TopicPartition, offset: int) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._hub.begin, self._names[partition.topic], partition.partition, offset)

    def _hand_over(self, records: list[Record]) -> bool:
        """Give a batch to the event loop; False when the process is stopping."""
        while not self._in_flight.acquire(timeout=0.5):
            if self._stopping.is_set():
                return False
        if self._loop is None or self._loop.is_closed():
            return False
        self._loop.call_soon_threadsafe(self._publish, records)
        return True

    def _publish(self, records: list[Record]) -> None:
        try:
            self._hub.publish(records)
        finally:
            self._in_flight.release()
