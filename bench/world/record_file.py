"""Record files: one JSON object a line for each Kafka record, in the order of sending.

`n` line number from 0 · `produced_at` UTC ms · `value_b64` the value in base64, null for a null value · `key` ·
`schema` event type and version of the Avro record (`touchpoint_interaction.v2`), null when nothing can be decoded ·
`fault` its name or null · `record` the record as a dict, null when nothing can be decoded.
"""

from __future__ import annotations

import sys
import time
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from bench.world.message import Label
from bench.world.producer import ProduceError, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.world.producer import KafkaSender, SendLog
    from bench.world.stream import Stream

_CHUNK = 10_000
_PROGRESS_SECONDS = 10.0


def write_planned(stream: Stream, count: int, path: Path) -> int:
    """Write the stream's first `count` messages (and probes) as if each had been sent when due. Returns the number of
    lines.
    """
    parts = ((first, min(first + _CHUNK, count), None) for first in range(0, count, _CHUNK))
    return _write(stream, parts, path)


def write_sent(stream: Stream, log: SendLog, path: Path) -> int:
    """Write what a run has sent, with the times of sending. Returns the number of lines."""
    return _write(stream, log.parts(), path)


def _write(stream: Stream, parts: Iterator[tuple[int, int, int | None]], path: Path) -> int:
    written = 0
    progress_at = time.monotonic() + _PROGRESS_SECONDS
    with path.open("wb", buffering=1 << 20) as file:
        for first, until, produced_at in parts:
            for line in stream.lines(first, until, produced_at, written):
                file.write(line)
                written += 1
            if time.monotonic() > progress_at:
                progress_at += _PROGRESS_SECONDS
                print(f"{written} lines written to {path}", file=sys.stderr, flush=True)
    return written


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a record file."""

    key: str
    value: bytes | None
    label: Label
    text: bytes


def read(path: Path) -> Iterator[Line]:
    """The lines of a record file. Raises ProduceError naming the line that is malformed."""
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                line = orjson.loads(text)
                value = line["value_b64"]
                label = Label(line["key"], (line["schema"] or "").partition(".")[0], line["fault"] or "")
                yield Line(line["key"], None if value is None else b64decode(value, validate=True), label, text)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ProduceError(f"{path}, line {number}, is no line of a record file: {error}") from error


def send_file(path: Path, sender: KafkaSender, rate: float | None, stop: Stop, record: Path | None) -> Counter[Label]:
    """Send a record file in its order, at `rate` messages a second (None: as fast as possible), bytes unchanged.

    `record` gets the same lines with the new times of sending. Returns what was sent.
    """
    sent: Counter[Label] = Counter()
    start = time.monotonic()
    out = record.open("wb", buffering=1 << 20) if record else None
    try:
        for number, line in enumerate(read(path)):
            if stop.requested:
                break
            if rate:
                ahead = start + number / rate - time.monotonic()
                if ahead > 0:
                    sender.serve()
                    time.sleep(ahead)
            sender.send([(line.key.encode(), line.value, None)])
            sent[line.label] += 1
            if out:
                fresh = orjson.loads(line.text) | {"n": number, "produced_at": int(time.time() * 1000)}
                out.write(orjson.dumps(fresh) + b"\n")
    finally:
        if out:
            out.close()
        sender.flush()
    return sent
