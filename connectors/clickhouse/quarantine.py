"""The quarantine table as an operator sees it: find refused messages, and record what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.clickhouse.arrow_sink import ArrowSink

COUNT_BY_REASON = """
SELECT tenant_id, arrayJoin(reasons) AS reason, status, count() AS messages, min(received_at), max(received_at)
FROM quarantine FINAL
WHERE ({tenant:String} = '' OR tenant_id = {tenant:String})
GROUP BY tenant_id, reason, status
ORDER BY messages DESC, tenant_id, reason
"""
_FIND = """
SELECT tenant_id, source_topic, source_partition, source_offset, toUnixTimestamp64Milli(received_at), reasons,
       event_id, event_type, schema_id, base64Encode(raw), status
FROM quarantine FINAL
WHERE tenant_id = {tenant:String}
  AND ({reason:String} = '' OR has(reasons, {reason:String}))
  AND ({status:String} = '' OR status = {status:String})
  AND (empty({at:Array(Tuple(Int32, Int64))}) OR (source_partition, source_offset) IN {at:Array(Tuple(Int32, Int64))})
ORDER BY received_at, source_partition, source_offset
LIMIT {limit:UInt32}
"""
_MARK = """
INSERT INTO quarantine
SELECT tenant_id, source_topic, source_partition, source_offset, received_at, reasons, event_id, event_type, schema_id,
       raw, {status:String} AS status, now64(3) AS status_at, toUnixTimestamp64Milli(now64(3)) AS version
FROM quarantine FINAL
WHERE tenant_id = {tenant:String} AND source_topic = {topic:String}
  AND source_partition = {partition:Int32} AND source_offset = {offset:Int64}
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """One quarantined message. `received_at` in UTC ms; `raw` as it came."""

    tenant_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    received_at: int
    reasons: tuple[str, ...]
    event_id: str
    event_type: str
    schema_id: int
    raw: bytes
    status: str = "quarantined"

    @property
    def position(self) -> str:
        """Where it stands in the topic, as `partition:offset`."""
        return f"{self.source_partition}:{self.source_offset}"


def count_by_reason(sink: ArrowSink, tenant_id: str) -> Sequence[Sequence[Any]]:
    """Return (tenant, reason, status, messages, first, last) rows, of all tenants when `tenant_id` is empty."""
    return sink.rows(COUNT_BY_REASON, {"tenant": tenant_id}, "count of the quarantine")


def find(
    sink: ArrowSink,
    tenant_id: str,
    *,
    reason: str = "",
    status: str = "",
    positions: Sequence[tuple[int, int]] = (),
    limit: int = 100,
) -> list[Refused]:
    """Return a tenant's refused messages, oldest first; empty filters take all."""
    from base64 import b64decode

    values = {"tenant": tenant_id, "reason": reason, "status": status, "at": list(positions), "limit": limit}
    rows = sink.rows(_FIND, values, "reading of the quarantine")
    return [Refused(*(*row[:5], tuple(row[5]), *row[6:9], b64decode(row[9]), row[10])) for row in rows]


def mark(sink: ArrowSink, message: Refused, status: str) -> None:
    """Record what became of a message: `redriven` or `discarded`."""
    values = {
        "status": status,
        "tenant": message.tenant_id,
        "topic": message.source_topic,
        "partition": message.source_partition,
        "offset": message.source_offset,
    }
    sink.command(_MARK, values, "status of a quarantined message")
