"""The shared part as a PyFlink program is usually written first: per event, DataStream state and windows, processes.

`python -m bench.peers.flink_datastream BOOTSTRAP TOPIC FOLDER PARALLELISM`, in the environment of the jobs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyflink.common import Duration, Time, Types, WatermarkStrategy
from pyflink.common.serialization import DeserializationSchema, Encoder
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.functions import (
    AggregateFunction,
    FlatMapFunction,
    KeyedProcessFunction,
    ProcessWindowFunction,
    RuntimeContext,
)
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.datastream.window import SlidingEventTimeWindows
from pyflink.java_gateway import get_gateway

from bench.peers.flink_settings import settings_of_workers
from bench.peers.shared_part import DISORDER_MS, STEP_MS, WINDOW_MS, SharedDecoder, window_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENT = Types.TUPLE([Types.STRING()] * 3 + [Types.LONG()] * 6)
_SUMS = Types.TUPLE([Types.LONG()] * 6)


class Bytes(DeserializationSchema):  # type: ignore[misc]
    """Messages as text of one character a byte: PyFlink has no schema for bytes."""

    def __init__(self) -> None:
        """Use Java's own."""
        jvm = get_gateway().jvm
        charset = jvm.java.nio.charset.StandardCharsets.ISO_8859_1
        super().__init__(jvm.org.apache.flink.api.common.serialization.SimpleStringSchema(charset))


class Decode(FlatMapFunction):  # type: ignore[misc]
    """Decode and validate one message."""

    def open(self, runtime_context: RuntimeContext) -> None:  # noqa: ARG002 - Flink gives it
        """Open the registry."""
        self._decoder = SharedDecoder()

    def flat_map(self, value: str) -> Iterator[tuple[Any, ...]]:
        """Yield the event if it is valid."""
        yield from self._decoder.decode([value.encode("latin-1")], [int(time.time() * 1000)])


class FirstOnly(KeyedProcessFunction):  # type: ignore[misc]
    """Pass the first event of an id."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the state."""
        self._seen = runtime_context.get_state(ValueStateDescriptor("seen", Types.BOOLEAN()))

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:  # noqa: ARG002
        """Pass it on unless the id was seen."""
        if self._seen.value() is None:
            self._seen.update(True)
            yield value


class Sum(AggregateFunction):  # type: ignore[misc]
    """Sums of a window and its number of events."""

    def create_accumulator(self) -> tuple[int, ...]:
        """Nothing yet."""
        return (0, 0, 0, 0, 0, 0)

    def add(self, value: Any, accumulator: tuple[int, ...]) -> tuple[int, ...]:
        """Add one event."""
        return tuple(held + new for held, new in zip(accumulator, (*value[4:], 1), strict=True))

    def get_result(self, accumulator: tuple[int, ...]) -> tuple[int, ...]:
        """Return the sums."""
        return accumulator

    def merge(self, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
        """Add two."""
        return tuple(one + other for one, other in zip(a, b, strict=True))


class Line(ProcessWindowFunction):  # type: ignore[misc]
    """A window as a line of the output."""

    def process(self, key: str, context: ProcessWindowFunction.Context, elements: Any) -> Iterator[str]:
        """Yield it."""
        for sums in elements:
            yield window_line(key, context.window().start, sums)


def main(bootstrap: str, topic: str, folder: Path, parallelism: int) -> None:
    """Run the program over the topic as it is now."""
    configuration = settings_of_workers(folder, parallelism)
    configuration.set_string("python.execution-mode", "process")
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(bootstrap)
        .set_topics(topic)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(Bytes())
        .build()
    )
    watermarks = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_millis(DISORDER_MS))
    sink = FileSink.for_row_format((folder / "windows").as_uri(), Encoder.simple_string_encoder()).build()
    (
        env.from_source(source, watermarks, "events")
        .flat_map(Decode(), output_type=_EVENT)
        .key_by(lambda event: f"{event[0]}/{event[1]}", key_type=Types.STRING())
        .process(FirstOnly(), output_type=_EVENT)
        .filter(lambda event: event[2] != "")
        .key_by(lambda event: event[2], key_type=Types.STRING())
        .window(SlidingEventTimeWindows.of(Time.milliseconds(WINDOW_MS), Time.milliseconds(STEP_MS)))
        .aggregate(Sum(), Line(), accumulator_type=_SUMS, output_type=Types.STRING())
        .sink_to(sink)
    )
    env.execute("shared part, per event")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
