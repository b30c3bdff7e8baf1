"""The events of the comparison: one record file, and the topics and the file that are made of it.

- `marketing-events`: as the pipeline expects it, keyed by tenant; the record's time stands for the append time.
- `shared`: the same messages for the other engines, with two things done for them. The time of a message is the
  event time where the event counts in windows, so that watermarks can be made in the source. The key is the
  campaign's, so that engines which keep state by message key need no second topic.
- `flat` and a Parquet file: what is valid, already decoded, for engines that do not decode.

All topics have a prefix, so that one broker holds several sizes.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from bench.peers.shared_part import Event, SharedDecoder
from connectors.kafka.codec import EventEncoder
from connectors.kafka.control import CONFIGURATION
from connectors.kafka.topics import Topics
from connectors.schema_registry import open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

Windows = dict[tuple[str, int], tuple[int, ...]]
"""Windows by campaign key and start (UTC ms): impressions, clicks, conversions, cost, revenue (micros), events."""

SHARED, FLAT = "shared", "flat"
PARTITIONS = 8
CLOSING_TENANT = "closing"
"""Its events come last and let every partition's clock pass the end of all windows; its windows are not compared."""
_CLOSING_AHEAD_MS = 30_000
_FAULTS = "dup=0.02,conversions_exceed_clicks=0.01,invalid_currency=0.01,garbage_body=0.005,out_of_order=0.05"
_DISORDER_MS = "500"
_RATE = "10000"
_CHUNK = 10_000
_FLAT_COLUMNS = (
    *("tenant_id", "event_id", "campaign", "event_time"),
    *("impressions", "clicks", "conversions", "cost_micros", "revenue_micros"),
)
_FLUSH_SECONDS = 120
_SCHEMAS = str(Path(__file__).resolve().parents[2] / "avro")


@dataclass(frozen=True, slots=True)
class Events:
    """One size of the events; its files are in `folder`, its topics have the prefix."""

    folder: Path
    prefix: str
    messages: int
    valid: int

    @property
    def record(self) -> Path:
        """The record file."""
        return self.folder / f"{self.prefix}events.jsonl"

    @property
    def parquet(self) -> Path:
        """What is valid, decoded."""
        return self.folder / f"{self.prefix}flat.parquet"

    @property
    def windows(self) -> Path:
        """The windows that the oracle computes, as lines."""
        return self.folder / f"{self.prefix}windows.jsonl"


def make(folder: Path, count: int, bootstrap: str, prefix: str) -> Events:
    """Write a record file of `count` messages and fill the topics, whose names begin with `prefix`, from it.

    Raises:
        RuntimeError: a message was not acknowledged in time.
        subprocess.CalledProcessError: the simulator refused its options.
    """
    made = Events(folder, prefix, count, 0)
    command = [sys.executable, "-m", "bench.world", "write", "--out", str(made.record), "--count", str(count)]
    command += ["--rate", _RATE, "--seed", "1", "--tenants", "20", "--faults", _FAULTS, "--disorder-ms", _DISORDER_MS]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    _create_topics(bootstrap, prefix)
    return _fill(made, bootstrap)


