"""Attribution of one person in the stream, against the rules applied to all facts at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.attribution.apportion import apportion
from udfs.attribution.consent import Consent
from udfs.attribution.credit import weigh
from udfs.attribution.facts import FactError
from udfs.attribution.person import REVISED, PersonUpdate, apply_facts
from udfs.attribution.settings import RULE_BASED, AttributionSettings

if TYPE_CHECKING:
    import random

DAY = 86_400_000
START = 1_700_000_000_000
SETTINGS = AttributionSettings(models=RULE_BASED, channel_weights=(("email", 2.0),))
LINEAR = AttributionSettings(models=("linear",))
Fact = list[Any]


def fact(
    kind: str, event_id: str, time: int, *rest: Any, journey: str = "j1", stage: str = "intent", consent: int = 7
) -> Fact:
    return [kind, "acme", "ann", journey, stage, event_id, time, time + 5, consent, *rest]


def touch(event_id: str, time: int, channel: str = "email", campaign: str | None = "k1", **more: Any) -> Fact:
    return fact("t", event_id, time, channel, campaign, None, "google", "click", **more)


def conversion(event_id: str, time: int, micros: int = 1_000_000, currency: str = "EUR", **more: Any) -> Fact:
    return fact("c", event_id, time, "order", micros, currency, None, **more)


def refund(event_id: str, time: int, original: str, micros: int = 0, kind: str = "r") -> Fact:
    return fact(kind, event_id, time, original, micros)


class Stream:
    """Feeds facts to one person's state and keeps what a reader would see: the newest revision of each key."""

    def __init__(self, options: AttributionSettings = SETTINGS) -> None:
        self.settings = options
        self.state: bytes | None = None
        self.attributions: dict[str, dict[str, Any]] = {}
        self.journeys: dict[str, dict[str, Any]] = {}

    def feed(self, *facts: Fact) -> PersonUpdate:
        update = apply_facts(self.state, facts, self.settings)
        self.state = update.state
        for row in update.attributions:
            # What it says it replaces is what was credited until now, less touches that were forgotten since.
            before = self.attributions.get(row["conversion_id"])
            replaced = row.pop("replaces", None)
            if self.settings.max_touches < SETTINGS.max_touches:
                assert bool(replaced) == bool(before)
            else:
                assert replaced == (before and {name: before[name] for name in (*REVISED, "models")})
        self._keep(self.attributions, "conversion_id", update.attributions)
        self._keep(self.journeys, "journey_id", update.journeys)
        return update

    def _keep(self, newest: dict[str, dict[str, Any]], key: str, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            known = newest.get(row[key])
            assert known is None or row["revision"] > known["revision"], "a row was written again or went back"
            newest[row[key]] = row

    def bytes(self) -> bytes:
        return orjson.dumps([self.attributions, self.journeys], option=orjson.OPT_SORT_KEYS)


def by_the_rules(facts: list[Fact], options: AttributionSettings) -> bytes:
    """What a reader must see in the end, computed from all facts at once, without any state."""
    ordered = sorted({one[5]: one for one in facts}.values(), key=lambda one: (one[6], one[5]))
    attributions, journeys = {}, {}
    consented = [one[6] for one in ordered if one[8] in CONSENTED]
    void = max((one[6] for one in ordered if one[8] not in CONSENTED), default=0)
    if options.consent == "assumed" and not (consented and min(consented) <= void):
        void = 0
    for one in ordered:
        if one[0] != "c":
            continue
        near = [t for t in ordered if t[0] == "t" and one[6] - options.lookback_ms <= t[6] <= one[6]]
        path = [t for t in near if t[6] > void]
        taken = [r for r in ordered if r[0] in "rx" and r[9] == one[5]]
        net = 0 if any(r[0] == "x" for r in taken) else max(0, one[10] - sum(r[10] for r in taken))
        models = {}
        for model in options.models:
            weights = weigh(model, [t[9] for t in path], [t[6] for t in path], options) or [1.0]
            models[model] = {"weights": weights, "credited_micros": apportion(net, weights)}
        attributions[one[5]] = {
            "kind": "attribution",
            "tenant_id": "acme",
            "conversion_id": one[5],
            "customer_id": "ann",
            "journey_id": one[3],
            "conversion_type": one[9],
            "conversion_time": one[6],
            "created_at": one[7],
            "gross_value_micros": one[10],
            "value_micros": net,
            "currency": one[11],
            "settings_version": 0,
            "revision": 1 + 2 * len(near) - len(path) + len(taken),
            "touches": [[t[5], t[9], t[10] or "", t[6]] for t in path] or [["", "unattributed", "", one[6]]],
            "models": models,
        }
    for journey_id in {one[3] for one in ordered} - {""}:
        own = [one for one in ordered if one[3] == journey_id]
        sold = [one for one in own if one[0] == "c"]
        currency = sold[-1][11] if sold else ""
        journeys[journey_id] = {
            "tenant_id": "acme",
            "journey_id": journey_id,
            "customer_id": "ann",
            "stage": own[-1][4],
            "started_at": own[0][6],
            "last_event_at": own[-1][6],
            "touchpoints": sum(one[0] == "t" for one in own),
            "conversions": len(sold),
            "value_micros": sum(one[10] for one in sold if one[11] == currency),
            "currency": currency,
            "revision": len(own),
        }
    return orjson.dumps([attributions, journeys], option=orjson.OPT_SORT_KEYS)


CONSENTED = (2, 3, 6, 7)
# Few distinct moments, so that ties happen; a range beyond the look-back but within the retention.
moments = st.integers(0, 80).map(lambda half_days: START + half_days * DAY // 2)
channels = st.sampled_from(["email", "search", "social", "direct"])


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    facts: list[Fact] = []
    for number in range(draw(st.integers(0, 25))):
        kind = draw(st.sampled_from("sttttccrx"))
        event_id = f"{draw(st.integers(0, 9))}-{number}"  # so that ids do not sort by arrival
        where: dict[str, Any] = {
            "journey": draw(st.sampled_from(["j1", "j2", ""])),
            "stage": draw(st.sampled_from(["intent", "purchase"])),
            "consent": draw(st.sampled_from([7, 7, 7, 7, 7, 7, 2, 5])),
        }
        time = draw(moments)
        if kind == "t":
            facts.append(touch(event_id, time, draw(channels), draw(st.sampled_from(["k1", "k2", None])), **where))
        elif kind == "c":
            facts.append(
                conversion(event_id, time, draw(st.integers(0, 10**9)), draw(st.sampled_from(["EUR", "USD"])), **where)
            )
        elif kind in "rx":
            sold = [one[5] for one in facts if one[0] == "c"]
            original = draw(st.sampled_from([*sold, "unknown"]))
            facts.append(fact(kind, event_id, time, original, draw(st.integers(0, 10**9)), **where))
        else:
            facts.append(fact("s", event_id, time, **where))
    return facts


@settings(max_examples=150, deadline=None)
@given(histories(), st.sampled_from(Consent), st.randoms(use_true_random=False))
def test_any_order_copies_and_batches_give_what_the_rules_say(
    facts: list[Fact], consent: Consent, chance: random.Random
) -> None:
    options = replace(SETTINGS, consent=consent.value)
    arriving = [*facts, *chance.choices(facts, k=len(facts) // 2)] if facts else []
    chance.shuffle(arriving)
    stream = Stream(options)
    duplicates = 0
    while arriving:
        size = chance.randint(1, 6)
        update = stream.feed(*arriving[:size])
        duplicates += update.duplicates
        assert update.expired == 0
        del arriving[:size]
    assert stream.bytes() == by_the_rules(facts, options)
    assert duplicates == len(facts) // 2
    for attribution in stream.attributions.values():
        for credit in attribution["models"].values():
            assert sum(credit["credited_micros"]) == attribution["value_micros"]
            assert all(micros >= 0 for micros in credit["credited_micros"])
    # A full replay onto the state that it left behind changes nothing.
    again = stream.feed(*facts)
    assert (again.attributions, again.journeys, again.duplicates) == ([], [], len(facts))


def test_a_late_touch_changes_exactly_the_conversions_it_can_have_caused() -> None:
    stream = Stream(LINEAR)
    stream.feed(
        conversion("before", START - 1),
        conversion("same moment", START),
        conversion("edge", START + 30 * DAY),
        conversion("past", START + 30 * DAY + 1),
    )
    update = stream.feed(touch("late", START))
    assert [row["conversion_id"] for row in update.attributions] == ["same moment", "edge"]
    assert [row["revision"] for row in update.attributions] == [2, 2]


def test_touches_at_the_same_moment_stand_by_id() -> None:
    stream = Stream()
    stream.feed(touch("b", START, "social"), conversion("c", START), touch("a", START, "search"))
    row = stream.attributions["c"]
    assert [one[0] for one in row["touches"]] == ["a", "b"]
    assert row["models"]["last_touch"]["weights"] == [0.0, 1.0]


def test_a_touchless_conversion_is_credited_to_unattributed() -> None:
    stream = Stream()
    stream.feed(conversion("c", START, 990_000), touch("after", START + 1))
    row = stream.attributions["c"]
    assert row["touches"] == [["", "unattributed", "", START]]
    assert row["revision"] == 1
    assert all(credit == {"weights": [1.0], "credited_micros": [990_000]} for credit in row["models"].values())


@pytest.mark.parametrize(
    ("refunds", "net"),
    [
        ([refund("r1", START + 1, "c", 400_001)], 599_999),
        ([refund("r1", START + 1, "c", 400_000), refund("r2", START + 2, "c", 400_000)], 200_000),
        ([refund("r1", START + 1, "c", 1_000_000)], 0),
        ([refund("r1", START + 1, "c", 700_000), refund("r2", START + 2, "c", 700_000)], 0),
        ([refund("x1", START + 1, "c", 5, "x")], 0),
        ([refund("x1", START + 1, "c", 5, "x"), refund("r1", START + 2, "c", 5)], 0),
        ([refund("r1", START + 1, "another", 400_000)], 1_000_000),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_refunds_take_back_what_was_credited(refunds: list[Fact], net: int, early: bool) -> None:
    stream = Stream()
    sold = [touch("t1", START - DAY), touch("t2", START - DAY, "search"), touch("t3", START), conversion("c", START)]
    for one in [*refunds, *sold] if early else [*sold, *refunds]:
        stream.feed(one)
    row = stream.attributions["c"]
    assert (row["gross_value_micros"], row["value_micros"]) == (1_000_000, net)
    for credit in row["models"].values():
        assert sum(credit["credited_micros"]) == net
        assert all(micros >= 0 for micros in credit["credited_micros"])
        assert net or credit["credited_micros"] == [0, 0, 0]


def test_several_conversions_of_one_journey_each_look_back_on_their_own() -> None:
    stream = Stream(LINEAR)
    stream.feed(touch("t1", START), conversion("c1", START + 1), touch("t2", START + 2), conversion("c2", START + 3))
    assert [one[0] for one in stream.attributions["c1"]["touches"]] == ["t1"]
    assert [one[0] for one in stream.attributions["c2"]["touches"]] == ["t1", "t2"]


def test_a_person_is_credited_across_journeys() -> None:
    stream = Stream(LINEAR)
    stream.feed(touch("t1", START, journey="j1"), conversion("c1", START + 1, journey="j2"))
    assert stream.attributions["c1"]["touches"][0][0] == "t1"


def test_facts_of_two_people_are_refused_without_naming_them() -> None:
    other = touch("t2", START)
    other[2] = "bob"
    with pytest.raises(FactError, match="more than one person") as caught:
        apply_facts(None, [touch("t1", START), other], SETTINGS)
    assert "bob" not in str(caught.value)
    other[1:3] = ["globex", "ann"]
    with pytest.raises(FactError):
        apply_facts(None, [touch("t1", START), other], SETTINGS)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(FactError, match="'q'; allowed: s, t, c, r, x"):
        apply_facts(None, [fact("q", "e", START)], SETTINGS)


def test_no_facts_change_nothing() -> None:
    state = apply_facts(None, [], SETTINGS).state
    assert apply_facts(state, [], SETTINGS).state == state
    assert apply_facts(state, [touch("t1", START)], SETTINGS) == apply_facts(None, [touch("t1", START)], SETTINGS)


# What happens at the bounds.


def test_a_conversion_keeps_its_whole_path_for_as_long_as_it_is_kept() -> None:
    stream = Stream(LINEAR)
    stream.feed(touch("t1", START), conversion("c1", START + 30 * DAY), touch("t2", START + 120 * DAY))
    update = stream.feed(refund("r1", START + 40 * DAY, "c1", 250_000))
    assert [one[0] for one in update.attributions[0]["touches"]] == ["t1"]
    assert stream.attributions["c1"]["value_micros"] == 750_000
    stream.feed(touch("t3", START + 120 * DAY + 1))
    assert stream.feed(refund("r2", START + 41 * DAY, "c1", 250_000)).attributions == []


def test_what_is_older_than_the_retention_is_counted_as_expired() -> None:
    stream = Stream(LINEAR)
    update = stream.feed(
        touch("new", START + 200 * DAY),
        touch("t1", START + 80 * DAY - 1),
        conversion("c1", START + 110 * DAY - 1),
        refund("r1", START + 80 * DAY - 1, "c1"),
        fact("s", "s1", START + 80 * DAY - 1),
    )
    assert (update.expired, update.attributions, update.journeys[0]["revision"]) == (4, [], 1)
    update = stream.feed(touch("t2", START + 80 * DAY), conversion("c2", START + 110 * DAY))
    assert (update.expired, update.attributions[0]["revision"]) == (0, 2)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_crowded_person_stays_small_and_exact(chance: random.Random) -> None:
    """Every kind beyond its bound: state stays bounded, revisions grow (checked by Stream), credits stay exact."""
    crowded = AttributionSettings(max_touches=5, max_conversions=3, max_refunds=4, max_stage_changes=2, max_journeys=2)
    stream = Stream(crowded)
    largest = 0
    for number in range(200):
        time = START + number * 3_600_000 - chance.randrange(20) * 3_600_000
        event_id = f"{chance.randrange(10)}-{number}"
        sold = [*stream.attributions, "unknown"]
        one = chance.choice(
            [
                touch(event_id, time, campaign=f"k{number}", journey="j1"),
                touch(event_id, time, consent=chance.choice([7, 7, 7, 5])),
                conversion(event_id, time, journey="j1"),
                refund(event_id, time, chance.choice(sold[-3:]), 10_000),
                fact("s", event_id, time),
            ]
        )
        before = {key: row["value_micros"] for key, row in stream.attributions.items()}
        for row in stream.feed(one, one).attributions:
            assert row["value_micros"] <= before.get(row["conversion_id"], 1_000_000)
            for credit in row["models"].values():
                assert sum(credit["credited_micros"]) == row["value_micros"]
            assert len(row["touches"]) <= 5
        assert stream.state is not None
        largest = max(largest, len(stream.state))
    assert largest < 2_500


def test_the_longest_path_is_the_newest_touches_also_within_one_batch() -> None:
    small = AttributionSettings(models=("linear",), max_touches=3)
    touches = [touch(f"t{n}", START + n) for n in range(10)]
    one_batch, one_by_one = Stream(small), Stream(small)
    one_batch.feed(*touches, conversion("c", START + 10))
    for one in [*touches, conversion("c", START + 10)]:
        one_by_one.feed(one)
    assert [one[0] for one in one_batch.attributions["c"]["touches"]] == ["t7", "t8", "t9"]
    assert one_batch.attributions["c"]["touches"] == one_by_one.attributions["c"]["touches"]


def test_refunds_there_is_no_room_for_still_reduce_the_value() -> None:
    stream = Stream(AttributionSettings(models=("linear",), max_refunds=2))
    stream.feed(conversion("c", START))
    for number in range(6):
        stream.feed(refund(f"r{number}", START + number, "c", 100_000))
    assert (stream.attributions["c"]["value_micros"], stream.attributions["c"]["revision"]) == (400_000, 7)
    stream.feed(refund("x", START + 7, "c", 0, "x"), refund("r8", START + 8, "c", 1), refund("r9", START + 9, "c", 1))
    stream.feed(refund("r10", START + 10, "c", 1))
    assert stream.attributions["c"]["value_micros"] == 0


def test_copies_of_forgotten_facts_are_not_counted_again() -> None:
    stream = Stream(AttributionSettings(models=("linear",), max_touches=2))
    touches = [touch(f"t{n}", START + n) for n in range(4)]
    stream.feed(*touches)
    update = stream.feed(*touches)
    assert (update.journeys, update.duplicates, update.expired) == ([], 2, 2)


def test_touches_that_came_too_late_leave_nothing_in_the_state() -> None:
    stream = Stream(LINEAR)
    stream.feed(touch("new", START + 200 * DAY))
    for number in range(1_000):
        stream.feed(touch(f"t{number}", START, campaign=f"campaign-{number}"))
    assert stream.state is not None
    assert len(stream.state) < 1_000
