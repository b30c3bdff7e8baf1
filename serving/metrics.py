"""Every metric of the serving process: its name, what it means, and its labels. No metric is named anywhere else.

`ServingMetrics` is what calls and the live feed write to. `PIPELINE_METRICS` are read from the stores and from Kafka by
`serving/observability`, which keeps their values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Calls answered from Redis take about 2 ms, long queries seconds.
CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# The promise is 5 s for metrics and 30 s for attribution.
LATENCY_BUCKETS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 300.0)
CALCULATION_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)


class Kind(StrEnum):
    """How a value behaves: a counter only grows."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class PipelineMetric:
    """A metric whose values are read from elsewhere. A counter's name is written without `_total`, which Prometheus
    adds."""

    name: str
    description: str
    labels: tuple[str, ...]
    kind: Kind


EVENTS_PROCESSED = PipelineMetric(
    "marketing_events_processed",
    "Records of marketing-events by what became of them: accepted, duplicate, quarantined. Absolute, from the store.",
    ("outcome",),
    Kind.COUNTER,
)
EVENTS_QUARANTINED = PipelineMetric(
    "marketing_events_quarantined",
    "Quarantined records by reason code; a record that broke several rules counts in each.",
    ("reason",),
    Kind.COUNTER,
)
EVENTS_LATE = PipelineMetric(
    "marketing_events_late",
    "Accepted events that came after the watermark. They are in every figure.",
    (),
    Kind.COUNTER,
)
ATTRIBUTION_COVERAGE = PipelineMetric(
    "attribution_coverage_ratio",
    "Share of the conversions of the last 24 hours that have at least one touch. Absent without conversions.",
    (),
    Kind.GAUGE,
)
CONSUMER_LAG = PipelineMetric(
    "pipeline_consumer_lag_records",
    "Records of marketing-events after the offsets that the measurement job has committed with its newest checkpoint.",
    ("partition",),
    Kind.GAUGE,
)
PERFORMANCE_SCORE = PipelineMetric(
    "campaign_performance_score",
    "Performance score (0 to 100) of a campaign's newest five-second window. Absent after five quiet minutes.",
    ("tenant_id", "campaign_id", "channel", "currency"),
    Kind.GAUGE,
)
SIGNAL_AGE = PipelineMetric(
    "analytics_signal_age_seconds", "Time since the last signal or alert reached this process.", (), Kind.GAUGE
)

PIPELINE_METRICS = (
    EVENTS_PROCESSED,
    EVENTS_QUARANTINED,
    EVENTS_LATE,
    ATTRIBUTION_COVERAGE,
    CONSUMER_LAG,
    PERFORMANCE_SCORE,
    SIGNAL_AGE,
)
# Those that get the label tenant_id when the option asks for it.
TENANT_METRICS = (EVENTS_PROCESSED, EVENTS_QUARANTINED, EVENTS_LATE)


class ServingMetrics:
    """The metrics that calls, reads of the stores and the live feed write to; one per process, in its own registry."""

    def __init__(self) -> None:
        """Make and register every metric."""
        self.registry = registry = CollectorRegistry()
        self.pipeline_latency = Histogram(
            "analytics_pipeline_latency_seconds",
            "From the creation of an event to its visibility in an answer of this process, by stage: the newest event "
            "of a campaign's window (campaign_metrics), a conversion (attribution).",
            ("stage",),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.attribution_calculation = Histogram(
            "attribution_calculation_time_seconds",
            "Time to calculate the credits of one conversion, all models, in the pipeline.",
            buckets=CALCULATION_BUCKETS,
            registry=registry,
        )
        self.calls = Counter(
            "serving_calls_total", "Calls answered, by status code.", ("service", "method", "code"), registry=registry
        )
        self.call_seconds = Histogram(
            "serving_call_seconds",
            "Time from a call's arrival to its answer. Streams are not in it.",
            ("service", "method"),
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.streams = Gauge("serving_streams", "Live streams open now.", ("service", "method"), registry=registry)
        self.store_seconds = Histogram(
            "serving_store_seconds",
            "Time of one read of a store (history: ClickHouse; hot_store: Redis), by outcome.",
            ("store", "query", "outcome"),
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.store_up = Gauge(
            "serving_store_up", "1 when the store answered its last probe.", ("store",), registry=registry
        )
        self.hot_store_reads = Counter(
            "serving_hot_store_reads_total",
            "Campaigns looked up in Redis: hit or miss.",
            ("result",),
            registry=registry,
        )
        self.answers = Counter(
            "serving_answers_total",
            "Questions about stored figures by how they were answered: cache, shared (computed for another caller at "
            "the same moment), computed.",
            ("origin",),
            registry=registry,
        )
        self.malformed_records = Counter(
            "serving_malformed_records_total",
            "Records of a topic, or entries of the hot store, ignored because they are not as the contract says.",
            ("source",),
            registry=registry,
        )
        self.feed_failures = Counter(
            "serving_live_feed_failures_total", "Faults after which the live feed connected anew.", registry=registry
        )
