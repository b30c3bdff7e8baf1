"""What all tests share: a seed that is printed, free ports, and one running stack for the end-to-end tests."""

from __future__ import annotations

import os
import random
import secrets
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.stack import Stack

_SEED = int(os.environ.get("TEST_SEED") or secrets.randbits(32))


def pytest_report_header() -> str:
    return f"seed: {_SEED} (the same again: TEST_SEED={_SEED})"


def pytest_configure(config: pytest.Config) -> None:
    from hypothesis import settings

    # The machine is shared: a slow example is not a failure. What fails is printed so that it can be run again.
    settings.register_profile("shared-machine", deadline=None, print_blob=True)
    settings.load_profile("shared-machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.failed:
        report.sections.append(("seed", f"TEST_SEED={_SEED}"))
        for name, value in getattr(item, "funcargs", {}).items():
            logs = getattr(getattr(value, "config", None), "logs", None)
            if logs is not None:
                report.sections.append((f"logs of {name}", str(logs)))
    return report


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of this run, for everything random in a test."""
    return _SEED


@pytest.fixture
def randomness(seed: int, request: pytest.FixtureRequest) -> random.Random:
    """A generator that depends on the run's seed and the test's name only, not on which tests run before it."""
    return random.Random(f"{seed}/{request.node.nodeid}")


def free_port_base() -> int:
    """Return the first of 30 free ports.

    They lie below the range from which the system picks ports for outgoing connections, so none is taken before its
    server starts.
    """
    from local.config import PORTS_USED
    from local.ports import is_free

    # Not from the seed: two runs with one seed on one machine must not meet.
    for _ in range(200):
        base = 12_000 + PORTS_USED * secrets.randbelow(600)
        if all(is_free(port) for port in range(base, base + PORTS_USED)):
            return base
    raise RuntimeError("no 30 free ports in a row from 12000 to 30000")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole stack with the measurement job and serving, started once for all tests that ask for it.

    `stack.endpoints()` has the addresses, `stack.kill_taskmanager(1)` and `stack.wait_ready(...)` serve fault tests.
    Whoever kills, restarts or fills it leaves it running, and uses tenants of their own.
    """
    from local.config import StackConfig
    from local.stack import Stack

    config = StackConfig(
        run_dir=tmp_path_factory.mktemp("stack"),
        port_base=free_port_base(),
        checkpoint_seconds=5,
        start_timeout_seconds=600,
        # All of them. Who shares no identifier is a person alone: for worlds of such people identity changes nothing.
        job_options=("--stages", "events,campaign_metrics,journeys,alerts,identity"),
    )
    running = Stack(config, report=print)
    running.up(without=["prometheus"])
    try:
        yield running
    finally:
        running.down()
