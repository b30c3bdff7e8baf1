"""Stacks without the job, and a ClickHouse front alone: they start in seconds, and each test module has its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from connectors.clickhouse.arrow_sink import ArrowSink
from local.config import StackConfig
from local.stack import Stack
from tests.conftest import free_port_base
from tests.serving.local_stores import clickhouse, database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def new_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Make stacks in folders and on ports of their own; whatever still runs at the end is stopped."""
    made: list[Stack] = []

    def make(**settings: object) -> Stack:
        defaults = {
            "run_dir": tmp_path_factory.mktemp("run"),
            "port_base": free_port_base(),
            "taskmanagers": 1,
            "start_timeout_seconds": 600,
        }
        made.append(Stack(StackConfig(**(defaults | settings)), report=print))
        return made[-1]

    yield make
    for stack in made:
        stack.down()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArrowSink]:
    """Return a sink for a ClickHouse front with the schema. Each test uses a tenant of its own."""
    process = clickhouse(tmp_path_factory.mktemp("store"))
    process.start()
    yield ArrowSink(database(process.port, "store_tests"))
    process.stop()


@pytest.fixture
def tenant() -> str:
    """Return the id of a tenant that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}"
