"""Anomalies of a campaign's minutes against a seasonal baseline.

The baseline of a metric is its mean and variance in the same hour of the week, learned as the stream goes with
exponentially decreasing weights (West, "Updating
mean and variance estimates", CACM 22(9), 1979, with a floor on the weight of the newest value). Until an hour has
enough samples,
the baseline over all hours stands in. A value is an anomaly when it is 3 standard deviations or more from the mean
(SPEC B6). It is
flagged, never removed, and enters the baseline cut to 3 deviations: a lasting change is learned, a single spike is not.
"""

from __future__ import annotations

import math
from typing import Any

DEVIATIONS = 3.0
MINIMUM_SAMPLES = 30  # below this the standard deviation itself is too uncertain
# Of the newest minute: the memory of an hour of the week is about 100 minutes, the same hour of two weeks.
WEIGHT = 0.01
HOUR_MS = 3_600_000
HOURS_OF_WEEK = 168
METRICS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")


def learn(baseline: list[float], value: float) -> list[float]:
    """Return the baseline [samples, mean, variance] after one more value."""
    samples, mean, variance = baseline
    weight = max(WEIGHT, 1 / (samples + 1))
    difference = value - mean
    mean += weight * difference
    variance = (1 - weight) * (variance + weight * difference * difference)
    return [samples + 1, mean, variance]


def deviations(baseline: list[float], value: float) -> float | None:
    """Return the distance of a value from the mean in standard deviations; None while the baseline says too little.

    A metric that never varied has no standard deviation: it is compared with the square root of its mean, the
    deviation of a count.
    """
    samples, mean, variance = baseline
    if samples < MINIMUM_SAMPLES:
        return None
    spread = math.sqrt(variance) or math.sqrt(abs(mean))
    return (value - mean) / spread if spread else None


def check_minute(state: dict[str, Any], minute: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare one minute of a campaign with its baseline, learn from it, and return the anomalies.

    Args:
        state: of the campaign, channel and currency: metric -> hour of week (or "all") -> baseline; changed in place.
        minute: a `campaign_rollup` signal of grain minute.
    """
    hour = str(minute["bucket_start"] // HOUR_MS % HOURS_OF_WEEK)
    found = []
    for metric in METRICS:
        value = float(minute[metric])
        baselines: dict[str, list[float]] = state.setdefault(metric, {})
        seasonal, overall = baselines.get(hour, [0, 0.0, 0.0]), baselines.get("all", [0, 0.0, 0.0])
        chosen = seasonal if seasonal[0] >= MINIMUM_SAMPLES else overall
        distance = deviations(chosen, value)
        kept = value
        if distance is not None and abs(distance) >= DEVIATIONS:
            expected = chosen[1]
            kept = expected + (value - expected) * DEVIATIONS / abs(distance)
            found.append(
                {
                    "kind": "anomaly",
                    **{
                        name: minute[name]
                        for name in ("tenant_id", "campaign_id", "channel", "currency", "bucket_start")
                    },
                    "metric": metric,
                    "value": value,
                    "expected": expected,
                    "deviations": distance,
                }
            )
        baselines[hour], baselines["all"] = learn(seasonal, kept), learn(overall, kept)
    return found
