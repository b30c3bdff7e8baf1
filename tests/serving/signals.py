"""Signals and alerts as the pipeline sends them."""

from __future__ import annotations


def window_signal(
    tenant, campaign="c1", end_ms=0, *, channel="email", currency="EUR", revision=0, clicks=20, events=3, created=0
):
    """A `campaign_metrics` signal; the KPIs in it are not read by serving."""
    return {
        "kind": "campaign_metrics",
        "tenant_id": tenant,
        "campaign_id": campaign,
        "channel": channel,
        "currency": currency,
        "window_start": end_ms - 5000,
        "window_end": end_ms,
        "impressions": 400,
        "clicks": clicks,
        "conversions": 2,
        "cost_micros": 10_000_000,
        "revenue_micros": 30_000_000,
        "events": events,
        "newest_created_at": created,
        "performance_score": 0.0,
        "revision": revision,
    }


def attribution_signal(tenant, conversion="v1", time_ms=0, *, revision=3, created=0, calculation_ms=0.4):
    """An `attribution` signal with two touches and two models."""
    return {
        "kind": "attribution",
        "tenant_id": tenant,
        "conversion_id": conversion,
        "customer_id": "u1",
        "journey_id": "j1",
        "conversion_type": "purchase",
        "conversion_time": time_ms,
        "created_at": created,
        "gross_value_micros": 1_000_001,
        "value_micros": 1_000_001,
        "currency": "EUR",
        "revision": revision,
        "touches": [["t1", "email", "c1", time_ms - 2000], ["t2", "search", "", time_ms - 1000]],
        "models": {
            "linear": {"weights": [0.5, 0.5], "credited_micros": [500_001, 500_000]},
            "last_touch": {"weights": [0.0, 1.0], "credited_micros": [0, 1_000_001]},
        },
        "calculation_ms": calculation_ms,
    }


def alert_record(tenant, alert="a1", *, state="raised", updated_ms=0, severity="critical", campaign="c1"):
    """A record of `analytics-alerts`."""
    return {
        "tenant_id": tenant,
        "alert_id": alert,
        "rule": "performance_score_low",
        "severity": severity,
        "state": state,
        "campaign_id": campaign,
        "channel": "email",
        "metric": "performance_score",
        "value": 41.5,
        "threshold": 60.0,
        "opened_at": updated_ms - 1000,
        "updated_at": updated_ms,
        "message": "Performance score below 60",
    }
