"""Every metric of the serving process: its name, what it means, and its labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Calls answered from Redis take about 2 ms, long queries seconds.
CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ServingMetrics:
    """The metrics that calls and the live feed write to; one per process, in its own registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make and register every metric."""
        self.registry = registry or CollectorRegistry()
        self.calls = Counter(
            "serving_calls_total", "Calls answered, by status code.", ("service", "method", "code"), registry=self.registry
        )
        self.call_seconds = Histogram(
            "serving_call_seconds",
            "Time from a call's arrival to its answer; for a stream to its end.",
            ("service", "method"),
            buckets=CALL_BUCKETS,
            registry=self.registry,
        )
        self.streams = Gauge("serving_streams", "Live streams open now.", ("service", "method"), registry=self.registry)

    def observe_call(self, service: str, method: str, code: str, seconds: float) -> None:
        """Count one finished call."""
        self.calls.labels(service, method, code).inc()
        self.call_seconds.labels(service, method).observe(seconds)
