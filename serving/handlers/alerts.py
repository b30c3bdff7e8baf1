"""AlertService: what the rules raised and cleared, as a list and live."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from tributary.v1 import alerts_pb2 as alerts_pb
from tributary.v1 import freshness_pb2

from serving.errors import Reason, invalid
from serving.handlers.answers import until_changed
from serving.handlers.last_known import history_unavailable
from serving.handlers.requests import LATEST_AHEAD_MS, LONGEST_RANGE_MS, names, now_ms, page_size, read_range
from serving.handlers.responses import freshness, time_range, timestamp
from serving.handlers.tokens import make_token, read_token
from serving.handlers.watch import Pace, Step, open_watch, steps
from serving.live.settled_changes import Subject
from serving.queries.alerts import ALERT_FILTER_NAMES, ANOMALY_FILTER_NAMES, AlertFilter
from serving.queries.filters import read_filter
from serving.queries.history import HistoryUnavailable
from serving.queries.tiling import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.live.hub import LiveHub
    from serving.queries.alerts import AlertQueries, AlertRecord, AnomalyRecord

DEFAULT_ALERTS, MOST_ALERTS = 100, 1_000
PAGING = ("page_token", "page_size")
SNAPSHOT_MS = HOUR_MS

_STATES = {"raised": alerts_pb.ALERT_STATE_RAISED, "cleared": alerts_pb.ALERT_STATE_CLEARED}
_SEVERITIES = {
    "info": alerts_pb.ALERT_SEVERITY_INFO,
    "warning": alerts_pb.ALERT_SEVERITY_WARNING,
    "critical": alerts_pb.ALERT_SEVERITY_CRITICAL,
}


def alert_message(alert: AlertRecord) -> alerts_pb.Alert:
    """Return an alert as a message; a state or severity that this version does not know is unspecified."""
    return alerts_pb.Alert(
        alert_id=alert.alert_id,
        rule=alert.rule,
        severity=_SEVERITIES.get(alert.severity, alerts_pb.ALERT_SEVERITY_UNSPECIFIED),
        state=_STATES.get(alert.state, alerts_pb.ALERT_STATE_UNSPECIFIED),
        campaign_id=alert.campaign_id,
        channel=alert.channel,
        metric=alert.metric,
        value=alert.value,
        threshold=alert.threshold,
        opened_at=timestamp(alert.opened_ms),
        updated_at=timestamp(alert.updated_ms),
        message=alert.message,
    )


def read_alert_selection(wanted: alerts_pb.AlertSelection) -> AlertFilter:
    """Return which alerts count; raises ServingError."""
    states = {value: word for word, value in _STATES.items()}
    severities = {value: word for word, value in _SEVERITIES.items()}
    if any(state not in states for state in wanted.states):
        raise invalid("selection.states", "allowed: ALERT_STATE_RAISED, ALERT_STATE_CLEARED")
    if any(severity not in severities for severity in wanted.severities):
        raise invalid(
            "selection.severities", "allowed: ALERT_SEVERITY_INFO, ALERT_SEVERITY_WARNING, ALERT_SEVERITY_CRITICAL"
        )
    return AlertFilter(
        states=tuple(sorted({states[state] for state in wanted.states})),
        severities=tuple(sorted({severities[severity] for severity in wanted.severities})),
        campaign_ids=names(wanted.campaign_ids, "selection.campaign_ids"),
        rules=names(wanted.rules, "selection.rules"),
    )


def _alerts_freshness(
    alerts: Iterable[AlertRecord], source: freshness_pb2.Source.ValueType, degraded_reason: str = ""
) -> freshness_pb2.Freshness:
    newest = max((alert.updated_ms for alert in alerts), default=0)
    return freshness(source, through_ms=newest, degraded_reason=degraded_reason)


def _anomaly(anomaly: AnomalyRecord) -> alerts_pb.Anomaly:
    return alerts_pb.Anomaly(
        campaign_id=anomaly.campaign_id,
        channel=anomaly.channel,
        currency=anomaly.currency,
        metric=anomaly.metric,
        bucket_start=timestamp(anomaly.bucket_ms),
        value=anomaly.value,
        expected=anomaly.expected,
        deviations=anomaly.deviations,
    )


class AlertHandlers:
    """Handlers of the service's methods."""

    def __init__(self, queries: AlertQueries, answers: Answers, hub: LiveHub, pace: Pace) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._answers = answers
        self._hub = hub
        self._pace = pace

    async def list_alerts(self, request: alerts_pb.ListAlertsRequest, call: Call) -> alerts_pb.ListAlertsResponse:
        """Alerts by the time they were opened, newest first."""
        chosen = replace(
            read_alert_selection(request.selection), condition=read_filter(request.filter, ALERT_FILTER_NAMES)
        )
        size = page_size(request.page_size, DEFAULT_ALERTS, MOST_ALERTS)
        if request.HasField("range"):
            start, end = read_range(request.range)
        else:
            # Alerts carry event times, which may be a little ahead of the clock.
            start, end = now_ms() - LONGEST_RANGE_MS, now_ms() + LATEST_AHEAD_MS
        after = None
        if request.page_token:
            start, end, opened, alert_id = read_token(
                request.page_token, "page_token", request, PAGING, (int, int, int, str)
            )
            after = (opened, alert_id)

        async def compute() -> alerts_pb.ListAlertsResponse:
            found = await self._queries.opened(call.tenant_id, start, end, chosen, size + 1, after, call.query_seconds)
            last = found[size - 1] if len(found) > size else None
            return alerts_pb.ListAlertsResponse(
                alerts=map(alert_message, found[:size]),
                freshness=_alerts_freshness(found, freshness_pb2.SOURCE_HISTORY),
                next_page_token=make_token(request, PAGING, [start, end, last.opened_ms, last.alert_id])
                if last
                else "",
            )

        return await self._answers.answer(
            request, call, alerts_pb.ListAlertsResponse, compute, until_changed(end, Subject.ALERTS)
        )

    async def list_anomalies(
        self, request: alerts_pb.ListAnomaliesRequest, call: Call
    ) -> alerts_pb.ListAnomaliesResponse:
        """Anomalies by the start of their bucket, newest first."""
        condition = read_filter(request.filter, ANOMALY_FILTER_NAMES)
        size = page_size(request.page_size, DEFAULT_ALERTS, MOST_ALERTS)
        start, end = read_range(request.range)
        after = None
        if request.page_token:
            kinds = (int, int, int, str, str, str, str)
            start, end, *position = read_token(request.page_token, "page_token", request, PAGING, kinds)
            after = tuple(position)

        async def compute() -> alerts_pb.ListAnomaliesResponse:
            found = await self._queries.anomalies(
                call.tenant_id, start, end, condition, size + 1, after, call.query_seconds
            )
            more = len(found) > size
            return alerts_pb.ListAnomaliesResponse(
                anomalies=map(_anomaly, found[:size]),
                covered_range=time_range(start, end),
                freshness=freshness(
                    freshness_pb2.SOURCE_HISTORY, through_ms=max((one.bucket_ms for one in found), default=0)
                ),
                next_page_token=make_token(request, PAGING, [start, end, *found[size - 1].position]) if more else "",
            )

        return await self._answers.answer(
            request, call, alerts_pb.ListAnomaliesResponse, compute, until_changed(end, Subject.ALERTS)
        )

    async def watch_alerts(
        self, request: alerts_pb.WatchAlertsRequest, call: Call
    ) -> AsyncGenerator[alerts_pb.WatchAlertsResponse, None]:
        """The raised alerts, then each alert as it changes."""
        chosen = read_alert_selection(request.selection)
        # A client that shows raised alerts must learn that one has cleared.
        in_any_state = replace(chosen, states=())
        watch = open_watch(self._hub.file(call.tenant_id).alerts, request, request.resume_cursor)
        todo = steps(watch, self._hub, self._pace, in_any_state.matches)
        async with aclosing(todo):
            async for step, changed in todo:
                response = alerts_pb.WatchAlertsResponse()
                if step is Step.SNAPSHOT:
                    watch.begin_snapshot()
                    live = [alert for alert in watch.values.values() if chosen.matches(alert)]
                    found, degraded_reason = await self._standing(call, chosen, live)
                    response.snapshot.SetInParent()
                    response.snapshot.alerts.extend(map(alert_message, found))
                    source = freshness_pb2.SOURCE_LIVE if degraded_reason else freshness_pb2.SOURCE_HISTORY
                    response.freshness.CopyFrom(_alerts_freshness(found, source, degraded_reason))
                elif step is Step.CHANGES:
                    response.changes.alerts.extend(map(alert_message, changed))
                    response.freshness.CopyFrom(_alerts_freshness(changed, freshness_pb2.SOURCE_LIVE))
                else:
                    response.heartbeat.sent_at.CopyFrom(timestamp(now_ms()))
                response.resume_cursor = watch.cursor(request)
                yield response

    async def _standing(
        self, call: Call, chosen: AlertFilter, live: list[AlertRecord]
    ) -> tuple[list[AlertRecord], str]:
        """Return the alerts for a snapshot and why they are degraded (empty: they are not)."""
        try:
            found = await self._queries.raised_or_recent(
                call.tenant_id, now_ms() - SNAPSHOT_MS, chosen, MOST_ALERTS, call.query_seconds
            )
        except HistoryUnavailable as error:
            if not live:
                raise history_unavailable(error) from None
            return live, Reason.HISTORY_UNAVAILABLE
        return found, ""
