"""Campaign windows and roll-ups: counted on time in the JVM, revised from the event store after late data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pyflink.common import Row, Types
from pyflink.datastream.functions import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from connectors.clickhouse.recompute import (
    CAMPAIGN_EVENTS,
    MINUTE_MS,
    SECOND_MS,
    WINDOW_MS,
    Bucket,
    WindowSums,
    read_windows,
    recompute_minutes,
    roll_up,
)
from connectors.redis.cache import Cache, campaign_key
from jobs.batches import batches_up_to
from jobs.watermarks import passed_on
from jobs.workers import cache, clickhouse_sink, milliseconds, sink_metrics
from udfs.kpi import kpis

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from pyflink.datastream.functions import RuntimeContext
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.udf import FunctionContext

    from connectors.clickhouse.arrow_sink import ArrowSink
    from jobs.options import Options

KEY = ("tenant_id", "campaign_id", "channel", "currency")
SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")
FAMILY = ", ".join(f"'{name}'" for name in CAMPAIGN_EVENTS)


_KEY = ", ".join(KEY)
_SUMS = ", ".join(SUMS)
_SUMMED = ", ".join(f"SUM({name}) AS {name}" for name in SUMS)
WINDOWS = f"""
SELECT tenant_id, campaign_id, MOD(EXTRACT(SECOND FROM window_start), 5) = 0 AS tile,
       publish_windows({_KEY}, window_start, {_SUMS}, events, newest_created_at) AS signal
