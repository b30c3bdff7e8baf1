"""A short seeded set of the faults of `make faults`, none of which another test injects, judged by the oracle."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from tests.e2e.running_world import DATABASE, World, eventually
from tests.faults import invariants
from tests.faults.fault_run import LOAD_FAULTS
from tests.faults.kinds import KINDS, plan
from tests.faults.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(900)]
# Far more than a recovery takes: the machine may be busy with other things.
RECOVERED_SECONDS = 240.0
SHORT = ("clickhouse_killed", "broker_killed", "redis_flushed")


def test_stores_and_broker_killed_and_flushed_while_events_flow(world: World, tmp_path: Path, seed: int) -> None:
    rig = Rig(world.stack, tmp_path, seed, "short")
    name, load = rig.start("--rate", "200", "--faults", LOAD_FAULTS, "--lap", "12000")
    tenants = rig.tenants(name)
    try:
        reached = more_stored(world, name, 0)
        for injection in islice(plan(seed, SHORT), len(SHORT)):
            print(injection, KINDS[injection.kind](rig, injection.random))
            reached = more_stored(world, name, reached)
        rig.finish(load, now=True)
    finally:
        if load.poll() is None:
            load.kill()
            load.communicate()
    invariants.stored_is_right(rig, tenants, RECOVERED_SECONDS)


def more_stored(world: World, prefix: str, than: int) -> int:
    """Wait until more events of the tenants are stored; return how many are."""
    query = f"SELECT count() FROM {DATABASE}.events WHERE startsWith(tenant_id, {{prefix:String}})"

    def count() -> int:
        try:
            with closing(world.clickhouse()) as client:
                found = client.query(query, parameters={"prefix": prefix}).result_rows[0][0]
        except (ClickHouseError, OSError):
            return 0  # it is down
        return int(found) if found > than else 0

    return int(eventually(f"more than {than} events are stored", count, RECOVERED_SECONDS))
