"""Refused messages: a row of the `quarantine` table and a record of the quarantine topic for each."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from connectors.clickhouse.arrow_sink import ArrowSink, times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Refusal:
    """One message that broke a rule, with everything that is known of it."""

    tenant_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    received_at: int
    """Broker append time, UTC ms."""
    reasons: tuple[str, ...]
    event_id: str
    event_type: str
    schema_id: int
    raw: bytes

    def message(self) -> str:
        """Return the JSON of the quarantine topic's record, raw bytes in base64."""
        return orjson.dumps(
            {
                "tenant_id": self.tenant_id,
                "source_topic": self.source_topic,
                "source_partition": self.source_partition,
                "source_offset": self.source_offset,
                "received_at": self.received_at,
                "reasons": self.reasons,
                "event_id": self.event_id,
                "event_type": self.event_type,
                "schema_id": self.schema_id,
                "raw_base64": base64.b64encode(self.raw).decode("ascii"),
            }
        ).decode()


def refusals(
    columns: Mapping[str, Sequence[Any]],
    rows: Sequence[int],
    topic: str,
    partitions: Sequence[int],
    offsets: Sequence[int],
) -> list[Refusal]:
    """Return the refusals in the given rows of `decode_batch`'s columns and `received_at`."""
    return [
        Refusal(
            tenant_id=columns["tenant_id"][row],
            source_topic=topic,
            source_partition=partitions[row],
            source_offset=offsets[row],
            received_at=columns["received_at"][row],
            reasons=tuple(columns["reasons"][row].split(",")),
            event_id=columns["event_id"][row],
            event_type=columns["event_type"][row],
            schema_id=columns["schema_id"][row],
            raw=columns["raw"][row] or b"",
        )
        for row in rows
    ]


def store_refusals(sink: ArrowSink, refused: Sequence[Refusal]) -> None:
    """Write refusals to `quarantine`; a repeated one is the same row. Blocks and raises as `ArrowSink.write`."""
    received_at = times([one.received_at for one in refused])
    plain = ("tenant_id", "source_topic", "source_partition", "source_offset", "event_id", "event_type")
    sink.write(
        "quarantine",
        {name: [getattr(one, name) for one in refused] for name in plain}
        | {
            "received_at": received_at,
            "reasons": pa.array([one.reasons for one in refused], type=pa.list_(pa.string())),
            "schema_id": pa.array([one.schema_id for one in refused], type=pa.uint32()),
            "raw": pa.array([one.raw for one in refused], type=pa.binary()),
            "status": ["quarantined"] * len(refused),
            "status_at": received_at,
            "version": pa.array([0] * len(refused), type=pa.uint64()),
        },
    )
