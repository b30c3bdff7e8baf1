"""A tenant's settings and models in the running job, put while events flow, against the oracle under the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.kafka.control import ControlTopic
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics
from jobs.attribution_control import put_models, put_settings
from tests.e2e.running_world import DATABASE, SETTLED_SECONDS, World
from tests.oracle import compare
from tests.oracle.settings import read_rules
from tests.oracle.settling import staying
from udfs.attribution.published_model import PublishedModel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle import Difference

pytestmark = [pytest.mark.timeout(600)]
FIRST = {"models": ["linear", "custom_weights"], "channel_weights": {"email": 3, "direct": 0}}
LAST = {
    "models": ["linear", "data_driven"],
    "transforms": ["exposure"],
    "touch_filter": {"interaction_types": ["click", "visit", "open"]},
    "conversion_types": {"signup": {"lookback_days": 1, "models": ["data_driven", "last_touch"]}},
}
MODEL = PublishedModel("m1", "", 0, {"email": 0.4, "search": 0.3, "social": 0.1, "direct": 0.0})


def test_settings_put_while_events_flow_are_those_that_all_credits_end_with(world: World, tmp_path: Path) -> None:
    changed, unchanged = "settings-changed", "settings-unchanged"
    topic = ControlTopic(KafkaSettings(kafka_bootstrap=world.kafka), Topics().control)
    shape = ("--count", "6000", "--rate", "600", "--tenants", f"{changed},{unchanged}", "--mix", "0.1,0.85,0.05")
    producer = world.start("settings", *shape)
    put_settings(topic, changed, FIRST)
    put_models(topic, changed, lambda known: [*known.models, MODEL])
    put_settings(topic, changed, LAST)
    world.finish(producer)
    put_settings(topic, changed, FIRST | {"lookback_days": 20})
    put_settings(topic, changed, LAST | {"lookback_days": 10})
    file = tmp_path / "control-records.jsonl"
    file.write_bytes(b"\n".join(topic.read()[changed]))
    client = world.clickhouse()

    def differences() -> list[Difference]:
        return compare(
            client,
            DATABASE,
            world.folder / "settings.jsonl",
            tables=("attribution_credits",),
            tenants=(changed, unchanged),
            settings=read_rules(file),
        )

    if stay := staying(differences, SETTLED_SECONDS):
        pytest.fail(stay)
    versions = client.query(
        f"SELECT model, model_version, settings_version > 0, count() > 0 FROM {DATABASE}.attribution_credits FINAL "
        "WHERE tenant_id = {tenant:String} AND model IN ('data_driven', 'last_touch') AND settings_version > 1 "
        "GROUP BY ALL ORDER BY ALL",
        parameters={"tenant": changed},
    ).result_rows
    assert ("data_driven", "m1", 1, 1) in [tuple(row) for row in versions]
