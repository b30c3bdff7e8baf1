"""The seasonal baseline against numpy, and what it flags."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from udfs.anomaly.seasonal import HOUR_MS, MINIMUM_SAMPLES, check_minute, deviations, learn

MINUTE_MS = 60_000


def minute(start: int, value: int) -> dict[str, Any]:
    names = {"tenant_id": "t", "campaign_id": "c", "channel": "email", "currency": "EUR"}
    sums = dict.fromkeys(("impressions", "clicks", "conversions", "cost_micros", "revenue_micros"), value)
    return {**names, "bucket_start": start, **sums}


def test_first_samples_are_plain_mean_and_variance() -> None:
    values = [random.Random(3).gauss(100, 7) for _ in range(90)]
    baseline: list[float] = [0, 0.0, 0.0]
    for value in values:
        baseline = learn(baseline, value)
    assert baseline[0] == 90
    assert baseline[1] == pytest.approx(float(np.mean(values)))
    assert baseline[2] == pytest.approx(float(np.var(values)))


def test_nothing_is_said_before_enough_samples() -> None:
    state: dict[str, Any] = {}
    assert [check_minute(state, minute(n * MINUTE_MS, 10**n if n < 9 else 1)) for n in range(MINIMUM_SAMPLES)] == [
        []
    ] * MINIMUM_SAMPLES


def test_a_spike_is_flagged_and_hardly_learned() -> None:
    state: dict[str, Any] = {}
    source = random.Random(5)
    for n in range(200):
        check_minute(state, minute(n * MINUTE_MS, round(source.gauss(1000, 10))))
    found = check_minute(state, minute(200 * MINUTE_MS, 5000))
    assert {anomaly["metric"] for anomaly in found} == {
        "impressions",
        "clicks",
        "conversions",
        "cost_micros",
        "revenue_micros",
    }
    assert found[0]["deviations"] > 100
    assert found[0]["expected"] == pytest.approx(1000, abs=10)
    assert check_minute(state, minute(201 * MINUTE_MS, 1000)) == []
    assert check_minute(state, minute(202 * MINUTE_MS, 5000))


def test_normal_noise_is_rarely_flagged() -> None:
    state: dict[str, Any] = {}
    source = random.Random(7)
    flagged = sum(
        bool(check_minute(state, minute(n * MINUTE_MS, round(source.gauss(10_000, 100))))) for n in range(3000)
    )
    assert flagged < 60  # 0.27 % of normal values lie beyond 3 deviations; the estimate's own error adds some


def test_each_hour_of_the_week_has_its_own_baseline() -> None:
    state: dict[str, Any] = {}
    week = 168 * HOUR_MS
    source = random.Random(9)
    for round_ in range(3):
        for n in range(60):
            check_minute(state, minute(round_ * week + n * MINUTE_MS, round(source.gauss(100, 3))))
            check_minute(state, minute(round_ * week + 12 * HOUR_MS + n * MINUTE_MS, round(source.gauss(10_000, 100))))
    assert check_minute(state, minute(3 * week, 100)) == []
    assert check_minute(state, minute(3 * week + 12 * HOUR_MS, 10_000)) == []
    assert check_minute(state, minute(3 * week + MINUTE_MS, 10_000))
    assert check_minute(state, minute(3 * week + 12 * HOUR_MS + MINUTE_MS, 100))


def test_a_metric_that_never_varied() -> None:
    assert deviations([100, 0.0, 0.0], 0.0) is None
    assert deviations([100, 25.0, 0.0], 45.0) == pytest.approx(4.0)
