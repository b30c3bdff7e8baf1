"""Changes of a tenant's attribution settings and models: read, change, put, with a version that only grows.

Two that change the same tenant at the same time both take the next version. Whoever finds that the other's record of
that version stands before its own has lost, and tries again on top of it: nothing is overwritten unseen.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from udfs.attribution.settings import AttributionSettings, SettingsError
from udfs.attribution.tenant_settings import read_settings, record_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.kafka.control import ControlTopic
    from udfs.attribution.published_model import PublishedModel

ATTEMPTS = 5
# The other writer needs this long to read and write again.
PAUSE_SECONDS = 0.5
JOB = AttributionSettings()


class ConflictError(Exception):
    """Others changed the same tenant again and again."""


@dataclass(frozen=True, slots=True)
class TenantRecord:
    """What the control topic says of a tenant; version 0 and nothing else when it says nothing."""

    tenant_id: str
    version: int = 0
    updated_at: int = 0
    """UTC ms."""
    document: dict[str, Any] | None = None
    """The settings as they were put; None: the job's."""
    models: tuple[PublishedModel, ...] = ()


def read_all(topic: ControlTopic) -> dict[str, TenantRecord]:
    """Return the newest record of each tenant.

    Raises:
        ControlTopicError: the topic cannot be read.
        SettingsError: a record is none that this program knows.
    """
    return {tenant_id: _newest(tenant_id, values) for tenant_id, values in sorted(topic.read().items())}


def read_one(topic: ControlTopic, tenant_id: str) -> TenantRecord:
    """Return the newest record of one tenant; raises as `read_all` does."""
    return _newest(tenant_id, topic.read().get(tenant_id, []))


def put_settings(topic: ControlTopic, tenant_id: str, document: Any) -> TenantRecord:
    """Replace the settings of a tenant, keep its models, and return what was put.

    Raises:
        SettingsError: a setting is not allowed.
        ControlTopicError: the topic cannot be read or written.
        ConflictError: others changed the tenant ATTEMPTS times in a row.
    """
    return _change(topic, tenant_id, lambda known: (document, known.models))


def put_models(
    topic: ControlTopic, tenant_id: str, models: Callable[[TenantRecord], Sequence[PublishedModel]]
) -> TenantRecord:
    """Replace the models of a tenant by what a function makes of the newest record; raises as `put_settings` does."""
    return _change(topic, tenant_id, lambda known: (known.document or {}, models(known)))


def _change(
    topic: ControlTopic,
    tenant_id: str,
    make: Callable[[TenantRecord], tuple[Any, Sequence[PublishedModel]]],
) -> TenantRecord:
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * (1 + random.random()))  # noqa: S311 - only to let two writers part
        known = read_one(topic, tenant_id)
        document, models = make(known)
        version = known.version + 1
        settings_of(document, JOB, version, models)
        value = record_of(tenant_id, version, int(time.time() * 1000), document, models)
        topic.put(tenant_id, value)
        rivals = [one for one in topic.read().get(tenant_id, []) if orjson.loads(one)["version"] == version]
        if rivals and rivals[0] == value:
            return _newest(tenant_id, [value])
    raise ConflictError(f"others change {tenant_id} at the same time; gave up after {ATTEMPTS} attempts")


def _newest(tenant_id: str, values: Sequence[bytes]) -> TenantRecord:
    """Return the record of the highest version; of those with the same version the first, as in the job."""
    newest = TenantRecord(tenant_id)
    for value in values:
        named, settings = read_settings(value, JOB)
        if named != tenant_id:
            raise SettingsError("tenant_id", named, f"the record's key, {tenant_id}")
        if settings.version > newest.version:
            record = orjson.loads(value)
            models = tuple(model for some in settings.models.values() for model in some)
            newest = TenantRecord(
                tenant_id, settings.version, int(record.get("updated_at") or 0), record.get("settings", {}), models
            )
    return newest