FROM (
    SELECT {_KEY}, window_start, {_SUMMED}, COUNT(*) AS events, MAX(created_at) AS newest_created_at
    FROM TABLE(HOP(TABLE campaign_events, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '5' SECOND))
    GROUP BY {_KEY}, window_start, window_end
)
"""  # noqa: S608 - built from the constants above
MINUTES = f"""
SELECT tenant_id, campaign_id, publish_minutes({_KEY}, window_start, {_SUMS}, events) AS signal
FROM (
    SELECT {_KEY}, window_start, {_SUMMED}, COUNT(*) AS events
    FROM TABLE(TUMBLE(TABLE campaign_events, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
    GROUP BY {_KEY}, window_start, window_end
)
"""  # noqa: S608 - built from the constants above
CAMPAIGN_EVENTS_ON_TIME = f"SELECT * FROM on_time WHERE event_type IN ({FAMILY})"  # noqa: S608
LATE_CAMPAIGN_EVENTS = f"""
SELECT {_KEY}, event_time - MOD(event_time, {SECOND_MS}) AS late_second, arrival
FROM late WHERE event_type IN ({FAMILY})
"""  # noqa: S608 - built from the constants above
SECONDS_TO_REVISE = f"""
SELECT JSON_ARRAY({_KEY}) AS campaign, late_second
FROM TABLE(TUMBLE(TABLE late_campaign_events, DESCRIPTOR(arrival), INTERVAL '1' SECOND))
GROUP BY {_KEY}, late_second, window_start, window_end
UNION ALL SELECT JSON_QUERY(line, '$.campaign'), CAST(JSON_VALUE(line, '$.second') AS BIGINT) FROM withdrawn_seconds
"""  # noqa: S608 - built from the constants above
"""Each second of a campaign that late events came for, once a second: when a whole stream is late, as after an outage
of the producers, its revisions cost no more than its windows do. And those that lost a copy of an event."""
CLOSED_WINDOWS_MS = 50
"""Windows close once a second, all of them at once: their batch is whole when it begins, and need not wait for more."""
REVISIONS = "SELECT JSON_VALUE(request, '$[2]') AS tenant_id, revise(request) AS signal FROM revision_requests"


def metric_signal(sums: WindowSums) -> dict[str, Any]:
    """Return the `campaign_metrics` signal of one window: sums and KPIs."""
    figures = kpis(sums.impressions, sums.clicks, sums.conversions, sums.cost_micros, sums.revenue_micros)
    return {
        "kind": "campaign_metrics",
        "tenant_id": sums.window.tenant_id,
        "campaign_id": sums.window.campaign_id,
        "channel": sums.window.channel,
        "currency": sums.window.currency,
        "window_start": sums.window.start_ms,
        "window_end": sums.window.start_ms + WINDOW_MS,
        "impressions": sums.impressions,
        "clicks": sums.clicks,
        "conversions": sums.conversions,
        "cost_micros": sums.cost_micros,
        "revenue_micros": sums.revenue_micros,
        "events": sums.events,
        "newest_created_at": sums.newest_created_at,
        "ctr": figures.ctr,
        "conversion_rate": figures.conversion_rate,
        "roas": figures.roas,
        "cpc_micros": figures.cpc_micros,
        "cpa_micros": figures.cpa_micros,
        "performance_score": figures.performance_score,
        "revision": sums.revision,
    }


def publish_windows(sink: ArrowSink, redis: Cache, windows: list[WindowSums]) -> list[str]:
    """Write windows to ClickHouse, then to Redis, and return their signals as JSON, in the order given."""
    from connectors.clickhouse.arrow_sink import times

    signals = [metric_signal(window) for window in windows]
    columns: dict[str, Any] = {
        name: [signal[name] for signal in signals] for name in (*KEY, *SUMS, "events", "revision")
    }
    for name in ("window_start", "window_end"):
        columns[name] = times([signal[name] for signal in signals])
    import pyarrow as pa

    columns["performance_score"] = pa.array([signal["performance_score"] for signal in signals], type=pa.float64())
    sink.write("campaign_metrics", columns)
    texts = [orjson.dumps(signal).decode() for signal in signals]
    redis.put_campaign_fields(
        (
            campaign_key(signal["tenant_id"], signal["campaign_id"]),
            f"{signal['channel']}|{signal['currency']}",
            signal["window_end"],
            text,
        )
        for signal, text in zip(signals, texts, strict=True)
    )
    return texts


class _Publishing(ScalarFunction):  # type: ignore[misc]
    """Common to the functions below: the connections, and that the planner must neither drop nor repeat the call."""

    name = ""

    def __init__(self, options: Options) -> None:
        """Keep the options; connections are opened in the worker."""
        self._options = options

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sinks and their metrics."""
        self._sink = clickhouse_sink(self._options)
        self._redis = cache(self._options)
        self._metrics = sink_metrics(function_context, self.name)

    def is_deterministic(self) -> bool:
        """Writing is an effect."""
        return False


class PublishWindows(_Publishing):
    """Vectorised: closed windows in; stored, cached, and returned as signals."""

    name = "campaign_metrics"

    def eval(self, *columns: pd.Series) -> pd.Series:
        """Publish one batch.

        `columns` are KEY, the window's start, SUMS, the number of events, the newest creation time.
        """
        import pandas as pd

        starts = milliseconds(columns[4]).tolist()
        lists = [column.tolist() for index, column in enumerate(columns) if index != 4]
        windows = [
            WindowSums(*(Bucket(start, *row[:4]), *row[4:], 0))
            for start, row in zip(starts, zip(*lists, strict=True), strict=True)
        ]
        with self._metrics.timed(len(windows)):
            return pd.Series(publish_windows(self._sink, self._redis, windows), dtype="object")


class PublishMinutes(_Publishing):
    """Vectorised: closed minutes in; stored, rolled up into hour, day and week, and returned as signals."""

    name = "campaign_rollups"

    def eval(self, *columns: pd.Series) -> pd.Series:
        """Publish one batch; `columns` are KEY, the minute's start, SUMS, the number of events."""
        import pandas as pd
        import pyarrow as pa

        from connectors.clickhouse.arrow_sink import times

        starts = milliseconds(columns[4]).tolist()
        lists = dict(zip((*KEY, "start", *SUMS, "events"), (column.tolist() for column in columns), strict=True))
        del lists["start"]
        count = len(starts)
        with self._metrics.timed(count):
            self._sink.write(
                "campaign_rollups",
                {
                    **lists,
                    "grain": ["minute"] * count,
                    "bucket_start": times(starts),
                    "revision": pa.array([0] * count, type=pa.uint64()),
                },
            )
            keys = zip(starts, *(lists[name] for name in KEY), strict=True)
            roll_up(self._sink, [Bucket(*key) for key in keys])
        rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        return pd.Series(
            [
                orjson.dumps(
                    {"kind": "campaign_rollup", "grain": "minute", "bucket_start": start, "revision": 0, **row}
                ).decode()
                for start, row in zip(starts, rows, strict=True)
            ],
            dtype="object",
        )


class Revise(_Publishing):
    """Vectorised: revision requests in; windows and minutes recomputed from the event store; one signal a request."""

    name = "revisions"

    def eval(self, requests: pd.Series) -> pd.Series:
        """Carry out one batch of requests, each the JSON of [grain, start ms, tenant, campaign, channel, currency]."""
        import pandas as pd

        read = [orjson.loads(text) for text in requests]
        with self._metrics.timed(len(read)):
            publish_windows(
                self._sink, self._redis, read_windows(self._sink, (Bucket(*r[1:]) for r in read if r[0] == "window"))
            )
            recompute_minutes(self._sink, (Bucket(*r[1:]) for r in read if r[0] == "minute"))
        return pd.Series(
            [
                orjson.dumps(
                    {"kind": "revision", "grain": r[0], "start": r[1], **dict(zip(KEY, r[2:], strict=True))}
                ).decode()
                for r in read
            ],
            dtype="object",
        )


class RequestRevisions(KeyedProcessFunction):  # type: ignore[misc]
    """Ask for the windows and the minute of late events, and of withdrawn copies, to be recomputed once the watermark
    has closed them.

    Before that the stream's own result, which lacks the late event, is still to come and the recomputation could miss
    events that are on
    time. State per campaign key: the buckets that wait, at most the open second windows and minutes, each a few bytes.
    """

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the state."""
        self._waiting = runtime_context.get_map_state(MapStateDescriptor("revisions_due", Types.STRING(), Types.LONG()))

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Note the buckets of one second with late events and set their timers."""
        second: int = value[1]
        minute = second - second % MINUTE_MS
        # A second is in windows that end up to one window length after its start.
        for grain, start, due in (("window", second, second + WINDOW_MS), ("minute", minute, minute + MINUTE_MS)):
            name = f"{grain}@{start}"
            if self._waiting.get(name) is None:
                self._waiting.put(name, due)
                ctx.timer_service().register_event_time_timer(due)
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Emit the requests that are due."""
        due = [name for name, at in self._waiting.items() if at <= timestamp]
        key = orjson.loads(ctx.get_current_key())
        for name in due:
            self._waiting.remove(name)
            grain, _, start = name.partition("@")
            yield Row(orjson.dumps([grain, int(start), *key]).decode())


def measure(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Measure the views `on_time` and `late`, and revise what `withdrawn_seconds` says.

    Makes the views `windows`, `minutes` and `revisions` (tenant_id, signal).
    """
    t_env.create_temporary_view("campaign_events", t_env.sql_query(CAMPAIGN_EVENTS_ON_TIME))
    for name, function in (
        ("publish_windows", PublishWindows),
        ("publish_minutes", PublishMinutes),
        ("revise", Revise),
    ):
        t_env.create_temporary_function(
            name, udf(function(options), result_type=DataTypes.STRING(), func_type="pandas")
        )
    with batches_up_to(t_env, CLOSED_WINDOWS_MS):
        windows = t_env.to_data_stream(t_env.sql_query(WINDOWS))
    t_env.create_temporary_view("windows", windows)
    # The watermark is for the empty minutes that the alerts fill in: a minute's row comes before the watermark that
    # closed it.
    t_env.create_temporary_view("minutes", t_env.to_data_stream(t_env.sql_query(MINUTES)), passed_on())
    t_env.create_temporary_view("late_campaign_events", t_env.sql_query(LATE_CAMPAIGN_EVENTS))
    requests = (
        t_env.to_data_stream(t_env.sql_query(SECONDS_TO_REVISE))
        .key_by(lambda row: row[0], key_type=Types.STRING())
        .process(RequestRevisions(), output_type=Types.ROW_NAMED(["request"], [Types.STRING()]))
        .name("Request revisions of late windows")
        .uid("request-revisions")
    )
    t_env.create_temporary_view("revision_requests", requests)
    t_env.create_temporary_view("revisions", t_env.sql_query(REVISIONS))
    for view in ("windows", "minutes", "revisions"):
        out.add_insert_sql(f"INSERT INTO signals SELECT tenant_id, signal FROM {view}")  # noqa: S608 - the names above
