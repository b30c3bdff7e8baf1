"""Identity: which customers are one person, in keyed state per tenant; persons' credits derived from the store.

    accepted journey events -> observations -> device graph of the tenant -> links, persons
    identity-commands (withdraw, erase) ---------^            '-> persons that changed: facts read, credits, signals

Customers alone stay on the fast path in `journeys`. A person of several customers is attributed by store, then derive:
what the fast path writes for its customers meanwhile has smaller revisions. Observations reach Python in micro-batches
per tenant, as facts do in `journeys`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import orjson
from pyflink.common import Row, Types
from pyflink.datastream.functions import FlatMapFunction, KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import DataTypes, Schema, TableDescriptor
from pyflink.table.udf import ScalarFunction, udf

from connectors.clickhouse.rederive import read_update, rederive, update_text
from connectors.kafka.topics import Topics
from jobs.ingest import shard
from jobs.journeys import ERASURE, settings
from jobs.workers import clickhouse_sink, sink_metrics
from udfs.identity.device_graph import DeviceGraph
from udfs.identity.lines import CommandError, read_change
from udfs.identity.settings import IdentitySettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from pyflink.datastream import DataStream
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.udf import FunctionContext

    from jobs.options import Options
    from udfs.attribution.settings import AttributionSettings

LINES = Types.ROW_NAMED(["tenant_id", "lines"], [Types.STRING(), Types.STRING()])
log = logging.getLogger(__name__)


class KeepDeviceGraph(KeyedProcessFunction):  # type: ignore[misc]
    """Apply a micro-batch of observations and commands to the device graph of one tenant.

    In: (tenant_id, lines of `udfs/identity/lines.py`). Out: (tenant_id, text of `update_text`) where something must be
    stored or derived. State: the graph's texts, see `udfs/identity/graph_state.py`. It has no time to live, because a
    link that is seen again and again is not written again: the graph forgets by the time of the tenant's events.
    """

    def __init__(self, chosen: IdentitySettings) -> None:
        """Keep the settings."""
        self._settings = chosen

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the state."""
        self._texts = runtime_context.get_map_state(MapStateDescriptor("graph", Types.STRING(), Types.STRING()))
        self._refused = runtime_context.get_metrics_group().counter("identity_commands_refused")

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Apply one micro-batch."""
        tenant_id, lines = value
        changes = []
        for line in lines.split("\n"):
            try:
                changes.append(read_change(line))
            except CommandError as error:
                self._refused.inc()
                log.warning("identity command of tenant %s left out: %s", tenant_id, error)
        graph = DeviceGraph(self._texts, self._settings)
        update = graph.apply(changes)
        if update.persons or update.moved or update.links or update.probable_links or update.erased:
            yield Row(tenant_id, update_text(tenant_id, graph.newest_day, update))


class DerivePersons(ScalarFunction):  # type: ignore[misc]
    """Vectorised: updates of device graphs in; stored and derived; attribution signals come out, joined by newlines."""

    def __init__(self, options: Options, attribution: AttributionSettings) -> None:
        """Keep the options; the connection is opened in the worker."""
        self._options = options
        self._attribution = attribution

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sink and its metrics."""
        self._sink = clickhouse_sink(self._options)
        self._metrics = sink_metrics(function_context, "derived_credits")

    def eval(self, text: pd.Series) -> pd.Series:
        """Store and derive one batch; null where an update leads to no credit."""
        import pandas as pd

        updates = [read_update(line) for line in text]
        with self._metrics.timed(sum(len(update.persons) for update in updates)):
            derived = rederive(self._sink, updates, self._attribution)
        signals = ["\n".join(orjson.dumps(one).decode() for one in some) or None for some in derived]
        return pd.Series(signals, dtype="object")

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


