"""Alerts and anomalies: rules over the signals of the other stages, in keyed state per tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pyflink.common import Row, Types
from pyflink.datastream.functions import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from jobs.micro_batches import SLOW_MS, micro_batches
from jobs.options import Options, Stage
from jobs.workers import clickhouse_sink, sink_metrics
from udfs.alerting.watch import watch_conversions, watch_counts, watch_late_spend, watch_launch, watch_tile
from udfs.anomaly.empty_minutes import Campaign, is_expected, key_of
from udfs.anomaly.seasonal import check_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from pyflink.datastream import DataStream
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.udf import FunctionContext

WINDOW_INPUTS = "SELECT tenant_id, campaign_id AS subject, 'tile' AS kind, signal AS line FROM windows WHERE tile"
OTHER_INPUTS = {
    Stage.CAMPAIGN_METRICS: (
        "SELECT tenant_id, campaign_id, 'minute', signal FROM all_minutes",
        # One reading of the accepted events for both.
        (
            "SELECT tenant_id, campaign_id, IF(launch IS NULL, 'termination', 'launch'), "
            "COALESCE(launch, CAST(event_time AS STRING)) "
            "FROM accepted WHERE launch IS NOT NULL OR event_type = 'campaign_termination'"
        ),
        (
            "SELECT tenant_id, campaign_id, 'late', JSON_ARRAY(currency, SUM(cost_micros)) "
            "FROM TABLE(TUMBLE(TABLE late_spend, DESCRIPTOR(arrival), INTERVAL '1' SECOND)) "
            "GROUP BY tenant_id, campaign_id, currency, window_start, window_end"
        ),
    ),
    Stage.JOURNEYS: (
        (
            "SELECT tenant_id, '', 'conversions', CONCAT('[', REPLACE(facts, '\n', ','), ']') "  # noqa: S608 - constants
            f"FROM ({micro_batches(SLOW_MS, 'attributed', 'tenant_id', 'fact', 'facts')})"
        ),
    ),
    Stage.EVENTS: ("SELECT tenant_id, '', 'counts', totals FROM counts",),
}
"""What each stage gives the rules to watch: (tenant_id, campaign or '' for the tenant itself, kind, line).

What comes by the hundred a second, late spend and conversions, comes together once a second.
"""
VIEWS = {
    Stage.CAMPAIGN_METRICS: (
        "late_spend",
        "SELECT tenant_id, campaign_id, currency, cost_micros, arrival FROM late WHERE cost_micros > 0",
    ),
    Stage.JOURNEYS: (
        "attributed",
        (
            "SELECT tenant_id, JSON_ARRAY(conversion_id, conversion_time, touched) AS fact, PROCTIME() AS arrival "
            "FROM attributions"
        ),
    ),
}


class FillMinutes(KeyedProcessFunction):  # type: ignore[misc]
    """Pass on the minutes of one campaign, with those between and after them in which it sent nothing.

    In and out: (tenant_id, campaign_id, signal). State: a JSON text for each channel and currency. Event-time timers:
    the watermark that closes a minute comes after the rows of that minute.
    """

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the state."""
        self._campaigns = runtime_context.get_map_state(MapStateDescriptor("live", Types.STRING(), Types.STRING()))

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Take in one minute."""
        tenant_id, campaign_id, signal = value
        minute = orjson.loads(signal)
        key, start = key_of(minute), minute["bucket_start"]
        name = orjson.dumps([key["channel"], key["currency"]]).decode()
        text = self._campaigns.get(name)
        campaign = Campaign(key, *orjson.loads(text)) if text else Campaign(key, start)
        for empty in campaign.saw(start):
            yield Row(tenant_id, campaign_id, orjson.dumps(empty).decode())
        yield Row(tenant_id, campaign_id, signal)
        self._keep(name, campaign, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Fill in the minutes that are over."""
        tenant_id, campaign_id = orjson.loads(ctx.get_current_key())
        for name, text in list(self._campaigns.items()):
            channel, currency = orjson.loads(name)
            key = {"tenant_id": tenant_id, "campaign_id": campaign_id, "channel": channel, "currency": currency}
            campaign = Campaign(key, *orjson.loads(text))
            due = campaign.due()
            if due is None or due > timestamp:
                continue
            for empty in campaign.fill(timestamp):
                yield Row(tenant_id, campaign_id, orjson.dumps(empty).decode())
            self._keep(name, campaign, ctx)

    def _keep(self, name: str, campaign: Campaign, ctx: Any) -> None:
        due = campaign.due()
        if due is None:
            # Ended: what it was is not needed for what comes, and nothing is kept of campaigns of long ago.
            self._campaigns.remove(name)
            return
        self._campaigns.put(name, orjson.dumps([campaign.newest, campaign.filled]).decode())
        ctx.timer_service().register_event_time_timer(due)


