"""Planned messages: encoded once, completed with times and the lap's number when sent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

import orjson

from bench.world.records import CREATED_AT, EVENT_TIME, LAP, Draft
from connectors.kafka.event_traces import event_headers

if TYPE_CHECKING:
    from connectors.kafka.codec import EventEncoder
    from connectors.kafka.event_traces import Header

LAP_BYTES = LAP.encode()
# Of conversions every one carries its trace, of other events one of so many: a header is as large as half an event.
TRACED_EVERY = 100
_EVENT_DIGITS, _CREATED_DIGITS = str(EVENT_TIME).encode(), str(CREATED_AT).encode()


@dataclass(frozen=True, slots=True)
class Label:
    """What a message counts as in the final report; `event_type` is empty when no record can be decoded from it."""

    tenant: str
    event_type: str
    fault: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A message ready but for its times and lap.

    `value` holds the stand-ins of records.py in encoded form (None: a null value), `line` the message's part of a
    record file, empty when no file is wanted. The times are those of the message that is `created_lead` and
    `event_lead` places further on; `shift_ms` is added to the event's. With `event_from_created` the event's time
    starts from the time of sending. `traced` is the event id, with the stand-in, of a message that carries its trace.
    """

    key: bytes
    value: bytes | None
    line: bytes
    label: Label
    created_lead: int = 0
    event_lead: int = 0
    shift_ms: int = 0
    event_from_created: bool = False
    traced: str = ""

    def headers(self, lap: bytes) -> list[Header] | None:
        """The headers of the message as it is sent."""
        return event_headers(self.key.decode(), self.traced.replace(LAP, lap.decode())) if self.traced else None

    def complete(self, created_ms: int, event_ms: int, lap: bytes) -> bytes | None:
        """The message as it is sent: times in UTC ms, `lap` of four characters."""
        if self.value is None:
            return None
        value = self.value.replace(_EVENT_VARINT, avro_long(event_ms)).replace(_CREATED_VARINT, avro_long(created_ms))
        return value.replace(LAP_BYTES, lap)

    def complete_line(self, created_ms: int, event_ms: int, lap: bytes) -> bytes:
        """The message's part of a record file, completed in the same way."""
        line = self.line.replace(_EVENT_DIGITS, b"%d" % event_ms).replace(_CREATED_DIGITS, b"%d" % created_ms)
        return line.replace(LAP_BYTES, lap)


@lru_cache(maxsize=8192)
def avro_long(number: int) -> bytes:
    """An integer as Avro writes a long: zigzag, seven bits a byte, lowest first (Avro specification, binary
    encoding).
    """
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    encoded = bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


_EVENT_VARINT, _CREATED_VARINT = avro_long(EVENT_TIME), avro_long(CREATED_AT)


def plan_message(draft: Draft, encoder: EventEncoder, *, with_line: bool) -> Planned:
    """Encode a draft that has a record or raw bytes. Leads are left at 0; the plan sets them.

    Raises ValueError when the record happens to contain a stand-in by accident, which would corrupt it when sent.
    """
    key = draft.key.encode()
    readable = draft.record is not None and draft.fault != "too_large"
    label = Label(draft.key, draft.event_type if readable else "", draft.fault or "")
    line = record_line(draft) if with_line else b""
    if draft.record is None:
        return Planned(key, draft.raw, line, label)
    value = encoder.encode(draft.record, draft.version, draft.event_type)
    if with_line and readable:
        found = value.count(_EVENT_VARINT), value.count(_CREATED_VARINT)
        if found != (line.count(_EVENT_DIGITS), line.count(_CREATED_DIGITS)):
            raise ValueError(f"a {draft.event_type} contains the stand-in for a time by accident")
    traced = _traced(draft) if readable else ""
    return Planned(
        key, value, line, label, shift_ms=draft.shift_ms, event_from_created=draft.from_created, traced=traced
    )


def _traced(draft: Draft) -> str:
    """The event id of a draft whose message carries its trace, else nothing."""
    event_id = str(draft.record["envelope"]["event_id"]) if draft.record else ""
    chosen = draft.event_type == "conversion_event" or crc32(event_id.encode()) % TRACED_EVERY == 0
    return event_id if chosen else ""


def record_line(draft: Draft) -> bytes:
    """The part of a record file's line that is known beforehand: an object without its opening brace."""
    readable = draft.record is not None and draft.fault != "too_large"
    return orjson.dumps(
        {
            "key": draft.key,
            "schema": f"{draft.event_type}.v{draft.version}" if readable else None,
            "fault": draft.fault,
            "record": draft.record if readable else None,
        }
    )[1:]
