"""The audit log: who read or took what of which tenant, and how it ended. Entries are added and read, never changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa

from serving.relational.tables import audit_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection


class Action(StrEnum):
    """What sort of thing was done."""

    READ = "read"
    STREAM = "stream"
    EXPORT = "export"
    CHANGE = "change"
    """Something that the tenant keeps here was made, changed or deleted, such as a dashboard."""
    SIGN_IN = "sign_in"
    MANAGE = "manage"
    """A change of users, roles, keys or sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. `at` is ms since the epoch; `outcome` is OK or the reason of the refusal. Nothing in it describes a
    person but `caller_id`, which is random."""

    entry_id: str
    at: int
    caller_kind: str
    caller_id: str
    tenant_id: str
    action: Action
    method: str
    range_start: int | None = None
    range_end: int | None = None
    rows: int | None = None
    outcome: str = "OK"


def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add entries; one that is there already (a repeated write) stays as it is."""
    if not entries:
        return
    ids = [entry.entry_id for entry in entries]
    present = set(connection.scalars(sa.select(audit_log.c.entry_id).where(audit_log.c.entry_id.in_(ids))))
    new = [asdict(entry) for entry in entries if entry.entry_id not in present]
    if new:
        connection.execute(sa.insert(audit_log), new)


def entries_of(connection: Connection, tenant_id: str, begin: int, end: int, most: int) -> list[Entry]:
    """Return a tenant's entries of a range of time [begin, end), the newest first, at most `most`."""
    chosen = (
        sa.select(*(audit_log.c[item.name] for item in fields(Entry)))
        .where(audit_log.c.tenant_id == tenant_id, audit_log.c.at >= begin, audit_log.c.at < end)
        .order_by(audit_log.c.at.desc(), audit_log.c.entry_id)
        .limit(most)
    )
    return [Entry(**{**row, "action": Action(row["action"])}) for row in connection.execute(chosen).mappings()]
