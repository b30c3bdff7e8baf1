"""Settings that change while the job runs: what a reader ends up with, in whatever slices and order it goes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.attribution import settings_in_force
from udfs.attribution.person import apply_facts
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.settings_in_force import SettingsInForce
from udfs.attribution.tenant_settings import read_settings, record_of

JOB = AttributionSettings(models=("linear",))
START, DAY = 1_700_000_000_000, 86_400_000


class State(dict[str, str]):
    """Flink's map state as a dictionary."""

    def put(self, key: str, value: str) -> None:
        self[key] = value

    def remove(self, key: str) -> None:
        self.pop(key, None)

    def contains(self, key: str) -> bool:
        return key in self

    def is_empty(self) -> bool:
        return not self


class Shard:
    """One shard of the job with its state, and what a reader would see of its credits."""

    def __init__(self) -> None:
        self.persons, self.records, self.waiting = State(), State(), State()
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.restart()

    def restart(self) -> None:
        """Lose what is not in the state, as a failure does."""
        self.in_force = SettingsInForce(JOB, self.records, self.waiting)

    def feed(self, tenant: str, customer: str, *facts: list[Any]) -> None:
        person = f"{tenant}/{customer}"
        held = self.persons.get(person)
        update = apply_facts(held.encode() if held else None, facts, JOB, self.in_force.of(0, tenant))
        self.persons.put(person, update.state.decode())
        self.store(update.attributions)

    def slice(self) -> int:
        rows = list(self.in_force.reattributed(0, self.persons))
        self.store(rows)
        return len(rows)

    def finish(self) -> int:
        rows = 0
        while self.in_force.is_waiting():
            rows += self.slice()
        return rows

    def store(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            key = (row["tenant_id"], row["conversion_id"])
            if key not in self.stored or row["revision"] >= self.stored[key]["revision"]:
                self.stored[key] = row


def facts_of(tenant: str, customer: str) -> list[list[Any]]:
    head = [tenant, customer, "j", "intent"]
    touches = [
        ["t", *head, f"{customer}-t{day}", START + day * DAY, 0, 7, channel, None, None, None, "click"]
        for day, channel in enumerate(("email", "search", "email", "direct"))
    ]
    return [*touches, ["c", *head, f"{customer}-c", START + 4 * DAY, 0, 7, "order", 1_000_000, "EUR", None]]


def record(version: int, document: dict[str, Any], tenant: str = "acme") -> str:
    return record_of(tenant, version, 0, document, []).decode()


def credit_of(shard: Shard, customer: str, tenant: str = "acme") -> dict[str, list[int]]:
    models = shard.stored[tenant, f"{customer}-c"]["models"]
    return {model: credit["credited_micros"] for model, credit in models.items()}


def test_a_record_changes_the_credits_of_its_tenant_only() -> None:
    shard = Shard()
    for tenant in ("acme", "acme2"):
        shard.feed(tenant, "ann", *facts_of(tenant, "ann"))
    assert shard.in_force.take(0, record(1, {"models": ["first_touch"]}))
    assert shard.finish() == 1
    assert credit_of(shard, "ann") == {"first_touch": [1_000_000, 0, 0, 0]}
    assert credit_of(shard, "ann", "acme2") == {"linear": [250_000] * 4}
    shard.feed("acme", "bob", *facts_of("acme", "bob"))
    assert credit_of(shard, "bob") == {"first_touch": [1_000_000, 0, 0, 0]}


@pytest.mark.parametrize("text", ["{", "{}", record(1, {"models": ["guess"]}), record(1, {"lookback_days": 0})])
def test_a_record_that_is_none_is_left_out(text: str, caplog: pytest.LogCaptureFixture) -> None:
    shard = Shard()
    assert not shard.in_force.take(0, text)
    assert "was left out" in caplog.text
    assert shard.in_force.of(0, "acme").version == 0


def test_older_and_repeated_records_change_nothing() -> None:
    shard = Shard()
    assert shard.in_force.take(0, record(2, {"models": ["last_touch"]}))
    assert not shard.in_force.take(0, record(1, {"models": ["first_touch"]}))
    assert not shard.in_force.take(0, record(2, {"models": ["linear"]}))
    assert shard.in_force.of(0, "acme").rules.models == ("last_touch",)


def test_a_restart_in_the_middle_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_in_force, "SLICE_PERSONS", 2)
    shard = Shard()
    for number in range(7):
        shard.feed("acme", f"p{number}", *facts_of("acme", f"p{number}"))
    shard.in_force.take(0, record(1, {"models": ["first_touch"]}))
    assert shard.slice() == 2
    shard.restart()
    assert shard.in_force.of(0, "acme").version == 1
    shard.finish()
    assert all("first_touch" in row["models"] for row in shard.stored.values())


def test_settings_that_cannot_be_used_any_more_do_not_stop_the_job(caplog: pytest.LogCaptureFixture) -> None:
    shard = Shard()
    shard.records.put("acme", record(1, {"models": ["a model of a newer program"]}))
    shard.restart()
    assert shard.in_force.of(0, "acme").rules.models == ("linear",)
    assert "cannot be used any more" in caplog.text


DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"models": ["first_touch"]},
    {"lookback_days": 2},
    {"transforms": ["first"], "models": ["linear", "last_touch"]},
]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("settings"), st.sampled_from(DOCUMENTS)),
        st.tuples(st.just("slice"), st.none()),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("facts"), st.integers(0, 4)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_in_the_end_every_credit_is_as_the_last_settings_say(taken: list[tuple[str, Any]]) -> None:
    """Settings come again and again while slices of older ones are still under way, with restarts between."""
    shard = Shard()
    version, last = 0, None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings_in_force, "SLICE_PERSONS", 1)
        for step, what in taken:
            if step == "settings":
                version, last = version + 1, what
                shard.in_force.take(0, record(version, what))
            elif step == "slice":
                shard.slice()
            elif step == "restart":
                shard.restart()
            else:
                shard.feed("acme", f"p{what}", *facts_of("acme", f"p{what}"))
        shard.finish()
    chosen = read_settings(record(version, last), JOB)[1] if last is not None else None
    for person in {key[1].removesuffix("-c") for key in shard.stored}:
        (expected,) = apply_facts(None, facts_of("acme", person), JOB, chosen).attributions
        found = shard.stored["acme", f"{person}-c"]
        assert orjson.dumps([found["touches"], found["models"]]) == orjson.dumps(
            [expected["touches"], expected["models"]]
        )
