"""The world on the session's stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.running_world import World

if TYPE_CHECKING:
    from local.stack import Stack


@pytest.fixture(scope="session")
def world(stack: Stack, tmp_path_factory: pytest.TempPathFactory, seed: int) -> World:
    """A world on the session's stack. Each test uses tenants of its own."""
    return World(stack, tmp_path_factory.mktemp("world"), seed)
