"""The yardstick for attribution."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.world.channels import BASE_CONVERSION, CHANNELS
from bench.world.truth import chance, shapley

EFFECTS = {channel.name: channel.effect for channel in CHANNELS}
PATHS = st.dictionaries(st.sampled_from(sorted(EFFECTS)), st.integers(1, 5), max_size=6)


def test_the_chance_of_two_touches_by_hand():
    # 1 - (1 - 0.003) · (1 - 0.3) · (1 - 0.22)
    assert chance(EFFECTS, {"search": 1, "email": 1}) == pytest.approx(1 - 0.997 * 0.7 * 0.78)


def test_shapley_of_two_channels_by_hand():
    alone_search = 1 - 0.997 * 0.7 - 0.003
    alone_email = 1 - 0.997 * 0.78 - 0.003
    both = 1 - 0.997 * 0.7 * 0.78 - 0.003
    values = shapley(EFFECTS, {"search": 1, "email": 1})
    assert values["search"] == pytest.approx((alone_search + both - alone_email) / 2)
    assert values["email"] == pytest.approx((alone_email + both - alone_search) / 2)


@given(PATHS)
def test_deserved_credit_and_base_sum_to_the_chance(path):
    assert sum(shapley(EFFECTS, path).values()) + BASE_CONVERSION == pytest.approx(chance(EFFECTS, path))


def test_the_world_converts_as_often_as_its_truth_says(new_plan, seed):
    statement = new_plan(40_000, tenants=2, mix=(0, 1, 0), edge_share=0, seed=seed, with_lines=False).truth.statement()
    for tenant in statement["tenants"].values():
        expected = sum(tenant["deserved_conversions"].values()) + statement["base"] * tenant["journeys"]
        # Five standard deviations of a sum of independent events.
        assert abs(tenant["conversions"] - expected) < 5 * expected**0.5


def test_without_a_channel_less_is_lost_than_it_deserves(new_plan, seed):
    statement = new_plan(5_000, tenants=1, mix=(0, 1, 0), seed=seed, with_lines=False).truth.statement()
    (tenant,) = statement["tenants"].values()
    # What several channels could each have done alone is lost by none of them.
    for channel, deserved in tenant["deserved_conversions"].items():
        assert 0 < tenant["lost_without"][channel] < deserved