class EraseFromShard(FlatMapFunction):  # type: ignore[misc]
    """(tenant_id, command) in; for an erasure the (shard, fact) that makes `journeys` forget the customer."""

    def flat_map(self, value: Row) -> Iterator[Row]:
        """Turn one command round; what is none is refused where the graph is kept."""
        tenant_id, line = value
        try:
            command: Any = orjson.loads(line)
            customer_id = command["customer_id"]
            erases = command["command"] == "erase" and isinstance(customer_id, str)
        except (orjson.JSONDecodeError, LookupError, TypeError):
            return
        if erases:
            yield Row(shard(tenant_id, customer_id), orjson.dumps((ERASURE, tenant_id, customer_id)).decode())


def commands(t_env: StreamTableEnvironment, options: Options) -> DataStream:
    """Return the stream of (tenant_id, command line) of the commands' topic, from its beginning."""
    t_env.create_temporary_table(
        "identity_commands",
        TableDescriptor.for_connector("kafka")
        .schema(
            Schema.new_builder().column("tenant_id", DataTypes.STRING()).column("lines", DataTypes.STRING()).build()
        )
        .option("topic", Topics(options.topic_prefix).identity_commands)
        .option("properties.bootstrap.servers", options.kafka_bootstrap)
        .option("properties.group.id", f"{options.consumer_group}-identity")
        .option("scan.startup.mode", "earliest-offset")
        .option("key.format", "raw")
        .option("key.fields", "tenant_id")
        .option("value.format", "raw")
        .option("value.fields-include", "EXCEPT_KEY")
        .build(),
    )
    return t_env.to_data_stream(
        t_env.sql_query(
            "SELECT tenant_id, lines FROM identity_commands WHERE tenant_id IS NOT NULL AND lines IS NOT NULL"
        )
    )


def erasures(commanded: DataStream) -> DataStream:
    """Return the stream of (shard, fact) by which `journeys` forgets erased customers."""
    return (
        commanded.flat_map(
            EraseFromShard(), output_type=Types.ROW_NAMED(["shard", "facts"], [Types.INT(), Types.STRING()])
        )
        .name("Erase customers from journeys")
        .uid("erase-from-journeys")
    )


def link(t_env: StreamTableEnvironment, options: Options, out: StatementSet, commanded: DataStream) -> None:
    """Link the customers of the view `accepted` to persons, and derive the credits of those with several."""
    t_env.create_temporary_view(
        "identity_facts",
        t_env.sql_query("SELECT tenant_id, identity_fact, arrival FROM accepted WHERE identity_fact IS NOT NULL"),
    )
    interval = f"INTERVAL '{options.micro_batch_ms / 1000:.3f}' SECOND"
    observed = t_env.to_data_stream(
        t_env.sql_query(
            f"""
            SELECT tenant_id, LISTAGG(identity_fact, '\n') AS lines
            FROM TABLE(TUMBLE(TABLE identity_facts, DESCRIPTOR(arrival), {interval}))
            GROUP BY tenant_id, window_start, window_end
            """  # noqa: S608 - a validated number
        )
    )
    updates = (
        observed.union(commanded)
        .key_by(lambda row: row[0], key_type=Types.STRING())
        .process(
            KeepDeviceGraph(IdentitySettings()),
            output_type=Types.ROW_NAMED(["tenant_id", "text"], [Types.STRING(), Types.STRING()]),
        )
        .name("Link customers to persons")
        .uid("link-customers")
    )
    t_env.create_temporary_view("identity_updates", updates)
    t_env.create_temporary_function(
        "derive_persons",
        udf(DerivePersons(options, settings(options)), result_type=DataTypes.STRING(), func_type="pandas"),
    )
    derived = t_env.to_data_stream(
        t_env.sql_query("SELECT tenant_id, derive_persons(text) AS signals FROM identity_updates")
    )
    t_env.create_temporary_view("derived_persons", derived)
    out.add_insert_sql(
        """
        INSERT INTO signals
        SELECT tenant_id, signal
        FROM derived_persons CROSS JOIN UNNEST(SPLIT(signals, U&'\\000A')) AS lines (signal)
        WHERE signals IS NOT NULL
        """
    )
