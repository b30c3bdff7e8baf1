"""Figures of the pipeline for Prometheus, read from the stores every few seconds by `PipelineFigures.run`."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from serving.metrics import (
    ATTRIBUTION_COVERAGE,
    CONSUMER_LAG,
    EVENTS_LATE,
    EVENTS_PROCESSED,
    EVENTS_QUARANTINED,
    PERFORMANCE_SCORE,
    PIPELINE_METRICS,
    SIGNAL_AGE,
    TENANT_METRICS,
    Kind,
    PipelineMetric,
)
from serving.queries.credit_views import UNATTRIBUTED
from serving.queries.history import HistoryUnavailable
from serving.queries.tiling import DAY_MS, HOUR_MS, SECOND_MS
from serving.queries.time_predicates import since, within
from udfs.attribution.settings import Model
from udfs.kpi import kpis

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from prometheus_client import Metric

    from serving.live.hub import LiveHub
    from serving.observability.consumer_lag import ConsumerLag
    from serving.queries.history import History

log = logging.getLogger(__name__)

COUNTS_SECONDS = 5.0
# Late events, coverage and lag change slowly or cost more to read; the scrape interval is 15 s.
SLOW_SECONDS = 15.0
# Own time limit of a read: all tenants are read at once.
READ_SECONDS = 8.0
# Buckets this old get no more records unless the pipeline lags so far; then they are counted when it is made anew.
SETTLED_MS = HOUR_MS
# Of one bucket the valid records are stored a moment before the accepted ones. Duplicates, their difference, wait
# until both are there.
DUPLICATES_AFTER_MS = 30 * SECOND_MS


class IngestTotals:
    """Absolute counts of all records ever read, without reading all of `ingest_counts` each time.

    What is older than an hour is summed up once and then moved forward. A total never falls, as Prometheus expects
    of a counter.
    """

    def __init__(self, history: History) -> None:
        """Start with nothing read."""
        self._history = history
        self._settled_until = 0
        self._settled: Counter[tuple[str, str, str]] = Counter()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """Records by (tenant, outcome)."""
        self.reasons: Counter[tuple[str, str]] = Counter()
        """Quarantined records by (tenant, reason)."""

    async def refresh(self) -> None:
        """Read what is new; raises HistoryUnavailable."""
        now = int(time.time() * 1000)
        if self._settled_until < now - 2 * SETTLED_MS:
            until = now - SETTLED_MS
            self._settled += await self._read(self._settled_until, until)
            self._settled_until = until
        pairable = now - DUPLICATES_AFTER_MS
        older = await self._read(self._settled_until, pairable)
        newer = await self._read(pairable, now + DAY_MS)
        outcomes: Counter[tuple[str, str]] = Counter()
        reasons: Counter[tuple[str, str]] = Counter()
        for counts in (self._settled, older, newer):
            for (tenant, outcome, broken), events in counts.items():
                if outcome == "accepted":
                    outcomes[tenant, "accepted"] += events
                    if counts is not newer:
                        outcomes[tenant, "duplicate"] -= events
                elif outcome == "valid" and counts is not newer:
                    outcomes[tenant, "duplicate"] += events
                elif outcome == "quarantined":
                    outcomes[tenant, "quarantined"] += events
                    for reason in broken.split(","):
                        reasons[tenant, reason] += events
        # The union of counters keeps the larger value of each.
        self.outcomes |= outcomes
        self.reasons |= reasons

    async def _read(self, start_ms: int, end_ms: int) -> Counter[tuple[str, str, str]]:
        rows = await self._history.rows(
            "SELECT toString(tenant_id), toString(outcome), toString(reasons), sum(events) "  # noqa: S608 - values are bound
            f"FROM ingest_counts FINAL WHERE {within('window_start')} GROUP BY tenant_id, outcome, reasons",
            {"start": start_ms, "end": end_ms},
            name="ingest_totals",
            seconds=READ_SECONDS,
        )
        return Counter({(tenant, outcome, reasons): events for tenant, outcome, reasons, events in rows})


class PipelineFigures(Collector):
    """Keeps the newest values of PIPELINE_METRICS and gives them to Prometheus. `run` refreshes them until
    cancelled."""

    def __init__(
        self, history: History, lag: ConsumerLag, hub: LiveHub, *, tenant_labels: bool, score_series: int
    ) -> None:
        """Start with nothing read: what is not known is absent, not 0."""
        self._history = history
        self._lag = lag
        self._hub = hub
        self._tenant_labels = tenant_labels
        self._score_series = score_series
        self._ingest = IngestTotals(history)
        # Replaced as a whole, because Prometheus collects in another thread.
        self._values: dict[PipelineMetric, Mapping[tuple[str, ...], float]] = {}

    def collect(self) -> Iterable[Metric]:
        """Give the newest values."""
        for metric, values in tuple(self._values.items()):
            labels = (
                ("tenant_id", *metric.labels) if self._tenant_labels and metric in TENANT_METRICS else metric.labels
            )
            family = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            made = family(metric.name, metric.description, labels=labels)
            for names, value in values.items():
                made.add_metric(names, value)
            yield made

    def describe(self) -> Iterable[Metric]:
        """Name what `collect` gives, without values."""
        for metric in PIPELINE_METRICS:
            family = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            yield family(metric.name, metric.description, labels=metric.labels)

    async def run(self) -> None:
        """Refresh for ever; a store that does not answer leaves the values as they were."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(COUNTS_SECONDS, self._refresh_counts, "counts"))
            group.create_task(_every(COUNTS_SECONDS, self._refresh_live, "live values"))
            group.create_task(_every(SLOW_SECONDS, self._refresh_late, "late events"))
            group.create_task(_every(SLOW_SECONDS, self._refresh_coverage, "attribution coverage"))
            group.create_task(_every(SLOW_SECONDS, self._refresh_lag, "consumer lag"))

    def _by_tenant(self, counts: Counter[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
        """Return counts by label values: with the tenant if the option asks for it, else summed over tenants."""
        summed: Counter[tuple[str, ...]] = Counter()
        for (tenant, *names), events in counts.items():
            summed[(tenant, *names) if self._tenant_labels else tuple(names)] += events
        return {names: float(events) for names, events in summed.items()}

    async def _refresh_counts(self) -> None:
        await self._ingest.refresh()
        self._values[EVENTS_PROCESSED] = self._by_tenant(Counter(self._ingest.outcomes))
        self._values[EVENTS_QUARANTINED] = self._by_tenant(Counter(self._ingest.reasons))

    async def _refresh_live(self) -> None:
        newest = heapq.nlargest(self._score_series, self._hub.windows(), key=lambda entry: entry[1].end_ms)
        scores: dict[tuple[str, ...], float] = {}
        for tenant_id, window in newest:
            sums = window.sums
            score = kpis(
                sums.impressions, sums.clicks, sums.conversions, sums.cost_micros, sums.revenue_micros
            ).performance_score
            if score is not None:
                scores[tenant_id, *window.key] = score
        self._values[PERFORMANCE_SCORE] = scores
        if self._hub.last_record is not None:
            self._values[SIGNAL_AGE] = {(): max(0.0, time.time() - self._hub.last_record)}

    async def _refresh_late(self) -> None:
        rows = await self._history.rows(
            "SELECT toString(tenant_id), count() FROM late_events FINAL GROUP BY tenant_id",
            {},
            name="late_totals",
            seconds=READ_SECONDS,
        )
        self._values[EVENTS_LATE] = self._by_tenant(Counter({(str(tenant),): int(events) for tenant, events in rows}))

    async def _refresh_coverage(self) -> None:
        # Every model credits the same conversions, so one of them tells.
        rows = await self._history.rows(
            "SELECT countIf(`touches.channel` != [{unattributed:String}]), count() "  # noqa: S608 - values are bound
            "FROM attribution_credits FINAL WHERE model = {model:String} AND "
            f"{since('conversion_time', '{since:Int64}')}",
            {"unattributed": UNATTRIBUTED, "model": Model.LINEAR.value, "since": int(time.time() * 1000) - DAY_MS},
            name="attribution_coverage",
            seconds=READ_SECONDS,
        )
        attributed, conversions = rows[0]
        self._values[ATTRIBUTION_COVERAGE] = {(): attributed / conversions} if conversions else {}

    async def _refresh_lag(self) -> None:
        lag = await asyncio.to_thread(self._lag.read)
        if lag is not None:
            self._values[CONSUMER_LAG] = {(str(partition),): float(records) for partition, records in lag.items()}


async def _every(seconds: float, refresh: Callable[[], Awaitable[Any]], what: str) -> None:
    while True:
        try:
            await refresh()
        except HistoryUnavailable as error:
            log.info("%s not refreshed: %s", what, error)
        except Exception:
            # A fault here must not end the process: the answers do not need these figures.
            log.exception("%s not refreshed", what)
        await asyncio.sleep(seconds)
