"""The oracle's alert rules: by hand, and against the pipeline's own over random windows."""

from __future__ import annotations

import pytest

from tests.oracle.alert_rules import changes, decided
from tests.oracle.published import CHANGE, change_key, close
from udfs.alerting.watch import watch_launch, watch_tile

START = 1_760_000_000_000
BUDGET = 40_000_000


def window(place, *, campaign="c", channel="email", currency="EUR", **sums):
    figures = {"impressions": 0, "clicks": 0, "conversions": 0, "cost_micros": 0, "revenue_micros": 0} | sums
    start = START + place * 5_000
    names = {"tenant_id": "t", "campaign_id": campaign, "channel": channel, "currency": currency}
    return names | {"window_start": start, "window_end": start + 5_000} | figures


def end(place):
    return START + place * 5_000 + 5_000


def test_a_low_score_is_raised_at_the_third_window_and_cleared_past_recovery():
    bad = {"impressions": 100, "clicks": 0, "cost_micros": 1}
    good = {"impressions": 100, "clicks": 10, "conversions": 2, "cost_micros": 1, "revenue_micros": 5}
    # The windows of twelve in a row make one minute, so the good ones must outweigh the bad ones first.
    windows = [window(place, **(bad if place < 4 else good)) for place in range(20)]
    raised, cleared = (change for change in reversed(changes(windows)) if change.rule == "low_performance")
    assert (raised.state, raised.opened_at, raised.updated_at, raised.value) == ("raised", end(2), end(2), 0.0)
    assert (cleared.state, cleared.opened_at) == ("cleared", end(2))
    # Five good windows beside four bad ones: CTR 50/900 is full, so is the rest.
    assert cleared.updated_at == end(5)


def test_the_newest_window_is_not_judged_yet():
    windows = [window(place, impressions=100) for place in range(3)]
    assert changes(windows) == []
    assert [change.state for change in changes([*windows, window(3)])] == ["raised"]


def test_spend_is_measured_against_the_budget_of_a_launch_that_came_first():
    windows = [window(place, cost_micros=10_000_000) for place in range(5)]
    (change,) = changes(windows, {("t", "c"): ("EUR", BUDGET, START)})
    assert (change.rule, change.value, change.opened_at) == ("budget_utilization", 1.0, end(2))
    assert changes(windows, {("t", "c"): ("EUR", BUDGET, end(0))}) == []
    assert changes(windows, {("t", "c"): ("USD", BUDGET, START)}) == []


def test_campaigns_of_two_channels_are_left_out():
    windows = [window(place, impressions=100, channel=("email", "social")[place % 2]) for place in range(9)]
    assert decided(windows) == set()
    assert changes(windows) == []


def random_windows(randomness):
    """Windows of a campaign that is good for a while and bad for a while, with pauses."""
    place, windows = 0, []
    while len(windows) < 150:
        good = randomness.random() < 0.5
        for _ in range(randomness.randrange(1, 40)):
            place += randomness.choice((1, 1, 1, 1, 2, 15))
            impressions = randomness.randrange(0, 300)
            clicks = impressions // 10
            sums = {"impressions": impressions, "clicks": clicks, "conversions": clicks // (4 if good else 30)}
            cost = randomness.randrange(0, 500_000)
            money = {"cost_micros": cost, "revenue_micros": cost * (4 if good else 1)}
            windows.append(window(place, **sums, **money))
    return windows


def test_the_pipeline_and_the_oracle_find_the_same(randomness):
    """The same alerts at the same moments with the same figures, of all three rules."""
    seen = set()
    for _ in range(20):
        windows = random_windows(randomness)
        state: dict = {}
        watch_launch(state, "EUR", BUDGET, START)
        found = [alert for one in windows for alert in watch_tile(state, one)]
        shuffled = randomness.sample(windows, len(windows))
        expected = changes(shuffled, {("t", "c"): ("EUR", BUDGET, START)})
        by_key = {change_key(change): change for change in expected}
        assert {tuple(alert[name] for name in CHANGE) for alert in found} == set(by_key)
        for alert in found:
            change = by_key[tuple(alert[name] for name in CHANGE)]
            assert close(alert["value"], change.value)
            assert close(alert["threshold"], change.threshold)
        seen |= {(change.rule, change.state) for change in expected}
    assert {("low_performance", "raised"), ("low_performance", "cleared"), ("budget_utilization", "raised")} <= seen
    assert ("conversion_rate_drop", "raised") in seen


@pytest.mark.parametrize("place", [0, 7])
def test_windows_between_those_that_do_not_overlap_are_passed_over(place):
    windows = [window(number, impressions=100) for number in range(9)]
    between = window(place) | {"window_start": START + place * 5_000 + 1_000, "impressions": 10_000_000}
    assert changes([*windows, between]) == changes(windows)
