"""The life of an alert: hold, raise, hysteresis, clear, and the same id in a replay."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.alerting.rules import BUDGET, PERFORMANCE, evaluate

SUBJECT = {"tenant_id": "t", "campaign_id": "c", "channel": "email"}


def run(values: list[float], start: int = 0) -> list[dict[str, Any]]:
    state: dict[str, list[Any]] = {}
    changes = [evaluate(PERFORMANCE, state, value, start + step * 5000, SUBJECT) for step, value in enumerate(values)]
    return [change for change in changes if change]


def test_raised_after_three_breaches_in_a_row() -> None:
    assert run([50, 50]) == []
    assert run([50, 50, 70, 50, 50]) == []
    (raised,) = run([50, 50, 50, 50])
    assert (raised["state"], raised["opened_at"], raised["value"]) == ("raised", 10_000, 50)


def test_cleared_only_past_the_recovery_threshold() -> None:
    changes = run([50, 50, 50, 62, 64.9, 65])
    assert [change["state"] for change in changes] == ["raised", "cleared"]
    assert changes[1]["updated_at"] == 25_000
    assert changes[0]["alert_id"] == changes[1]["alert_id"]


def test_hovering_at_the_threshold_does_not_flap() -> None:
    assert len(run([59, 61] * 20 + [59, 59, 59] + [61, 59] * 20)) == 1


def test_budget_is_raised_at_once_and_proposes_a_pause() -> None:
    alert = evaluate(BUDGET, {}, 0.95, 1, SUBJECT)
    assert alert is not None
    assert alert["severity"] == "critical"
    assert "pausing" in alert["message"]
    assert evaluate(BUDGET, {}, 0.9, 1, SUBJECT) is None


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=60))
def test_states_alternate_and_a_replay_gives_the_same(values: list[float]) -> None:
    changes = run(values)
    assert [change["state"] for change in changes] == ["raised", "cleared"] * (len(changes) // 2) + ["raised"] * (
        len(changes) % 2
    )
    assert run(values) == changes


@pytest.mark.parametrize("other", [{"tenant_id": "u"}, {"campaign_id": "d"}])
def test_ids_differ_between_subjects(other: dict[str, str]) -> None:
    mine = evaluate(BUDGET, {}, 1.0, 1, SUBJECT)
    theirs = evaluate(BUDGET, {}, 1.0, 1, SUBJECT | other)
    assert mine
    assert theirs
    assert mine["alert_id"] != theirs["alert_id"]
