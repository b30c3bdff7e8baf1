"""All JSON records of a topic, as the comparisons of published results need them."""

from __future__ import annotations

import json
import time
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

_CALL_SECONDS = 30.0


def read_topic(bootstrap: str, topic: str, seconds: float = 120.0) -> list[dict[str, Any]]:
    """Return what a topic holds at this moment, each partition in its order.

    Raises TimeoutError when it could not be read in time, and what the client raises.
    """
    deadline = time.monotonic() + seconds
    # The group is a name that the client wants; nothing is committed under it.
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "oracle", "enable.auto.commit": False})
    try:
        parts = [
            TopicPartition(topic, part, OFFSET_BEGINNING)
            for part in consumer.list_topics(topic, timeout=_CALL_SECONDS).topics[topic].partitions
        ]
        ends = {part.partition: consumer.get_watermark_offsets(part, timeout=_CALL_SECONDS)[1] for part in parts}
        consumer.assign(parts)
        left = {part for part, end in ends.items() if end > 0}
        found: list[dict[str, Any]] = []
        while left:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic} was not read within {seconds:g} s")
            for message in consumer.consume(10_000, timeout=1.0):
                error, part, offset = message.error(), message.partition(), message.offset()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise RuntimeError(f"{topic}: {error}")
                value = message.value()
                if error is None and value is not None and offset < ends[part]:
                    found.append(json.loads(value))
                if offset >= ends[part] - 1:
                    left.discard(part)
        return found
    finally:
        consumer.close()
