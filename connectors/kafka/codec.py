"""Events to bytes and back: Avro behind the five bytes that Kafka tools put in front (0x00, schema id big-endian)."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import fastavro

from connectors.kafka.avro_reader import MALFORMED, ReadRecord, compile_reader
from connectors.kafka.record_misfit import IntegerFields, check_integers, integer_fields, misfit
from connectors.kafka.topics import Topics
from connectors.schema_registry import InvalidSchemaError, SchemaRegistry, UnknownSchemaError
from udfs.events.envelope import EventType
from udfs.events.reasons import Reason

MAGIC = 0
HEADER = struct.Struct(">BI")
LARGEST_MESSAGE = 1 << 20


class EncodeError(ValueError):
    """The record does not fit the schema. The message names the event type and the field, never a value."""


def subject_of(event_type: EventType) -> str:
    """Subject of an event type on the events topic (TopicRecordNameStrategy)."""
    return f"{Topics().events}-{event_type.record_name}"


@dataclass(frozen=True, slots=True)
class _Writer:
    header: bytes
    schema: Any
    integers: IntegerFields | None


class EventEncoder:
    """Encodes event records.

    A record is a dict shaped like its Avro schema, times in UTC ms, money in micros. Fields that have a default may be
    left out; a field that the schema does not have is an error, so that a misspelt name is noticed.
    """

    def __init__(self, registry: SchemaRegistry) -> None:
        """Encode with the schemas of `registry`, each looked up once: a newer version needs a new encoder."""
        self._registry = registry
        self._writers: dict[tuple[str, int | None], _Writer] = {}

    def encode(self, record: Mapping[str, Any], version: int | None = None, event_type: str | None = None) -> bytes:
        """The framed message for `record`.

        The schema is the newest version of the envelope's event type unless `version` names one. `event_type` overrides
        the envelope's, for messages whose envelope is wrong on purpose. Raises EncodeError and the registry's errors.
        """
        try:
            kind = event_type if event_type is not None else record["envelope"]["event_type"]
            writer = self._writers.get((kind, version)) or self._writer(kind, version)
        except (KeyError, TypeError):
            raise EncodeError("the record has no envelope with an event_type") from None
        buffer = BytesIO()
        buffer.write(writer.header)
        try:
            if writer.integers:
                check_integers(record, writer.integers)
            fastavro.schemaless_writer(buffer, writer.schema, record, strict_allow_default=True)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            reason = misfit(record, writer.schema) or "a text is no valid Unicode"
            raise EncodeError(f"{kind}: {reason}") from None
        return buffer.getvalue()

    def _writer(self, kind: str, version: int | None) -> _Writer:
        try:
            subject = subject_of(EventType(kind))
        except ValueError:
            raise EncodeError(f"unknown event type {kind!r:.80}, known: {', '.join(EventType)}") from None
        registry = self._registry
        found = registry.latest(subject) if version is None else registry.version(subject, version)
        schema: Any = fastavro.parse_schema(without_logical_types(found.definition))
        writer = _Writer(HEADER.pack(MAGIC, found.schema_id), schema, integer_fields(schema))
        self._writers[kind, version] = writer
        return writer


def without_logical_types(schema: Any) -> Any:
    """The schema with its logical types taken off, so that times stay integers on both sides."""
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [without_logical_types(branch) for branch in schema]
    return schema


class DecodeError(ValueError):
    """The message holds no event: the reason, and the schema id as far as the message names one (else 0)."""

    def __init__(self, reason: Reason, schema_id: int = 0) -> None:
        """Make the error; its text is the reason's code."""
        super().__init__(reason.value)
        self.reason = reason
        self.schema_id = schema_id


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """An event as its schema describes it: nested dicts, times in UTC ms, money in micros. Not yet checked or
    protected."""

    schema_id: int
    event_type: EventType
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventReader:
    """Reads the bodies that a header announces; `read(message, HEADER.size)` raises one of MALFORMED."""

    schema_id: int
    event_type: EventType
    read: ReadRecord


class EventDecoder:
    """Decodes framed events with the schema that wrote them, each looked up once. Versions may come in any mixture."""

    def __init__(self, registry: SchemaRegistry) -> None:
        """Decode with the schemas of `registry`."""
        self._registry = registry
        self._readers: dict[bytes, EventReader] = {}

    def decode(self, message: bytes | None) -> DecodedEvent:
        """The event in a message.

        Raises DecodeError for a message that holds none, and RegistryUnavailableError when the registry gives no
        answer, in which case nothing is known about the message.
        """
        reader = self.reader(message)
        try:
            record = reader.read(message, HEADER.size)  # type: ignore[arg-type] # reader() refuses None
        except MALFORMED:
            raise DecodeError(Reason.UNDECODABLE, reader.schema_id) from None
        return DecodedEvent(reader.schema_id, reader.event_type, record)

    def reader(self, message: bytes | None) -> EventReader:
        """The reader for a message, judged by its size and header. Raises as `decode` does."""
        if not message:
            raise DecodeError(Reason.EMPTY)
        if len(message) > LARGEST_MESSAGE:
            raise DecodeError(Reason.TOO_LARGE)
        header = message[: HEADER.size]
        known = self._readers.get(header)
        if known is not None:
            return known
        if header[0] != MAGIC:
            raise DecodeError(Reason.BAD_MAGIC)
        if len(header) < HEADER.size:
            raise DecodeError(Reason.UNDECODABLE)
        schema_id: int = HEADER.unpack(header)[1]
        # Ids are 32-bit integers with a sign in every registry; what is above has no place in a column either.
        if schema_id > _LARGEST_SCHEMA_ID:
            raise DecodeError(Reason.UNKNOWN_SCHEMA_ID)
        reader = self._readers[header] = self._make_reader(schema_id)
        return reader

    def _make_reader(self, schema_id: int) -> EventReader:
        try:
            found = self._registry.schema(schema_id)
            event_type = _EVENT_TYPES[found.full_name]
            return EventReader(schema_id, event_type, compile_reader(found.definition))
        except (UnknownSchemaError, InvalidSchemaError, KeyError):
            # A schema that exists and is no event's is as good as none.
            raise DecodeError(Reason.UNKNOWN_SCHEMA_ID, schema_id) from None


_EVENT_TYPES = {event_type.record_name: event_type for event_type in EventType}
_LARGEST_SCHEMA_ID = (1 << 31) - 1
