"""Where the records of the control topic enter the job: one for every shard, because state is by shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyflink.common import Types
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import DataTypes, Schema

from connectors.kafka.topics import Topics
from jobs.ingest import SHARDS
from jobs.kafka_tables import kafka_table
from udfs.attribution.settings_in_force import SettingsInForce

if TYPE_CHECKING:
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StreamTableEnvironment

    from jobs.options import Options
    from udfs.attribution.settings import AttributionSettings

STEP_MS = 10
"""Pause between two slices of conversions that are attributed anew: micro-batches that wait have their turn."""


def open_settings(job: AttributionSettings, context: RuntimeContext) -> SettingsInForce:
    """Open the settings in the state of a keyed function. They are never forgotten: tenants are few."""
    records, waiting = (
        context.get_map_state(MapStateDescriptor(name, Types.STRING(), Types.STRING()))
        for name in ("attribution-settings", "attribution-settings-before")
    )
    return SettingsInForce(job, records, waiting)


def define(t_env: StreamTableEnvironment, options: Options) -> str:
    """Make the source table `control`; returns the query of its records for every shard: (shard, record).

    The topic must be there before the job starts.
    """
    t_env.create_temporary_table(
        "control",
        kafka_table(options, Topics(options.topic_prefix).control)
        .schema(Schema.new_builder().column("record", DataTypes.STRING()).build())
        .option("scan.startup.mode", "earliest-offset")
        .option("format", "raw")
        .build(),
    )
    # The array must hang on the record: of a constant one the planner makes a table to join with, whose rows expire.
    shards = ", ".join(f"{shard} + MOD(CHAR_LENGTH(record), 1)" for shard in range(SHARDS))
    return (
        f"SELECT shards.shard, record FROM control CROSS JOIN UNNEST(ARRAY[{shards}]) AS shards (shard) "  # noqa: S608 - constants
        "WHERE record IS NOT NULL"
    )
