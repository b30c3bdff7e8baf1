"""One world with every fault for all tests that only look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.world.options import WorldOptions, parse_faults
from bench.world.plan import make_plan
from connectors.kafka.codec import EventEncoder
from connectors.schema_registry import open_registry

SCHEMAS = Path(__file__).resolve().parents[3] / "avro"
EVERY_FAULT = "dup=0.04,conflict=0.02,late=0.04,late_days=0.02,out_of_order=0.05,poison=0.08,invalid=0.18"


@pytest.fixture(scope="session")
def encoder():
    return EventEncoder(open_registry(str(SCHEMAS)))


@pytest.fixture(scope="session")
def new_plan(encoder):
    """Plan a lap: `new_plan(length, faults="...", seed=..., any option of the world)`."""

    def plan(length, *, faults="", with_lines=True, run="r", **options):
        return make_plan(
            WorldOptions(faults=parse_faults(faults), **options), length, run, encoder, with_lines=with_lines
        )

    return plan


@pytest.fixture(scope="session")
def faulty_plan(new_plan, seed):
    return new_plan(5_000, faults=EVERY_FAULT, seed=seed, edge_share=0.1)
