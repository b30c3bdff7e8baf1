"""Identity in the store: a person's facts out of `events`; links, persons and erasures in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from connectors.clickhouse.arrow_sink import times
from connectors.clickhouse.statement_pieces import pieces
from udfs.events.columns import journey_fact
from udfs.events.envelope import EventType, Family

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connectors.clickhouse.arrow_sink import ArrowSink

JOURNEY_EVENTS = tuple(kind.value for kind in EventType if kind.family is Family.JOURNEY)
# Ids are some forty characters.
CUSTOMERS_PER_STATEMENT = 500

# The first copy of an event that was accepted has the largest version, and counts.
READ_FACTS = """
SELECT toString(tenant_id), toString(event_type), payload
FROM events FINAL
WHERE tenant_id IN {tenants:Array(String)}
  AND customer_id IN {customers:Array(String)}
  AND (tenant_id, customer_id) IN {wanted:Array(Tuple(String, String))}
  AND event_time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND event_type IN {types:Array(String)}
ORDER BY version DESC
"""
# Of overlapping derivations the one that read later wins, as in `recompute`: the clock is the server's, before it read.
CLOCK = "SELECT toUnixTimestamp64Micro(now64(6))"

# Older revisions of other customers' credits can name the touches of one who is erased.
TOUCHES_OF = """
SELECT event_id FROM events FINAL
WHERE tenant_id = {tenant:String} AND customer_id = {customer:String} AND event_type = 'touchpoint_interaction'
  AND event_time <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
ORDER BY event_id
"""
ERASE_REVISIONS = """
DELETE FROM credit_revisions
WHERE tenant_id = {tenant:String} AND hasAny(touches.touchpoint_id, {touches:Array(String)})
SETTINGS lightweight_deletes_sync = 0
"""
TOUCHES_PER_STATEMENT = 500
"""As CUSTOMERS_PER_STATEMENT."""

PERSON_OF = """
SELECT person_id FROM person_customers FINAL
WHERE tenant_id = {tenant:String} AND customer_id = {customer:String}
"""
LINKS_OF = """
SELECT customer_id, toString(kind), value, last_seen, probability FROM identity_links FINAL
WHERE tenant_id = {tenant:String} AND (customer_id = {customer:String} OR customer_id IN (
    SELECT customer_id FROM person_customers FINAL WHERE tenant_id = {tenant:String} AND person_id = {person:String}
) OR customer_id = {person:String})
ORDER BY customer_id, kind, value
"""

ERASED = ("events", "attribution_credits", "credit_revisions", "journeys", "identity_links", "person_customers")
"""Tables with rows of a customer. Each has the columns tenant_id and customer_id."""


class Customer(NamedTuple):
    """A customer of a tenant."""

    tenant_id: str
    customer_id: str


def clock_micros(sink: ArrowSink) -> int:
    """Return the server's clock in UTC microseconds: the revision of what is read after this call."""
    return int(sink.rows(CLOCK, {}, "reading of the clock")[0][0])


def read_facts(sink: ArrowSink, customers: Iterable[Customer], from_ms: int) -> dict[Customer, list[list[Any]]]:
    """Return the journey facts of customers with event times from `from_ms` (UTC ms) on, by customer.

    The fact that came first stands first. Customers without facts are missing. Blocks and raises as `ArrowSink.rows`.
    """
    found: dict[Customer, list[list[Any]]] = {}
    for piece in pieces(sorted(set(customers)), CUSTOMERS_PER_STATEMENT):
        parameters = {
            "tenants": sorted({customer.tenant_id for customer in piece}),
            "customers": sorted({customer.customer_id for customer in piece}),
            "wanted": [tuple(customer) for customer in piece],
            "from_ms": from_ms,
            "types": list(JOURNEY_EVENTS),
        }
        for tenant_id, event_type, payload in sink.rows(READ_FACTS, parameters, "reading of persons' facts"):
            text = journey_fact(EventType(event_type), orjson.loads(payload))
            if text is not None:
                fact = orjson.loads(text)
                found.setdefault(Customer(tenant_id, fact[2]), []).append(fact)
    return found


class LinkRow(NamedTuple):
    """A row of `identity_links` but its revision. `last_day`: UTC days since the epoch."""

    tenant_id: str
    customer_id: str
    kind: str
    value: str
    last_day: int
    probability: float
    removed: bool


