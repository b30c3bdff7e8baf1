"""Windows and rollups, calculated by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.oracle import Answer
from tests.unit.oracle.hand_written import NOW, campaign, conversion, touch, write

SECOND = NOW - NOW % 1000


def ms(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)


def test_an_event_is_in_the_five_windows_that_hold_it(tmp_path):
    file = write(tmp_path / "r", campaign("e1", SECOND + 999, clicks=1))
    with Answer(file) as answer:
        windows = answer.rows("SELECT window_start, window_end FROM campaign_metrics ORDER BY ALL")
    assert windows == [(SECOND - back * 1000, SECOND - back * 1000 + 5000) for back in (4, 3, 2, 1, 0)]


def test_a_window_holds_its_start_and_not_its_end(tmp_path):
    file = write(tmp_path / "r", campaign("e1", SECOND, clicks=1), campaign("e2", SECOND + 5000, clicks=10))
    with Answer(file) as answer:
        clicks = dict(answer.rows("SELECT window_start, clicks FROM campaign_metrics"))
    assert clicks[SECOND] == 1
    assert clicks[SECOND + 1000] == 10
    assert set(clicks) == {SECOND + offset * 1000 for offset in range(-4, 6)}


def test_sums_and_score_of_a_window(tmp_path):
    events = [
        campaign("e1", SECOND + 1, impressions=100, cost_micros=400_000),
        campaign("e2", SECOND + 2, kind="report", impressions=100, clicks=4, conversions=1, revenue_micros=900_000),
        campaign("e3", SECOND + 3, clicks=1, conversions=1, cost_micros=200_000),
        touch("t1", SECOND + 4),  # journeys are in no campaign's sums
        conversion("v1", SECOND + 5, 5_000_000),
    ]
    with Answer(write(tmp_path / "r", *events)) as answer:
        rows = answer.rows(
            "SELECT tenant_id, campaign_id, channel, currency, impressions, clicks, conversions, cost_micros, "
            "revenue_micros, events, performance_score FROM campaign_metrics WHERE window_start = ?",
            [SECOND],
        )
    assert rows[0][:-1] == ("acme", "c1", "search", "EUR", 200, 5, 2, 600_000, 900_000, 3)
    # CTR 5/200 is half of 5 %: 15. Conversion rate 2/5 is above 10 %: 30. ROAS 1.5 is half of 3: 20.
    assert rows[0][-1] == pytest.approx(65.0, abs=1e-12)


@pytest.mark.parametrize(
    ("numbers", "score"),
    [
        ({}, None),
        ({"impressions": 10}, 0.0),
        ({"clicks": 1, "conversions": 1}, 30.0),  # no impressions, no cost: only the conversion rate has a figure
        ({"cost_micros": 1, "revenue_micros": 3}, 40.0),
        ({"conversions": 5, "revenue_micros": 7}, None),  # no denominator at all
    ],
)
def test_scores_without_some_denominators(tmp_path, numbers, score):
    with Answer(write(tmp_path / "r", campaign("e1", **numbers))) as answer:
        assert set(answer.rows("SELECT performance_score FROM campaign_metrics")) == {(score,)}


def test_windows_are_kept_apart_by_tenant_campaign_channel_and_currency(tmp_path):
    other_campaign, other_channel = campaign("e3", clicks=1), campaign("e4", clicks=1)
    other_campaign["record"]["campaign"]["campaign_id"] = "c2"
    other_channel["record"]["campaign"]["channel"] = "email"
    events = [campaign("e1", clicks=1), campaign("e2", clicks=1, currency="USD"), other_campaign, other_channel]
    events.append(campaign("e5", clicks=1, tenant="other"))
    with Answer(write(tmp_path / "r", *events)) as answer:
        assert answer.rows("SELECT max(events), count(*) FROM campaign_metrics") == [(1, 25)]


def test_rollups_start_on_the_minute_hour_day_and_monday(tmp_path):
    sunday, monday = ms(2026, 11, 15, 23, 59, 59), ms(2026, 11, 16)
    events = [
        campaign("e1", sunday, clicks=1),
        campaign("e2", monday, clicks=2),
        campaign("e3", monday + 61_000, clicks=4),
    ]
    with Answer(write(tmp_path / "r", *events)) as answer:
        found = answer.rows("SELECT grain, bucket_start, clicks, events FROM campaign_rollups")
    assert sorted(found) == sorted(
        [
            ("minute", ms(2026, 11, 15, 23, 59), 1, 1),
            ("minute", monday, 2, 1),
            ("minute", monday + 60_000, 4, 1),
            ("hour", ms(2026, 11, 15, 23), 1, 1),
            ("hour", monday, 6, 2),
            ("day", ms(2026, 11, 15), 1, 1),
            ("day", monday, 6, 2),
            ("week", ms(2026, 11, 9), 1, 1),
            ("week", monday, 6, 2),
        ]
    )


def test_money_beyond_floats_is_summed_exactly(tmp_path):
    large = 2**53
    events = [campaign("e1", cost_micros=large), campaign("e2", cost_micros=1), campaign("e3", cost_micros=1)]
    with Answer(write(tmp_path / "r", *events)) as answer:
        assert answer.rows("SELECT max(cost_micros) FROM campaign_rollups") == [(large + 2,)]
