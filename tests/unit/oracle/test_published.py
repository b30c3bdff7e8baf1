"""The comparison of what was published: nothing in right signals, entries and alerts, and every kind of fault in wrong
ones."""

from __future__ import annotations

import json

import pytest

from tests.oracle import Answer
from tests.oracle.alert_rules import changes
from tests.oracle.attribution import largest_remainder
from tests.oracle.published import CAMPAIGN, FIGURES, SUMS, compare_alerts, compare_cache, compare_signals
from tests.unit.oracle.hand_written import NOW, campaign, conversion, touch, write

SECOND = NOW - NOW % 60_000


def window_signal(key, figures):
    """A window as the pipeline publishes it, with its ratios."""
    impressions, clicks, conversions, cost, revenue = (figures[name] for name in SUMS)
    ratios = {
        "ctr": clicks / impressions if impressions else None,
        "conversion_rate": conversions / clicks if clicks else None,
        "roas": revenue / cost if cost else None,
        "cpc_micros": cost / clicks if clicks else None,
        "cpa_micros": cost / conversions if conversions else None,
    }
    score = None
    if any(ratios[name] is not None for name in ("ctr", "conversion_rate", "roas")):
        marks = (("ctr", 0.05, 0.3), ("conversion_rate", 0.1, 0.3), ("roas", 3.0, 0.4))
        score = 100 * sum(weight * min((ratios[name] or 0) / mark, 1) for name, mark, weight in marks)
    names = dict(zip((*CAMPAIGN, "window_start"), key, strict=True))
    end = {"window_end": key[-1] + 5_000, "performance_score": score, "revision": 0}
    return {"kind": "campaign_metrics"} | names | figures | ratios | end


@pytest.fixture
def answer(tmp_path):
    events = [
        campaign(f"e{place}", SECOND + place * 1_000, impressions=400, clicks=4, cost_micros=1_000_000)
        for place in range(40)
    ]
    events += [touch("t1", SECOND), touch("t2", SECOND + 1, "social"), conversion("v1", SECOND + 2, 5_000_001)]
    with Answer(write(tmp_path / "r", *events)) as computed:
        yield computed


@pytest.fixture
def signals(answer):
    names = ", ".join(FIGURES)
    made = [
        window_signal(row[:5], dict(zip(FIGURES, row[5:], strict=True)))
        for row in answer.rows(f"SELECT {', '.join(CAMPAIGN)}, window_start, {names} FROM campaign_metrics")
    ]
    for row in answer.rows(
        f"SELECT {', '.join(CAMPAIGN)}, bucket_start, {names} FROM campaign_rollups WHERE grain = 'minute'"
    ):
        key = dict(zip((*CAMPAIGN, "bucket_start"), row[:5], strict=True))
        made.append({"kind": "campaign_rollup", "revision": 0} | key | dict(zip(FIGURES, row[5:], strict=True)))
    for found in answer.conversions():
        weights = {model: found.weights(model) for model in found.models}
        made.append(
            {
                "kind": "attribution",
                "tenant_id": found.tenant_id,
                "conversion_id": found.conversion_id,
                "customer_id": found.customer_id,
                "journey_id": found.journey_id,
                "conversion_type": found.conversion_type,
                "conversion_time": found.time,
                "currency": found.currency,
                "gross_value_micros": found.gross,
                "value_micros": found.net,
                "revision": 3,
                "touches": [[one.touchpoint_id, one.channel, one.campaign_id, one.time] for one in found.entries],
                "models": {
                    model: {
                        "weights": [float(weight) for weight in shares],
                        "credited_micros": largest_remainder(found.net, shares),
                    }
                    for model, shares in weights.items()
                },
            }
        )
    return made


def of(signals, kind):
    return next(signal for signal in signals if signal["kind"] == kind)


def test_right_signals_do_not_differ_also_when_repeated(answer, signals):
    assert {signal["kind"] for signal in signals} == {"campaign_metrics", "campaign_rollup", "attribution"}
    assert compare_signals(answer, signals) == []
    assert compare_signals(answer, [*signals, *signals]) == []


@pytest.mark.parametrize(
    ("kind", "forgery"),
    [
        ("campaign_metrics", {"clicks": 5}),
        ("campaign_metrics", {"cpc_micros": 1.0}),
        ("campaign_metrics", {"performance_score": 11.0}),
        ("campaign_metrics", {"events": 9}),
        ("campaign_rollup", {"cost_micros": 1}),
        ("attribution", {"value_micros": 5_000_000}),
        ("attribution", {"touches": [["t2", "social", "", SECOND + 1], ["t1", "email", "", SECOND]]}),
        ("attribution", {"models": {}}),
    ],
)
def test_a_wrong_figure_is_found(answer, signals, kind, forgery):
    of(signals, kind).update(forgery)
    (difference,) = compare_signals(answer, signals)
    assert (difference.table, difference.missing, difference.unexpected) == (f"signals {kind}", 0, 0)
    assert difference.wrong == 1


