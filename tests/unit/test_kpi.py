"""KPI formulas: SPEC B3, by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.kpi import Kpis, budget_utilization, kpis

count = st.integers(min_value=0, max_value=10**12)


def test_hand_calculated_campaign() -> None:
    # CTR 2.5 % is half of 5 %, CVR 5 % half of 10 %, ROAS 1.5 half of 3: every part at half.
    found = kpis(impressions=4000, clicks=100, conversions=5, cost_micros=200_000_000, revenue_micros=300_000_000)
    assert found == Kpis(0.025, 0.05, 2_000_000.0, 40_000_000.0, 1.5, pytest.approx(50.0))


def test_everything_above_the_full_mark_scores_100() -> None:
    assert kpis(100, 50, 25, 1, 1000).performance_score == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("sums", "undefined"),
    [
        ((0, 0, 0, 0, 0), {"ctr", "conversion_rate", "cpc_micros", "cpa_micros", "roas", "performance_score"}),
        ((10, 0, 0, 0, 0), {"conversion_rate", "cpc_micros", "cpa_micros", "roas"}),
        ((0, 5, 0, 7, 0), {"ctr", "cpa_micros"}),
        ((0, 0, 3, 0, 9), {"ctr", "conversion_rate", "cpc_micros", "roas", "performance_score"}),
    ],
)
def test_zero_denominators_are_undefined(sums: tuple[int, int, int, int, int], undefined: set[str]) -> None:
    found = kpis(*sums)
    assert {name for name in Kpis.__dataclass_fields__ if getattr(found, name) is None} == undefined


@given(count, count, count, count, count)
def test_no_figure_is_nan_infinite_or_out_of_range(i: int, c: int, v: int, cost: int, revenue: int) -> None:
    found = kpis(i, c, v, cost, revenue)
    figures = [getattr(found, name) for name in Kpis.__dataclass_fields__]
    assert all(figure is None or (math.isfinite(figure) and figure >= 0) for figure in figures)
    assert found.performance_score is None or found.performance_score <= 100.0 + 1e-9


def test_budget_utilization() -> None:
    assert budget_utilization(90, 100) == pytest.approx(0.9)
    assert budget_utilization(90, 0) is None
