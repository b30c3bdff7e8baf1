"""Sends the stream to Kafka at its rate, whatever the answer times are (open loop)."""

from __future__ import annotations

import signal
import sys
import time
from array import array
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, Producer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.world.stream import Stream
    from connectors.kafka.event_traces import Header

# How often the producer wakes up at most: 5 ms add little to the latencies measured and cost 1 % of a core.
_TICK_SECONDS = 0.005
_LONGEST_SLEEP_SECONDS = 0.2
# After a stall the backlog goes out in parts of this size, so that a stop is noticed.
_LARGEST_CHUNK = 5_000
# Being this late is worth a message, at most once in so many seconds.
_LATE_MS, _LATE_MESSAGE_SECONDS = 1_000, 5.0
_CONNECT_ATTEMPT_SECONDS = 5.0


class ProduceError(Exception):
    """Messages cannot be sent. The text says what is wrong and what to do."""


@dataclass(slots=True)
class SendLog:
    """What was sent when: up to message number `until[i]` (exclusive) at `at_ms[i]`, UTC ms."""

    until: array[int] = field(default_factory=lambda: array("q"))
    at_ms: array[int] = field(default_factory=lambda: array("q"))

    def add(self, until: int, at_ms: int) -> None:
        """Note that everything below number `until` has been handed over."""
        self.until.append(until)
        self.at_ms.append(at_ms)

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """First number, last number (exclusive) and time of each part."""
        first = 0
        for until, at_ms in zip(self.until, self.at_ms, strict=True):
            yield first, until, at_ms
            first = until


@dataclass(slots=True)
class Sending:
    """The outcome of a run. Times are seconds and UTC ms; `cpu_seconds` is the whole process's, Kafka client
    included.
    """

    sent: int = 0
    numbers: int = 0
    failed: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    largest_delay_ms: float = 0.0
    log: SendLog = field(default_factory=SendLog)


class KafkaSender:
    """A Kafka producer for one topic that loses nothing silently: acks from all replicas, idempotent, retries with
    back-off.
    """

    def __init__(self, bootstrap: str, topic: str, *, compression: str = "lz4", timeout_seconds: float = 30.0) -> None:
        """Connect. Raises ProduceError when no broker answers within `timeout_seconds` or the topic does not exist."""
        self.failed = 0
        self.sent = 0
        self._topic = topic
        self._last_error = ""
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": "world",
                "acks": "all",
                "enable.idempotence": True,
                # The partitioner of Java and kafka-python clients: whoever sends a tenant's events, they meet in one
                # partition.
                "partitioner": "murmur2_random",
                "compression.type": compression,
                # With several requests under way the client's thread spins while it waits for a slow broker: measured
                # 0.3 of a core at 400 messages/s, 0.04 with one. Requests then carry more messages each.
                "max.in.flight": 1,
                # The broker's cost is per batch: at 10,000 events/s one of 50 ms holds some 60 events of a partition.
                "linger.ms": 50,
                "batch.size": 262_144,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 262_144,
                # As much as the topic takes, so that what the contract refuses as too large can be sent.
                "message.max.bytes": 16 * 1024 * 1024,
                "message.timeout.ms": 120_000,
                "retry.backoff.ms": 100,
                "retry.backoff.max.ms": 2_000,
                "reconnect.backoff.max.ms": 2_000,
                # A call into Python for each delivery would cost more than sending; what was sent and has not failed
                # when the queue is empty has been delivered.
                "delivery.report.only.error": True,
                "on_delivery": self._delivery_failed,
                "error_cb": self._client_error,
                "log_level": 2,
            }
        )
        self._connect(bootstrap, timeout_seconds)

    def send(self, messages: Iterable[tuple[bytes, bytes | None, list[Header] | None]]) -> None:
        """Hand messages over, each with key, value and headers; blocks while the queue is full. Raises ProduceError
        when the client has failed for good.
        """
        produce, topic = self._producer.produce, self._topic
        for key, value, headers in messages:
            while True:
                try:
                    produce(topic, value, key, headers=headers)
                    break
                except BufferError:
                    self._producer.poll(0.1)
                except KafkaException as error:
                    raise ProduceError(f"the Kafka client gave up: {error}") from error
            self.sent += 1
        self._producer.poll(0)

    def serve(self) -> None:
        """Let delivery reports and errors come in; does not block."""
        self._producer.poll(0)

    def flush(self, timeout_seconds: float = 130.0) -> None:
        """Wait until everything is delivered or has failed; what is left after the time counts as failed."""
        self.failed += self._producer.flush(timeout_seconds)

    def _connect(self, bootstrap: str, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                topics = self._producer.list_topics(timeout=min(_CONNECT_ATTEMPT_SECONDS, timeout_seconds)).topics
                break
            except KafkaException as error:
                if time.monotonic() >= deadline:
                    detail = self._last_error or str(error.args[0])
                    raise ProduceError(
                        f"no Kafka broker at {bootstrap} within {timeout_seconds:g} s: {detail}"
                    ) from error
        if self._topic not in topics:
            known = ", ".join(sorted(topics)) or "none"
            raise ProduceError(f"topic {self._topic!r} does not exist at {bootstrap}; create it first. Topics: {known}")

    def _delivery_failed(self, error: Any, _message: Any) -> None:
        if error is not None:
            self.failed += 1
            if self.failed == 1:
                _say(f"a message could not be delivered: {error}")

    def _client_error(self, error: Any) -> None:
        self._last_error = str(error)
        if error.fatal():
            _say(f"fatal error of the Kafka client: {error}")


class Stop:
    """Set by the first SIGINT or SIGTERM; the second one ends the process as usual."""

    def __init__(self) -> None:
        """Not stopped yet."""
        self.requested = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen to the signals while the block runs."""
        previous = {number: signal.signal(number, self._request) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _request(self, _number: int, _frame: Any) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def produce(stream: Stream, sender: KafkaSender, count: int | None, stop: Stop) -> Sending:
    """Send `count` messages of the stream (None: until stopped), each when it is due, and wait for their delivery."""
    sending = Sending()
    started, cpu_started = time.monotonic(), time.process_time()
    late_message_at = 0.0
    done = 0
    while not stop.requested and (count is None or done < count):
        now_ms = time.time() * 1000
        due = stream.clock.due(now_ms)
        until = min(due if count is None else min(due, count), done + _LARGEST_CHUNK)
        if until > done:
            delay = now_ms - stream.clock.created_ms(done)
            sending.largest_delay_ms = max(sending.largest_delay_ms, delay)
            if delay > _LATE_MS and time.monotonic() > late_message_at:
                late_message_at = time.monotonic() + _LATE_MESSAGE_SECONDS
                _say(
                    f"behind by {delay / 1000:.1f} s at message {done}: the machine or broker is too slow for the rate"
                )
            sender.send(stream.sendable(done, until))
            done = until
            sending.log.add(until, int(now_ms))
        else:
            sender.serve()
        _sleep_until(stream.clock.created_ms(done))
    sender.flush()
    sending.numbers, sending.sent, sending.failed = done, sender.sent, sender.failed
    sending.seconds = time.monotonic() - started
    sending.cpu_seconds = time.process_time() - cpu_started
    return sending


def _sleep_until(due_ms: int) -> None:
    """Sleep towards the next message: at least a tick, unless it is overdue by more."""
    ahead = due_ms / 1000 - time.time()
    if ahead > -_TICK_SECONDS:
        time.sleep(min(max(ahead, _TICK_SECONDS), _LONGEST_SLEEP_SECONDS))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
