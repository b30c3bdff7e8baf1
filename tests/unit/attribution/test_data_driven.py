"""Credit by a trained model's effects: always in full, never negative."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.attribution.data_driven import ChannelEffects

effects = st.dictionaries(st.sampled_from("abcdef"), st.floats(-1, 1), max_size=6).map(ChannelEffects)


@given(effects, st.lists(st.sampled_from("abcdefxyz"), max_size=30))
def test_every_path_is_credited_in_full_and_nothing_is_negative(model: ChannelEffects, channels: list[str]) -> None:
    weights = model.path_weights(channels)
    assert len(weights) == len(channels)
    assert all(weight >= 0 for weight in weights)
    assert math.fsum(weights) == (pytest.approx(1) if channels else 0)
    assert math.fsum(model.shares().values()) == (pytest.approx(1) if model.effects else 0)


def test_touches_weigh_by_the_effect_of_their_channel() -> None:
    model = ChannelEffects({"a": 0.5, "b": 0.25, "c": 0.0, "d": -0.25})
    assert model.path_weights(["a", "b", "a"]) == pytest.approx([0.4, 0.2, 0.4])
    assert model.path_weights(["c", "b", "d"]) == [0.0, 1.0, 0.0]
    assert model.path_weights(["c", "d"]) == [0.5, 0.5]
    assert model.path_weights(["d"]) == [1.0]
    # The average of 0.5, 0.25, 0 and 0.
    assert model.path_weights(["new", "a", "b"]) == pytest.approx([0.1875 / 0.9375, 0.5 / 0.9375, 0.25 / 0.9375])
    assert model.negative == ("d",)


def test_without_any_effect_all_channels_are_alike() -> None:
    assert ChannelEffects({"a": 0.0, "b": -1.0}).shares() == {"a": 0.5, "b": 0.5}
    assert ChannelEffects({}).path_weights(["a", "b"]) == [0.5, 0.5]


@pytest.mark.parametrize("effect", [math.nan, math.inf])
def test_an_effect_that_is_no_number_is_refused(effect: float) -> None:
    with pytest.raises(ValueError, match="effect of 'a' is"):
        ChannelEffects({"a": effect})
