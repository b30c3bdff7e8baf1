"""Options that are not allowed are named, with what is."""

from __future__ import annotations

import pytest

from bench.world.faults.catalog import FAULT_GROUPS, INVALID
from bench.world.options import LARGEST_LAP, SMALLEST_LAP, OptionError, WorldOptions, lap_length, parse_faults


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenants", 0),
        ("tenants", ("a", "a")),
        ("tenants", ()),
        ("zipf", -1),
        ("top_share", 1.5),
        ("campaigns", 0),
        ("mix", (0, 0, 0)),
        ("mix", (1, -1, 1)),
        ("report_share", 2),
        ("v2_share", -0.1),
        ("disorder_ms", -1),
        ("too_large_bytes", 1 << 20),
        ("faults", {"gamma_rays": 0.1}),
        ("faults", {"conflict": 0.5, "dup_near": 0.5}),
    ],
)
def test_a_value_that_is_not_allowed_is_named(name, value):
    with pytest.raises(OptionError, match=rf"^{name}: .* is not allowed; allowed: "):
        WorldOptions(**{name: value})


def test_a_group_spreads_its_share():
    shares = parse_faults("dup=0.02,dup_far=0.03,invalid=0.20")
    assert shares["dup_near"] == 0.01
    assert shares["dup_far"] == pytest.approx(0.04)
    assert {name: shares[name] for name in INVALID} == pytest.approx(dict.fromkeys(INVALID, 0.01))
    assert parse_faults("") == {}


@pytest.mark.parametrize("text", ["dup", "dup=much", "dup=-1", "gamma_rays=0.1", "=0.1"])
def test_malformed_faults_are_refused(text):
    with pytest.raises(OptionError, match="not allowed; allowed: "):
        parse_faults(text)


def test_groups_hold_faults_only():
    for members in FAULT_GROUPS.values():
        WorldOptions(faults=dict.fromkeys(members, 0.0))


def test_laps_fit_the_run_and_the_rate():
    assert lap_length(messages=30, rate=1000, asked=None) == 30
    assert lap_length(messages=None, rate=1, asked=None) == SMALLEST_LAP
    assert lap_length(messages=None, rate=20, asked=None) == 20 * 600
    assert lap_length(messages=10**7, rate=15_000, asked=None) == LARGEST_LAP
    assert lap_length(messages=None, rate=1, asked=7) == 7
    with pytest.raises(OptionError, match="lap: 0"):
        lap_length(messages=None, rate=1, asked=0)
