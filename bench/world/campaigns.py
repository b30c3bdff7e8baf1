"""Campaign events: launches, increments, platform reports and terminations."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from typing import TYPE_CHECKING

from bench.world.records import Draft, Record, metrics
from bench.world.tenants import CampaignPlan, Tenant, flight

if TYPE_CHECKING:
    from random import Random

_AUDIENCES = ("new visitors", "cart abandoners", "loyal customers", "lookalike 2 %", "newsletter")
_TRIGGERS = ("performance_threshold", "budget_reallocation", "manual_trigger")
# Chance that a click leads to a conversion on the platform's own count.
_PLATFORM_CONVERSION_RATE = 0.04


class Campaigns:
    """The campaign events of one tenant in one lap.

    The tenant's campaigns run all the time and are launched once, in the prologue. Flights start and end within the
    lap.
    """

    def __init__(self, tenant: Tenant, expected: int, report_share: float, rng: Random) -> None:
        """`expected` is about how many campaign events the lap has for this tenant; a quarter of its campaigns fly if
        it is enough.
        """
        self._tenant = tenant
        self._rng = rng
        self._report_share = report_share
        # A flight below 20 events would be little more than its launch and its end.
        flights = min(len(tenant.campaigns) // 4, expected // 100)
        self._launches = {(2 * number + 1) * expected // (4 * flights): number for number in range(flights)}
        self._duration = max(20, expected // 4)
        self._endings: list[tuple[int, CampaignPlan]] = []
        self._running = list(tenant.campaigns)
        self._cumulative = list(accumulate(plan.weight for plan in self._running))
        self._sent = 0

    def prologue(self) -> list[Draft]:
        """The launch of every campaign that runs all the time."""
        return [self._launch(plan) for plan in self._tenant.campaigns]

    def next(self) -> Draft:
        """The next campaign event."""
        self._sent += 1
        if self._endings and self._endings[0][0] <= self._sent:
            return self._terminate(self._endings.pop(0)[1])
        if self._sent in self._launches:
            plan = flight(self._tenant, self._launches.pop(self._sent), self._rng)
            self._endings.append((self._sent + self._duration, plan))
            self._running.append(plan)
            self._cumulative.append(self._cumulative[-1] + plan.weight)
            return self._launch(plan)
        place = bisect(self._cumulative, self._rng.random() * self._cumulative[-1])
        plan = self._running[min(place, len(self._running) - 1)]
        if self._rng.random() < self._report_share:
            return self._optimization(plan, report(plan, self._rng))
        return self._optimization(plan, increment(plan, self._tenant.mean_value_micros, self._rng))

    def _launch(self, plan: CampaignPlan) -> Draft:
        record = {
            "envelope": self._tenant.envelope("campaign_launch", plan.channel.platforms[0]),
            "campaign": plan.record(),
            "metrics": metrics("increment", plan.currency),
            "target_audience": self._rng.choice(_AUDIENCES),
            "budget_micros": plan.budget_micros,
            "duration_days": self._rng.choice((7, 14, 30, 90)),
            "creative_ids": [f"{plan.campaign_id}/cr-{number}" for number in range(1, 4)],
        }
        return Draft(self._tenant.tenant_id, "campaign_launch", record)

    def _terminate(self, plan: CampaignPlan) -> Draft:
        place = self._running.index(plan)
        del self._running[place]
        self._cumulative = list(accumulate(running.weight for running in self._running))
        record = {
            "envelope": self._tenant.envelope("campaign_termination", plan.channel.platforms[0]),
            "campaign": plan.record(),
            "metrics": report(plan, self._rng),
            "reason": self._rng.choice(("end date reached", "budget spent", "stopped by hand")),
        }
        return Draft(self._tenant.tenant_id, "campaign_termination", record)

    def _optimization(self, plan: CampaignPlan, numbers: Record) -> Draft:
        return optimization(self._tenant, plan, numbers, self._rng)


def optimization(tenant: Tenant, plan: CampaignPlan, numbers: Record, rng: Random) -> Draft:
    """A campaign_optimization event that carries `numbers`, with one change made to the campaign."""
    changed = rng.randrange(4)
    record = {
        "envelope": tenant.envelope("campaign_optimization", rng.choice(plan.channel.platforms)),
        "campaign": plan.record(),
        "metrics": numbers,
        "trigger": rng.choice(_TRIGGERS),
        "changes": {
            "bid_adjustment": round(rng.uniform(-0.2, 0.2), 3) if changed == 0 else None,
            "audience_targeting": rng.choice(_AUDIENCES) if changed == 1 else None,
            "budget_allocation_micros": plan.budget_micros // 10 if changed == 2 else None,
            "creative_rotation": [f"{plan.campaign_id}/cr-2"] if changed == 3 else None,
        },
    }
    return Draft(tenant.tenant_id, "campaign_optimization", record)


def increment(plan: CampaignPlan, mean_value_micros: int, rng: Random) -> Record:
    """Metrics of one occurrence: an impression, a click or a conversion."""
    kind = rng.random()
    if kind < 0.80:
        cost = int(plan.channel.cpm_micros / 1000 * rng.uniform(0.5, 1.5))
        return metrics("increment", plan.currency, impressions=1, cost_micros=cost)
    # Clicks and conversions are far more frequent here than per impression, so that every ratio of a small run has a
    # meaning.
    if kind < 0.97:
        return metrics("increment", plan.currency, clicks=1, cost_micros=int(rng.uniform(50_000, 900_000)))
    value = int(mean_value_micros * rng.lognormvariate(0, 0.6))
    return metrics("increment", plan.currency, conversions=1, revenue_micros=value)


def report(plan: CampaignPlan, rng: Random) -> Record:
    """Metrics of a platform's reporting period: totals that obey clicks <= impressions and conversions <= clicks."""
    impressions = int(rng.lognormvariate(6.5, 1.0))
    clicks = min(impressions, int(impressions * plan.channel.click_rate * plan.quality * rng.uniform(0.5, 1.6)))
    conversions = min(clicks, int(clicks * _PLATFORM_CONVERSION_RATE * plan.quality * rng.uniform(0.0, 2.5)))
    return metrics(
        "report",
        plan.currency,
        impressions=impressions,
        clicks=clicks,
        conversions=conversions,
        cost_micros=int(impressions * plan.channel.cpm_micros / 1000 * rng.uniform(0.7, 1.3)),
        revenue_micros=int(conversions * rng.lognormvariate(17.9, 0.6)),
    )
