"""The functions of the stage identity with a state in memory, without a cluster."""

from __future__ import annotations

import logging

import orjson
import pytest
from pyflink.common import Row

from connectors.clickhouse.rederive import read_update
from jobs.identity import EraseFromShard, KeepDeviceGraph
from jobs.ingest import SHARDS, shard
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import record_of
from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.lines import erasure_line, withdrawal_line
from udfs.identity.settings import IdentitySettings

NOW_MS = 1_767_225_600_000


class Counter:
    def __init__(self):
        self.count = 0

    def inc(self):
        self.count += 1


class Context:
    """A runtime context with one map state and one counter."""

    def __init__(self):
        self.texts = {}
        self.counted = Counter()

    def get_map_state(self, descriptor):
        return self

    def get_metrics_group(self):
        return self

    def counter(self, name):
        return self.counted

    def get(self, key):
        return self.texts.get(key)

    def put(self, key, value):
        self.texts[key] = value

    def remove(self, key):
        self.texts.pop(key, None)

    def items(self):
        return iter(list(self.texts.items()))


@pytest.fixture
def context():
    return Context()


@pytest.fixture
def stage(context):
    function = KeepDeviceGraph(IdentitySettings(), AttributionSettings())
    function.open(context)

    def batch(*lines, tenant="acme"):
        return [read_update(row[1]) for row in function.process_element(Row(tenant, "\n".join(lines)), None)]

    return batch


def seen(customer, **identifiers):
    return orjson.dumps([customer, NOW_MS, True, identifiers]).decode()


def customers(updates):
    return [person.group.customers for update in updates for person in update.persons]


def test_a_micro_batch_links_customers(stage):
    updates = stage(seen("ann", device_id="d-7"), seen("bob", device_id="d-7"))
    assert customers(updates) == [("ann", "bob")]
    assert updates[0].tenant_id == "acme"
    assert updates[0].moved == [("bob", "ann")]
    assert {link.customer_id for link in updates[0].links} == {"ann", "bob"}
    # A customer alone with nothing new leads to nothing.
    stage(seen("cy", device_id="d-8"))
    assert stage(seen("cy", device_id="d-8")) == []


def test_commands_split_and_erase(stage):
    stage(seen("ann", device_id="d-7"), seen("bob", device_id="d-7"))
    assert customers(stage(withdrawal_line("acme", "bob", Identifier(Kind.DEVICE_ID, "d-7")))) == [("ann",), ("bob",)]
    (update,) = stage(erasure_line("acme", "bob", NOW_MS))
    assert update.erased == [("bob", NOW_MS)]


def test_a_bad_command_is_counted_and_names_nobody(stage, context, caplog):
    with caplog.at_level(logging.WARNING):
        assert stage('{"command": "erase", "customer_id": "secret"}') == []
        assert stage("nonsense") == []
    assert context.counted.count == 2
    assert "acme" in caplog.text
    assert "secret" not in caplog.text


def test_newer_settings_of_the_tenant_derive_its_persons_again(stage):
    stage(seen("ann", device_id="d-7"), seen("bob", device_id="d-7"), seen("cy"))
    # Once derived always derived: also who is alone again.
    stage(seen("dan,1", device_id="d-8"), seen('eve,"",1', device_id="d-8"))
    stage(withdrawal_line("acme", "dan,1", Identifier(Kind.DEVICE_ID, "d-8")))
    record = record_of("acme", 2, NOW_MS, {"models": ["linear"]}, []).decode()
    (update,) = stage(record)
    assert customers([update]) == [("ann", "bob"), ("dan,1",), ('eve,"",1',)]
    assert update.settings == record
    assert stage(record) == []
    assert stage(record_of("acme", 1, NOW_MS, {}, []).decode()) == []
    assert stage(record_of("other", 3, NOW_MS, {}, []).decode()) == []
    assert stage('{"kind": "attribution_settings", "tenant_id": "acme", "version": "x"}') == []
    # From then on they travel with every update.
    assert stage(seen("ann"))[0].settings == record


def test_an_erasure_finds_the_shard_of_the_customers_facts():
    (row,) = EraseFromShard().flat_map(Row("acme", erasure_line("acme", "ann", NOW_MS)))
    assert row[0] == shard("acme", "ann") < SHARDS
    assert orjson.loads(row[1]) == ["e", "acme", "ann"]
    for other in ("{}", "7", "nonsense", withdrawal_line("acme", "ann", Identifier(Kind.DEVICE_ID, "d"))):
        assert list(EraseFromShard().flat_map(Row("acme", other))) == []