def write_links(sink: ArrowSink, links: Sequence[LinkRow], revision: int) -> None:
    """Write links under one revision (UTC microseconds). Blocks and raises as `ArrowSink.write`."""
    import pyarrow as pa

    if not links:
        return
    columns: dict[str, Any] = dict(zip(LinkRow._fields, zip(*links, strict=True), strict=True))
    columns["last_seen"] = pa.array(columns.pop("last_day"), type=pa.int32()).cast(pa.date32())
    columns["removed"] = pa.array([int(link.removed) for link in links], type=pa.uint8())
    columns["revision"] = pa.array([revision] * len(links), type=pa.uint64())
    sink.write("identity_links", columns)


def write_persons(sink: ArrowSink, persons: Sequence[tuple[Customer, str]], revision: int) -> None:
    """Write (customer, person id) under one revision (UTC microseconds). Blocks and raises as `ArrowSink.write`."""
    import pyarrow as pa

    if persons:
        columns = {
            "tenant_id": [customer.tenant_id for customer, _ in persons],
            "customer_id": [customer.customer_id for customer, _ in persons],
            "person_id": [person_id for _, person_id in persons],
            "revision": pa.array([revision] * len(persons), type=pa.uint64()),
        }
        sink.write("person_customers", columns)


def erase(sink: ArrowSink, customer: Customer, erased_at_ms: int) -> None:
    """Have a customer's events up to a moment (UTC ms) and all other rows of the customer deleted; note the erasure.

    Rows that are written after this call stay. ClickHouse deletes in the background, because the stream must not wait
    for it: `rows_of` tells when no answer holds the rows any more. Off the disk they are when the parts are next
    merged. Credits that rest on events after the moment are to be derived again by the caller. Blocks and raises as
    `ArrowSink.command`.
    """
    parameters = {"tenant": customer.tenant_id, "customer": customer.customer_id, "until_ms": erased_at_ms}
    touches = [row[0] for row in sink.rows(TOUCHES_OF, parameters, "reading of touches to erase")]
    for piece in pieces(touches, TOUCHES_PER_STATEMENT):
        named = {"tenant": customer.tenant_id, "touches": piece}
        sink.command(ERASE_REVISIONS, named, "erasure from credit_revisions")
    for table in ERASED:
        sink.command(
            f"DELETE FROM {table} WHERE {_rows_of(table)} SETTINGS lightweight_deletes_sync = 0",  # noqa: S608 - a constant
            parameters,
            f"erasure from {table}",
        )
    noted = {"tenant_id": [customer.tenant_id], "customer_id": [customer.customer_id]}
    sink.write("erasures", noted | {"erased_at": times([erased_at_ms])})


def rows_of(sink: ArrowSink, customer: Customer, until_ms: int) -> dict[str, int]:
    """Return how many rows there are of a customer by table, of events those up to a moment (UTC ms)."""
    parameters = {"tenant": customer.tenant_id, "customer": customer.customer_id, "until_ms": until_ms}
    return {
        table: int(sink.rows(f"SELECT count() FROM {table} WHERE {_rows_of(table)}", parameters, "count")[0][0])  # noqa: S608
        for table in ERASED
    }


def is_erased(sink: ArrowSink, customer: Customer, erased_at_ms: int) -> bool:
    """Tell whether an erasure of this moment (UTC ms) or a later one is noted: its deletions are under way."""
    rows = sink.rows(
        "SELECT count() FROM erasures FINAL WHERE tenant_id = {tenant:String} AND customer_id = {customer:String} "
        "AND erased_at >= fromUnixTimestamp64Milli({at:Int64}, 'UTC')",
        {"tenant": customer.tenant_id, "customer": customer.customer_id, "at": erased_at_ms},
        "reading of erasures",
    )
    return bool(rows[0][0])


def links_of(sink: ArrowSink, customer: Customer) -> list[str]:
    """Return the person of a customer, its customers and their links, one a line, for people to read."""
    parameters: dict[str, Any] = {"tenant": customer.tenant_id, "customer": customer.customer_id}
    person = sink.rows(PERSON_OF, parameters, "reading of a person")
    person_id = person[0][0] if person else customer.customer_id
    rows = sink.rows(LINKS_OF, parameters | {"person": person_id}, "reading of links")
    return [f"person {person_id}", *("  ".join(str(value) for value in row) for row in rows)]


def _rows_of(table: str) -> str:
    """The condition that holds for a customer's rows. Links of others to this customer are among them."""
    condition = "tenant_id = {tenant:String} AND customer_id = {customer:String}"
    if table == "events":
        return condition + " AND event_time <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')"
    if table == "identity_links":
        return condition + " OR tenant_id = {tenant:String} AND kind = 'customer_id' AND value = {customer:String}"
    return condition
