"""Batches in which rows cross to the vectorised Python functions: how full, and how old at most."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyflink.table import StreamTableEnvironment

MOST_ROWS = 10_000
OLDEST_MS = 300
"""Worth the crossing, and short enough for three crossings in a row to stay well below a second."""
_TIME = "python.fn-execution.bundle.time"


def set_batches(t_env: StreamTableEnvironment) -> None:
    """Let every function take batches of at most MOST_ROWS rows and OLDEST_MS."""
    config = t_env.get_config()
    config.set("python.fn-execution.bundle.size", str(MOST_ROWS))
    config.set("python.fn-execution.arrow.batch.size", str(MOST_ROWS))
    config.set(_TIME, str(OLDEST_MS))


@contextmanager
def batches_up_to(t_env: StreamTableEnvironment, oldest_ms: int) -> Iterator[None]:
    """Let the functions that are planned meanwhile, which is when a table becomes a stream, take batches of another
    age."""
    config = t_env.get_config()
    config.set(_TIME, str(oldest_ms))
    try:
        yield
    finally:
        config.set(_TIME, str(OLDEST_MS))
