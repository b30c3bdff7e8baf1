"""Refuse messages: each becomes a row of the `quarantine` table and a record of the quarantine topic."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from connectors.clickhouse.arrow_sink import ArrowSink, times
from connectors.clickhouse.quarantine import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def message(refused: Refused) -> str:
    """Return the JSON of the quarantine topic's record, raw bytes in base64."""
    return orjson.dumps(
        {
            "tenant_id": refused.tenant_id,
            "source_topic": refused.source_topic,
            "source_partition": refused.source_partition,
            "source_offset": refused.source_offset,
            "received_at": refused.received_at,
            "reasons": refused.reasons,
            "event_id": refused.event_id,
            "event_type": refused.event_type,
            "schema_id": refused.schema_id,
            "raw_base64": base64.b64encode(refused.raw).decode("ascii"),
        }
    ).decode()


def refusals(
    columns: Mapping[str, Sequence[Any]],
    rows: Sequence[int],
    topic: str,
    partitions: Sequence[int],
    offsets: Sequence[int],
) -> list[Refused]:
    """Return the refusals in the given rows of `decode_batch`'s columns and `received_at`."""
    return [
        Refused(
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


def store_refusals(sink: ArrowSink, refused: Sequence[Refused]) -> None:
    """Write refusals to `quarantine`; a repeated one is the same row. Blocks and raises as `ArrowSink.write`."""
    received_at = times([one.received_at for one in refused])
    plain = ("tenant_id", "source_topic", "source_partition", "source_offset", "event_id", "event_type", "status")
    sink.write(
        "quarantine",
        {name: [getattr(one, name) for one in refused] for name in plain}
        | {
            "received_at": received_at,
            "reasons": pa.array([one.reasons for one in refused], type=pa.list_(pa.string())),
            "schema_id": pa.array([one.schema_id for one in refused], type=pa.uint32()),
            "raw": pa.array([one.raw for one in refused], type=pa.binary()),
            "status_at": received_at,
            "version": pa.array([0] * len(refused), type=pa.uint64()),
        },
    )
