"""Settings: the default is valid, and every wrong value is refused with its name, itself, and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from udfs.attribution.settings import AttributionSettings, SettingsError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("models", ()),
        ("models", ("linear", "linear")),
        ("models", ("linear", "guess")),
        ("lookback_ms", 0),
        ("lookback_ms", 366 * 86_400_000),
        ("half_life_ms", 0),
        ("half_life_ms", float("nan")),
        ("position_weights", (0.4, 0.6)),
        ("position_weights", (0.4, -0.2, 0.8)),
        ("position_weights", (0, 0, 0)),
        ("channel_weights", (("email", float("inf")),)),
        ("channel_weights", (("email", -1.0),)),
        ("retention_ms", 86_400_000),
        ("max_touches", 0),
        ("max_conversions", 10_001),
        ("max_refunds", -1),
        ("max_stage_changes", 0),
        ("max_journeys", 0),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        AttributionSettings(**{name: value})
    assert str(caught.value).startswith(f"{name} is {value!r}; allowed: ")


def test_the_extremes_are_allowed() -> None:
    AttributionSettings(
        models=("last_touch",), lookback_ms=3_600_000, retention_ms=3_600_000, position_weights=(0, 1, 0), max_touches=1
    )
