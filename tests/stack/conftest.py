"""Stacks without the job: they start in seconds, and each test module has its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.config import StackConfig
from local.stack import Stack
from tests.conftest import free_port_base

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
