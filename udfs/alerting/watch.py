"""What the rules watch: a campaign's rolling minute, budget and baseline, and a tenant's quarantine rate and
attribution coverage.

States are plain dicts of JSON values, changed in place; times are event times in UTC ms.
"""

from __future__ import annotations

from typing import Any

from udfs.alerting.rules import BUDGET, CONVERSION_RATE, COVERAGE, PERFORMANCE, QUARANTINE, evaluate
from udfs.kpi import budget_utilization, kpis

ROLLING_MS = 60_000  # a 5 s window holds too few clicks for a ratio to mean much
MINIMUM_IMPRESSIONS = 100  # below this, one click moves the CTR by a percent point or more
MINIMUM_CLICKS = 50  # the same for the conversion rate
BASELINE_WEIGHT = 0.02  # of the newest evaluation in the running mean: about 50 evaluations, four minutes, of memory
BASELINE_EVALUATIONS = 24  # two minutes of history before a drop can be told from a start
COVERAGE_CONVERSIONS = 100  # the newest conversions over which coverage is measured
MINIMUM_CONVERSIONS = 50
MINIMUM_RECEIVED = 50  # records in one append-time bucket
Alerts = list[dict[str, Any]]


def watch_tile(state: dict[str, Any], signal: dict[str, Any]) -> Alerts:
    """Take in one 5 s window (those that do not overlap) of a campaign; return the alerts that changed.

    When a newer window comes, the rolling minute up to the one before it is complete over all channels, and is
    evaluated. Figures of different currencies are
    watched apart.
    """
    by_currency = state.setdefault("currencies", {})
    mine = by_currency.setdefault(
        signal["currency"], {"tiles": {}, "newest": 0, "spend": 0, "rules": {}, "baseline": [0, 0.0]}
    )
    end = signal["window_end"]
    alerts: Alerts = []
    mine["spend"] += signal["cost_micros"]
    if end > mine["newest"]:
        if mine["newest"]:
            alerts = _evaluate_minute(state, mine, signal)
        mine["newest"] = end
    if end > mine["newest"] - ROLLING_MS:
        sums = mine["tiles"].setdefault(str(end), [0, 0, 0, 0, 0])
        for place, name in enumerate(("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")):
            sums[place] += signal[name]
    return alerts


def _evaluate_minute(state: dict[str, Any], mine: dict[str, Any], signal: dict[str, Any]) -> Alerts:
    newest = mine["newest"]
    mine["tiles"] = {end: sums for end, sums in mine["tiles"].items() if int(end) > newest - ROLLING_MS}
    impressions, clicks, conversions, cost, revenue = (
        sum(column) for column in zip(*mine["tiles"].values(), strict=True)
    )
    figures = kpis(impressions, clicks, conversions, cost, revenue)
    subject = {name: signal[name] for name in ("tenant_id", "campaign_id", "channel")}
    rules = mine["rules"]
    found = []
    if impressions >= MINIMUM_IMPRESSIONS and figures.performance_score is not None:
        found.append(evaluate(PERFORMANCE, rules, figures.performance_score, newest, subject))
    if clicks >= MINIMUM_CLICKS and figures.conversion_rate is not None:
        seen, baseline = mine["baseline"]
        if seen >= BASELINE_EVALUATIONS:
            found.append(evaluate(CONVERSION_RATE, rules, figures.conversion_rate, newest, subject, baseline))
        weight = max(BASELINE_WEIGHT, 1 / (seen + 1))
        mine["baseline"] = [seen + 1, baseline + weight * (figures.conversion_rate - baseline)]
    found.append(_check_budget(state, mine, newest, subject, signal["currency"]))
    return [alert for alert in found if alert]


def _check_budget(
    state: dict[str, Any], mine: dict[str, Any], time_ms: int, subject: dict[str, str], currency: str
) -> dict[str, Any] | None:
    budget = state.get("budget")
    if not budget or budget[0] != currency:
        return None
    used = budget_utilization(mine["spend"], budget[1])
    return None if used is None else evaluate(BUDGET, mine["rules"], used, time_ms, subject)


def watch_launch(state: dict[str, Any], currency: str, budget_micros: int, launched_at: int) -> None:
    """Take in a campaign's budget; of several launches the newest counts."""
    held = state.get("budget")
    if not held or launched_at >= held[2]:
        state["budget"] = [currency, budget_micros, launched_at]


def watch_late_spend(state: dict[str, Any], currency: str, cost_micros: int) -> None:
    """Add spend that came too late for its window."""
    mine = state.get("currencies", {}).get(currency)
    if mine is not None:
        mine["spend"] += cost_micros


def watch_conversions(state: dict[str, Any], tenant_id: str, facts: list[tuple[str, int, bool]]) -> Alerts:
    """Take in attributed conversions of a tenant in order, each (conversion id, its time in ms, touched)."""
    alerts: Alerts = []
    for conversion_id, time_ms, touched in facts:
        alerts += watch_coverage(state, tenant_id, conversion_id, time_ms, touched=touched)
    return alerts


def watch_coverage(state: dict[str, Any], tenant_id: str, conversion_id: str, time_ms: int, *, touched: bool) -> Alerts:
    """Take in one attributed conversion of a tenant; a later revision of the same conversion replaces the earlier."""
    newest: dict[str, bool] = state.setdefault("conversions", {})
    newest.pop(conversion_id, None)
    newest[conversion_id] = touched
    while len(newest) > COVERAGE_CONVERSIONS:
        del newest[next(iter(newest))]
    if len(newest) < MINIMUM_CONVERSIONS:
        return []
    subject = {"tenant_id": tenant_id, "campaign_id": "", "channel": ""}
    alert = evaluate(COVERAGE, state.setdefault("rules", {}), sum(newest.values()) / len(newest), time_ms, subject)
    return [alert] if alert else []


def watch_counts(state: dict[str, Any], tenant_id: str, totals: list[list[Any]]) -> Alerts:
    """Take in new totals [tenant, bucket ms, outcome, reasons, n] of a tenant.

    Evaluate a bucket when a newer one begins.
    """
    alerts: Alerts = []
    for _, bucket, outcome, reasons, number in sorted(totals, key=lambda total: total[1]):
        if outcome not in {"valid", "quarantined"}:
            continue
        held = state.get("bucket", 0)
        if bucket > held:
            counted: dict[str, int] = state.get("counted", {})
            refused = sum(n for name, n in counted.items() if name)
            received = refused + counted.get("", 0)
            if received >= MINIMUM_RECEIVED:
                subject = {"tenant_id": tenant_id, "campaign_id": "", "channel": ""}
                alert = evaluate(QUARANTINE, state.setdefault("rules", {}), refused / received, held, subject)
                alerts += [alert] if alert else []
            state["bucket"], state["counted"] = bucket, {}
        if bucket >= held:
            state.setdefault("counted", {})[reasons] = number
    return alerts
