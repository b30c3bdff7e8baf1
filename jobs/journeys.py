"""Journeys and attribution: a person's facts in keyed state, credits and journeys out.

Facts reach Python in micro-batches per shard, because crossing from the JVM costs more than the work on one fact. A
shard is the hash of
tenant and customer, so that all facts of a person meet in one place; its state is a map from person to compact bytes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from pyflink.common import Row, Types
from pyflink.datastream.functions import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from connectors.clickhouse.credits import credit_columns
from connectors.redis.cache import journey_key
from jobs.micro_batches import micro_batches
from jobs.settings_in_force import STEP_MS, define, open_settings
from jobs.state import time_to_live
from jobs.workers import cache, clickhouse_sink, sink_metrics
from udfs.attribution.person import apply_facts
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.settings_in_force import RECORD_BEGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.udf import FunctionContext

    from jobs.options import Options

DAY_MS = 86_400_000
ERASURE = "e"
"""Kind of the fact [kind, tenant, customer]: all that is kept of the customer is to be forgotten."""
RESULT = Types.ROW_NAMED(
    ["kind", "tenant_id", "conversion_id", "conversion_time", "touched", "text"],
    [Types.STRING(), Types.STRING(), Types.STRING(), Types.LONG(), Types.BOOLEAN(), Types.STRING()],
)


def settings(options: Options) -> AttributionSettings:
    """Return the attribution settings of the job's options."""
    return AttributionSettings(
        lookback_ms=options.lookback_days * DAY_MS,
        half_life_ms=round(options.half_life_days * DAY_MS),
        retention_ms=options.journey_retention_days * DAY_MS,
    )


class AttributePersons(KeyedProcessFunction):  # type: ignore[misc]
    """Apply a micro-batch of journey facts to the persons of one shard.

    In: (shard, facts joined by newlines), or (shard, a record of the control topic), which puts settings into force.
    Out: RESULT rows of kind `attribution`, one a conversion whose credits are
    new or changed,
    and of kind `journeys`, one a batch with the changed journeys joined by newlines. State per person: see
    `apply_facts`.
    """

    def __init__(self, chosen: AttributionSettings, retention_days: int) -> None:
        """Keep the settings."""
        self._settings = chosen
        self._retention_days = retention_days

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the state, which forgets a person after the retention."""
        descriptor = MapStateDescriptor("persons", Types.STRING(), Types.STRING())
        descriptor.enable_time_to_live(time_to_live(self._retention_days))
        self._persons = runtime_context.get_map_state(descriptor)
        self._in_force = open_settings(self._settings, runtime_context)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Apply one micro-batch, or one record of the control topic."""
        shard = value[0]
        if value[1].startswith(RECORD_BEGIN):
            if self._in_force.take(shard, value[1]):
                self._look_again(ctx)
            return
        persons: dict[str, list[Any]] = {}
        for line in value[1].split("\n"):
            fact = orjson.loads(line)
            # A tenant id holds no slash, so no two persons can share a key.
            persons.setdefault(f"{fact[1]}/{fact[2]}", []).append(fact)
        journeys: list[str] = []
        for person, facts in persons.items():
            if facts[0][0] == ERASURE:
                self._persons.remove(person)
                continue
            began = time.perf_counter()
            # The encoded state is JSON, so it crosses to the JVM as text: PyFlink hands byte arrays over byte by byte.
            held = self._persons.get(person)
            tenant = self._in_force.of(shard, facts[0][1])
            update = apply_facts(held.encode() if held else None, facts, self._settings, tenant)
            self._persons.put(person, update.state.decode())
            journeys.extend(orjson.dumps(journey).decode() for journey in update.journeys)
            for attribution in update.attributions:
                attribution["calculation_ms"] = round((time.perf_counter() - began) * 1000, 3)
                yield attribution_row(attribution)
        if journeys:
            yield Row("journeys", "", "", 0, False, "\n".join(journeys))

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Attribute anew the next conversions whose credits changed settings change."""
        for attribution in self._in_force.reattributed(ctx.get_current_key(), self._persons):
            attribution["calculation_ms"] = 0.0
            yield attribution_row(attribution)
        if self._in_force.is_waiting():
            self._look_again(ctx)

    @staticmethod
    def _look_again(ctx: KeyedProcessFunction.Context) -> None:
        timers = ctx.timer_service()
        timers.register_processing_time_timer(timers.current_processing_time() + STEP_MS)


def attribution_row(attribution: dict[str, Any]) -> Row:
    """Return the RESULT row of an attribution."""
    touched = attribution["touches"][0][0] != ""
    key = (attribution["tenant_id"], attribution["conversion_id"], attribution["conversion_time"])
    return Row("attribution", *key, touched, orjson.dumps(attribution).decode())


class StoreCredits(ScalarFunction):  # type: ignore[misc]
    """Vectorised: attributions in; written to `attribution_credits`, one row a model; the signal comes out."""

    def __init__(self, options: Options) -> None:
        """Keep the options; the connection is opened in the worker."""
        self._options = options

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sink and its metrics."""
        self._sink = clickhouse_sink(self._options)
        self._metrics = sink_metrics(function_context, "attribution_credits")

    def eval(self, text: pd.Series) -> pd.Series:
        """Store one batch."""
        columns = credit_columns([orjson.loads(line) for line in text], int(time.time() * 1000))
        with self._metrics.timed(len(columns["model"])):
            self._sink.write("attribution_credits", columns)
        return text

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


