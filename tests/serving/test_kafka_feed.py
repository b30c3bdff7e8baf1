"""The live feed and the consumer lag against a real broker, which is also killed."""

from __future__ import annotations

import asyncio
import time

import orjson
import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics
from local.config import StackConfig
from local.stack import Stack
from serving.live.hub import LiveHub
from serving.live.kafka_feed import KafkaFeed
from serving.metrics import ServingMetrics
from serving.observability.consumer_lag import ConsumerLag
from tests.conftest import free_port_base
from tests.serving.local_stores import wait_until
from tests.serving.signals import alert_record, window_signal

TOPICS = Topics()


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    stack = Stack(StackConfig(run_dir=tmp_path_factory.mktemp("kafka"), port_base=free_port_base()), report=print)
    stack.up(only=["kafka"], supervise=False)
    yield stack
    stack.down()


@pytest.fixture
def produce(broker):
    """Send signals of a tenant, as the pipeline does: the key is the tenant."""
    producer = KafkaProducer(bootstrap_servers=address(broker), acks="all", retries=10, delivery_timeout_ms=120_000)

    def send(*signals, topic=TOPICS.signals):
        for signal in signals:
            producer.send(topic, key=signal["tenant_id"].encode(), value=orjson.dumps(signal))
        producer.flush(120)

    yield send
    producer.close()


def address(broker):
    return f"127.0.0.1:{broker.config.kafka_port}"


def settings(broker):
    return KafkaSettings(kafka_bootstrap=address(broker))


async def until(condition, what, seconds=90.0):
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


def ends(hub, tenant):
    known = hub.known(tenant)
    return [window.end_ms for window in known.windows.values()] if known else []


@pytest.mark.asyncio
async def test_reads_from_now_on_and_survives_a_killed_broker(broker, produce, tenant):
    produce(window_signal(tenant, "before", 1000))
    metrics = ServingMetrics()
    hub = LiveHub(metrics)
    feed = KafkaFeed(settings(broker), TOPICS, hub, metrics)
    feed.start()
    try:
        await asyncio.wait_for(feed.listening.wait(), 60)
        produce(window_signal(tenant, "c1", 2000))
        produce(alert_record(tenant, "a1", updated_ms=5), topic=TOPICS.alerts)
        await until(lambda: ends(hub, tenant) == [2000] and hub.known(tenant).alerts.values(), "first records")
        position = hub.known(tenant).windows.position
        await asyncio.to_thread(broker.kill, "kafka")
        await asyncio.sleep(1)
        await asyncio.to_thread(broker.up, ["kafka"], supervise=False)
        # Two records: were the reader to begin at the end again, it could miss one that came before it was back.
        await asyncio.to_thread(produce, window_signal(tenant, "c2", 3000), window_signal(tenant, "c3", 4000))
        await until(lambda: ends(hub, tenant) == [2000, 3000, 4000], "records after the restart")
        assert [w.campaign_id for w in hub.known(tenant).windows.since(position)] == ["c2", "c3"]
    finally:
        await feed.stop()
    assert not feed._thread.is_alive()


@pytest.mark.asyncio
async def test_waits_for_a_broker_that_is_not_there_yet(broker, produce, tenant):
    await asyncio.to_thread(broker.kill, "kafka")
    metrics = ServingMetrics()
    hub = LiveHub(metrics)
    feed = KafkaFeed(settings(broker), TOPICS, hub, metrics)
    feed.start()
    lag = ConsumerLag(settings(broker), TOPICS.events, "group")
    try:
        await until(lambda: metrics.feed_failures._value.get() > 0, "a first failure")
        assert await asyncio.to_thread(lag.read) is None
        await asyncio.to_thread(broker.up, ["kafka"], supervise=False)
        await asyncio.wait_for(feed.listening.wait(), 90)
        await asyncio.to_thread(produce, window_signal(tenant, "c1", 1000))
        await until(lambda: ends(hub, tenant) == [1000], "the first record")
    finally:
        await feed.stop()
        lag.close()


@pytest.mark.asyncio
async def test_a_feed_that_never_connected_stops_quickly():
    metrics = ServingMetrics()
    feed = KafkaFeed(KafkaSettings(kafka_bootstrap="127.0.0.1:1"), TOPICS, LiveHub(metrics), metrics)
    feed.start()
    began = time.monotonic()
    await feed.stop()
    assert time.monotonic() - began < 20


def test_consumer_lag(broker, produce, tenant):
    lag = ConsumerLag(settings(broker), TOPICS.events, "a-group")
    try:
        # A broker that has just started has to find the coordinator of the group first.
        before = wait_until(lag.read, "the first reading")
        assert set(before) == set(range(8))
        produce(*({"tenant_id": tenant, "n": n} for n in range(10)), topic=TOPICS.events)
        after = wait_until(lag.read, "a second reading")
        assert sum(after.values()) - sum(before.values()) == 10
        (partition,) = [p for p in after if after[p] != before[p]]
        at = TopicPartition(TOPICS.events, partition)
        consumer = KafkaConsumer(bootstrap_servers=address(broker), group_id="a-group", enable_auto_commit=False)
        consumer.assign([at])
        end = consumer.end_offsets([at])[at]
        consumer.commit({at: OffsetAndMetadata(end - 4, "", -1)})
        consumer.close()
        assert wait_until(lag.read, "a third reading")[partition] == 4
    finally:
        lag.close()
