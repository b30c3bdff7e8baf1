"""A Kafka cluster inside the client library: real protocol and sockets, no server to install."""

from __future__ import annotations

import time
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer, TopicPartition

TOPIC = "marketing-events"


class MockKafka:
    """One broker on a free port. The topic exists once `create_topic` was called."""

    def __init__(self):
        self._owner = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 0})
        (broker,) = self._owner.list_topics(timeout=20).brokers.values()
        self.bootstrap = f"{broker.host}:{broker.port}"

    def create_topic(self):
        self._owner.list_topics(TOPIC, timeout=20)
        return self

    def close(self):
        self._owner.close()

    def read(self, count, seconds=60):
        """The topic's messages, which must be `count`, as (partition, key, value); each partition in its order."""
        return [(one.partition(), one.key(), one.value()) for one in self.records(count, seconds)]

    def records(self, count, seconds=60):
        """The same as the client has them, headers included."""
        with self._consumer() as consumer:
            found = []
            until = time.monotonic() + seconds
            while len(found) < count:
                assert time.monotonic() < until, f"{len(found)} of {count} messages within {seconds} s"
                for message in consumer.consume(count - len(found), timeout=1):
                    assert not message.error(), message.error()
                    found.append(message)
            assert not consumer.consume(1, timeout=0.2), "more messages than were produced"
            return found

    def wait_for_messages(self, seconds=60):
        """The number of messages there are, once there is one."""
        with self._consumer() as consumer:
            return len(consumer.consume(1, timeout=seconds))

    @contextmanager
    def _consumer(self):
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "test", "log_level": 0})
        try:
            partitions = consumer.list_topics(TOPIC, timeout=20).topics[TOPIC].partitions
            consumer.assign([TopicPartition(TOPIC, number, 0) for number in partitions])
            yield consumer
        finally:
            consumer.close()


@contextmanager
def mock_kafka():
    """A mock with the topic."""
    kafka = MockKafka().create_topic()
    try:
        yield kafka
    finally:
        kafka.close()
