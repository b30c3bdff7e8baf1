"""Links, persons and derived credits in a real ClickHouse: what readers see after each change."""

from __future__ import annotations

import pytest

from connectors.clickhouse.credits import credit_columns
from connectors.clickhouse.identity import (
    CUSTOMERS_PER_STATEMENT,
    Customer,
    clock_micros,
    read_facts,
    rows_of,
)
from connectors.clickhouse.rederive import read_update, rederive, update_text
from tests.serving.local_stores import wait_until
from tests.stack.identity.stored_journey import SETTINGS, START_MS, StoredTenant, insert_events
from udfs.attribution.person import apply_facts
from udfs.attribution.tenant_settings import record_of
from udfs.identity.device_graph import Erasure, Withdrawal
from udfs.identity.identifiers import Identifier, Kind

DEVICE = {"device_id": "dev-7"}
LINK = Identifier(Kind.DEVICE_ID, "dev-7")


@pytest.fixture
def acme(store, tenant):
    return StoredTenant(store, tenant)


def stream_credits(acme, customer, facts=None):
    """What the stream writes for a customer by itself."""
    state = None
    key = Customer(acme.tenant_id, customer)
    for fact in facts or read_facts(acme.sink, [key], 0)[key]:
        update = apply_facts(state, [fact], SETTINGS)
        state = update.state
        acme.sink.write("attribution_credits", credit_columns(update.attributions, START_MS))


def rows(acme, sql):
    return acme.sink.rows(sql, {"tenant": acme.tenant_id}, "check")


def merged(acme):
    acme.happen(
        acme.touch("dev-7", "t1", 0, identifiers=DEVICE),
        acme.touch("ann", "t2", 1, "search"),
        acme.conversion("ann", "c1", 2, 10_000_001),
    )
    stream_credits(acme, "ann")
    assert acme.credits() == {"c1": (10_000_001, {"t2": 10_000_001})}
    acme.happen(acme.event("journey_start", "ann", "s1", 3, identifiers=DEVICE | {"user_id": "u-1"}))


def test_a_merge_outranks_the_stream(acme):
    merged(acme)
    assert acme.credits() == {"c1": (10_000_001, {"t1": 5_000_001, "t2": 5_000_000})}
    # The stream re-attributes on its own account, after the merge, with what it knows.
    stream_credits(acme, "ann")
    assert acme.credits() == {"c1": (10_000_001, {"t1": 5_000_001, "t2": 5_000_000})}
    persons = rows(
        acme, "SELECT customer_id, person_id FROM person_customers FINAL WHERE tenant_id = {tenant:String} ORDER BY 1"
    )
    assert persons == [("dev-7", "ann")]


def test_late_touch_refund_and_split(acme):
    merged(acme)
    acme.happen(acme.touch("dev-7", "t0", -5, "video"))
    assert acme.credits() == {"c1": (10_000_001, {"t0": 3_333_334, "t1": 3_333_334, "t2": 3_333_333})}
    acme.happen(acme.conversion("ann", "r1", 9, 1_000_001, "refund", "c1"))
    assert acme.credits() == {"c1": (9_000_000, {"t0": 3_000_000, "t1": 3_000_000, "t2": 3_000_000})}
    acme.change(Withdrawal("ann", LINK))
    assert acme.credits() == {"c1": (9_000_000, {"t2": 9_000_000})}
    links = rows(
        acme,
        "SELECT customer_id, kind, value FROM identity_links FINAL WHERE tenant_id = {tenant:String} ORDER BY 1, 2",
    )
    assert links == [("ann", "user_id", "u-1"), ("dev-7", "device_id", "dev-7")]
    # Once derived, a customer alone is derived with every fact.
    acme.happen(acme.touch("ann", "t3", 1))
    assert acme.credits() == {"c1": (9_000_000, {"t2": 4_500_000, "t3": 4_500_000})}
    replaced = [
        ("c1", 10_000_001, {"t2": 10_000_001}),
        ("c1", 10_000_001, {"t1": 5_000_001, "t2": 5_000_000}),
        ("c1", 10_000_001, {"t0": 3_333_334, "t1": 3_333_334, "t2": 3_333_333}),
        ("c1", 9_000_000, {"t0": 3_000_000, "t1": 3_000_000, "t2": 3_000_000}),
        ("c1", 9_000_000, {"t2": 9_000_000}),
    ]
    assert acme.revisions() == replaced
    # A fact that changes no credit leaves nothing behind.
    acme.happen(acme.event("journey_start", "ann", "s9", 12))
    assert acme.revisions() == replaced


def test_the_stream_sends_what_it_replaces(acme):
    """Each fact in a batch of its own, twice, as after a replay."""
    insert_events(
        acme.sink,
        (
            acme.touch("ann", "t1", 0),
            acme.conversion("ann", "c1", 5, 1_000_001),
            acme.touch("ann", "t2", 1, "search"),
            acme.conversion("ann", "r1", 9, 1, "refund", "c1"),
        ),
    )
    for _ in range(2):
        facts = read_facts(acme.sink, [Customer(acme.tenant_id, "ann")], 0)[Customer(acme.tenant_id, "ann")]
        stream_credits(acme, "ann", sorted(facts, key=lambda fact: ["t1", "c1", "t2", "r1"].index(fact[5])))
        assert acme.credits() == {"c1": (1_000_000, {"t1": 500_000, "t2": 500_000})}
        assert acme.revisions() == [
            ("c1", 1_000_001, {"t1": 1_000_001}),
            ("c1", 1_000_001, {"t1": 500_001, "t2": 500_000}),
        ]


