"""How fast events are decoded, checked and flattened on one core, and where the time goes.

`python -m bench.decode` prints the processor time per event of each part and its share of the whole. Times are of the
process, not of the clock, and the best of several rounds, so that other load on the machine disturbs them little; the
shares and ratios are what carries over to another machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import fastavro
import orjson

from bench.world.clock import LiveClock
from bench.world.options import OptionError, WorldOptions, parse_faults
from bench.world.plan import make_plan
from bench.world.stream import Stream
from connectors.kafka.codec import HEADER, EventDecoder, EventEncoder, without_logical_types
from connectors.kafka.decode_batch import BatchDecoder
from connectors.schema_registry import FileRegistry
from udfs.events.columns import event_columns, journey_fact
from udfs.events.privacy import may_hold_personal_text, protect_maps
from udfs.events.rules import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SCHEMAS = Path(__file__).resolve().parents[1] / "avro"
_START_MS = 1_790_000_000_000
_RATE = 10_000.0
_ROUNDS = 15
_LINE = "{:<44} {:>8.2f} us/event {:>7.0%} of the whole {:>10,.0f} events/s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement. Returns the exit code: 0, or 2 for a wrong option."""
    parser = argparse.ArgumentParser(prog="python -m bench.decode", description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=20_000, help="messages measured (20000)")
    parser.add_argument("--batch", type=int, default=2_000, help="messages a batch (2000)")
    parser.add_argument("--faults", default="", metavar="NAME=P,...", help="share of faulty messages, see bench.world")
    asked = parser.parse_args(arguments)
    if asked.events < 1 or asked.batch < 1:
        print(f"error: --events {asked.events} and --batch {asked.batch} must be 1 or more", file=sys.stderr)
        return 2
    registry = FileRegistry(_SCHEMAS)
    try:
        values, keys = _messages(EventEncoder(registry), asked.events, parse_faults(asked.faults))
    except OptionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _measure(registry, values, keys, asked.batch)
    return 0


def _messages(
    encoder: EventEncoder, count: int, faults: dict[str, float]
) -> tuple[list[bytes | None], list[str | None]]:
    plan = make_plan(WorldOptions(faults=faults), count, "bench", encoder, with_lines=False)
    stream = Stream(plan, LiveClock(_START_MS, _RATE))
    sent = list(stream.messages(len(plan.prologue), len(plan.prologue) + count))
    return [value for _, value in sent], [key.decode() for key, _ in sent]


def _measure(registry: FileRegistry, values: list[bytes | None], keys: list[str | None], batch: int) -> None:
    count = len(values)
    times = [_START_MS + int(number * 1000 / _RATE) + 100 for number in range(count)]
    batches = [slice(first, first + batch) for first in range(0, count, batch)]
    decoder = BatchDecoder(registry)

    def whole() -> int:
        return sum(len(decoder.decode_batch(values[part], keys[part], times[part])["outcome"]) for part in batches)

    whole_seconds = _best(whole)

    def report(name: str, seconds: float, events: int = count) -> None:
        share = (seconds / events) / (whole_seconds / count)
        print(_LINE.format(name, seconds / events * 1e6, share, events / seconds))

    columns = decoder.decode_batch(values, keys, times)
    outcomes = columns["outcome"]
    print(f"{count} messages of {sum(map(len, filter(None, values))) // count} bytes, {outcomes.count('valid')} valid")
    report("whole: decode_batch", whole_seconds)

    single = EventDecoder(registry)
    sound = [(value, at) for value, at, outcome in zip(values, times, outcomes, strict=True) if outcome == "valid"]
    messages = [value for value, _ in sound if value]
    events = [(single.decode(value), at) for value, at in sound]
    records = [(event.event_type, event.record) for event, _ in events]
    payloads = [orjson.dumps(record) for _, record in records]
    parts: dict[str, Callable[[], object]] = {
        "  decode": lambda: _drain(single.reader(value).read(value, HEADER.size) for value in messages),
        "  rules": lambda: _drain(check(event.event_type, event.record, at) for event, at in events),
        "  personal data: maps": lambda: _drain(map(protect_maps, (record for _, record in records))),
        "  payload": lambda: _drain(orjson.dumps(record).decode() for _, record in records),
        "  personal data: search of the payload": lambda: _drain(map(may_hold_personal_text, payloads)),
        "  columns": lambda: _drain(event_columns(kind, record) for kind, record in records),
        "  journey facts": lambda: _drain(journey_fact(kind, record) for kind, record in records),
    }
    for name, part in parts.items():
        report(name, _best(part), len(sound))

    schemas = {
        entry.schema_id: fastavro.parse_schema(without_logical_types(entry.definition)) for entry in registry.schemas()
    }

    def general_reader() -> None:
        for message in messages:
            body = BytesIO(message)
            _, schema_id = HEADER.unpack(body.read(HEADER.size))
            fastavro.schemaless_reader(body, schemas[schema_id], None)

    general_seconds, compiled_seconds = _best(general_reader), _best(parts["  decode"])
    report("for comparison: decode with fastavro", general_seconds, len(sound))
    print(f"the compiled reader takes {compiled_seconds / general_seconds:.2f} of fastavro's time")


def _drain(results: Iterable[object]) -> None:
    """Run through results and keep none, as a batch does."""
    deque(results, maxlen=0)


def _best(work: Callable[[], object]) -> float:
    """Processor seconds of the best round."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


if __name__ == "__main__":
    sys.exit(main())
