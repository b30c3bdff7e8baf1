"""The model against sums done by hand, and its page against its inputs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench import scale_model
from bench.scale_model import INPUTS, Inputs, largest_share, limits, scale, slot_rate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def inputs() -> Inputs:
    """Round numbers, so that the expected ones below can be checked in one's head."""
    made = Inputs.read()
    sections = {name: {key: dict(entry) for key, entry in part.items()} for name, part in made.sections.items()}
    wanted = {
        "cpu_micros_per_event": {"taskmanager": 60, "python": 50, "clickhouse": 40},
        "bytes": {"dedup_entry": 100, "journey_fact": 100},
        "load": {"journey_share": 0.5, "tenants": 2, "zipf": 1.0},
        "design": {
            "utilisation": 0.6,
            "slots_per_taskmanager": 4,
            "dedup_hours": 1,
            "journey_retention_days": 1,
            "taskmanager_disk_gb": 1_000,
            "clickhouse_replicas": 2,
            "clickhouse_cores": 32,
            "clickhouse_inserts_per_second": 100,
            "tables_written_per_batch": 5,
            "batch_seconds": 0.5,
        },
    }
    for section, entries in wanted.items():
        for name, value in entries.items():
            sections[section][name]["value"] = value
    return replace(made, sections=sections)


def test_a_slot_is_as_fast_as_the_slower_of_its_two_halves(inputs: Inputs) -> None:
    # 0.6 s of work a second at 60 microseconds an event.
    assert slot_rate(inputs) == pytest.approx(10_000)


def test_a_million_events_by_hand(inputs: Inputs) -> None:
    found = scale(inputs, 1_000_000)
    assert found.slots == 100
    assert found.taskmanagers_by_cpu == 25
    assert found.cores["taskmanager"] == pytest.approx(100)
    # An hour of ids: 3.6e9 of 100 bytes; a day of half as many facts: 4.32e10 of 100 bytes.
    assert found.dedup_state_bytes == pytest.approx(3.6e11)
    assert found.journey_state_bytes == pytest.approx(4.32e12)
    assert found.taskmanagers_by_state == 5
    assert found.taskmanagers == 25
    # 40 cores of work, 66.7 at 60 %, twice for the replicas, in nodes of 32.
    assert found.clickhouse_nodes_by_cpu == 5
    # 100 slots, 5 tables, twice a second; 100 a node, twice for the replicas.
    assert found.inserts_per_second == pytest.approx(1_000)
    assert found.clickhouse_nodes_by_inserts == 20


def test_limits_come_in_the_order_in_which_a_load_meets_them(inputs: Inputs) -> None:
    found = limits(inputs)
    assert [limit.events_per_second for limit in found] == sorted(limit.events_per_second for limit in found)
    # Two tenants by Zipf with exponent 1: two thirds and one third.
    assert largest_share(2, 1.0) == pytest.approx(2 / 3)
    assert any(limit.events_per_second == pytest.approx(15_000) for limit in found)


def test_equal_tenants_have_equal_shares() -> None:
    assert largest_share(10_000, 0.0) == pytest.approx(1e-4)


@pytest.mark.parametrize("entry", [{"value": 0, "from": "x"}, {"value": "7", "from": "x"}, {"value": 7}])
def test_an_input_without_a_number_or_an_origin_is_refused(tmp_path: Path, entry: dict[str, object]) -> None:
    given = json.loads(INPUTS.read_text(encoding="utf-8"))
    given["load"]["tenants"] = entry
    file = tmp_path / "inputs.json"
    file.write_text(json.dumps(given), encoding="utf-8")
    with pytest.raises(ValueError, match=r"load\.tenants"):
        Inputs.read(file)


def test_the_page_is_what_the_inputs_give() -> None:
    assert scale_model.tables(Inputs.read()) in scale_model.PAGE.read_text(encoding="utf-8")
