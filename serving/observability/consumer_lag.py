"""How far the measurement job is behind: the end of each partition minus the offset that the job has committed."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from kafka import OffsetSpec, TopicPartition
from kafka.errors import KafkaError

from connectors.kafka import clients

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

    from connectors.kafka.settings import KafkaSettings

log = logging.getLogger(__name__)

REQUEST_MS = 5_000


class ConsumerLag:
    """Reads the lag of one consumer group on one topic. Blocks: called in a thread, one call at a time."""

    def __init__(self, kafka: KafkaSettings, topic: str, group: str) -> None:
        """Keep the names; the first read connects."""
        self._kafka = kafka
        self._topic = topic
        self._group = group
        self._admin: KafkaAdminClient | None = None

    def read(self) -> dict[int, int] | None:
        """Return the records after the committed offset by partition, None when Kafka does not answer.

        Where nothing was committed yet, all records that the partition holds are counted: the job begins with the
        first.
        """
        try:
            return self._read()
        except (KafkaError, OSError, RuntimeError, ValueError) as error:
            log.info("consumer lag not read: %s", clients.told(error))
            self.close()
            return None

    def close(self) -> None:
        """Close the connection; a later read opens a new one."""
        if self._admin is not None:
            with contextlib.suppress(Exception):
                self._admin.close()
            self._admin = None

    def _read(self) -> dict[int, int]:
        if self._admin is None:
            self._admin = clients.admin(self._kafka, bootstrap_timeout_ms=REQUEST_MS, request_timeout_ms=REQUEST_MS)
        described = self._admin.describe_topics([self._topic])
        partitions = [
            TopicPartition(self._topic, partition["partition_index"])
            for topic in described
            for partition in topic["partitions"]
        ]
        ends = self._admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST), timeout_ms=REQUEST_MS)
        begins = self._admin.list_partition_offsets(
            dict.fromkeys(partitions, OffsetSpec.EARLIEST), timeout_ms=REQUEST_MS
        )
        committed = self._admin.list_group_offsets({self._group: partitions})[self._group]
        lag = {}
        for partition in partitions:
            done = committed.get(partition)
            position = begins[partition].offset if done is None or done.offset < 0 else done.offset
            lag[partition.partition] = max(0, ends[partition].offset - position)
        return lag
