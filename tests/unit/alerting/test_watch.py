"""What the rules watch: rolling minutes, budgets, baselines, coverage, quarantine."""

from __future__ import annotations

from typing import Any

from udfs.alerting.watch import (
    MINIMUM_CONVERSIONS,
    watch_counts,
    watch_coverage,
    watch_late_spend,
    watch_launch,
    watch_tile,
)


def tile(step: int, **sums: int) -> dict[str, Any]:
    plain = {"impressions": 1000, "clicks": 60, "conversions": 8, "cost_micros": 100, "revenue_micros": 400}
    names = {"tenant_id": "t", "campaign_id": "c", "channel": "email", "currency": "EUR"}
    return {**names, "window_end": 1_000_000 + step * 5000, **plain, **sums}


def feed(state: dict[str, Any], tiles: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    found = [alert for one in tiles for alert in watch_tile(state, one)]
    return [(alert["rule"], alert["state"], alert["updated_at"]) for alert in found]


def test_a_good_campaign_alerts_nobody() -> None:
    assert feed({}, [tile(step) for step in range(100)]) == []


def test_low_performance_is_seen_within_seconds() -> None:
    bad = {"clicks": 2, "conversions": 0, "revenue_micros": 0}
    (alert,) = feed({}, [tile(step, **bad) for step in range(10)])
    # Tiles 0, 1 and 2 breach; each is evaluated when the next one comes.
    assert alert == ("low_performance", "raised", tile(2)["window_end"])


def test_too_little_traffic_is_not_judged() -> None:
    assert feed({}, [tile(step * 12, impressions=99, clicks=0, conversions=0) for step in range(50)]) == []


def test_channels_of_one_campaign_are_judged_together() -> None:
    state: dict[str, Any] = {}
    for step in range(10):
        assert (
            feed(
                state,
                [
                    tile(step, clicks=0, conversions=0, revenue_micros=0, cost_micros=1) | {"channel": "video"},
                    tile(step),
                ],
            )
            == []
        )


def test_budget_counts_windows_and_late_spend_in_the_budgets_currency_only() -> None:
    state: dict[str, Any] = {}
    watch_launch(state, "EUR", 1000, launched_at=5)
    watch_launch(state, "EUR", 1, launched_at=4)  # an older launch that comes later does not count
    assert feed(state, [tile(step) for step in range(9)]) == []  # 900 of 1000 is not above 90 %
    watch_late_spend(state, "USD", 10**9)
    watch_late_spend(state, "EUR", 1)
    assert [rule for rule, _, _ in feed(state, [tile(9, cost_micros=0), tile(10, cost_micros=0)])] == [
        "budget_utilization"
    ]


def test_conversion_rate_is_held_against_the_campaigns_own_past() -> None:
    state: dict[str, Any] = {}
    assert feed(state, [tile(step) for step in range(60)]) == []
    found = feed(state, [tile(60 + step, conversions=3) for step in range(30)])
    assert [rule for rule, _, _ in found][:1] == ["conversion_rate_drop"]


def test_coverage_of_the_newest_conversions() -> None:
    state: dict[str, Any] = {}
    found = [
        alert
        for number in range(100)
        for alert in watch_coverage(state, "t", str(number), number, touched=number % 5 != 0)
    ]
    assert [alert["rule"] for alert in found] == ["attribution_coverage"]
    assert found[0]["opened_at"] == MINIMUM_CONVERSIONS - 1
    # A late touch covers the conversion after all: the revision replaces the first answer.
    cleared = [
        alert for number in range(0, 100, 5) for alert in watch_coverage(state, "t", str(number), 200, touched=True)
    ]
    assert [alert["state"] for alert in cleared] == ["cleared"]


def test_quarantine_rate_of_a_finished_bucket() -> None:
    state: dict[str, Any] = {}
    assert watch_counts(state, "t", [["t", 0, "valid", "", 40], ["t", 0, "quarantined", "bad_magic", 1]]) == []
    assert (
        watch_counts(
            state,
            "t",
            [["t", 0, "valid", "", 90], ["t", 0, "quarantined", "bad_magic", 10], ["t", 0, "accepted", "", 90]],
        )
        == []
    )
    (alert,) = watch_counts(state, "t", [["t", 10_000, "valid", "", 1]])
    assert (alert["rule"], alert["value"], alert["opened_at"]) == ("quarantine_rate", 0.1, 0)