def test_a_micro_credited_to_another_touch_is_found(answer, signals):
    credited = of(signals, "attribution")["models"]["linear"]["credited_micros"]
    credited[0], credited[1] = credited[0] - 5, credited[1] + 5
    (difference,) = compare_signals(answer, signals)
    assert difference.wrong == 1
    assert "linear" in difference.shown[0]


@pytest.mark.parametrize("kind", ["campaign_metrics", "campaign_rollup", "attribution"])
def test_a_lost_and_a_strange_signal_are_found(answer, signals, kind):
    gone = of(signals, kind)
    rest = [signal for signal in signals if signal is not gone]
    name = "conversion_id" if kind == "attribution" else "campaign_id"
    (difference,) = compare_signals(answer, [*rest, gone | {name: "strange"}])
    assert (difference.missing, difference.unexpected, difference.wrong) == (1, 1, 0)
    assert compare_signals(answer, [*signals, gone | {"tenant_id": "stranger"}], ["acme"]) == []


def test_a_stale_window_is_right_when_a_revision_covers_it_and_only_then(answer, signals):
    stale = of(signals, "campaign_metrics")
    second = stale["window_start"] + 3_000
    stale.update(window_signal(tuple(stale[n] for n in (*CAMPAIGN, "window_start")), dict.fromkeys(FIGURES, 0)))
    revision = {"kind": "revision", "grain": "window", "start": second} | {name: stale[name] for name in CAMPAIGN}
    assert compare_signals(answer, signals)
    assert compare_signals(answer, [*signals, revision]) == []
    assert compare_signals(answer, [*signals, revision | {"start": second + 2_000}])
    assert compare_signals(answer, [*signals, revision | {"grain": "minute"}])
    # A revision excuses too little, never too much.
    stale["events"] = 1_000
    assert compare_signals(answer, [*signals, revision])


def test_of_two_revisions_the_higher_counts(answer, signals):
    right = of(signals, "attribution")
    older, newer = right | {"revision": 2, "value_micros": 0}, right | {"revision": 4, "value_micros": 0}
    assert compare_signals(answer, [*signals, older]) == []
    assert compare_signals(answer, [*signals, newer])


def test_cache_entries_are_the_newest_windows(signals):
    windows = [signal for signal in signals if signal["kind"] == "campaign_metrics"]
    newest = max(windows, key=lambda signal: signal["window_start"])
    before = min(windows, key=lambda signal: signal["window_start"])
    place, now = ("metrics:campaign:acme:c1", "search|EUR"), newest["window_end"]
    assert compare_cache(signals, {place: json.dumps(newest)}, now) == []
    for wrong in (before, newest | {"clicks": 1_000}, newest | {"ctr": 0.5}):
        (difference,) = compare_cache(signals, {place: json.dumps(wrong)}, now)
        assert difference.wrong == 1
    (missing,) = compare_cache(signals, {}, now)
    assert missing.missing == 1
    assert compare_cache(signals, {}, now + 300_000) == [], "entries live five minutes"
    strange = {place: json.dumps(newest), ("metrics:campaign:acme:c2", "search|EUR"): "{}"}
    assert [one.unexpected for one in compare_cache(signals, strange, now)] == [1]


def test_alerts_follow_from_the_published_windows(answer, signals):
    expected = changes(signal for signal in signals if signal["kind"] == "campaign_metrics")
    alerts = [
        {name: getattr(change, name) for name in change.__dataclass_fields__} | {"channel": "search"}
        for change in expected
    ]
    assert {change.rule for change in expected} == {"low_performance"}
    assert compare_alerts(answer, signals, alerts) == []
    assert compare_alerts(answer, signals, [*alerts, *alerts]) == []
    (missing,) = compare_alerts(answer, signals, alerts[1:])
    assert (missing.missing, missing.unexpected) == (1, 0)
    (unexpected,) = compare_alerts(answer, signals, [*alerts, alerts[0] | {"opened_at": 1}])
    assert (unexpected.missing, unexpected.unexpected) == (0, 1)
    (wrong,) = compare_alerts(answer, signals, [alerts[0] | {"value": 59.0}, *alerts[1:]])
    assert wrong.wrong == 1


def test_a_campaign_whose_windows_came_twice_with_different_sums_is_not_judged(answer, signals):
    window = next(signal for signal in signals if signal["kind"] == "campaign_metrics")
    assert compare_alerts(answer, signals, [])
    assert compare_alerts(answer, [dict(window), *signals], [])
    assert compare_alerts(answer, [window | {"clicks": window["clicks"] + 1}, *signals], []) == []
