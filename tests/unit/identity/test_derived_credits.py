"""Credits derived from stored facts: against the stream's own, by hand where links are probable, and step by step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.identity.test_device_graph import Graph, seen
from udfs.attribution.facts import FactError
from udfs.attribution.person import apply_facts
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import job_settings
from udfs.identity.derived_credits import derive_credits
from udfs.identity.device_graph import Erasure, Withdrawal
from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.partition import Group
from udfs.identity.person import Person, decode_person, encode_person

SETTINGS = AttributionSettings()
JOB = job_settings(SETTINGS)
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = 20_500 * DAY_MS
REVISION = 1_700_000_000_000_000


def head(kind, customer, event_id, time, consent=7):
    return [kind, "acme", customer, "j1", "intent", event_id, START_MS + time, START_MS + time, consent]


def touch(customer, event_id, time, channel="email", consent=7):
    return [*head("t", customer, event_id, time, consent), channel, "spring", "", "mail", "click"]


def conversion(customer, event_id, time, micros=10_000_001, consent=7):
    return [*head("c", customer, event_id, time, consent), "purchase", micros, "EUR", None]


def refund(customer, event_id, time, original, micros):
    return [*head("r", customer, event_id, time), original, micros]


def cancellation(customer, event_id, time, original):
    return [*head("x", customer, event_id, time), original, 0]


def derive(person, facts, chosen=SETTINGS):
    return derive_credits(person, facts, chosen, job_settings(chosen), REVISION)


def group(*customers):
    return Person(Group(customers))


def check_sums(attributions):
    for attribution in attributions:
        assert attribution["revision"] == REVISION
        for model, credited in attribution["models"].items():
            assert sum(credited["credited_micros"]) == attribution["value_micros"], model
            assert sum(credited["weights"]) == pytest.approx(1, abs=1e-12), model
            assert all(micros >= 0 for micros in credited["credited_micros"]), model
            assert len(credited["weights"]) == len(credited["credited_micros"]) == len(attribution["touches"])


CUSTOMERS = st.sampled_from(["ann", "bob", "cy"])
TIMES = st.integers(0, 40 * 24).map(lambda hours: hours * HOUR_MS)
IDS = st.integers(0, 60).map(lambda number: f"e{number}")
CHANNELS = st.sampled_from(["email", "search", "social", "direct"])
MICROS = st.integers(0, 2**55)
CONSENTS = st.sampled_from([7, 7, 7, 7, 7, 5])
FACTS = st.lists(
    st.one_of(
        st.builds(touch, CUSTOMERS, IDS, TIMES, CHANNELS, CONSENTS),
        st.builds(touch, CUSTOMERS, IDS, TIMES, CHANNELS, CONSENTS),
        st.builds(conversion, CUSTOMERS, IDS, TIMES, MICROS, CONSENTS),
        st.builds(refund, CUSTOMERS, IDS, TIMES, IDS, MICROS),
        st.builds(cancellation, CUSTOMERS, IDS, TIMES, IDS),
    ),
    max_size=30,
    unique_by=lambda fact: fact[5],
)


def streamed(facts, chosen=SETTINGS):
    """The newest attribution of each conversion as the stream credits it, of one customer's facts."""
    newest = {}
    state = None
    for fact in facts:
        update = apply_facts(state, [fact], chosen)
        state = update.state
        newest |= {attribution["conversion_id"]: attribution for attribution in update.attributions}
    return newest


def plain(attribution, *without):
    return {
        name: value
        for name, value in attribution.items()
        if name not in ("revision", "replaces", "person_id", *without)
    }


@settings(deadline=None)
@given(FACTS, st.sampled_from(["required", "assumed"]))
def test_a_customer_alone_is_credited_as_by_the_stream(facts, consent):
    own = [fact for fact in facts if fact[2] == "ann"]
    chosen = AttributionSettings(consent=consent)
    derived = derive(group("ann"), facts, chosen)
    check_sums(derived)
    expected = streamed(own, chosen)
    assert {a["conversion_id"]: plain(a) for a in derived} == {id_: plain(a) for id_, a in expected.items()}


@settings(deadline=None)
@given(FACTS)
def test_certain_links_credit_as_if_all_were_one_customer(facts):
    facts = [[*fact[:8], 7, *fact[9:]] for fact in facts]  # a refusal is of one customer, not of the person
    expected = streamed([[*fact[:2], "ann", *fact[3:]] for fact in facts])
    derived = derive(group("ann", "bob", "cy"), facts)
    check_sums(derived)
    assert {a["conversion_id"]: plain(a, "customer_id") for a in derived} == {
        id_: plain(a, "customer_id") for id_, a in expected.items()
    }
    owners = {fact[5]: fact[2] for fact in facts}
    assert all(a["customer_id"] == owners[a["conversion_id"]] and a["person_id"] == "ann" for a in derived)


@settings(deadline=None)
@given(FACTS, st.data())
def test_probable_links_sum_to_the_micro_in_any_order(facts, data):
    probable = Group(("ann", "bob", "cy"), (("ann", "bob", 0.83), ("bob", "cy", 0.71)), (("ann",), ("bob",), ("cy",)))
    derived = derive(Person(probable), facts)
    check_sums(derived)
    copies = data.draw(st.lists(st.sampled_from(facts), max_size=5)) if facts else []
    assert derive(Person(probable), [*data.draw(st.permutations(facts)), *copies]) == derived


def probably(probability=0.8):
    return Person(Group(("ann", "bob"), (("ann", "bob", probability),), (("ann",), ("bob",))))


