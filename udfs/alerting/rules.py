"""The built-in alert rules and their life: held before they are raised, and cleared only past a recovery threshold.

A rule is evaluated on a value at an event time. It is raised after `hold` breaches in a row, so that one odd window
alerts nobody, and cleared when the value
is back past `recovery`, which lies on the good side of the threshold, so that a value that hovers at the threshold
does not flap.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How urgent an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: breached when `metric` is below (or above) `threshold`, for `hold` evaluations in a row."""

    name: str
    metric: str
    severity: Severity
    threshold: float
    recovery: float
    below: bool
    hold: int

    def breached(self, value: float, threshold: float) -> bool:
        """Tell whether the value is on the wrong side of the threshold."""
        return value < threshold if self.below else value > threshold

    def recovered(self, value: float, recovery: float) -> bool:
        """Tell whether the value is back on the good side of the recovery threshold."""
        return value >= recovery if self.below else value <= recovery


# Thresholds: SPEC G1. Recovery lies a little on the good side of each. Three evaluations of 5 s filter out a single
# bad window.
PERFORMANCE = Rule("low_performance", "performance_score", Severity.WARNING, 60.0, 65.0, below=True, hold=3)
BUDGET = Rule("budget_utilization", "budget_utilization", Severity.CRITICAL, 0.9, 0.85, below=False, hold=1)
# The thresholds are factors of the campaign's own baseline.
CONVERSION_RATE = Rule("conversion_rate_drop", "conversion_rate", Severity.WARNING, 0.7, 0.8, below=True, hold=3)
COVERAGE = Rule("attribution_coverage", "attribution_coverage", Severity.WARNING, 0.85, 0.9, below=True, hold=1)
# More than one refused event in twenty is a broken producer, not noise.
QUARANTINE = Rule("quarantine_rate", "quarantine_rate", Severity.CRITICAL, 0.05, 0.02, below=False, hold=1)


def evaluate(
    rule: Rule,
    state: dict[str, list[Any]],
    value: float,
    time_ms: int,
    subject: dict[str, str],
    baseline: float = 1.0,
) -> dict[str, Any] | None:
    """Evaluate a rule on one value and return the alert that changed, or None.

    Args:
        rule: the rule.
        state: kept between evaluations of one subject: rule name -> [breaches in a row, opened at ms or 0]; changed in
        place.
        value: the metric's value.
        time_ms: event time of the value, UTC ms. The alert's id is made of it, so that a replay writes the same alert.
        subject: `tenant_id`, `campaign_id`, `channel` of the alert.
        baseline: factor of both thresholds, for rules relative to a baseline.
    """
    breaches, opened_at = state.get(rule.name, [0, 0])
    threshold, recovery = rule.threshold * baseline, rule.recovery * baseline
    change = None
    if rule.breached(value, threshold):
        breaches += 1
        if not opened_at and breaches >= rule.hold:
            opened_at = time_ms
            change = "raised"
    elif rule.recovered(value, recovery):
        breaches = 0
        if opened_at:
            change = "cleared"
    else:
        breaches = 0
    state[rule.name] = [breaches, 0 if change == "cleared" else opened_at]
    if change is None:
        return None
    identity = "\n".join((subject["tenant_id"], rule.name, subject["campaign_id"], str(opened_at)))
    return {
        "alert_id": hashlib.sha256(identity.encode()).hexdigest()[:24],
        "rule": rule.name,
        "severity": rule.severity.value,
        "state": change,
        **subject,
        "metric": rule.metric,
        "value": value,
        "threshold": threshold,
        "opened_at": opened_at,
        "updated_at": time_ms,
        "message": message(rule, change, value, threshold),
    }


def message(rule: Rule, change: str, value: float, threshold: float) -> str:
    """Say in a sentence what happened and, for a budget, what is proposed."""
    what = rule.metric.replace("_", " ")
    if change == "cleared":
        return f"{what} is back at {value:.4g}"
    side = "below" if rule.below else "above"
    advice = "; consider pausing the campaign" if rule is BUDGET else ""
    return f"{what} is {value:.4g}, {side} {threshold:.4g}{advice}"
