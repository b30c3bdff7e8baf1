"""`make run`: the stack with a demo producer, and what it has counted so far, until it is interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.stack import Stack


def demonstrate(stack: Stack, only: Iterable[str], without: Iterable[str]) -> None:
    """Run."""
    stack.up(only, without)
