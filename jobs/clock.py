"""The clock stage.

At each moment, a tick for every partition that is quiet. It is a pipeline of its own in the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyflink.common import Types
from pyflink.datastream.functions import KeyedProcessFunction
from pyflink.table import DataTypes, Schema, TableDescriptor

from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyflink.common import Row
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StatementSet, StreamTableEnvironment

    from jobs.options import Options

# How far ahead moments are planned, ms: twice as far as the next call is away, so that a late one leaves no gap.
AHEAD_MS = 2_000


def moments(now_ms: int, every_ms: int) -> range:
    """Return the moments (UTC ms) after `now_ms` within AHEAD_MS: the whole multiples of `every_ms`.

    Seconds begin at one of them, which is when a window waits for its watermark.
    """
    first = now_ms - now_ms % every_ms + every_ms
    return range(first, now_ms + AHEAD_MS + 1, every_ms)


class TickClock(KeyedProcessFunction):  # type: ignore[misc]
    """Called about once a second. At each moment, append a clock tick to the quiet partitions; emits their number."""

    def __init__(self, kafka: KafkaSettings, topic: str, every_ms: int) -> None:
        """Keep the settings; the connection is opened in the worker."""
        self._kafka = kafka
        self._topic = topic
        self._every_ms = every_ms

    def open(self, runtime_context: RuntimeContext) -> None:
        """Prepare the clock."""
        from connectors.kafka.clock import Clock

        self._clock = Clock(self._kafka, self._topic)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[int]:
        """Set the timers of the next moments; one that is set already stays one."""
        timers = ctx.timer_service()
        for moment in moments(timers.current_processing_time(), self._every_ms):
            timers.register_processing_time_timer(moment)
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[int]:
        """Look at the partitions once."""
        yield self._clock.tick()

    def close(self) -> None:
        """Close the connections."""
        self._clock.close()


def tick(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Add the clock."""
    # The generator sends the rows of a second at its beginning, all at once: the moments within it are timers.
    t_env.create_temporary_table(
        "seconds",
        TableDescriptor.for_connector("datagen")
        .schema(Schema.new_builder().column("n", DataTypes.INT()).build())
        .option("rows-per-second", "1")
        .build(),
    )
    clock = TickClock(KafkaSettings.of(options), Topics(options.topic_prefix).events, options.clock_tick_ms)
    ticks = (
        t_env.to_data_stream(t_env.from_path("seconds"))
        .key_by(lambda _: 0, key_type=Types.INT())
        .process(clock, output_type=Types.INT())
        .set_parallelism(1)
        .name("Tick the clock of quiet partitions")
        .uid("clock")
    )
    t_env.create_temporary_view("ticks", ticks, Schema.new_builder().column("f0", DataTypes.INT()).build())
    out.add_insert_sql("INSERT INTO stored SELECT f0 FROM ticks")
