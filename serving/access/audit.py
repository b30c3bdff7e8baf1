"""Writes the audit log: reads in batches shortly after they were answered, exports before they are."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from serving.access import refusals
from serving.relational import audit_log, service_keys
from serving.relational.audit_log import Action, Entry
from serving.relational.database import RelationalStoreUnavailable

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from sqlalchemy.engine import Connection

    from serving.access.principal import Principal
    from serving.relational.database import Database

log = logging.getLogger(__name__)

# What a crash can lose of the entries about reads.
FLUSH_SECONDS = 0.5
BATCH = 500
# Entries that wait while the store is down: 100 s at 500 calls a second, 20 MB. Then calls are refused, not forgotten.
MAX_WAITING = 50_000


class AuditWriter:
    """Notes what callers did. Used from one event loop; `run` writes, `flush` at the end."""

    def __init__(self, database: Database, used_keys: dict[str, int]) -> None:
        """Keep the store; `used_keys` (time in ms by key id) is written down with the entries, and cleared."""
        self._database = database
        self._used_keys = used_keys
        self._waiting: deque[Entry] = deque()
        self._writing = asyncio.Lock()

    def check_room(self) -> None:
        """Raise ServingError when so much waits to be written that nothing more may be read."""
        if len(self._waiting) >= MAX_WAITING:
            raise refusals.audit_unavailable()

    def note(self, entry: Entry) -> None:
        """Have an entry written soon."""
        self._waiting.append(entry)

    async def write(self, entry: Entry) -> None:
        """Write an entry now.

        Raises:
            ServingError: it was not written, so what it is about must not happen.
        """
        try:
            await self._database.run(lambda connection: audit_log.append(connection, [entry]))
        except RelationalStoreUnavailable:
            raise refusals.audit_unavailable() from None

    async def run(self) -> None:
        """Write what was noted, again and again, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> bool:
        """Write everything that was noted; False when the store did not take it, and it waits on."""
        async with self._writing:
            while self._waiting or self._used_keys:
                batch = [self._waiting[i] for i in range(min(BATCH, len(self._waiting)))]
                used = dict(self._used_keys)

                def write(connection: Connection, batch: list[Entry] = batch, used: dict[str, int] = used) -> None:
                    audit_log.append(connection, batch)
                    service_keys.note_uses(connection, used)

                try:
                    await self._database.run(write)
                except (RelationalStoreUnavailable, SQLAlchemyError) as error:
                    log.warning("%d audit entries wait: %s", len(self._waiting), type(error).__name__)
                    return False
                for _ in batch:
                    self._waiting.popleft()
                for key_id, at in used.items():
                    if self._used_keys.get(key_id) == at:
                        del self._used_keys[key_id]
        return True


def entry(
    principal: Principal,
    tenant_id: str,
    action: Action,
    method: str,
    *,
    request: Message | None = None,
    response: Message | None = None,
    rows: int | None = None,
    outcome: str = "OK",
) -> Entry:
    """Return the entry about a call. Range and rows are those of the response, or the range that was asked for."""
    begin, end = range_of(response) or range_of(request, "range") or (None, None)
    return Entry(
        entry_id=uuid.uuid4().hex,
        at=int(time.time() * 1000),
        caller_kind=principal.kind,
        caller_id=principal.id,
        tenant_id=tenant_id,
        action=action,
        method=method,
        range_start=begin,
        range_end=end,
        rows=rows_of(response) if rows is None and response is not None else rows,
        outcome=outcome,
    )


def range_of(message: Message | None, field: str = "covered_range") -> tuple[int, int] | None:
    """Return the range of time in a message, ms since the epoch; None when it has none that is set."""
    if message is None or field not in message.DESCRIPTOR.fields_by_name or not message.HasField(field):
        return None
    span = getattr(message, field)
    if not (span.HasField("start_time") and span.HasField("end_time")):
        return None
    return span.start_time.ToMilliseconds(), span.end_time.ToMilliseconds()


def rows_of(message: Message) -> int:
    """Return how many things an answer is about: what is repeated in it or in its parts, or 1 for its only part."""
    count = 0
    single = False
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.is_repeated:
            count += len(value)
        elif field.message_type.name not in {"Freshness", "TimeRange", "Heartbeat", "Timestamp", "Duration"}:
            inner: list[Any] = [part for part in value.DESCRIPTOR.fields if part.is_repeated and part.message_type]
            single = single or not inner
            count += sum(len(getattr(value, part.name)) for part in inner)
    return count or int(single)
