"""Largest-remainder apportionment: exact, fair to one micro, symmetric, deterministic."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.attribution.apportion import apportion

totals = st.one_of(st.integers(-1000, 1000), st.integers(-(2**63), 2**63))
weights = st.lists(
    st.one_of(st.integers(0, 100).map(float), st.floats(0, 1, allow_subnormal=False), st.floats(0, 1e300)),
    min_size=1,
    max_size=60,
).filter(any)


@given(totals, weights)
def test_parts_sum_exactly_and_none_flips_its_sign(total: int, shares: list[float]) -> None:
    parts = apportion(total, shares)
    assert sum(parts) == total
    assert all(part * total >= 0 for part in parts)
    assert all(part == 0 for part, share in zip(parts, shares, strict=True) if share == 0)


@given(totals, weights)
def test_a_negative_total_is_the_mirror_image(total: int, shares: list[float]) -> None:
    assert apportion(-total, shares) == [-part for part in apportion(total, shares)]


@given(totals, st.lists(st.integers(0, 10_000), min_size=1, max_size=40).filter(any))
def test_every_part_lies_within_one_micro_of_its_quota(total: int, shares: list[int]) -> None:
    exact = [Fraction(total) * share / sum(shares) for share in shares]
    assert all(abs(part - quota) < 1 for part, quota in zip(apportion(total, shares), exact, strict=True))


@given(
    st.integers(0, 10**12), st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any), st.integers(-40, 40)
)
def test_the_scale_of_the_weights_does_not_matter(total: int, shares: list[int], power: int) -> None:
    assert apportion(total, shares) == apportion(total, [math.ldexp(share, power) for share in shares])


@given(st.integers(0, 10**12), st.integers(1, 50))
def test_equal_remainders_go_to_the_earlier_entries(total: int, entries: int) -> None:
    each, left = divmod(total, entries)
    assert apportion(total, [1.0 / entries] * entries) == [each + 1] * left + [each] * (entries - left)


def test_worked_example() -> None:
    # Quotas of 100 by 1:1:1 and of 10 by 5:3:1 (5.56, 3.33, 1.11): by hand.
    assert apportion(100, [1, 1, 1]) == [34, 33, 33]
    assert apportion(10, [5, 3, 1]) == [6, 3, 1]
    assert apportion(-10, [5, 3, 1]) == [-6, -3, -1]
    assert apportion(0, [0.4, 0.2, 0.4]) == [0, 0, 0]
    assert apportion(7, [0.0, 1.0]) == [0, 7]


@pytest.mark.parametrize(
    ("total", "shares"),
    [
        (1, []),
        (1, [0.0, 0.0]),
        (1, [-1.0, 2.0]),
        (1, [math.nan, 1.0]),
        (1, [1.0, math.nan]),
        (1, [math.inf]),
        (0, [-1.0]),
        (0, [math.nan]),
    ],
)
def test_weights_that_share_nothing_are_refused(total: int, shares: list[float]) -> None:
    with pytest.raises(ValueError, match="cannot share"):
        apportion(total, shares)


def test_nothing_is_shared_by_nothing() -> None:
    assert apportion(0, []) == []
    assert apportion(0, [0.0, 0.0]) == [0, 0]
