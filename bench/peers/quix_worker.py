"""The shared part in Quix Streams, with its state in RocksDB and changelog topics. Run by
`bench/peers/python_workers.py`, a process per core.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from quixstreams import Application, State  # type: ignore[import-not-found]

from bench.peers.shared_part import DISORDER_MS, STEP_MS, WINDOW_MS, Event, Progress, SharedDecoder, window_line

# All is read when nothing has come for so long; the time is not counted.
_QUIET_SECONDS = 15.0

_decoder = SharedDecoder()
_progress = Progress()


def _decode(value: bytes, _key: Any, at_ms: int, _headers: Any) -> list[Event]:
    _progress.note(1)
    return list(_decoder.decode([value], [at_ms]))


def _is_first(event: Event, state: State) -> bool:
    if state.get(event[1]) is not None:
        return False
    state.set(event[1], 1)
    return True


def _begin(event: Event) -> list[int]:
    return [*event[4:], 1]


def _add(sums: list[int], event: Event) -> list[int]:
    return [*(held + number for held, number in zip(sums, event[4:], strict=False)), sums[5] + 1]


def main() -> None:
    """Read the topic to its end and write the windows of this process."""
    out, worker = Path(os.environ["PEER_OUT"]), os.environ["PEER_WORKER"]
    topic_name = os.environ["PEER_TOPIC"]
    application = Application(
        broker_address=os.environ["PEER_BOOTSTRAP"],
        consumer_group=os.environ["PEER_GROUP"],
        auto_offset_reset="earliest",
        state_dir=out / f"state-{worker}",
        loglevel="WARNING",
    )
    topic = application.topic(topic_name, value_deserializer="bytes", key_deserializer="str")
    with (out / f"windows-{worker}.jsonl").open("w", encoding="utf-8") as file:

        def write(window: dict[str, Any], key: str, _at_ms: int, _headers: Any) -> None:
            file.write(window_line(key, window["start"], window["value"]) + "\n")

        stream = application.dataframe(topic)
        stream = stream.apply(_decode, expand=True, metadata=True)
        stream = stream.filter(_is_first, stateful=True)
        stream = stream.filter(lambda event: bool(event[2]))
        # A partition's newest event closes the windows of all its keys, as a watermark does.
        windows = (
            stream.hopping_window(WINDOW_MS, STEP_MS, grace_ms=DISORDER_MS)
            .reduce(reducer=_add, initializer=_begin)
            .final(closing_strategy="partition")
        )
        windows.update(write, metadata=True)
        application.run(timeout=_QUIET_SECONDS)
    _progress.write(out / f"progress-{worker}.json")


if __name__ == "__main__":
    main()