def _create_topics(bootstrap: str, prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = Topics(prefix)
    names = [topics.events, topics.signals, topics.alerts, topics.quarantine, topics.late]
    names += [f"{prefix}{SHARED}", f"{prefix}{FLAT}"]
    new = [NewTopic(name, PARTITIONS, 1, config={"retention.ms": "-1"}) for name in names]
    new.append(NewTopic(topics.control, PARTITIONS, 1, config=dict(CONFIGURATION)))
    for made in admin.create_topics(new).values():
        made.result(60)


class _Sender:
    """A producer that counts what was not acknowledged."""

    def __init__(self, bootstrap: str) -> None:
        self.failed: list[str] = []
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 20, "compression.type": "lz4", "acks": "all"}
        )

    def send(self, topic: str, value: bytes, key: str, partition: int, at_ms: int) -> None:
        """Hand one message over; blocks while the queue is full."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, timestamp=at_ms, on_delivery=self._note)
            except BufferError:
                self._producer.poll(0.1)
            else:
                break
        self._producer.poll(0)

    def finish(self) -> None:
        """Wait until all is acknowledged; raises RuntimeError."""
        if self._producer.flush(_FLUSH_SECONDS) or self.failed:
            raise RuntimeError(f"messages were not acknowledged: {self.failed[:1] or 'no answer'}")

    def _note(self, error: Any, _message: Any) -> None:
        if error:
            self.failed.append(str(error))


def _fill(made: Events, bootstrap: str) -> Events:
    sender = _Sender(bootstrap)
    decoder = SharedDecoder()
    pipeline, shared, flat = Topics(made.prefix).events, f"{made.prefix}{SHARED}", f"{made.prefix}{FLAT}"
    messages = valid = latest = 0
    kinds = [pa.string()] * 3 + [pa.int64()] * 6
    schema = pa.schema(list(zip(_FLAT_COLUMNS, kinds, strict=True)))
    with pq.ParquetWriter(made.parquet, schema) as writer:
        for lines in _chunks(made.record):
            rows = []
            for line in lines:
                tenant, value, at = line["key"], base64.b64decode(line["value_b64"]), line["produced_at"]
                event = next(iter(decoder.decode([value], [at])), None)
                sender.send(pipeline, value, tenant, crc32(tenant.encode()) % PARTITIONS, at)
                key, place, when = _placed(tenant, value, at, event)
                sender.send(shared, value, key, place, when)
                if event is not None:
                    sender.send(flat, _csv_line(event), key, place, when)
                    rows.append(event)
                latest = max(latest, at)
            writer.write_table(pa.table([pa.array(column) for column in zip(*rows, strict=True)], schema=schema))
            messages, valid = messages + len(lines), valid + len(rows)
    for partition, (value, event) in enumerate(_closing(latest + _CLOSING_AHEAD_MS)):
        sender.send(pipeline, value, CLOSING_TENANT, partition, event[3])
        sender.send(shared, value, event[2], partition, event[3])
        sender.send(flat, _csv_line(event), event[2], partition, event[3])
    sender.finish()
    return replace(made, messages=messages, valid=valid)


def _placed(tenant: str, value: bytes, at_ms: int, event: Event | None) -> tuple[str, int, int]:
    """Return key, partition and time of a message in the other engines' topics.

    Copies of one event must meet in one partition, whatever they are keyed by.
    """
    if event is None:
        return f"{tenant}/", crc32(value) % PARTITIONS, at_ms
    if not event[2]:
        return f"{tenant}/", crc32(event[1].encode()) % PARTITIONS, at_ms
    return event[2], crc32(event[2].encode()) % PARTITIONS, event[3]


def _chunks(record: Path) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    with record.open("rb") as file:
        for line in file:
            chunk.append(orjson.loads(line))
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _csv_line(event: Event) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(event)
    return line.getvalue().encode()


def _closing(at_ms: int) -> Iterator[tuple[bytes, Event]]:
    encoder, decoder = EventEncoder(open_registry(_SCHEMAS)), SharedDecoder()
    for partition in range(PARTITIONS):
        record = {
            "envelope": {
                "event_id": f"closing-{partition}",
                "tenant_id": CLOSING_TENANT,
                "event_type": "campaign_termination",
                "event_time": at_ms,
                "created_at": at_ms,
                "source_platform": "bench",
                "consent": {"marketing": True, "analytics": True, "personalization": True},
                "identifiers": {},
                "metadata": {},
            },
            "campaign": {"campaign_id": f"c{partition}", "name": "", "channel": "email"},
            "metrics": {
                "kind": "increment",
                **dict.fromkeys(("impressions", "clicks", "conversions", "cost_micros", "revenue_micros"), 0),
                "currency": "EUR",
            },
            "reason": "end",
        }
        value = encoder.encode(record)
        yield value, next(iter(decoder.decode([value], [at_ms])))


def read_windows(files: list[Path]) -> Windows:
    """Return the windows of output files, whose lines are those of `window_line` or objects with the same values.

    Raises:
        ValueError: a window was written twice.
    """
    found: Windows = {}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            written = json.loads(line)
            key, start, *sums = written.values() if isinstance(written, dict) else written
            if key.startswith(f"{CLOSING_TENANT}/"):
                continue
            if (key, start) in found:
                raise ValueError(f"{file.name}: the window of {key} at {start} was written twice")
            found[key, start] = tuple(sums)
    return found
