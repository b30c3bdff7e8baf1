"""Derive the credits of persons anew from the event store: store, then derive (ADR 0001), for identity.

What the device graph has told of a tenant is written down, the facts of its persons are read, credited from scratch and
written under a revision above all of the stream's own, which count facts: the server's clock in microseconds when the
reading began. Written again the same facts give the same credits.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from connectors.clickhouse.credit_revisions import keep_replaced
from connectors.clickhouse.credits import credit_columns
from connectors.clickhouse.identity import (
    Customer,
    LinkRow,
    clock_micros,
    erase,
    read_facts,
    write_links,
    write_persons,
)
from udfs.attribution.settings import SettingsError
from udfs.attribution.tenant_settings import job_settings, read_settings
from udfs.identity.derived_credits import derive_credits
from udfs.identity.identifiers import Kind
from udfs.identity.person import Person, decode_person, encode_person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.clickhouse.arrow_sink import ArrowSink
    from udfs.attribution.settings import AttributionSettings
    from udfs.attribution.tenant_settings import TenantSettings
    from udfs.identity.device_graph import GraphUpdate

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
PROBABLE = "customer_id"
"""Kind of a probable link: its value is another customer."""


@dataclass(slots=True)
class TenantUpdate:
    """What one batch of a tenant's events changed in its device graph, as it travels to the store.

    `newest_day` is the UTC day of the tenant's newest event, `settings` the record of its attribution settings or
    empty text.
    """

    tenant_id: str
    newest_day: int
    settings: str = ""
    persons: list[Person] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    links: list[LinkRow] = field(default_factory=list)
    erased: list[tuple[str, int]] = field(default_factory=list)


def update_text(tenant_id: str, newest_day: int, update: GraphUpdate, settings: str = "") -> str:
    """Return an update of a graph as one line of JSON; `read_update` reads it."""
    links: list[tuple[Any, ...]] = [
        (link.customer_id, *link.identifier, link.last_day, _certainty(link.identifier.kind), link.removed)
        for link in update.links
    ]
    links += [
        (one, PROBABLE, other, newest_day, probability, gone)
        for (one, other, probability), gone in update.probable_links
    ]
    persons = [encode_person(person) for person in update.persons]
    return orjson.dumps((tenant_id, newest_day, settings, persons, update.moved, links, update.erased)).decode()


def read_update(text: str) -> TenantUpdate:
    """Return the update that `update_text` wrote."""
    tenant_id, newest_day, settings, persons, moved, links, erased = orjson.loads(text)
    return TenantUpdate(
        tenant_id,
        newest_day,
        settings,
        [decode_person(person) for person in persons],
        [(customer_id, person_id) for customer_id, person_id in moved],
        [LinkRow(tenant_id, *link) for link in links],
        [(customer_id, time_ms) for customer_id, time_ms in erased],
    )


def rederive(
    sink: ArrowSink, updates: Sequence[TenantUpdate], settings: AttributionSettings
) -> list[list[dict[str, Any]]]:
    """Write updates down and derive the credits of their persons, one list of attributions an update.

    Later updates outrank earlier ones. Blocks until ClickHouse has acknowledged all; raises what `ArrowSink` does.
    """
    revision = clock_micros(sink)
    for number, update in enumerate(updates):
        write_links(sink, update.links, revision + number)
        moved = [(Customer(update.tenant_id, name), person_id) for name, person_id in update.moved]
        write_persons(sink, moved, revision + number)
        for name, time_ms in update.erased:
            erase(sink, Customer(update.tenant_id, name), time_ms)
    wanted = {
        Customer(update.tenant_id, name)
        for update in updates
        for person in update.persons
        for name in person.group.customers
    }
    if not wanted:
        return [[] for _ in updates]
    oldest_day = min(update.newest_day for update in updates if update.persons)
    tenants = [_settings(update, settings) for update in updates]
    kept_ms = settings.retention_ms + max(tenant.longest_lookback_ms for tenant in tenants)
    facts = read_facts(sink, wanted, max(0, oldest_day * DAY_MS - kept_ms))
    derived = []
    for number, (update, tenant) in enumerate(zip(updates, tenants, strict=True)):
        attributions: list[dict[str, Any]] = []
        for person in update.persons:
            began = time.perf_counter()
            own = [fact for name in person.group.customers for fact in facts.get(Customer(update.tenant_id, name), ())]
            found = derive_credits(person, own, settings, tenant, revision + number)
            each_ms = round((time.perf_counter() - began) * 1000 / max(1, len(found)), 3)
            attributions += [attribution | {"calculation_ms": each_ms} for attribution in found]
        derived.append(attributions)
    everything = [attribution for attributions in derived for attribution in attributions]
    # What rested on erased facts is erased, not kept as history.
    erasing = {update.tenant_id for update in updates if update.erased}
    history = [attribution for attribution in everything if attribution["tenant_id"] not in erasing]
    keep_replaced(sink, history, revision // 1000)
    sink.write("attribution_credits", credit_columns(everything, revision // 1000))
    return derived


def _certainty(kind: Kind) -> float:
    """A network links nobody by itself; every other identifier does for certain."""
    return 0.0 if kind is Kind.NETWORK else 1.0


def _settings(update: TenantUpdate, settings: AttributionSettings) -> TenantSettings:
    try:
        return read_settings(update.settings, settings)[1] if update.settings else job_settings(settings)
    except SettingsError as error:
        # It was good when the job took it: the job's own bounds have changed since, or the program is older.
        log.error("a tenant's settings cannot be used any more, the job's are in force: %s", error.name)  # noqa: TRY400
        return job_settings(settings)
