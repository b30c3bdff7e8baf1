"""The bytes of a person's state: stable across versions, small, and refused when they cannot be read."""

from __future__ import annotations

import uuid

import orjson
import pytest

from udfs.attribution import person_state
from udfs.attribution.person import apply_facts
from udfs.attribution.person_state import StateVersionError, decode, encode
from udfs.attribution.settings import AttributionSettings

DAY_MS = 86_400_000

# Written by version 1. It must stay readable for ever: never change it, add a new one with each version.
VERSION_1 = (
    b'[1,1700000400000,[0,"",[1700000000000,1700000100000],["t1","t2"],[0,1]],'
    b'[0,"",[1700000300000],["c1"],[["order",5000000,"EUR",1700000300000,"j1",0,0]]],'
    b'[0,"",[1700000400000],["r1"],[["c1",1000000]]],[0,"",[1699999900000],["s1"],[0]],'
    b'[["j1",1700000400000,"r1","purchase",1699999900000,2,1,{"EUR":5000000},1700000300000,"c1","EUR",5]],'
    b'[["email","k1"],["search",""]]]'
)

# Written by version 2: a place has the interaction type too.
VERSION_2 = VERSION_1.replace(b"[1,", b"[2,", 1).replace(
    b'[["email","k1"],["search",""]]', b'[["email","k1","click"],["search","","visit"]]'
)
# Written by version 3: the oldest consent and the newest refusal.
VERSION_3 = VERSION_2.replace(b"[2,", b"[3,", 1).removesuffix(b"]") + b",[1699999900000,1700000050000]]"


def test_state_of_version_1_is_read_and_goes_on() -> None:
    facts = [["r", "acme", "ann", "j1", "purchase", "r2", 1_700_000_500_000, 0, 7, "c1", 500_000]]
    update = apply_facts(VERSION_1, facts, AttributionSettings(models=("linear",)))
    (attribution,) = update.attributions
    assert (attribution["value_micros"], attribution["revision"]) == (3_500_000, 5)
    assert attribution["models"]["linear"]["credited_micros"] == [1_750_000, 1_750_000]
    assert attribution["touches"] == [["t1", "email", "k1", 1_700_000_000_000], ["t2", "search", "", 1_700_000_100_000]]
    assert update.journeys[0]["revision"] == 6


def test_what_is_encoded_is_decoded() -> None:
    assert encode(decode(VERSION_3)) == VERSION_3
    unknown = VERSION_3.replace(b"[1699999900000,1700000050000]", b"[0,0]")
    assert encode(decode(VERSION_2)) == unknown
    assert encode(decode(VERSION_1)) == unknown.replace(b'"click"', b'""').replace(b'"visit"', b'""')
    assert decode(None) == decode(encode(decode(None)))


@pytest.mark.parametrize("state", [b"[4,0]", b"[0]", b'["1"]', b"[999999]"])
def test_state_of_another_version_is_refused(state: bytes) -> None:
    with pytest.raises(StateVersionError, match="allowed: 1 to 3"):
        decode(state)


@pytest.mark.parametrize("state", [b"", b"{}", b"[]", b"7", b"\x00"])
def test_bytes_that_are_no_state_are_refused(state: bytes) -> None:
    with pytest.raises(StateVersionError, match="not readable"):
        decode(state)


def test_an_older_version_is_upgraded_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def drop_the_last_field(record: list[object]) -> list[object]:
        return [4, *record[1:-1]]

    expected = decode(VERSION_3)
    monkeypatch.setattr(person_state, "VERSION", 4)
    monkeypatch.setattr(person_state, "_UPGRADES", (*person_state._UPGRADES, drop_the_last_field))
    old = orjson.dumps([*orjson.loads(VERSION_3), "a field of version 3"])
    assert decode(old) == expected


def test_a_touch_costs_less_than_100_bytes() -> None:
    channels = ("email", "search", "social")
    facts: list[list[object]] = []
    for number in range(100):
        journey, event, campaign = (str(uuid.UUID(int=part)) for part in (7, number, number % 5))
        head = ("t", "acme", "ann", journey, "intent", event, 1_700_000_000_000 + number * 1_000, 0, 7)
        facts.append([*head, channels[number % 3], campaign, None, "google", "click"])
    state = apply_facts(None, facts, AttributionSettings()).state
    assert len(state) < 100 * len(facts)
