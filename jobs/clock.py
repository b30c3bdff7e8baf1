"""The clock stage.

A source of moments, and a tick for every quiet partition at each of them. It is a pipeline of its own in the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyflink.common import Types
from pyflink.datastream.functions import MapFunction
from pyflink.table import DataTypes, Schema, TableDescriptor

from connectors.kafka.topics import Topics

if TYPE_CHECKING:
    from pyflink.common import Row
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StatementSet, StreamTableEnvironment

    from jobs.options import Options


class TickClock(MapFunction):  # type: ignore[misc]
    """At each moment, append a clock tick to the quiet partitions; returns the number of ticks."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        """Keep the address; the connection is opened in the worker."""
        self._bootstrap = bootstrap
        self._topic = topic

    def open(self, runtime_context: RuntimeContext) -> None:
        """Prepare the clock."""
        from connectors.kafka.clock import Clock

        self._clock = Clock(self._bootstrap, self._topic)

    def map(self, value: Row) -> int:
        """Look at the partitions once."""
        return self._clock.tick()

    def close(self) -> None:
        """Close the connections."""
        self._clock.close()


def tick(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Add the clock."""
    t_env.create_temporary_table(
        "moments",
        TableDescriptor.for_connector("datagen")
        .schema(Schema.new_builder().column("n", DataTypes.INT()).build())
        .option("rows-per-second", str(max(1, 1000 // options.clock_tick_ms)))
        .build(),
    )
    ticks = (
        t_env.to_data_stream(t_env.from_path("moments"))
        .map(TickClock(options.kafka_bootstrap, Topics(options.topic_prefix).events), output_type=Types.INT())
        .set_parallelism(1)
        .name("Tick the clock of quiet partitions")
        .uid("clock")
    )
    t_env.create_temporary_view("ticks", ticks, Schema.new_builder().column("f0", DataTypes.INT()).build())
    out.add_insert_sql("INSERT INTO stored SELECT f0 FROM ticks")
