"""The pipeline's own functions against the oracle, without Flink: verdicts, credits and journeys."""

from __future__ import annotations

import base64
import json

import pytest

from bench.world.command_line import main
from connectors.kafka.decode_batch import BatchDecoder
from connectors.schema_registry import open_registry
from tests.oracle import Answer
from tests.oracle.credits import credit_flaw
from tests.oracle.settings import read_rules
from tests.unit.world.conftest import EVERY_FAULT, SCHEMAS
from udfs.attribution.person import apply_facts
from udfs.attribution.published_model import PublishedModel
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import read_settings, record_of


@pytest.fixture(scope="module")
def record_file(tmp_path_factory, seed):
    path = tmp_path_factory.mktemp("world") / "record.jsonl"
    shape = [
        "--count",
        "6000",
        "--anonymous-share",
        "0.1",
        "--edge-share",
        "0.2",
        "--opt-out-share",
        "0.05",
        "--mix",
        "0.2,0.7,0.1",
        "--seed",
        str(seed),
        "--faults",
        EVERY_FAULT,
    ]
    # 25 days, so that touches lie on both sides of the look-back.
    pace = ["--clock", "fixed", "--start", "2026-10-10", "--rate", "10", "--speed", "3600"]
    assert main(["write", "--out", str(path), *shape, *pace]) == 0
    return path


@pytest.fixture(scope="module")
def decoded(record_file):
    lines = [json.loads(line) for line in record_file.read_bytes().splitlines()]
    values = [None if line["value_b64"] is None else base64.b64decode(line["value_b64"]) for line in lines]
    decoder = BatchDecoder(open_registry(str(SCHEMAS)))
    return decoder.decode_batch(values, [line["key"] for line in lines], [line["produced_at"] for line in lines])


@pytest.fixture(scope="module")
def answer(record_file):
    with Answer(record_file) as computed:
        yield computed


def test_every_message_gets_the_same_verdict_and_the_same_columns(decoded, answer):
    names = ["tenant_id", "customer_id", "journey_id", "campaign_id", "channel", "kind", "currency", "impressions"]
    names += ["clicks", "conversions", "cost_micros", "revenue_micros", "value_micros"]
    rows = answer.rows(f"SELECT reasons, {', '.join(names)} FROM messages ORDER BY n")
    assert len(rows) == len(decoded["reasons"])
    for number, (reasons, *expected) in enumerate(rows):
        assert sorted(filter(None, decoded["reasons"][number].split(","))) == reasons
        found = [decoded[name][number] for name in names]
        if reasons:
            assert found[0] == expected[0]
        else:
            assert found == expected


def test_every_conversion_gets_the_same_credits_and_every_journey_the_same_figures(decoded, answer, randomness):
    credited, journeys = attributed(decoded, randomness)
    conversions = list(answer.conversions())
    assert len(conversions) > 100
    # Some are without a touch only because consent was refused.
    refused = answer.rows("SELECT count(*) FROM accepted WHERE family = 'journey' AND NOT analytics")[0][0]
    assert refused > 20
    assert {(made.tenant_id, made.conversion_id) for made in conversions} == set(credited)
    for made in conversions:
        found = credited[made.tenant_id, made.conversion_id]
        ids, channels, campaigns, times = (list(column) for column in zip(*found["touches"], strict=True))
        common = found | {"touchpoint_ids": ids, "channels": channels, "campaign_ids": campaigns, "times": times}
        for model, credit in found["models"].items():
            row = common | {"model": model, "weights": credit["weights"], "micros": credit["credited_micros"]}
            assert credit_flaw(made, row) is None
    names = [
        "stage",
        "started_at",
        "last_event_at",
        "touchpoints",
        "conversions",
        "value_micros",
        "currency",
    ]
    rows = answer.rows(f"SELECT tenant_id, customer_id, journey_id, {', '.join(names)} FROM journeys")
    assert {tuple(row[:3]): tuple(row[3:]) for row in rows} == {
        key: tuple(journey[name] for name in names) for key, journey in journeys.items()
    }


