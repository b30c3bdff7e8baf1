"""Alerts from the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.filters import Kind, Name
from serving.queries.time_predicates import since, within

if TYPE_CHECKING:
    from serving.queries.filters import Condition
    from serving.queries.history import History


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert as it stands. `state` and `severity` are the words of the data contract."""

    alert_id: str
    rule: str
    severity: str
    state: str
    campaign_id: str
    channel: str
    metric: str
    value: float
    threshold: float
    opened_ms: int
    updated_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class AnomalyRecord:
    """A value far from its baseline `expected`, in a bucket that begins at `bucket_ms`."""

    bucket_ms: int
    campaign_id: str
    channel: str
    currency: str
    metric: str
    value: float
    expected: float
    deviations: float

    @property
    def position(self) -> tuple[int, str, str, str, str]:
        """Where the anomaly stands in the order of an answer."""
        return (self.bucket_ms, self.campaign_id, self.channel, self.currency, self.metric)


ALERT_FILTER_NAMES = {
    "rule": Name("rule"),
    "severity": Name("severity", words=("info", "warning", "critical")),
    "state": Name("state", words=("raised", "cleared")),
    "campaign": Name("campaign_id"),
    "channel": Name("channel"),
    "metric": Name("metric"),
    "value": Name("value", Kind.DECIMAL),
    "threshold": Name("threshold", Kind.DECIMAL),
}
"""What a filter of alerts may name."""
ANOMALY_FILTER_NAMES = {
    "campaign": Name("campaign_id"),
    "channel": Name("channel"),
    "currency": Name("currency"),
    "metric": Name("metric"),
    "value": Name("value", Kind.DECIMAL),
    "deviations": Name("deviations", Kind.DECIMAL),
}
"""What a filter of anomalies may name."""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts count; an empty tuple lets all pass."""

    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    campaign_ids: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    condition: Condition | None = None
    """Looked at in the history only; live alerts are not filtered by one."""

    def matches(self, alert: AlertRecord) -> bool:
        """Tell whether an alert counts."""
        return (
            (not self.states or alert.state in self.states)
            and (not self.severities or alert.severity in self.severities)
            and (not self.campaign_ids or alert.campaign_id in self.campaign_ids)
            and (not self.rules or alert.rule in self.rules)
        )


_COLUMNS = """
alert_id, toString(rule), toString(severity), toString(state), campaign_id, toString(channel), toString(metric), value,
threshold, toUnixTimestamp64Milli(opened_at), toUnixTimestamp64Milli(updated_at), message
"""


class AlertQueries:
    """Reads of alerts. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History) -> None:
        """Keep the history to ask."""
        self._history = history

    async def opened(
        self,
        tenant_id: str,
        start_ms: int,
        end_ms: int,
        chosen: AlertFilter,
        size: int,
        after: tuple[int, str] | None,
        seconds: float,
    ) -> list[AlertRecord]:
        """Return alerts that were opened in [start_ms, end_ms), newest first, at most `size` after (opening time,
        id) `after`."""
        conditions = within("opened_at")
        parameters: dict[str, Any] = {"start": start_ms, "end": end_ms}
        if after is not None:
            parameters["after_time"], parameters["after_id"] = after
            conditions += (
                " AND (toUnixTimestamp64Milli(opened_at) < {after_time:Int64}"
                " OR (toUnixTimestamp64Milli(opened_at) = {after_time:Int64} AND alert_id > {after_id:String}))"
            )
        return await self._alerts(tenant_id, conditions, parameters, chosen, size, seconds, "alerts_opened")

    async def raised_or_recent(
        self, tenant_id: str, updated_since_ms: int, chosen: AlertFilter, size: int, seconds: float
    ) -> list[AlertRecord]:
        """Return alerts that are raised now, and those updated since `updated_since_ms`; newest first, at most
        `size`."""
        conditions = f"(state = 'raised' OR {since('updated_at', '{since:Int64}')})"
        return await self._alerts(
            tenant_id, conditions, {"since": updated_since_ms}, chosen, size, seconds, "alerts_raised_or_recent"
        )

    async def anomalies(
        self,
        tenant_id: str,
        start_ms: int,
        end_ms: int,
        condition: Condition | None,
        size: int,
        after: tuple[Any, ...] | None,
        seconds: float,
    ) -> list[AnomalyRecord]:
        """Return anomalies of buckets that begin in [start_ms, end_ms), newest first, at most `size` after the
        position `after`."""
        parameters: dict[str, Any] = {"tenant": tenant_id, "start": start_ms, "end": end_ms}
        conditions = within("bucket_start")
        if condition is not None:
            conditions += f" AND {condition.sql(parameters)}"
        if after is not None:
            names = ("after_bucket", "after_campaign", "after_channel", "after_currency", "after_metric")
            parameters.update(zip(names, after, strict=True))
            conditions += (
                " AND (-toUnixTimestamp64Milli(bucket_start), campaign_id, channel, currency, metric) > "
                "(-{after_bucket:Int64}, {after_campaign:String}, {after_channel:String}, {after_currency:String}, "
                "{after_metric:String})"
            )
        rows = await self._history.rows(
            f"""
            SELECT toUnixTimestamp64Milli(bucket_start), campaign_id, toString(channel), toString(currency),
                   toString(metric), value, expected, deviations
            FROM anomalies FINAL
            WHERE tenant_id = {{tenant:String}} AND {conditions}
            ORDER BY bucket_start DESC, campaign_id, channel, currency, metric
            LIMIT {size}
            """,  # noqa: S608 - built from constants and integers; values are bound
            parameters,
            name="anomalies",
            seconds=seconds,
        )
        return [AnomalyRecord(*row) for row in rows]

    async def _alerts(
        self,
        tenant_id: str,
        conditions: str,
        parameters: dict[str, Any],
        chosen: AlertFilter,
        size: int,
        seconds: float,
        name: str,
    ) -> list[AlertRecord]:
        parameters |= {"tenant": tenant_id, "size": size}
        columns = (
            ("state", chosen.states),
            ("severity", chosen.severities),
            ("campaign_id", chosen.campaign_ids),
            ("rule", chosen.rules),
        )
        for column, values in columns:
            if values:
                parameters[f"{column}s"] = list(values)
                conditions += f" AND {column} IN {{{column}s:Array(String)}}"
        if chosen.condition is not None:
            conditions += f" AND {chosen.condition.sql(parameters)}"
        sql = (
            f"SELECT {_COLUMNS} FROM alerts FINAL WHERE tenant_id = {{tenant:String}} AND {conditions} "  # noqa: S608 - values are bound
            "ORDER BY opened_at DESC, alert_id LIMIT {size:UInt32}"
        )
        return [AlertRecord(*row) for row in await self._history.rows(sql, parameters, name=name, seconds=seconds)]
