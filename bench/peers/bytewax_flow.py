"""The shared part in Bytewax, with its recovery store. Run by `bench/peers/engines.py`, a process per core."""

from __future__ import annotations

import atexit
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op  # type: ignore[import-not-found]
from bytewax.connectors.files import FileSink  # type: ignore[import-not-found]
from bytewax.connectors.kafka import KafkaSource  # type: ignore[import-not-found]
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found]
from bytewax.operators import windowing

from bench.peers.shared_part import STEP_MS, WINDOW_MS, Event, Progress, SharedDecoder, window_line

_OUT = Path(os.environ["PEER_OUT"])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The watermark of a key must follow its events alone: with the system's clock in it, a backlog that is read more slowly
# than it was made would be late.
_STANDING_CLOCK = datetime(2020, 1, 1, tzinfo=UTC)
# Between two steps the processes exchange events in no common order, and no watermark goes with them: with the wait of
# the other engines (2 s) every third window lacked events. A window waits for as long as one process may be ahead.
_WAIT = timedelta(minutes=1)
# One batch is decoded at a time; the store keeps a snapshot at the end of each epoch, which is set on the command line.
_BATCH = 1_000

_decoder = SharedDecoder()
_progress = Progress()


def _decode(messages: list[Any]) -> list[Event]:
    _progress.note(len(messages))
    return list(
        _decoder.decode([message.value for message in messages], [int(message.timestamp[1]) for message in messages])
    )


def _first_only(seen: bool | None, event: Event) -> tuple[bool, list[Event]]:
    return True, [] if seen else [event]


def _at(event: Event) -> datetime:
    return _EPOCH + timedelta(milliseconds=event[3])


def _add(sums: list[int], event: Event) -> list[int]:
    for place, number in enumerate(event[4:]):
        sums[place] += number
    sums[5] += 1
    return sums


def _merge(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _line(window: tuple[str, tuple[int, list[int]]]) -> tuple[str, str]:
    key, (number, sums) = window
    return key, window_line(key, number * STEP_MS, sums)


def flow() -> Dataflow:
    """Return the data flow; windows go to one file of this process."""
    made = Dataflow("shared_part")
    source = KafkaSource([os.environ["PEER_BOOTSTRAP"]], [os.environ["PEER_TOPIC"]], tail=False, batch_size=_BATCH)
    messages = op.input("messages", made, source)
    events = op.flat_map_batch("decode", messages, _decode)
    by_id = op.map("by_id", events, lambda event: (f"{event[0]}/{event[1]}", event))
    accepted = op.stateful_flat_map("dedup", by_id, _first_only)
    counted = op.filter("in_windows", accepted, lambda item: bool(item[1][2]))
    by_campaign = op.map("by_campaign", counted, lambda item: (item[1][2], item[1]))
    sums = windowing.fold_window(
        "windows",
        by_campaign,
        windowing.EventClock(_at, _WAIT, now_getter=lambda: _STANDING_CLOCK),
        windowing.SlidingWindower(timedelta(milliseconds=WINDOW_MS), timedelta(milliseconds=STEP_MS), _EPOCH),
        lambda: [0] * 6,
        _add,
        _merge,
        ordered=False,
    )
    op.output("file", op.map("line", sums.down, _line), FileSink(_OUT / f"windows-{os.environ['PEER_WORKER']}.jsonl"))
    return made


atexit.register(lambda: _progress.write(_OUT / f"progress-{os.environ['PEER_WORKER']}.json"))
