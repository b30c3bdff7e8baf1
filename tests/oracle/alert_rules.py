"""The built-in rules of campaigns, computed from windows: which alerts must have been raised and cleared, and when.

Written from the section Rules of docs/data-contract.md. The windows are those that the stream itself counted (revision
0): the rules watch the stream. Left out is what depends on the order in which things arrived: campaigns with several
channels, budgets with late spend or more than one launch, and the tenants' rules on coverage and quarantine.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WINDOW_MS, MINUTE_MS = 5_000, 60_000
SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")
COMPARED = ("low_performance", "conversion_rate_drop", "budget_utilization")


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """An alert that was raised or cleared; times in UTC ms."""

    tenant_id: str
    campaign_id: str
    rule: str
    state: str
    opened_at: int
    updated_at: int
    value: float
    threshold: float


@dataclass(slots=True)
class Life:
    """A rule at one subject: breached by `sign * value > sign * threshold`, `hold` times in a row to be raised."""

    rule: str
    sign: int
    hold: int
    in_a_row: int = 0
    opened_at: int = 0

    def see(self, value: float, threshold: float, recovery: float, at: int) -> tuple[str, int, float] | None:
        """Take in a value; return (state, opened at, value) when the alert changes."""
        if self.sign * value > self.sign * threshold:
            self.in_a_row += 1
            if self.in_a_row >= self.hold and not self.opened_at:
                self.opened_at = at
                return "raised", at, value
            return None
        self.in_a_row = 0
        if self.opened_at and self.sign * value <= self.sign * recovery:
            opened, self.opened_at = self.opened_at, 0
            return "cleared", opened, value
        return None


Subject = tuple[str, str]


def decided(windows: Iterable[Mapping[str, Any]]) -> set[Subject]:
    """Return the (tenant, campaign) whose rules do not depend on an order of arrival: those with one channel."""
    channels: dict[Subject, set[str]] = defaultdict(set)
    for window in windows:
        channels[window["tenant_id"], window["campaign_id"]].add(window["channel"])
    return {subject for subject, found in channels.items() if len(found) == 1}


def changes(
    windows: Iterable[Mapping[str, Any]], budgets: Mapping[Subject, tuple[str, int, int]] | None = None
) -> list[Change]:
    """Return every change of an alert, in order.

    Args:
        windows: `campaign_metrics` signals of revision 0, one a window, of any order; those that do not begin at a
            multiple of five seconds are passed over, because the rules watch windows that do not overlap.
        budgets: (tenant, campaign) -> currency, budget in micros, launch (UTC ms). Used where the launch lies before
            the end of the first window.
    """
    windows = [window for window in windows if window["window_start"] % WINDOW_MS == 0]
    subjects = decided(windows)
    series: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for window in windows:
        if (window["tenant_id"], window["campaign_id"]) in subjects:
            series[window["tenant_id"], window["campaign_id"], window["currency"]].append(window)
    found: list[Change] = []
    for (tenant_id, campaign_id, currency), own in series.items():
        own.sort(key=lambda window: window["window_end"])
        budget = (budgets or {}).get((tenant_id, campaign_id))
        if budget and (budget[0] != currency or budget[2] >= own[0]["window_end"]):
            budget = None
        found += _of_series(tenant_id, campaign_id, own, budget[1] if budget else 0)
    return sorted(found)


def _of_series(tenant_id: str, campaign_id: str, own: list[Mapping[str, Any]], budget: int) -> Iterable[Change]:
    performance, rate = Life("low_performance", -1, 3), Life("conversion_rate_drop", -1, 3)
    spending = Life("budget_utilization", 1, 1)
    usual, learned = 0.0, 0
    spend = own[0]["cost_micros"]
    for place, (last, following) in enumerate(pairwise(own)):
        at = last["window_end"]
        # What was spent includes the window that shows that the one before is complete.
        spend += following["cost_micros"]
        minute = [one for one in own[: place + 1] if one["window_end"] > at - MINUTE_MS]
        impressions, clicks, conversions, cost, revenue = (sum(one[name] for one in minute) for name in SUMS)
        seen: list[tuple[Life, float, float, float]] = []
        if impressions >= 100:
            score = 30 * min(clicks / impressions / 0.05, 1)
            score += 30 * min((conversions / clicks if clicks else 0) / 0.1, 1)
            score += 40 * min((revenue / cost if cost else 0) / 3, 1)
            seen.append((performance, score, 60.0, 65.0))
        if clicks >= 50:
            now = conversions / clicks
            if learned >= 24:
                seen.append((rate, now, 0.7 * usual, 0.8 * usual))
            learned += 1
            usual += max(0.02, 1 / learned) * (now - usual)
        if budget:
            seen.append((spending, spend / budget, 0.9, 0.85))
        for life, value, threshold, recovery in seen:
            if change := life.see(value, threshold, recovery, at):
                state, opened, shown = change
                yield Change(tenant_id, campaign_id, life.rule, state, opened, at, shown, threshold)
