"""Micros and units: exact both ways, and a clear refusal of what is no amount."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.money import MAX_MICROS, to_micros, to_units


@pytest.mark.parametrize(
    ("amount", "micros"),
    [
        ("12.34", 12_340_000),
        (7, 7_000_000),
        (Decimal("-0.000001"), -1),
        ("0.0000005", 0),  # half to even
        ("0.0000015", 2),
        ("1e3", 1_000_000_000),
        ("-0", 0),
    ],
)
def test_amounts_in_micros(amount: Decimal | int | str, micros: int) -> None:
    assert to_micros(amount) == micros


@pytest.mark.parametrize("amount", ["", "twelve", "NaN", "Infinity", "1e13", "-9223372036855", "1e999999"])
def test_what_is_no_amount_is_refused_by_name(amount: str) -> None:
    with pytest.raises(ValueError, match=r"amount is .*; allowed: "):
        to_micros(amount)


@given(st.integers(-MAX_MICROS, MAX_MICROS))
def test_micros_survive_the_way_to_units_and_back(micros: int) -> None:
    units = to_units(micros)
    assert to_micros(units) == micros
    assert units * 1_000_000 == micros
