"""Persons in the running job, from devices and users in the topic: merged, refused and split, against the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.kafka.identity_commands import send_command
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics
from tests.e2e.running_world import DATABASE, SETTLED_SECONDS, World
from tests.oracle import Answer, Difference, compare
from tests.oracle.settling import staying
from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.lines import withdrawal_line

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tests.oracle.identity import Person, Withdrawn

pytestmark = [pytest.mark.timeout(600)]
TENANTS = ("persons-1", "persons-2")
# Devices that are signed out now and then (linked for certain) or always (linked by network, place and browser).
SHAPE = ("--anonymous-share", "0.1", "--signed-out-share", "0.5", "--opt-out-share", "0.1", "--edge-share", "0.1")
SPLIT = 5  # devices: each command is a connection of its own
Persons = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def file(world: World) -> Path:
    """What was sent: some 5,000 journey events."""
    shape = (*SHAPE, "--mix", "0,1,0", "--faults", "dup=0.03,late=0.03,out_of_order=0.05")
    world.produce("persons", "--rate", "500", "--seconds", "10", "--tenants", ",".join(TENANTS), *shape)
    return world.folder / "persons.jsonl"


def test_persons_and_their_credits_equal_the_batch_computation(world: World, file: Path) -> None:
    with Answer(file) as answer:
        persons = answer.persons()
        made = list(answer.conversions(identity=True))
        alone = {(one.tenant_id, one.conversion_id): one.entries for one in answer.conversions()}
        refusing = {tuple(row) for row in answer.rows(REFUSING)}
    # What this test is about is there: merges that change credits, probable ones, refusals of who was linked.
    assert sum(one.entries != alone[one.tenant_id, one.conversion_id] for one in made) > 10
    assert any(set(one.hundredths) - {100} for one in made)
    assert refusing - persons.keys()
    agree(world, file)


def test_withdrawn_links_split_persons_and_move_their_credits(world: World, file: Path) -> None:
    with Answer(file) as answer:
        before = answer.persons()
        # Devices that are customers by their own names, but each customer's first, on which a user id was seen.
        split = [key for key in sorted(before) if key[1].startswith("d") and ".0-" not in key[1]][:SPLIT]
        links = [tuple(map(str, row)) for row in answer.rows(LINKS)]
        withdrawn = [(tenant, name, kind, value) for tenant, name, kind, value in links if (tenant, name) in split]
        after = answer.persons(withdrawn)
        moved = [one for one in answer.conversions(identity=True) if (one.tenant_id, one.customer_id) in before]
    assert not after.keys() & set(split)
    assert moved
    for tenant, name, kind, value in withdrawn:
        line = withdrawal_line(tenant, name, Identifier(Kind(kind), value))
        send_command(KafkaSettings(kafka_bootstrap=world.kafka), Topics().identity_commands, tenant, line)
    agree(world, file, withdrawn)


LINKS = """
SELECT DISTINCT tenant_id, customer_id, link, map_extract(identifiers, link)[1]
FROM accepted, unnest(['device_id', 'hashed_ip']) AS links (link)
WHERE family = 'journey' AND map_extract(identifiers, link)[1] IS NOT NULL
"""
REFUSING = "SELECT DISTINCT tenant_id, customer_id FROM accepted WHERE family = 'journey' AND NOT analytics"


def agree(world: World, file: Path, withdrawn: Collection[Withdrawn] = ()) -> None:
    """Wait until the stored persons and credits are those of the oracle; fail with the differences."""
    client = world.clickhouse()
    with Answer(file) as answer:
        expected = named(answer.persons(withdrawn))

    def differences() -> list[Difference]:
        rows = client.query(
            f"SELECT tenant_id, customer_id, person_id FROM {DATABASE}.person_customers FINAL "
            "WHERE tenant_id IN {tenants:Array(String)} AND person_id != customer_id",
            parameters={"tenants": list(TENANTS)},
        ).result_rows
        stored = {(tenant, name): person for tenant, name, person in rows}
        if stored != expected:
            unlike = sorted(key for key in stored.keys() | expected if stored.get(key) != expected.get(key))
            shown = [f"{key}: {stored.get(key)}, expected {expected.get(key)}" for key in unlike[:20]]
            return [Difference("person_customers", len(expected), len(stored), wrong=len(unlike), shown=shown)]
        credited = ("attribution_credits", "journeys")
        return compare(client, DATABASE, file, tables=credited, tenants=TENANTS, identity=True, withdrawn=withdrawn)

    if stay := staying(differences, SETTLED_SECONDS):
        pytest.fail(stay)


def named(persons: dict[tuple[str, str], Person]) -> Persons:
    """The person's id, the smallest of its customers', of each customer who goes by another."""
    ids = {key: min(person.customers) for key, person in persons.items()}
    return {key: person_id for key, person_id in ids.items() if key[1] != person_id}
