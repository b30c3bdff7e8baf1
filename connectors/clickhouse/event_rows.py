"""Valid events as lines of JSON, which ClickHouse reads into the `events` table itself.

An event's row has two dozen columns; a line of JSON costs less to make and to read than columns of Python values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from connectors.kafka.decode_batch import VALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FORMAT = "JSONCompactEachRow"
FIRST_VERSION = 1 << 63
_OFFSET_BITS = 20  # of the offset, to order what one millisecond of one partition holds: far fewer than a million

_TIMES = ("event_time", "created_at", "received_at")
_PLAIN = (
    *("tenant_id", "event_id", "event_type", "source_platform", "customer_id", "journey_id", "campaign_id", "channel"),
    *("kind", "impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "value_micros", "currency"),
    *("schema_id", "payload"),
)
EVENT_ROW = (*_TIMES, *_PLAIN, "source_partition", "source_offset", "version")
"""Columns of `events`, in the order of the values of a line."""


def version(received_at: int, offset: int) -> int:
    """Return the version of a copy of an event, of its append time (UTC ms) and offset: a tenant's events are in one
    partition, where no two copies have the same.

    An earlier copy has the larger one, so that the first wins. Versions are even and below 2^63 until the year 2039:
    the odd one above each belongs to its withdrawal.
    """
    return FIRST_VERSION - 2 * (received_at << _OFFSET_BITS | offset & ((1 << _OFFSET_BITS) - 1))


def event_lines(columns: Mapping[str, Sequence[Any]], partitions: Iterable[int], offsets: Iterable[int]) -> list[str]:
    """Return a line for each valid row of `columns`.

    `columns` are those of `decode_batch`, `received_at` and `version`; times in ms. ClickHouse reads a number for a
    time as seconds: a double holds the milliseconds of our times exactly.
    """
    names = ("outcome", "version", *_TIMES, *_PLAIN)
    rows = zip(*(columns[name] for name in names), partitions, offsets, strict=True)
    return [
        orjson.dumps((event_time / 1000, created_at / 1000, received_at / 1000, *plain, version)).decode()
        for outcome, version, event_time, created_at, received_at, *plain in rows
        if outcome == VALID
    ]
