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
from pyflink.table import DataTypes, Schema
from pyflink.table.udf import ScalarFunction, udf

from connectors.clickhouse.rederive import read_update, rederive, update_text
from connectors.kafka.topics import Topics
from jobs.ingest import shard
from jobs.journeys import ERASURE, settings
from jobs.kafka_tables import kafka_table
from jobs.micro_batches import micro_batches
from jobs.workers import clickhouse_sink, sink_metrics
from udfs.attribution.settings import SettingsError
from udfs.attribution.tenant_settings import read_settings
from udfs.identity.device_graph import DeviceGraph
from udfs.identity.lines import CommandError, read_change
from udfs.identity.records import is_derived_alone
from udfs.identity.settings import IdentitySettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.udf import FunctionContext

    from jobs.options import Options
    from udfs.attribution.settings import AttributionSettings
    from udfs.identity.device_graph import GraphUpdate

log = logging.getLogger(__name__)

SETTINGS, PERSON, CUSTOMER = "settings", "person/", "customer/"
"""Key of a tenant's attribution settings beside the graph's texts, and how those of persons and customers begin."""
SETTINGS_BEGIN = '{"kind"'
"""How a record of the control topic begins; see `record_of`."""
PERSONS_PER_ROW = 200


class KeepDeviceGraph(KeyedProcessFunction):  # type: ignore[misc]
    """Apply a micro-batch of observations and commands to the device graph of one tenant.

    In: (tenant_id, lines of `udfs/identity/lines.py`). Out: (tenant_id, text of `update_text`) where something must be
    stored or derived. State: the graph's texts, see `udfs/identity/graph_state.py`. It has no time to live, because a
    link that is seen again and again is not written again: the graph forgets by the time of the tenant's events.
    """

    def __init__(self, chosen: IdentitySettings, attribution: AttributionSettings) -> None:
        """Keep the settings."""
        self._settings = chosen
        self._attribution = attribution

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the state."""
        self._texts = runtime_context.get_map_state(MapStateDescriptor("graph", Types.STRING(), Types.STRING()))
        self._refused = runtime_context.get_metrics_group().counter("identity_commands_refused")

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Apply one micro-batch."""
        tenant_id, lines = value
        if lines.startswith(SETTINGS_BEGIN):
            yield from self._take_settings(tenant_id, lines)
            return
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
            yield self._row(tenant_id, graph, update)

    def _take_settings(self, tenant_id: str, record: str) -> Iterator[Row]:
        """Keep a tenant's newer attribution settings, and derive by them whoever is derived."""
        try:
            of_tenant, new = read_settings(record, self._attribution)
            held = self._texts.get(SETTINGS)
            newer = of_tenant == tenant_id and (
                not held or new.version > read_settings(held, self._attribution)[1].version
            )
        except SettingsError as error:
            log.warning("a record of the control topic was left out: %s", error.name)
            return
        if not newer:
            return
        self._texts.put(SETTINGS, record)
        persons = sorted(
            key.partition("/")[2]
            for key, text in self._texts.items()
            if key.startswith(PERSON) or (key.startswith(CUSTOMER) and is_derived_alone(text))
        )
        graph = DeviceGraph(self._texts, self._settings)
        for first in range(0, len(persons), PERSONS_PER_ROW):
            yield self._row(tenant_id, graph, graph.again(persons[first : first + PERSONS_PER_ROW]))

    def _row(self, tenant_id: str, graph: DeviceGraph, update: GraphUpdate) -> Row:
        return Row(tenant_id, update_text(tenant_id, graph.newest_day, update, self._texts.get(SETTINGS) or ""))


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


def read_commands(t_env: StreamTableEnvironment, options: Options) -> None:
    """Make the views `commands` and `tenant_settings` (tenant_id, lines), from their topics' beginning, and `erasures`.

    `erasures` has (shard, facts): what makes `journeys` forget a customer.
    """
    topics = Topics(options.topic_prefix)
    for table, topic in (("identity_commands", topics.identity_commands), ("tenant_settings_records", topics.control)):
        t_env.create_temporary_table(
            table,
            kafka_table(options, topic)
            .schema(
                Schema.new_builder().column("tenant_id", DataTypes.STRING()).column("lines", DataTypes.STRING()).build()
            )
            .option("properties.group.id", f"{options.consumer_group}-identity")
            .option("scan.startup.mode", "earliest-offset")
            .option("key.format", "raw")
            .option("key.fields", "tenant_id")
            .option("value.format", "raw")
            .option("value.fields-include", "EXCEPT_KEY")
            .build(),
        )
    known = "WHERE tenant_id IS NOT NULL AND lines IS NOT NULL"
    t_env.create_temporary_view(
        "tenant_settings",
        t_env.sql_query(f"SELECT tenant_id, lines FROM tenant_settings_records {known}"),  # noqa: S608 - a constant
    )
    commands = t_env.to_data_stream(
        t_env.sql_query(f"SELECT tenant_id, lines FROM identity_commands {known}")  # noqa: S608 - a constant
    )
    t_env.create_temporary_view("commands", commands)
    erasures = (
        commands.flat_map(
            EraseFromShard(), output_type=Types.ROW_NAMED(["shard", "facts"], [Types.INT(), Types.STRING()])
        )
        .name("Erase customers from journeys")
        .uid("erase-from-journeys")
    )
    t_env.create_temporary_view("erasures", erasures)


def link(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Link the customers of the view `accepted` to persons, and derive the credits of those with several."""
    t_env.create_temporary_view(
        "identity_facts",
        t_env.sql_query("SELECT tenant_id, identity_fact, arrival FROM accepted WHERE identity_fact IS NOT NULL"),
    )
    changes = t_env.to_data_stream(
        t_env.sql_query(
            f"""
            {micro_batches(options.micro_batch_ms, "identity_facts", "tenant_id", "identity_fact", "lines")}
            UNION ALL SELECT tenant_id, lines FROM commands
            UNION ALL SELECT tenant_id, lines FROM tenant_settings
            """  # noqa: S608 - a validated number
        )
    )
    updates = (
        changes.key_by(lambda row: row[0], key_type=Types.STRING())
        .process(
            KeepDeviceGraph(IdentitySettings(threshold=options.identity_threshold), settings(options)),
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