def test_expected_credit_by_hand():
    """One touch of ann herself, then one of bob at the very time of her sale: bob is ann with 0.8."""
    facts = [touch("ann", "t1", 0), touch("bob", "t2", 1), conversion("ann", "c1", 1, 1_000_000)]
    [attribution] = derive(probably(), facts)
    micros = {model: credited["credited_micros"] for model, credited in attribution["models"].items()}
    # With 0.8 the path is both touches, with 0.2 the first alone.
    assert micros["linear"] == [600_000, 400_000]
    assert micros["last_touch"] == [200_000, 800_000]
    assert micros["first_touch"] == [1_000_000, 0]
    assert micros["position_based"] == [600_000, 400_000]


def test_the_link_counts_less_the_older_the_touch():
    """A half-life of seven days before the sale 0.8 has become 0.4."""
    facts = [touch("bob", "t1", 0), touch("ann", "t2", 7 * DAY_MS), conversion("ann", "c1", 7 * DAY_MS, 1_000_000)]
    [attribution] = derive(probably(), facts)
    assert attribution["models"]["linear"]["credited_micros"] == [200_000, 800_000]
    assert attribution["models"]["first_touch"]["credited_micros"] == [400_000, 600_000]


def test_what_may_be_nobodys_is_unattributed():
    facts = [touch("bob", "t1", 0), conversion("ann", "c1", 0, 7)]
    [attribution] = derive(probably(), facts)
    assert attribution["touches"] == [["t1", "email", "spring", START_MS], ["", "unattributed", "", START_MS]]
    assert attribution["models"]["linear"]["weights"] == pytest.approx([0.8, 0.2])
    assert attribution["models"]["linear"]["credited_micros"] == [6, 1]


def test_the_other_way_bobs_own_touch_is_certain():
    [attribution] = derive(probably(), [touch("bob", "t1", 0), conversion("bob", "c1", 0, 7)])
    assert attribution["models"]["linear"]["credited_micros"] == [7]


def test_probabilities_multiply_along_the_links():
    person = Person(Group(("a", "b", "c", "d"), (("b", "c", 0.8), ("c", "d", 0.75)), (("a", "b"), ("c",), ("d",))))
    assert person.link_probabilities("a") == pytest.approx({"a": 1, "b": 1, "c": 0.8, "d": 0.6})
    assert person.link_probabilities("d") == pytest.approx({"a": 0.6, "b": 0.6, "c": 0.75, "d": 1})
    assert decode_person(encode_person(person)) == person


def test_unknown_facts_are_refused():
    with pytest.raises(FactError, match="'q'"):
        derive(group("ann"), [head("q", "ann", "e1", 0)])


def test_a_conversion_beyond_the_retention_is_left_as_it_is():
    facts = [conversion("ann", "c1", 0), conversion("bob", "c2", 91 * DAY_MS)]
    assert [a["conversion_id"] for a in derive(group("ann", "bob"), facts)] == ["c2"]


def test_one_journey_through_merge_late_touch_refund_split_opt_out_and_erasure():
    """Net value and linear credit at each step, with the device graph that leads to it."""
    graph = Graph()
    facts = []

    def derived(update):
        result = {}
        for person in update.persons:
            attributions = derive(person, facts)
            check_sums(attributions)
            result |= {
                a["conversion_id"]: dict(
                    zip((t[0] for t in a["touches"]), a["models"]["linear"]["credited_micros"], strict=True)
                )
                for a in attributions
            }
        return result

    # Ann buys after one touch; the device d-1 had two touches of its own.
    facts += [touch("dev-1", "t1", 0), touch("dev-1", "t2", HOUR_MS), touch("ann", "t3", 2 * HOUR_MS)]
    facts += [conversion("ann", "c1", 3 * HOUR_MS, 9_000_001)]
    assert derived(graph.apply(seen("dev-1", device_id="dev-1"), seen("ann", user_id="u-1"))) == {}
    # She signs in on the device: merged.
    merged = derived(graph.apply(seen("ann", device_id="dev-1")))
    assert merged == {"c1": {"t1": 3_000_001, "t2": 3_000_000, "t3": 3_000_000}}
    # A touch arrives late.
    facts.append(touch("dev-1", "t0", 30 * 60_000))
    assert derived(graph.apply(seen("dev-1")))["c1"] == {
        "t1": 2_250_001,
        "t0": 2_250_000,
        "t2": 2_250_000,
        "t3": 2_250_000,
    }
    # A refund, from the device.
    facts.append(refund("dev-1", "r1", 4 * HOUR_MS, "c1", 1_000_001))
    assert set(derived(graph.apply(seen("dev-1")))["c1"].values()) == {2_000_000}
    # The link is withdrawn: ann has her own touch, and the refund that was not hers no longer counts.
    link = Identifier(Kind.DEVICE_ID, "dev-1")
    assert derived(graph.apply(Withdrawal("ann", link))) == {"c1": {"t3": 9_000_001}}
    # Another device, another merge; then bob opts out, and his touch is gone.
    facts.append(touch("bob", "t4", HOUR_MS))
    graph.apply(seen("bob", hashed_email="mail-1"))
    assert derived(graph.apply(seen("ann", hashed_email="mail-1"))) == {"c1": {"t4": 4_500_001, "t3": 4_500_000}}
    facts.append(head("s", "bob", "s1", DAY_MS, consent=0))
    assert derived(graph.apply(seen("bob", 1, consented=False))) == {"c1": {"t3": 9_000_001}}
    # Ann herself opts out: the conversion stays, without a touch.
    facts.append(head("s", "ann", "s2", DAY_MS, consent=0))
    assert derived(graph.apply(seen("ann", 1, consented=False))) == {"c1": {"": 9_000_001}}
    # And is erased: nothing is left.
    assert derived(graph.apply(Erasure("ann", START_MS + 2 * DAY_MS))) == {}
