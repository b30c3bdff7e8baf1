"""The events of a folder, made once with the windows that are right for them, and a broker that holds them.

A folder may serve many runs, so that engines can be measured one at a time over the same events.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

from bench.peers import events
from bench.peers.events import Events
from bench.peers.shared_part import window_line
from local.config import PORTS_USED, StackConfig
from local.ports import is_free

if TYPE_CHECKING:
    from pathlib import Path

    from bench.peers.events import Windows

_PORTS = range(26_000, 32_000, PORTS_USED)
_START_SECONDS = 900


def stack_config(folder: Path) -> StackConfig:
    """Return a stack inside the folder, on free ports."""
    base = next(base for base in _PORTS if all(is_free(port) for port in range(base, base + PORTS_USED)))
    return StackConfig(run_dir=folder / "stack", port_base=base, start_timeout_seconds=_START_SECONDS)


def prepare(folder: Path, prefix: str, count: int, bootstrap: str) -> Events:
    """Return the events of that prefix, which are made now if the folder does not have them.

    Raises:
        ValueError: the folder has another number of them.
        RuntimeError: a message was not acknowledged in time.
    """
    note = folder / f"{prefix}made.json"
    if note.exists():
        made = Events(folder, prefix, **json.loads(note.read_text(encoding="utf-8")))
        if made.messages != count:
            raise ValueError(f"{folder} has {made.messages} events {prefix}*, not {count}: name another folder")
        return made
    made = events.make(folder, count, bootstrap, prefix)
    with made.windows.open("w", encoding="utf-8") as file:
        for (key, start), sums in oracle_windows(made.record).items():
            file.write(window_line(key, start, sums) + "\n")
    note.write_text(json.dumps({"messages": made.messages, "valid": made.valid}), encoding="utf-8")
    return made


def oracle_windows(record: Path) -> Windows:
    """Return the windows that the oracle computes from a record file."""
    # Not an import: the types of the tests are no part of what is checked here.
    with import_module("tests.oracle.answer").Answer(record) as answer:
        rows = answer.rows(
            "SELECT concat_ws('/', tenant_id, campaign_id, channel, currency), window_start, impressions::BIGINT, "
            "clicks::BIGINT, conversions::BIGINT, cost_micros::BIGINT, revenue_micros::BIGINT, events::BIGINT "
            "FROM campaign_metrics"
        )
    return {(str(key), int(str(start))): tuple(int(str(one)) for one in sums) for key, start, *sums in rows}
