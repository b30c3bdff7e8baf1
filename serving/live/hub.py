"""Live values by tenant: what came from the topics, for those who watch.

Every value is filed under the tenant that its signal names, and a watcher is handed the file of its own tenant:
there is no way from one tenant's call to another's values.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from serving.live.latest_values import LatestValues, Position
from serving.live.settled_changes import SettledChanges, Subject
from serving.live.signals import (
    MalformedSignalError,
    read_alert,
    read_conversion,
    read_json,
    read_window,
    tenant_of,
)
from serving.live.waiters import Waiters
from serving.observability import tracing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving.metrics import ServingMetrics
    from serving.queries.alerts import AlertRecord
    from serving.queries.attribution import Conversion
    from serving.queries.campaign_metrics import Window

log = logging.getLogger(__name__)

# As long as the hot store keeps a window: what is older is not current.
WINDOW_SECONDS = 300.0
WINDOWS_PER_TENANT = 20_000
# A watcher that was away for longer gets a snapshot instead of the changes.
CONVERSION_SECONDS = 600.0
CONVERSIONS_PER_TENANT = 1_000
ALERT_SECONDS = 3_600.0
ALERTS_PER_TENANT = 1_000
# Conversions whose latency was observed: a conversion that is attributed anew within about this many is not
# observed again.
CONVERSIONS_OBSERVED = 100_000


class Topic(StrEnum):
    """What is listened to."""

    SIGNALS = "signals"
    ALERTS = "alerts"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic."""

    topic: Topic
    position: Position
    value: bytes | None
    sent_ms: int = 0
    """When the pipeline sent it, or the broker had it, as the topic keeps it; 0: not known."""


@dataclass(frozen=True, slots=True)
class TenantFile:
    """The live values of one tenant."""

    windows: LatestValues[Window]
    conversions: LatestValues[Conversion]
    alerts: LatestValues[AlertRecord]
    heard: Waiters = field(default_factory=Waiters)
    """Woken by every record of the tenant, of whatever kind."""

    @property
    def idle(self) -> bool:
        """True when nothing is held and nobody watches."""
        return self.windows.idle and self.conversions.idle and self.alerts.idle and self.heard.idle

    @property
    def waiters(self) -> tuple[Waiters, ...]:
        """All who wait."""
        return self.windows.waiters, self.conversions.waiters, self.alerts.waiters, self.heard