# Everything that a tenant can choose, each model and transform somewhere.
CHOSEN = [
    {"models": ["linear", "last_non_direct", "data_driven"], "transforms": ["exposure", "trim(3)"]},
    {
        "models": ["time_decay", "position_based", "custom_weights", "first_touch"],
        "decay_per_day": 0.5,
        "position_weights": [0.5, 0.1, 0.2],
        "channel_weights": {"email": 3, "search": 0, "direct": 0.25},
        "touch_filter": {"exclude_channels": ["display"], "interaction_types": ["click", "visit", "open"]},
        "transforms": ["remove_direct_if_last_and_not_all"],
        "conversion_types": {"signup": {"lookback_days": 2, "half_life_days": 1, "transforms": ["first"]}},
    },
    {
        "models": ["data_driven", "last_touch"],
        "consent": "assumed",
        "lookback_days": 60,
        "touch_filter": {"exclude_campaigns": ["cmp-001"]},
        "transforms": ["remove_direct_if_not_all", "frequency"],
        "conversion_types": {"purchase": {"models": ["data_driven", "linear"]}},
    },
]
SPRING, AUTUMN = (
    1_774_000_000_000,
    1_792_454_400_000,
)  # the world of the record file is of October 10 to November 3, 2026


def test_tenants_own_settings_and_models_give_the_same_credits(decoded, answer, randomness, tmp_path):
    """Settings file and record files in, credits out, computed twice with no code in common."""
    effects = {"email": 0.3, "search": 0.2, "social": 0.0, "display": -0.1, "email(1)": 0.5, "direct(2)": 0.1}
    models = [
        PublishedModel("old", "", 0, effects),
        PublishedModel("new", "", AUTUMN, {channel: effect / 3 + 0.01 for channel, effect in effects.items()}),
        PublishedModel("signups", "signup", SPRING, effects, ("frequency",)),
    ]
    tenants = sorted({tenant for tenant in decoded["tenant_id"] if tenant})
    file = tmp_path / "settings.jsonl"
    own = {}
    with file.open("wb") as lines:
        for number, tenant in enumerate(tenants[:-1]):  # the last has the job's
            record = record_of(tenant, number + 1, 0, CHOSEN[number % len(CHOSEN)], models)
            lines.write(record + b"\n")
            own[tenant] = read_settings(record, AttributionSettings())[1]
    credited, _ = attributed(decoded, randomness, own)
    versions = set()
    for made in answer.conversions(settings=read_rules(file)):
        found = credited[made.tenant_id, made.conversion_id]
        assert set(found["models"]) == set(made.models)
        ids, channels, campaigns, times = (list(column) for column in zip(*found["touches"], strict=True))
        common = found | {"touchpoint_ids": ids, "channels": channels, "campaign_ids": campaigns, "times": times}
        for model, credit in found["models"].items():
            row = common | {"model": model, "weights": credit["weights"], "micros": credit["credited_micros"]}
            assert credit_flaw(made, row) is None
            if model == "data_driven":
                assert credit["model_version"] == made.trained["version"]
                versions.add(credit["model_version"])
    assert versions >= {"old", "new"}


def attributed(decoded, randomness, own=None):
    """The newest attribution and journey of each, after the accepted facts in small batches."""
    seen, persons = set(), {}
    for outcome, tenant, event, fact in zip(
        *(decoded[name] for name in ("outcome", "tenant_id", "event_id", "journey_fact")), strict=True
    ):
        if outcome == "valid" and (tenant, event) not in seen:
            seen.add((tenant, event))
            if fact:
                person = json.loads(fact)
                persons.setdefault((person[1], person[2]), []).append(person)
    credited, journeys = {}, {}
    for facts in persons.values():
        state = None
        while facts:
            size = randomness.randint(1, 4)
            update = apply_facts(state, facts[:size], AttributionSettings(), (own or {}).get(facts[0][1]))
            state = update.state
            del facts[:size]
            credited |= {(made["tenant_id"], made["conversion_id"]): made for made in update.attributions}
            journeys |= {(made["tenant_id"], made["customer_id"], made["journey_id"]): made for made in update.journeys}
    return credited, journeys