class WatchRules(KeyedProcessFunction):  # type: ignore[misc]
    """Evaluate the rules of one tenant.

    In: (tenant_id, subject, kind, line). Out: (kind, tenant_id, text) with kind `alert`, `anomaly` or `campaign`.
    State: a JSON text per campaign, and one for the tenant itself under the empty name.
    """

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the state."""
        self._watched = runtime_context.get_map_state(MapStateDescriptor("watched", Types.STRING(), Types.STRING()))
        self._baselines = runtime_context.get_map_state(MapStateDescriptor("baselines", Types.STRING(), Types.STRING()))

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Take in one line."""
        tenant_id, subject, kind, line = value
        read = orjson.loads(line)
        if kind == "minute":
            for anomaly in self._anomalies(subject, read):
                yield Row("anomaly", tenant_id, orjson.dumps(anomaly).decode())
            return
        state = self._load(self._watched, subject)
        alerts: list[dict[str, Any]] = []
        if kind == "tile":
            alerts = watch_tile(state, read)
        elif kind == "launch":
            metrics, launched_at = read["metrics"], read["envelope"]["event_time"]
            watch_launch(state, metrics["currency"], read["budget_micros"], launched_at)
            yield Row("campaign", tenant_id, line)
        elif kind == "termination":
            state["terminated"] = max(read, state.get("terminated", 0))
        elif kind == "late":
            watch_late_spend(state, *read)
        elif kind == "conversions":
            alerts = watch_conversions(state, tenant_id, read)
        elif kind == "counts":
            alerts = watch_counts(state, tenant_id, read)
        self._watched.put(subject, orjson.dumps(state).decode())
        for alert in alerts:
            yield Row("alert", tenant_id, orjson.dumps(alert).decode())

    def _anomalies(self, subject: str, minute: dict[str, Any]) -> list[dict[str, Any]]:
        if is_expected(minute, self._load(self._watched, subject).get("terminated", 0)):
            return []
        name = orjson.dumps([subject, minute["channel"], minute["currency"]]).decode()
        state = self._load(self._baselines, name)
        found = check_minute(state, minute)
        self._baselines.put(name, orjson.dumps(state).decode())
        return found

    @staticmethod
    def _load(held: Any, name: str) -> dict[str, Any]:
        text = held.get(name)
        state: dict[str, Any] = orjson.loads(text) if text else {}
        return state