def test_opt_out_and_erasure_leave_what_sums(acme):
    merged(acme)
    acme.happen(acme.event("journey_start", "dev-7", "s2", 4, consented=False, identifiers=DEVICE))
    assert acme.credits() == {"c1": (10_000_001, {"t2": 10_000_001})}


def test_an_erasure_reaches_every_table_and_the_persons_left(acme):
    merged(acme)
    customer, at = Customer(acme.tenant_id, "dev-7"), START_MS + 60 * 60_000
    acme.happen(acme.touch("dev-7", "t9", 90))
    assert rows_of(acme.sink, customer, at) == {
        "events": 1,
        "attribution_credits": 0,
        "credit_revisions": 0,
        "journeys": 0,
        "identity_links": 1,
        "person_customers": 1,
    }
    # Older revisions of other customers' credits that name the customer's touches go too.
    acme.happen(acme.touch("dev-7", "t8", 1))
    assert [touches for _, _, touches in acme.revisions()][1:] == [{"t1": 5_000_001, "t2": 5_000_000}]
    acme.change(Erasure("dev-7", at))
    assert acme.credits() == {"c1": (10_000_001, {"t2": 10_000_001})}
    wait_until(lambda: acme.revisions() == [("c1", 10_000_001, {"t2": 10_000_001})], "deletion of revisions")
    wait_until(lambda: set(rows_of(acme.sink, customer, at).values()) == {0}, "deletion")
    assert rows_of(acme.sink, customer, START_MS * 2)["events"] == 1
    # Then ann: her conversion goes with its credits.
    acme.change(Erasure("ann", at))
    ann = Customer(acme.tenant_id, "ann")
    wait_until(lambda: set(rows_of(acme.sink, ann, at).values()) == {0}, "deletion")
    assert acme.credits() == {}
    assert rows(acme, "SELECT count() FROM erasures FINAL WHERE tenant_id = {tenant:String}") == [(2,)]


def test_probable_links_are_stored_with_their_probability(acme):
    home = {"hashed_ip": "home", "geo": "DE-BE"}
    acme.happen(
        acme.touch("x-1", "t1", 0, identifiers=home | {"user_agent": "phone"}),
        acme.touch("ann", "t2", 1, identifiers=home | {"user_agent": "desk"}),
        acme.conversion("ann", "c1", 1, 1_000_000),
    )
    links = rows(
        acme,
        "SELECT customer_id, value, probability FROM identity_links FINAL "
        "WHERE tenant_id = {tenant:String} AND kind = 'customer_id'",
    )
    assert links == [("ann", "x-1", 0.778454)]
    # With 0.78 both touches earned it, with 0.22 hers alone.
    assert acme.credits() == {"c1": (1_000_000, {"t1": 390_000, "t2": 610_000})}
    acme.happen(acme.touch("z-1", "t3", 2, identifiers=home | {"user_agent": "tablet"}))
    assert acme.credits() == {"c1": (1_000_000, {"t2": 1_000_000})}
    assert rows(
        acme, "SELECT count() FROM identity_links FINAL WHERE tenant_id = {tenant:String} AND probability < 1"
    ) == [
        (3,)  # the three on the network, no pair
    ]


def test_the_tenants_own_settings_are_used_while_they_can_be(acme):
    merged(acme)
    update = acme.graph.again(["ann"])
    record = record_of(acme.tenant_id, 3, START_MS, {"models": ["linear", "first_touch"], "lookback_days": 1}, [])
    for text, models in ((record.decode(), {"linear", "first_touch"}), ('{"kind": "?"}', set(SETTINGS.models))):
        line = update_text(acme.tenant_id, acme.graph.newest_day, update, text)
        ((attribution,),) = rederive(acme.sink, [read_update(line)], SETTINGS)
        assert set(attribution["models"]) == models


def test_facts_are_those_of_the_customers_asked_for(acme, store):
    other = StoredTenant(store, acme.tenant_id + "-2")
    acme.happen(*(acme.touch(f"c{number}", f"t{number}", number) for number in range(CUSTOMERS_PER_STATEMENT + 20)))
    other.happen(other.touch("c1", "t1", 0))
    wanted = [Customer(acme.tenant_id, f"c{number}") for number in range(CUSTOMERS_PER_STATEMENT + 20)]
    found = read_facts(store, wanted, 0)
    assert len(found) == len(wanted)
    assert all(facts[0][1] == acme.tenant_id for facts in found.values())
    assert read_facts(store, wanted[:1], START_MS + 1) == {}
    # Names with quotes and brackets are values, not syntax.
    assert read_facts(store, [Customer(acme.tenant_id, "c'1\\ ]")], 0) == {}


def test_the_clock_outranks_the_stream(store):
    """Facts are counted in 32 bits above the settings' version: the clock is beyond 400,000 versions."""
    assert clock_micros(store) > 400_000 << 32
    assert clock_micros(store) < 1 << 53
