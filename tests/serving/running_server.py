"""A whole serving process inside the test's event loop: real stores, real sockets, and a feed that tests speak
through."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import grpc
import orjson
from google.rpc import error_details_pb2, status_pb2
from tributary.v1 import alerts_pb2_grpc, attribution_pb2_grpc, campaign_metrics_pb2_grpc, quality_pb2_grpc

from serving.errors import STATUS_DETAILS_KEY
from serving.live.hub import Record, Topic
from serving.live.latest_values import Position
from serving.options import Options, check
from serving.process import Process


async def until(condition, seconds=60.0):
    """Wait until a condition, which is asked in the event loop, holds."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


@dataclass
class FakeFeed:
    """Stands for Kafka: what is published here reaches the hub as a record of the topic."""

    hub: object
    offsets: count = field(default_factory=lambda: count(100))

    def start(self) -> None:
        for topic in Topic:
            self.hub.begin(topic, 0, 100)

    async def stop(self) -> None:
        pass

    def publish(self, *signals, topic=Topic.SIGNALS) -> None:
        records = [Record(topic, Position(0, next(self.offsets)), orjson.dumps(signal)) for signal in signals]
        self.hub.publish(records)


class NoLag:
    """Stands for a Kafka that does not answer."""

    def read(self):
        return None

    def close(self) -> None:
        pass


@dataclass
class Running:
    """A running process with stubs of its services."""

    process: Process
    feed: FakeFeed
    channel: grpc.aio.Channel

    def __post_init__(self):
        self.campaigns = campaign_metrics_pb2_grpc.CampaignMetricsServiceStub(self.channel)
        self.attribution = attribution_pb2_grpc.AttributionServiceStub(self.channel)
        self.alerts = alerts_pb2_grpc.AlertServiceStub(self.channel)
        self.quality = quality_pb2_grpc.QualityServiceStub(self.channel)


def options(clickhouse_port: int, redis_port: int, database: str = "serving_tests", **changed) -> Options:
    """Options of a process on free ports; nothing listens where Kafka is said to be."""
    values = {
        "kafka_bootstrap": "127.0.0.1:1",
        "clickhouse_url": f"http://127.0.0.1:{clickhouse_port}",
        "clickhouse_database": database,
        "redis_url": f"redis://127.0.0.1:{redis_port}/0",
        "grpc_port": 0,
        "http_port": 0,
        # The machine may be busy: what is slow in a test is meant to be.
        "default_deadline_ms": 40_000,
        "clickhouse_timeout_ms": 30_000,
        "redis_timeout_ms": 5_000,
        "heartbeat_ms": 60_000,
        "update_interval_ms": 20,
        "reread_ms": 50,
        "drain_seconds": 2.0,
        # Tests look at what the stores hold now.
        "answer_cache": False,
    }
    return check(Options(**(values | changed)))


@asynccontextmanager
async def running(chosen: Options):
    """Run a process for the length of the context."""
    process = Process(chosen)
    feed = process.feed = FakeFeed(process.hub)
    process.lag = process.figures._lag = NoLag()
    await process.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{process.grpc.port}")
    try:
        yield Running(process, feed, channel)
    finally:
        await channel.close()
        await process.stop()


def details(error: grpc.aio.AioRpcError):
    """Return (reason, field violations by field, retry delay in seconds or None) of a refused call."""
    trailing = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailing[STATUS_DETAILS_KEY])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    reason, violations, delay = None, {}, None
    for packed in status.details:
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if packed.Unpack(info):
            assert info.domain == "tributary"
            reason = info.reason
        elif packed.Unpack(bad):
            violations = {violation.field: violation.description for violation in bad.field_violations}
        elif packed.Unpack(retry):
            delay = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, violations, delay


async def refusal(call) -> grpc.aio.AioRpcError:
    """Return the error of a call that must fail: an awaitable, or a stream that is read to its end."""
    try:
        if hasattr(call, "read"):
            while await call.read() is not grpc.aio.EOF:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call succeeded")


async def next_message(stream, kind: str | None = None, seconds: float = 60.0):
    """Return the next message of a stream, or the next whose update is `kind`."""
    async with asyncio.timeout(seconds):
        while True:
            message = await stream.read()
            assert message is not grpc.aio.EOF, "the stream ended"
            if kind is None or message.WhichOneof("update") == kind:
                return message