class StoreJourneys(ScalarFunction):  # type: ignore[misc]
    """Vectorised: changed journeys in, joined by newlines; written to `journeys` and Redis; their number comes out."""

    def __init__(self, options: Options) -> None:
        """Keep the options; connections are opened in the worker."""
        self._options = options

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sinks and their metrics."""
        self._sink = clickhouse_sink(self._options)
        self._redis = cache(self._options)
        self._metrics = sink_metrics(function_context, "journeys")

    def eval(self, text: pd.Series) -> pd.Series:
        """Store one batch."""
        import pandas as pd

        lines = [line for batch in text for line in batch.split("\n")]
        journeys = [orjson.loads(line) for line in lines]
        with self._metrics.timed(len(lines)):
            self._sink.write("journeys", journey_columns(journeys))
            self._redis.put_journeys(
                (journey_key(j["tenant_id"], j["customer_id"], j["stage"]), j["revision"], line)
                for j, line in zip(journeys, lines, strict=True)
            )
        return pd.Series([batch.count("\n") + 1 for batch in text], dtype="int32")

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


def journey_columns(journeys: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the columns of the `journeys` table."""
    import pyarrow as pa

    from connectors.clickhouse.arrow_sink import times

    names = ("tenant_id", "journey_id", "customer_id", "stage", "value_micros", "currency")
    columns: dict[str, Any] = {name: [journey[name] for journey in journeys] for name in names}
    for name in ("started_at", "last_event_at"):
        columns[name] = times([journey[name] for journey in journeys])
    for name, kind in (("touchpoints", pa.uint32()), ("conversions", pa.uint32()), ("revision", pa.uint64())):
        columns[name] = pa.array([journey[name] for journey in journeys], type=kind)
    return columns


def attribute(t_env: StreamTableEnvironment, options: Options, out: StatementSet, *, erasures: bool = False) -> None:
    """Attribute the conversions of the view `accepted`; makes the view `attributions` (tenant_id, signal).

    With `erasures` there is a view `erasures` of (shard, a fact of the kind ERASURE), each a batch of its own.
    """
    t_env.create_temporary_view(
        "journey_facts",
        t_env.sql_query("SELECT shard, journey_fact, arrival FROM accepted WHERE journey_fact IS NOT NULL"),
    )
    batches = t_env.to_data_stream(
        t_env.sql_query(
            f"""
            {micro_batches(options.micro_batch_ms, "journey_facts", "shard", "journey_fact", "facts")}
            UNION ALL {define(t_env, options)}
            {"UNION ALL SELECT shard, facts FROM erasures" if erasures else ""}
            """  # noqa: S608 - a validated number and constants
        )
    )
    results = (
        batches.key_by(lambda row: row[0], key_type=Types.INT())
        .process(
            AttributePersons(settings(options), options.journey_retention_days),
            output_type=RESULT,
        )
        .name("Attribute conversions to touchpoints")
        .uid("attribute-persons")
    )
    t_env.create_temporary_view("attribution_results", results)
    t_env.create_temporary_function(
        "store_credits", udf(StoreCredits(options), result_type=DataTypes.STRING(), func_type="pandas")
    )
    t_env.create_temporary_function(
        "store_journeys", udf(StoreJourneys(options), result_type=DataTypes.INT(), func_type="pandas")
    )
    t_env.create_temporary_view(
        "attributions",
        t_env.to_data_stream(
            t_env.sql_query(
                "SELECT tenant_id, conversion_id, conversion_time, touched, store_credits(text) AS signal "
                "FROM attribution_results WHERE kind = 'attribution'"
            )
        ),
    )
    out.add_insert_sql("INSERT INTO signals SELECT tenant_id, signal FROM attributions")
    out.add_insert_sql(
        "INSERT INTO stored SELECT store_journeys(text) FROM attribution_results WHERE kind = 'journeys'"
    )
