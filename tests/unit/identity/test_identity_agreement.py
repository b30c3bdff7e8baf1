"""Device graph and derived credits against the oracle, over a world with devices that never sign in and opt-outs."""

from __future__ import annotations

import base64
import json

import pytest

from bench.world.command_line import main
from connectors.kafka.decode_batch import BatchDecoder
from connectors.schema_registry import open_registry
from tests.oracle import Answer
from tests.oracle.credits import credit_flaw
from tests.unit.identity.test_device_graph import Texts
from tests.unit.world.conftest import SCHEMAS
from udfs.attribution.person import apply_facts
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import job_settings
from udfs.identity.derived_credits import derive_credits
from udfs.identity.device_graph import DeviceGraph
from udfs.identity.lines import observation_line, read_change
from udfs.identity.settings import IdentitySettings

SETTINGS = AttributionSettings()
WORLD = {
    "--count": "5000",
    "--tenants": "3",
    "--anonymous-share": "0.1",
    "--signed-out-share": "0.5",
    "--opt-out-share": "0.05",
    "--edge-share": "0.1",
    "--mix": "0,1,0",
    "--faults": "dup=0.03,late=0.05,late_days=0.02",
    # 20 days, so that devices are seen on many of them.
    "--clock": "fixed",
    "--start": "2026-10-10",
    "--rate": "10",
    "--speed": "3600",
}


@pytest.fixture(scope="module")
def record_file(tmp_path_factory, seed):
    path = tmp_path_factory.mktemp("world") / "record.jsonl"
    options = [part for option in (WORLD | {"--seed": str(seed), "--out": str(path)}).items() for part in option]
    assert main(["write", *options]) == 0
    return path


@pytest.fixture(scope="module")
def events(record_file):
    """(tenant, observation, fact) of each accepted journey event."""
    lines = [json.loads(line) for line in record_file.read_bytes().splitlines()]
    values = [None if line["value_b64"] is None else base64.b64decode(line["value_b64"]) for line in lines]
    decoder = BatchDecoder(open_registry(str(SCHEMAS)))
    decoded = decoder.decode_batch(values, [line["key"] for line in lines], [line["produced_at"] for line in lines])
    accepted = {}
    for outcome, tenant, event_id, fact, payload in zip(
        *(decoded[name] for name in ("outcome", "tenant_id", "event_id", "journey_fact", "payload")), strict=True
    ):
        if outcome == "valid" and fact:
            accepted.setdefault((tenant, event_id), (tenant, observation_line(payload), json.loads(fact)))
    return list(accepted.values())


def credited(events, randomness):
    """The newest attribution of each conversion: the stream's, or the derived one, which outranks it."""
    streamed, derived = {}, {}
    persons, graphs, facts = {}, {}, {}
    events = list(events)
    while events:
        batch = [events.pop() for _ in range(min(len(events), randomness.randint(1, 20)))]
        for tenant in sorted({tenant for tenant, _, _ in batch}):
            own = [(line, fact) for of_tenant, line, fact in batch if of_tenant == tenant]
            for _, fact in own:
                key = tenant, fact[2]
                facts.setdefault(key, []).append(fact)
                update = apply_facts(persons.get(key), [fact], SETTINGS)
                persons[key] = update.state
                streamed |= {(tenant, made["conversion_id"]): made for made in update.attributions}
            graph = graphs.setdefault(tenant, DeviceGraph(Texts(), IdentitySettings()))
            for person in graph.apply(read_change(line) for line, _ in own).persons:
                stored = [fact for name in person.group.customers for fact in facts.get((tenant, name), ())]
                made = derive_credits(person, stored, SETTINGS, job_settings(SETTINGS), 1 << 50)
                derived |= {(tenant, one["conversion_id"]): one for one in made}
    return streamed | derived, derived


def test_every_conversion_is_credited_as_by_the_oracle(record_file, events, randomness):
    randomness.shuffle(events)
    found, derived = credited(events, randomness)
    with Answer(record_file) as answer:
        expected = list(answer.conversions(identity=True))
        alone = {(made.tenant_id, made.conversion_id): made for made in answer.conversions()}
    assert {(made.tenant_id, made.conversion_id) for made in expected} == set(found)
    changed = 0
    for made in expected:
        attribution = found[made.tenant_id, made.conversion_id]
        ids, channels, campaigns, times = (list(column) for column in zip(*attribution["touches"], strict=True))
        common = attribution | {"touchpoint_ids": ids, "channels": channels, "campaign_ids": campaigns, "times": times}
        for model, credit in attribution["models"].items():
            row = common | {"model": model, "weights": credit["weights"], "micros": credit["credited_micros"]}
            assert credit_flaw(made, row) is None, (made.tenant_id, made.conversion_id, model)
        changed += ids != [entry.touchpoint_id for entry in alone[made.tenant_id, made.conversion_id].entries]
    # The world must have what the test is about: merges that change credits, and probable ones among them.
    assert changed > 20
    assert any(set(made.hundredths) - {100} for made in expected)
    assert len(derived) > changed
