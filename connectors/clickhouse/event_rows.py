"""Accepted events as lines of JSON, which ClickHouse reads into the `events` table itself.

An event's row has two dozen columns that nothing between the decoder and the store looks at. As one text it crosses
each border once; as columns, each of them would be converted at each border.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from connectors.kafka.decode_batch import VALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FORMAT = "JSONCompactEachRow"
FIRST_VERSION = 1 << 63  # an earlier arrival must have the larger version, so that the first copy of an event wins

_TIMES = ("event_time", "created_at", "received_at")
_PLAIN = (
    *("tenant_id", "event_id", "event_type", "source_platform", "customer_id", "journey_id", "campaign_id", "channel"),
    *("kind", "impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "value_micros", "currency"),
    *("schema_id", "payload"),
)
EVENT_ROW = (*_TIMES, *_PLAIN, "source_partition", "source_offset", "version")
"""Columns of `events`, in the order of the values of a line."""


def event_lines(
    columns: Mapping[str, Sequence[Any]], partitions: Iterable[int], offsets: Iterable[int]
) -> list[str | None]:
    """Return a line for each valid row of `columns`, None for others.

    `columns` are those of `decode_batch`, and `received_at`; times in ms. ClickHouse reads a number for a time as
    seconds: a double holds the milliseconds of our times exactly.
    """
    rows = zip(columns["outcome"], *(columns[name] for name in (*_TIMES, *_PLAIN)), partitions, offsets, strict=True)
    return [
        orjson.dumps(
            (
                *(event_time / 1000, created_at / 1000, received_at / 1000),
                *plain,
                FIRST_VERSION - received_at,
            )
        ).decode()
        if outcome == VALID
        else None
        for outcome, event_time, created_at, received_at, *plain in rows
    ]
