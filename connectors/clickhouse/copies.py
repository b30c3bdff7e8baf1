"""Withdraw copies of events from the store that it cannot know as copies.

`events` keeps one row of (tenant, event time, event id). A later copy of an event that gives another time has a row of
its own; it is replaced by one without event type, amounts, ids of a customer or payload, which no reader takes for an
event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from connectors.clickhouse.arrow_sink import times
from connectors.clickhouse.statement_pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.clickhouse.arrow_sink import ArrowSink

# As ids are some forty characters, a statement stays far below the length that servers allow.
COPIES_PER_STATEMENT = 300

# The tuple is the sorting key: what is read are the granules that hold the copies.
READ_ROWS = """
SELECT toString(tenant_id), toUnixTimestamp64Milli(event_time), event_id, version
FROM events FINAL
WHERE (tenant_id, event_time, event_id) IN (
    SELECT copy.1, fromUnixTimestamp64Milli(copy.2, 'UTC'), copy.3
    FROM (SELECT arrayJoin({copies:Array(Tuple(String, Int64, String))}) AS copy)
)
"""


class Copy(NamedTuple):
    """A copy of an event as it was stored: `event_time` in UTC ms, `version` as in `event_rows`."""

    tenant_id: str
    event_time: int
    event_id: str
    version: int


def withdraw_copies(sink: ArrowSink, copies: Iterable[Copy]) -> set[Copy]:
    """Withdraw those of `copies`, none of them the first of its event, that readers see as an event.

    Returns them, and those that were withdrawn before: whoever was to act on that may have died instead. Blocks until
    they are withdrawn and raises as `ArrowSink.write` does.
    """
    later = set(copies)
    seen: set[Copy] = set()
    withdrawn: set[Copy] = set()
    for piece in pieces(sorted(later), COPIES_PER_STATEMENT):
        found = sink.rows(READ_ROWS, {"copies": [copy[:3] for copy in piece]}, "reading of copies")
        rows = [Copy(*row) for row in found]
        # Where the row is another copy's, the first's as a rule, the store knew it.
        seen.update(later.intersection(rows))
        withdrawn.update(later.intersection(row._replace(version=row.version - 1) for row in rows))
    if seen:
        sink.write("events", _withdrawals(sorted(seen)))
    return seen | withdrawn


def _withdrawals(copies: list[Copy]) -> dict[str, Any]:
    return {
        "tenant_id": [copy.tenant_id for copy in copies],
        "event_time": times([copy.event_time for copy in copies]),
        "event_id": [copy.event_id for copy in copies],
        # One more than the copy's own: it takes the place of this copy, and of later ones at the same time.
        "version": pa.array([copy.version + 1 for copy in copies], type=pa.uint64()),
    }
