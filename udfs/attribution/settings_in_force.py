"""Settings and models of tenants inside the running job, taken from records and kept in the state of each shard.

A newer record is in force from the next fact on. The conversions whose credits it changes are attributed anew in slices
between the micro-batches, so that nobody waits for them. Imports no Flink: the state comes in as maps of texts.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from udfs.attribution.person import reattribute
from udfs.attribution.settings import AttributionSettings, SettingsError
from udfs.attribution.tenant_settings import TenantSettings, job_settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

log = logging.getLogger(__name__)

# Persons looked at in one go: some ten milliseconds, after which waiting micro-batches have their turn.
SLICE_PERSONS = 200
RECORD_BEGIN = "{"
"""A batch that begins so is a record of the control topic; facts are arrays."""

# What was in force before, of a tenant whose conversions are being attributed anew: a record, or one of these.
_JOB, _UNKNOWN = "", "?"


class Texts(Protocol):
    """What is used of Flink's map state, of the current key."""

    def get(self, key: str) -> str | None:
        """Return a value, None without one."""

    def put(self, key: str, value: str) -> None:
        """Set a value."""

    def remove(self, key: str) -> None:
        """Forget a value."""

    def contains(self, key: str) -> bool:
        """Tell whether there is a value."""

    def keys(self) -> Iterable[str]:
        """Return the keys."""

    def is_empty(self) -> bool:
        """Tell whether there is none."""


class SettingsInForce:
    """The tenants' settings of each shard that this task has. Reads and writes the state of the current key."""

    def __init__(self, job: AttributionSettings, records: Texts, waiting: Texts) -> None:
        """Keep the job's settings and the state of the current shard.

        Args:
            job: bounds, and the rules of tenants without settings of their own.
            records: newest record by tenant.
            waiting: what was in force before, by tenant whose conversions wait to be looked at.
        """
        self._job = job
        self._default = job_settings(job)
        self._records = records
        self._waiting = waiting
        self._read: dict[tuple[int, str], TenantSettings] = {}
        self._queues: dict[tuple[int, str], deque[str]] = {}

    def of(self, shard: int, tenant_id: str) -> TenantSettings:
        """Return the settings of a tenant; the job's when it has none of its own."""
        known = self._read.get((shard, tenant_id))
        if known is None:
            known = self._read[shard, tenant_id] = self._settings(self._records.get(tenant_id))
        return known

    def take(self, shard: int, record: str) -> bool:
        """Put a record into force if it is newer; returns whether conversions must be looked at (`reattributed`).

        A record that is none is logged and left: the settings before it stay in force.
        """
        try:
            tenant_id, settings = read_settings(record, self._job)
        except SettingsError as error:
            log.warning("a record of the control topic was left out: %s", error.name)
            return False
        if settings.version <= self.of(shard, tenant_id).version:
            return False
        # Who was on the way to other settings has credits of two kinds: all are made anew.
        before = _UNKNOWN if self._waiting.contains(tenant_id) else (self._records.get(tenant_id) or _JOB)
        self._records.put(tenant_id, record)
        self._waiting.put(tenant_id, before)
        self._read[shard, tenant_id] = settings
        self._queues.pop((shard, tenant_id), None)
        return True

    def reattributed(self, shard: int, persons: Texts) -> Iterator[dict[str, Any]]:
        """Yield the attributions that change, of the next SLICE_PERSONS persons; see `is_waiting` for more."""
        left = SLICE_PERSONS
        for tenant_id in list(self._waiting.keys()):
            queue = self._queues.get((shard, tenant_id))
            if queue is None:
                prefix = f"{tenant_id}/"
                queue = self._queues[shard, tenant_id] = deque(
                    person
                    for person in persons.keys()  # noqa: SIM118 - no dictionary: only what Texts has
                    if person.startswith(prefix)
                )
            before = self._waiting.get(tenant_id)
            then = None if before == _UNKNOWN else self._settings(before)
            while queue and left:
                left -= 1
                person = queue.popleft()
                held = persons.get(person)
                if held:
                    customer_id = person.partition("/")[2]
                    now = self.of(shard, tenant_id)
                    yield from reattribute(held.encode(), tenant_id, customer_id, self._job, now, then)
            if queue:
                return
            self._waiting.remove(tenant_id)
            del self._queues[shard, tenant_id]

    def is_waiting(self) -> bool:
        """Tell whether conversions of the current shard wait to be looked at."""
        return not self._waiting.is_empty()

    def _settings(self, record: str | None) -> TenantSettings:
        if not record:
            return self._default
        try:
            return read_settings(record, self._job)[1]
        except SettingsError as error:
            # It was good when it was taken: the job's own bounds have changed since, or the program is older.
            log.error("a tenant's settings cannot be used any more, the job's are in force: %s", error.name)  # noqa: TRY400
            return self._default
