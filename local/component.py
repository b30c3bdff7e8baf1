"""What the stack knows of a component: how it is started, when it is ready, what it needs first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class StackError(Exception):
    """The stack cannot do what was asked; the message says what to do about it."""


class StackBusyError(StackError):
    """Another command is changing the stack; the same call may succeed later."""


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One process of the stack. The functions are called in the order in which they stand here."""

    name: str
    needs: tuple[str, ...] = ()
    """Names of the components that must be ready before this one starts, as far as they are part of the stack."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """What listens where; all must be free before the start."""
    prepare: Callable[[], None] = nothing
    """Writes configuration and formats storage. May raise StackError."""
    command: Callable[[], tuple[str, ...]]
    """Returns the command line. May raise StackError."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of the calling process."""
    missing: Callable[[], str | None]
    """Returns None when the component answers, else what is missing still.

    Blocks for two seconds at most, and raises nothing.
    """
    finish: Callable[[], object] = nothing
    """Runs once after the component is ready: topics, tables. Must be safe to repeat. May raise."""
    before_stop: Callable[[], str | None] = nothing
    """Runs while everything is still up: savepoints. May block for two minutes; returns what the user should know."""
    exists: Callable[[], bool] | None = None
    """None: it is a process that runs until it is told to stop.

    Else it is a command that ends by itself, and this tells whether what it makes is there already.
    """
    stop_seconds: float = 20.0
    """How long it may take to stop cleanly before it is killed."""
    address: str = ""
    """Shown to the user once it is ready."""
