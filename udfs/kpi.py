"""Key performance indicators of a campaign: the one place that holds their formulas.

All take integer counts and integer micros of one currency. A ratio whose denominator is 0 is undefined and is None: it
is
never 0, NaN or infinite, and whoever shows it says that there is no figure.
"""

from __future__ import annotations

from dataclasses import dataclass

# The marks at which a part of the performance score is full (SPEC B3): CTR 5 %, conversion rate 10 %, ROAS 3.
FULL_CTR = 0.05
FULL_CONVERSION_RATE = 0.10
FULL_ROAS = 3.0
WEIGHT_CTR = 0.3
WEIGHT_CONVERSION_RATE = 0.3
WEIGHT_ROAS = 0.4


@dataclass(frozen=True, slots=True)
class Kpis:
    """KPIs of one set of sums.

    `ctr`, `conversion_rate` and `roas` are fractions, `cpc_micros` and `cpa_micros` micros of the sums' currency,
    `performance_score` lies in 0..100. Each is None where its denominator is 0.
    """

    ctr: float | None
    conversion_rate: float | None
    cpc_micros: float | None
    cpa_micros: float | None
    roas: float | None
    performance_score: float | None


def ratio(numerator: int, denominator: int) -> float | None:
    """Return numerator / denominator, or None when the denominator is 0."""
    return numerator / denominator if denominator else None


def performance_score(ctr: float | None, conversion_rate: float | None, roas: float | None) -> float | None:
    """Return 100·(0.3·min(CTR/0.05, 1) + 0.3·min(CVR/0.10, 1) + 0.4·min(ROAS/3, 1)), a figure in 0..100.

    An undefined part counts 0 as long as another part is defined: a campaign with impressions and no click has no
    conversion
    rate, and its score must not look better for that. None when no part is defined, which means that nothing happened.
    """
    if ctr is None and conversion_rate is None and roas is None:
        return None
    return 100.0 * (
        WEIGHT_CTR * min((ctr or 0.0) / FULL_CTR, 1.0)
        + WEIGHT_CONVERSION_RATE * min((conversion_rate or 0.0) / FULL_CONVERSION_RATE, 1.0)
        + WEIGHT_ROAS * min((roas or 0.0) / FULL_ROAS, 1.0)
    )


def kpis(impressions: int, clicks: int, conversions: int, cost_micros: int, revenue_micros: int) -> Kpis:
    """Compute every KPI of one set of sums (counts, and micros of one currency)."""
    ctr = ratio(clicks, impressions)
    conversion_rate = ratio(conversions, clicks)
    roas = ratio(revenue_micros, cost_micros)
    return Kpis(
        ctr=ctr,
        conversion_rate=conversion_rate,
        cpc_micros=ratio(cost_micros, clicks),
        cpa_micros=ratio(cost_micros, conversions),
        roas=roas,
        performance_score=performance_score(ctr, conversion_rate, roas),
    )


def budget_utilization(spend_micros: int, budget_micros: int) -> float | None:
    """Return spend as a fraction of the budget, both in micros of one currency; None without a budget."""
    return ratio(spend_micros, budget_micros)
