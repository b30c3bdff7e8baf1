"""A batch of messages to columns: decode, check, protect, flatten. The first step of the pipeline, and its hottest
Python."""

from collections.abc import Sequence
from typing import Any

import orjson

from connectors.kafka.avro_reader import MALFORMED
from connectors.kafka.codec import HEADER, DecodeError, EventDecoder, EventReader
from connectors.kafka.topics import CLOCK_TICK_KEY
from connectors.schema_registry import SchemaRegistry
from udfs.events.columns import EVENT_COLUMNS, NO_EVENT, event_columns, journey_fact
from udfs.events.privacy import may_hold_personal_text, protect_maps, protect_strings
from udfs.events.reasons import Reason
from udfs.events.rules import LATEST_AHEAD_MS, OLDEST_BEHIND_MS, check

VALID = "valid"
QUARANTINED = "quarantined"
TICK = "tick"

COLUMNS = ("outcome", "reasons", *EVENT_COLUMNS, "schema_id", "payload", "journey_fact", "raw")

Row = tuple[Any, ...]


class BatchDecoder:
    """Decodes batches of records of the events topic. Not safe to share between threads."""

    def __init__(self, registry: SchemaRegistry) -> None:
        """Decode with the schemas of `registry`."""
        self._decoder = EventDecoder(registry)

    def decode_batch(
        self, values: Sequence[bytes | None], keys: Sequence[str | None], append_times_ms: Sequence[int]
    ) -> dict[str, list[Any]]:
        """The columns COLUMNS for messages given by value, key and broker append time; one row a message, in order.

        `outcome` is valid, quarantined or tick; `reasons` the codes separated by commas; `payload` the event as JSON
        with personal data hashed; `journey_fact` set for valid events of the journey family; `raw` the message as it
        came, for quarantined ones. Of a quarantined message everything that is known is given, else empty text and 0;
        the tenant is the event's, or the key's when the event names none or another one. `created_at` is 0 (unknown)
        where it cannot be true.

        No message makes this fail. RegistryUnavailableError means that the whole batch has to be tried again.
        """
        rows = [self._row(*message) for message in zip(values, keys, append_times_ms, strict=True)]
        if not rows:
            return {name: [] for name in COLUMNS}
        return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))

    def _row(self, value: bytes | None, key: str | None, append_time_ms: int) -> Row:
        if not value:
            return _TICK_ROW if key == CLOCK_TICK_KEY else _undecoded(Reason.EMPTY, 0, b"", key)
        try:
            reader = self._decoder.reader(value)
        except DecodeError as error:
            return _undecoded(error.reason, error.schema_id, value, key)
        try:
            record = reader.read(value, HEADER.size)
        except MALFORMED:
            return _undecoded(Reason.UNDECODABLE, reader.schema_id, value, key)
        try:
            return _decoded(reader, record, value, key, append_time_ms)
        except (KeyError, TypeError):
            # The schema is called as an event's is, and lacks a field or has it in another type.
            return _undecoded(Reason.UNKNOWN_SCHEMA_ID, reader.schema_id, value, key)


def _decoded(reader: EventReader, record: dict[str, Any], value: bytes, key: str | None, append_time_ms: int) -> Row:
    event_type = reader.event_type
    reasons = check(event_type, record, append_time_ms, key)
    envelope = record["envelope"]
    if not -OLDEST_BEHIND_MS <= envelope["created_at"] - append_time_ms <= LATEST_AHEAD_MS:
        envelope["created_at"] = 0  # unknown: one wrong clock must not spoil every figure on latency
    protect_maps(record)
    payload = orjson.dumps(record)
    if may_hold_personal_text(payload):
        record = protect_strings(record)
        payload = orjson.dumps(record)
    columns = event_columns(event_type, record)
    if not reasons:
        fact = journey_fact(event_type, record)
        return (VALID, "", *columns, reader.schema_id, payload.decode(), fact, None)
    # Whoever sends under a key answers for what comes under it: the tenant that is named has no part in it.
    tenant_id = key if Reason.TENANT_MISMATCH in reasons else columns[0] or key or ""
    return (
        *(QUARANTINED, ",".join(reasons), tenant_id, *columns[1:]),
        *(reader.schema_id, payload.decode(), None, value),
    )


def _undecoded(reason: Reason, schema_id: int, value: bytes, key: str | None) -> Row:
    return (QUARANTINED, reason.value, key or "", *NO_EVENT[1:], schema_id, "", None, value)


_TICK_ROW: Row = (TICK, "", *NO_EVENT, 0, "", None, None)