def alert_columns(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the columns of `alerts`; a cleared alert has the id of the raised one, and replaces it."""
    import pyarrow as pa

    from connectors.clickhouse.arrow_sink import times

    plain = (
        *("tenant_id", "alert_id", "rule", "severity", "state", "campaign_id", "channel", "metric"),
        *("value", "threshold", "message"),
    )
    columns: dict[str, Any] = {name: [record[name] for record in records] for name in plain}
    for name in ("opened_at", "updated_at"):
        columns[name] = times([record[name] for record in records])
    return columns | {"version": pa.array([record["updated_at"] for record in records], type=pa.uint64())}


def anomaly_columns(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the columns of `anomalies`, one row a campaign, metric and minute."""
    import pyarrow as pa

    from connectors.clickhouse.arrow_sink import times

    plain = ("tenant_id", "campaign_id", "channel", "currency", "metric", "value", "expected", "deviations")
    columns: dict[str, Any] = {name: [record[name] for record in records] for name in plain}
    starts = [record["bucket_start"] for record in records]
    return columns | {"bucket_start": times(starts), "version": pa.array(starts, type=pa.uint64())}


def campaign_columns(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the columns of `campaigns`, from launch events."""
    import pyarrow as pa

    from connectors.clickhouse.arrow_sink import times

    launched_at = [record["envelope"]["event_time"] for record in records]
    return {
        "tenant_id": [record["envelope"]["tenant_id"] for record in records],
        "campaign_id": [record["campaign"]["campaign_id"] for record in records],
        "name": [record["campaign"]["name"] for record in records],
        "channel": [record["campaign"]["channel"] for record in records],
        "currency": [record["metrics"]["currency"] for record in records],
        "budget_micros": [record["budget_micros"] for record in records],
        "launched_at": times(launched_at),
        "version": pa.array(launched_at, type=pa.uint64()),
    }


class StoreRecords(ScalarFunction):  # type: ignore[misc]
    """Vectorised: JSON records in; written to a table; the same records come out."""

    def __init__(self, options: Options, table: str, columns: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> None:
        """Keep the options; the connection is opened in the worker. `columns` makes the table's columns of records."""
        self._options = options
        self._table = table
        self._columns = columns

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sink and its metrics."""
        self._sink = clickhouse_sink(self._options)
        self._metrics = sink_metrics(function_context, self._table)

    def eval(self, text: pd.Series) -> pd.Series:
        """Store one batch."""
        with self._metrics.timed(len(text)):
            self._sink.write(self._table, self._columns([orjson.loads(line) for line in text]))
        return text

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


def fill_minutes(t_env: StreamTableEnvironment) -> DataStream:
    """Return the view `minutes` with the empty minutes of live campaigns: (tenant_id, campaign_id, signal)."""
    names = ["tenant_id", "campaign_id", "signal"]
    filled: DataStream = (
        t_env.to_data_stream(t_env.sql_query("SELECT tenant_id, campaign_id, signal FROM minutes"))
        .key_by(lambda row: orjson.dumps([row[0], row[1]]).decode(), key_type=Types.STRING())
        .process(FillMinutes(), output_type=Types.ROW_NAMED(names, [Types.STRING()] * 3))
        .name("Fill in empty minutes")
        .uid("fill-minutes")
    )
    return filled


def watch(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Watch the signals of the chosen stages.

    Alerts go to their topic, anomalies to the signals, and all are stored.
    """
    t_env.create_temporary_view("all_minutes", fill_minutes(t_env))
    for stage, (name, query) in VIEWS.items():
        if stage in options.stage_set:
            t_env.create_temporary_view(name, t_env.sql_query(query))
    others = [query for stage, queries in OTHER_INPUTS.items() if stage in options.stage_set for query in queries]
    watched = (
        t_env.to_data_stream(t_env.sql_query(" UNION ALL ".join([WINDOW_INPUTS, *others])))
        .key_by(lambda row: row[0], key_type=Types.STRING())
        .process(
            WatchRules(),
            output_type=Types.ROW_NAMED(
                ["kind", "tenant_id", "text"], [Types.STRING(), Types.STRING(), Types.STRING()]
            ),
        )
        .name("Watch alert rules and baselines")
        .uid("watch-rules")
    )
    t_env.create_temporary_view("watched", watched)
    for table, columns in (
        ("alerts", alert_columns),
        ("anomalies", anomaly_columns),
        ("campaigns", campaign_columns),
    ):
        store = StoreRecords(options, table, columns)
        t_env.create_temporary_function(
            f"store_{table}", udf(store, result_type=DataTypes.STRING(), func_type="pandas")
        )
    out.add_insert_sql("INSERT INTO alerts SELECT tenant_id, store_alerts(text) FROM watched WHERE kind = 'alert'")
    out.add_insert_sql(
        "INSERT INTO signals SELECT tenant_id, store_anomalies(text) FROM watched WHERE kind = 'anomaly'"
    )
    out.add_insert_sql(
        "INSERT INTO stored SELECT CAST(CHAR_LENGTH(store_campaigns(text)) AS INT) FROM watched WHERE kind = 'campaign'"
    )