class LiveHub:
    """Files records under their tenants and wakes the watchers. Used from one event loop; `close` ends all watches."""

    def __init__(self, metrics: ServingMetrics) -> None:
        """Start with nothing known."""
        self._metrics = metrics
        self._files: dict[str, TenantFile] = {}
        self._begins: dict[tuple[Topic, int], int] = {}
        self._started_ms = time.time() * 1000
        self._observed: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.last_record: float | None = None
        """When the last record came, in seconds since the epoch."""
        self.closing = asyncio.Event()
        self.changes = SettledChanges()

    def begin(self, topic: Topic, partition: int, offset: int) -> None:
        """Note that every record of a partition from this offset on will be given to `publish`."""
        self._begins[topic, partition] = offset

    def file(self, tenant_id: str) -> TenantFile:
        """Return the live values of a tenant, made empty if there are none; `forget_idle` drops those that stay so."""
        held = self._files.get(tenant_id)
        if held is None:
            held = TenantFile(
                LatestValues(
                    self._begins_at(Topic.SIGNALS), lambda w: w.version, size=WINDOWS_PER_TENANT, seconds=WINDOW_SECONDS
                ),
                LatestValues(
                    self._begins_at(Topic.SIGNALS),
                    lambda c: c.revision,
                    size=CONVERSIONS_PER_TENANT,
                    seconds=CONVERSION_SECONDS,
                ),
                LatestValues(
                    self._begins_at(Topic.ALERTS), lambda a: a.updated_ms, size=ALERTS_PER_TENANT, seconds=ALERT_SECONDS
                ),
            )
            self._files[tenant_id] = held
        return held

    def known(self, tenant_id: str) -> TenantFile | None:
        """Return the live values of a tenant if there are any; makes nothing."""
        return self._files.get(tenant_id)

    def newest_window_end(self, tenant_id: str) -> int | None:
        """Return the end (ms) of a tenant's newest window, None when none was heard of in the last five minutes."""
        held = self._files.get(tenant_id)
        return max((window.end_ms for window in held.windows.values()), default=None) if held else None

    def windows(self) -> Iterable[tuple[str, Window]]:
        """Yield every current window with its tenant, for metrics."""
        for tenant_id, held in self._files.items():
            for window in held.windows.values():
                yield tenant_id, window

    def publish(self, records: Iterable[Record]) -> None:
        """File a batch of records, then wake the watchers of what changed. A malformed record is counted and left
        out."""
        woken: dict[int, Waiters] = {}
        for record in records:
            try:
                waiters = self._take(record)
            except MalformedSignalError as error:
                self._metrics.malformed_records.labels(record.topic.value).inc()
                log.warning("record of %s at %s ignored: %s", record.topic, record.position, error)
            else:
                woken.update((id(one), one) for one in waiters)
        self.last_record = time.time()
        for one in woken.values():
            one.wake()

    def forget_idle(self) -> None:
        """Drop the files of tenants that have no values and no watchers."""
        for tenant_id in [tenant_id for tenant_id, held in self._files.items() if held.idle]:
            del self._files[tenant_id]

    def close(self) -> None:
        """End all watches: their clients are told to come back."""
        self.closing.set()
        for held in self._files.values():
            for waiters in held.waiters:
                waiters.wake()

    def _begins_at(self, topic: Topic) -> Any:
        return lambda partition: self._begins.get((topic, partition))

    def _take(self, record: Record) -> tuple[Waiters, ...]:
        """File one record; returns whom to wake."""
        signal = read_json(record.value)
        tenant_id = tenant_of(signal)
        held = self.file(tenant_id)
        changed = self._filed(record, signal, tenant_id, held)
        return (held.heard,) if changed is None else (held.heard, changed.waiters)

    def _filed(
        self, record: Record, signal: dict[str, Any], tenant_id: str, held: TenantFile
    ) -> LatestValues[Any] | None:
        """File the signal of a record; returns the values that it changed."""
        if record.topic is Topic.ALERTS:
            alert = read_alert(signal)
            self.changes.note(tenant_id, Subject.ALERTS, alert.opened_ms)
            return held.alerts if held.alerts.put(alert.alert_id, alert, record.position) else None
        kind = signal.get("kind")
        if kind == "campaign_metrics":
            window = read_window(signal)
            before = held.windows.get(window.key)
            if not held.windows.put(window.key, window, record.position):
                return None
            # An event stays in five windows; it became visible with the first of them.
            if before is None or window.newest_created_ms > before.newest_created_ms:
                self._observe_latency("campaign_metrics", window.newest_created_ms)
            return held.windows
        if kind == "attribution":
            conversion = read_conversion(signal)
            self.changes.note(tenant_id, Subject.ATTRIBUTION, conversion.time_ms)
            if not held.conversions.put(conversion.conversion_id, conversion, record.position):
                return None
            self._observe_attribution(tenant_id, conversion, signal.get("calculation_ms"), record.sent_ms)
            return held.conversions
        if kind == "revision":
            self.changes.note(tenant_id, Subject.CAMPAIGNS)
        elif kind == "anomaly":
            self.changes.note(tenant_id, Subject.ALERTS)
        # Of other kinds only that something was heard matters.
        return None

    def _observe_attribution(self, tenant_id: str, conversion: Conversion, calculation_ms: Any, sent_ms: int) -> None:
        event = tenant_id, conversion.conversion_id
        # A conversion that is attributed anew, after a late touch or a refund, was visible already.
        new = event not in self._observed
        if isinstance(calculation_ms, (int, float)):
            self._metrics.attribution_calculation.observe(calculation_ms / 1000)
            if new and sent_ms > 0:
                # The job sends no spans: its signal says what one would.
                tracing.event_span(*event, "attribution calculated", sent_ms - calculation_ms, sent_ms)
        if new:
            self._observed[event] = None
            if len(self._observed) > CONVERSIONS_OBSERVED:
                self._observed.popitem(last=False)
            self._observe_latency("attribution", conversion.created_ms)
            tracing.event_span(*event, "attribution visible", conversion.created_ms)

    def _observe_latency(self, stage: str, created_ms: int) -> None:
        """Observe how long ago an event was made that is visible from now on.

        What was made before this process listened may have been visible for long, and an unknown time is 0: neither
        is observed.
        """
        if created_ms >= self._started_ms:
            self._metrics.pipeline_latency.labels(stage).observe(max(0.0, time.time() - created_ms / 1000))
