"""The incremental device graph against the plain definition, in any order; and the rules one by one."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.unit.identity.plain_identity import persons as plain_persons
from udfs.identity.device_graph import DeviceGraph, Erasure, Observation, Withdrawal
from udfs.identity.graph_state import GraphState
from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.records import IdentityStateError
from udfs.identity.settings import IdentitySettings, IdentitySettingsError

DAY_MS = 86_400_000
START_DAY = 20_500
SETTINGS = IdentitySettings()


class Texts(dict):
    """A state in memory, with the calls of Flink's MapState."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def get(self, key):
        self.reads += 1
        return super().get(key)

    def put(self, key, value):
        self[key] = value

    def remove(self, key):
        self.pop(key, None)


class Graph:
    """A device graph, and what its updates have told so far."""

    def __init__(self, chosen=SETTINGS):
        self.texts = Texts()
        self.graph = DeviceGraph(self.texts, chosen)
        self.person_of = {}
        self.links = set()

    def apply(self, *changes, expire=1_000):
        update = self.graph.apply(changes, expire=expire)
        self.person_of.update(dict(update.moved))
        for link in update.links:
            (self.links.discard if link.removed else self.links.add)((link.customer_id, link.identifier))
        return update

    def persons(self, names):
        """{customer: (customers of the person, probable links, certain parts)} as the state has it."""
        state = GraphState(self.texts)
        groups = {name: state.group(state.customer(name).person or name) for name in names}
        return {name: (group.customers, group.links, group.parts) for name, group in groups.items()}


def seen(customer, day=0, consented=True, **identifiers):
    return Observation(customer, (START_DAY + day) * DAY_MS + 5, consented, identifiers)


def network(customer, day=0, geo="DE-BE", user_agent="phone", ip="n1", **more):
    return seen(customer, day, hashed_ip=ip, geo=geo, user_agent=user_agent, **more)


def erased(customer, day=0):
    return Erasure(customer, (START_DAY + day) * DAY_MS + 7)


def person(graph, customer):
    return graph.persons([customer])[customer][0]


# Few names and values, so that nearly everything meets.
CUSTOMERS = st.sampled_from([f"c{number}" for number in range(9)])
DAYS = st.integers(0, 12)
IDENTIFIERS = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(["u-1", "u-2", "u-3"]),
        "hashed_email": st.sampled_from(["m-1", "m-2"]),
        "device_id": st.sampled_from(["d-1", "d-2", "d-3"]),
        "cookie_id": st.sampled_from(["k-1", "k-2", "00000000"]),
        "hashed_ip": st.sampled_from(["n-1", "n-2", "n-3"]),
        "geo": st.sampled_from(["DE-BE", "FR-IDF"]),
        "user_agent": st.sampled_from(["phone", "desk"]),
    },
)
CHANGES = st.one_of(
    st.builds(
        lambda customer, day, consented, identifiers: seen(customer, day, consented, **identifiers),
        CUSTOMERS,
        DAYS,
        st.integers(0, 11).map(bool),
        IDENTIFIERS,
    ),
    st.builds(
        lambda customer, day, consented, identifiers: seen(customer, day, consented, **identifiers),
        CUSTOMERS,
        DAYS,
        st.integers(0, 11).map(bool),
        IDENTIFIERS,
    ),
    st.builds(
        Withdrawal,
        CUSTOMERS,
        st.sampled_from(
            [Identifier(Kind.DEVICE_ID, "d-1"), Identifier(Kind.HASHED_EMAIL, "m-1"), Identifier(Kind.NETWORK, "n-1")]
        ),
    ),
    st.builds(erased, CUSTOMERS, DAYS),
)
CHOSEN = st.builds(
    lambda certain, crowd, largest, retention: IdentitySettings(
        most_customers=tuple((kind, crowd if kind is Kind.NETWORK else certain) for kind in Kind),
        largest_person=largest,
        retention_days=retention,
    ),
    st.integers(3, 5),
    st.integers(3, 6),
    st.integers(2, 9),
    st.sampled_from([5, 90]),
)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(CHANGES, max_size=40), CHOSEN)
def test_every_order_gives_the_partition_of_the_set(data, changes, chosen):
    expected = plain_persons(changes, chosen)
    note(f"expected {expected}")
    order = data.draw(st.permutations(range(len(changes))))
    copies = data.draw(st.lists(st.sampled_from(changes), max_size=10)) if changes else []
    graph = Graph(chosen)
    arriving = [changes[place] for place in order] + copies
    while arriving:
        size = data.draw(st.integers(1, 8))
        graph.apply(*arriving[:size], expire=data.draw(st.integers(1, 50)))
        arriving = arriving[size:]
    for _ in range(30):  # what has expired is taken out bit by bit
        graph.apply(expire=50)
    assert graph.persons(expected) == expected
    told = {name: graph.person_of.get(name, name) for name in expected}
    assert told == {name: group[0] for name, (group, _, _) in expected.items()}


@pytest.mark.parametrize("seed", range(5))
def test_long_histories_agree_with_the_plain_definition(seed):
    chance = random.Random(seed)
    print(f"seed {seed}")
    chosen = IdentitySettings(
        most_customers=tuple((kind, 4) for kind in Kind), largest_person=chance.choice((3, 6, 50)), retention_days=20
    )
    graph, changes = Graph(chosen), []
    names = [f"c{number:02}" for number in range(14)]
    for step in range(300):
        day = min(40, max(0, step // 6 + chance.randint(-3, 3)))
        name = chance.choice(names)
        kind = chance.random()
        if kind < 0.03:
            change = erased(name, day)
        elif kind < 0.05:
            change = Withdrawal(name, Identifier(Kind.DEVICE_ID, f"d{chance.randrange(12)}x"))
        else:
            carried = {
                key: value
                for key, value, share in (
                    ("user_id", f"u{names.index(name) // 3}x", 0.3),
                    ("hashed_email", f"m{chance.randrange(12)}x", 0.1),
                    ("device_id", f"d{chance.randrange(12)}x", 0.2),
                    ("hashed_ip", f"n{chance.randrange(8)}x", 0.4),
                    ("geo", chance.choice(("A", "B")), 0.9),
                    ("user_agent", chance.choice(("P", "Q", "R")), 0.9),
                )
                if chance.random() < share
            }
            change = seen(name, day, chance.random() < 0.97, **carried)
        changes.append(change)
        graph.apply(change)
        if step % 20 == 19:
            while (before := dict(graph.texts)) and graph.apply() and before != graph.texts:
                pass
            expected = plain_persons(changes, chosen)
            assert graph.persons(expected) == expected, f"after {step} steps"


def test_two_customers_on_one_device_are_one_person():
    graph = Graph()
    graph.apply(seen("ann", device_id="dev-7", user_id="u-9"))
    update = graph.apply(seen("dev-7", device_id="dev-7"))
    assert update.moved == [("dev-7", "ann")]
    assert [p.group.customers for p in update.persons] == [("ann", "dev-7")]
    # A fact of a person with two customers is derived again; one of a person alone is not.
    assert [p.group.customers for p in graph.apply(seen("ann", 1)).persons] == [("ann", "dev-7")]
    assert graph.apply(seen("bob", 1, device_id="dev-8")).persons == []


def test_two_user_ids_are_never_one_person():
    graph = Graph()
    graph.apply(seen("ann", user_id="u-1", device_id="tablet"), seen("bob", user_id="u-2", device_id="tablet"))
    assert person(graph, "ann") == ("ann",)
    # Not over a third one either, and not by probability.
    graph.apply(seen("eve", device_id="tablet", hashed_email="mail-1"), seen("ann", hashed_email="mail-1"))
    graph.apply(network("ann"), network("bob"))
    assert person(graph, "ann") == ("ann", "eve")
    assert person(graph, "bob") == ("bob",)


def test_a_late_user_id_splits_what_was_one():
    graph = Graph()
    graph.apply(seen("ann", user_id="u-1", device_id="tablet"), seen("bob", device_id="tablet"))
    assert person(graph, "bob") == ("ann", "bob")
    update = graph.apply(seen("bob", 1, user_id="u-2"))
    assert update.moved == [("bob", "bob")]
    assert sorted(p.group.customers for p in update.persons) == [("ann",), ("bob",)]


def test_a_shared_device_links_nobody():
    graph = Graph()
    people = [f"c{number}" for number in range(5)]
    graph.apply(*(seen(name, device_id="kiosk") for name in people))
    assert person(graph, "c3") == tuple(people)
    update = graph.apply(seen("c5", device_id="kiosk"))
    assert {p.group.customers for p in update.persons} >= {(name,) for name in people}
    assert person(graph, "c0") == ("c0",)
    # When one of them is taken off, five are left, which may be one household.
    graph.apply(Withdrawal("c5", Identifier(Kind.DEVICE_ID, "kiosk")))
    assert person(graph, "c0") == tuple(people)


def test_a_device_of_a_million_keeps_room_for_a_few():
    graph = Graph()
    for number in range(200):
        graph.apply(seen(f"c{number}", device_id="kiosk"))
    assert len(graph.texts[f"{Kind.DEVICE_ID}/kiosk"]) < 200
    assert person(graph, "c7") == ("c7",)


@pytest.mark.parametrize(
    "value",
    [
        *("", "  ", "0", "00000000-0000-0000-0000-000000000000", "NULL", "undefined", "n/a", "ffffffff"),
        *("[object Object]", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ],
)
def test_values_that_say_nothing_link_nobody(value):
    graph = Graph()
    update = graph.apply(
        seen("ann", device_id=value, hashed_email=value), seen("bob", device_id=value, hashed_email=value)
    )
    assert update.links == []
    assert person(graph, "ann") == ("ann",)


@pytest.mark.parametrize("value", ["11", "777", "a", "dev-0", "0f0f0f0f"])
def test_short_ids_link(value):
    graph = Graph()
    graph.apply(seen("ann", device_id=value), seen("bob", device_id=value))
    assert person(graph, "ann") == ("ann", "bob")


def test_a_withdrawn_link_stays_withdrawn_and_splits():
    graph = Graph()
    graph.apply(seen("ann", device_id="dev-7"), seen("bob", device_id="dev-7"))
    update = graph.apply(Withdrawal("bob", Identifier(Kind.DEVICE_ID, "dev-7")))
    assert update.moved == [("bob", "bob")]
    assert {p.group.customers for p in update.persons} == {("ann",), ("bob",)}
    graph.apply(seen("bob", 3, device_id="dev-7"))
    assert person(graph, "bob") == ("bob",)
    assert graph.links == {("ann", Identifier(Kind.DEVICE_ID, "dev-7"))}


def test_an_opt_out_takes_links_until_the_end_of_its_day():
    graph = Graph()
    graph.apply(seen("ann", device_id="dev-7"), seen("bob", device_id="dev-7"))
    update = graph.apply(seen("bob", 2, consented=False, device_id="dev-7"))
    by_customer = {p.group.customers: p for p in update.persons}
    assert set(by_customer) == {("ann",), ("bob",)}
    # What comes late from before the opt-out changes nothing; a new consent counts from the next day on.
    graph.apply(seen("bob", 1, device_id="dev-7"), seen("bob", 2, device_id="dev-7"))
    assert person(graph, "bob") == ("bob",)
    graph.apply(seen("bob", 3, device_id="dev-7"))
    assert person(graph, "bob") == ("ann", "bob")


def test_who_never_consented_is_linked_with_nobody_and_left_to_the_stream():
    graph = Graph()
    update = graph.apply(seen("ann", consented=False, device_id="dev-7"), seen("bob", device_id="dev-7"))
    assert update.persons == []
    assert person(graph, "bob") == ("bob",)


def test_an_opt_out_of_somebody_who_was_never_linked_is_left_to_the_stream():
    graph = Graph()
    graph.apply(seen("ann", device_id="dev-7"))
    assert graph.apply(seen("ann", 1, consented=False)).persons == []


def test_state_of_version_1_is_read_and_goes_on():
    graph = Graph()
    graph.apply(seen("ann", device_id="dev-7"))
    now = graph.texts["customer/ann"]
    fields = json.loads(now)
    graph.texts["customer/ann"] = json.dumps([1, *fields[1:4], START_DAY, *fields[4:]], separators=(",", ":"))
    graph.apply(seen("ann", 0, device_id="dev-8"))
    assert graph.texts["customer/ann"] == now.replace('"dev-7":20500', '"dev-7":20500,"dev-8":20500')


def test_an_erasure_takes_links_and_leaves_the_others():
    graph = Graph()
    graph.apply(seen("ann", device_id="dev-7"), seen("bob", device_id="dev-7"), seen("cy", device_id="dev-7"))
    update = graph.apply(erased("bob", 1))
    assert {p.group.customers: p.erased_until for p in update.persons} == {
        ("ann", "cy"): {},
        ("bob",): {"bob": (START_DAY + 1) * DAY_MS + 7},
    }
    assert "dev-7" not in graph.texts["customer/bob"]


def test_links_expire_after_the_retention():
    graph = Graph()
    graph.apply(seen("ann", device_id="dev-7"), seen("bob", 10, device_id="dev-7"))
    graph.apply(seen("eve", 89))
    assert person(graph, "ann") == ("ann", "bob")
    update = graph.apply(seen("eve", 90))
    assert update.moved == [("bob", "bob")]
    update = graph.apply(seen("ann", 0, device_id="dev-7"))
    assert update.expired == 1
    assert person(graph, "ann") == ("ann",)


def test_texts_of_links_that_expired_are_gone():
    graph = Graph()
    for number in range(250):
        graph.apply(seen(f"c{number}", device_id=f"dev-{number // 2}", hashed_ip=f"n-{number}"))
    graph.apply(seen("dan", consented=False), seen("fay"), seen("gus", 1), seen("gus", 2, consented=False))
    graph.apply(erased("hal", 3))
    graph.apply(seen("eve", 200))
    for _ in range(3):
        graph.apply()
    assert set(graph.texts) == {"tenant", "customer/eve", f"day/{START_DAY + 200}", f"day/{START_DAY + 200}/0"}


def test_a_probable_link_needs_the_threshold_and_says_its_probability():
    graph = Graph()
    update = graph.apply(network("ann", user_agent="desk"), network("x-1", user_agent="phone"))
    # 0.8/1 for the network, 0.98/0.7 one place, 0.5/0.85 two browsers, 0.8/0.15 one day: odds 896/255.
    assert update.persons[0].group.links == (("ann", "x-1", round(896 / (896 + 255), 6)),)
    graph.apply(network("y-1", ip="n2"), network("y-2", ip="n2", geo="FR-IDF"))
    assert person(graph, "y-1") == ("y-1",)


def test_a_third_on_the_network_makes_a_pair_less_likely():
    graph = Graph()
    graph.apply(network("ann", user_agent="desk"), network("x-1", user_agent="phone"))
    graph.apply(network("z-1", user_agent="tablet"))
    assert person(graph, "ann") == ("ann",)


@pytest.mark.parametrize("turned", [False, True])
def test_the_newest_sighting_decides_whatever_came_last(turned):
    graph = Graph()
    moves = [network("ann", 3, user_agent="desk"), network("ann", 4, geo="FR-IDF", user_agent="desk")]
    graph.apply(*(moves[::-1] if turned else moves), network("x-1", 3))
    assert person(graph, "x-1") == ("x-1",)
    graph.apply(network("y-1", 3, geo="A", ip="n2"))
    same_day = [network("y-2", 3, geo="B", ip="n2"), network("y-2", 3, geo="A", ip="n2")]
    graph.apply(*(same_day[::-1] if turned else same_day))
    assert person(graph, "y-2") == ("y-2",)


def test_giants_fall_back_to_trusted_links():
    chosen = IdentitySettings(largest_person=10)
    graph = Graph(chosen)
    # Pairs by e-mail, chained to one long line by cookies.
    for number in range(40):
        graph.apply(seen(f"c{number:02}", hashed_email=f"mail-{number // 2}"))
    for number in range(39):
        cookie = f"cookie-{number}"
        graph.apply(seen(f"c{number:02}", cookie_id=cookie), seen(f"c{number + 1:02}", cookie_id=cookie))
    assert person(graph, "c20") == ("c20", "c21")
    # Cut into two lines the shorter one, of ten, is one person again.
    graph.apply(Withdrawal("c10", Identifier(Kind.COOKIE_ID, "cookie-9")))
    assert person(graph, "c04") == tuple(f"c{number:02}" for number in range(10))
    assert person(graph, "c20") == ("c20", "c21")


def test_the_work_of_an_update_is_bounded_on_giants():
    """Reads per update must not grow with the length of a chain once it is a giant."""

    def reads(length):
        graph = Graph(IdentitySettings(largest_person=10))
        for number in range(length):
            graph.apply(seen(f"c{number}", cookie_id=f"k-{number}"), seen(f"c{number}", cookie_id=f"k-{number + 1}"))
        graph.texts.reads = 0
        graph.apply(seen("new", cookie_id=f"k-{length // 2}"))
        return graph.texts.reads

    assert reads(400) <= reads(60)


def test_state_of_a_newer_program_is_refused():
    graph = Graph()
    graph.apply(seen("ann", device_id="dev-7"))
    graph.texts["customer/ann"] = graph.texts["customer/ann"].replace("[2,", "[3,", 1)
    with pytest.raises(IdentityStateError, match="version 3"):
        graph.apply(seen("ann", 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [("threshold", 0.3), ("threshold", 1.0), ("retention_days", 0), ("largest_person", 1), ("most_customers", ())],
)
def test_settings_name_what_is_wrong(name, value):
    with pytest.raises(IdentitySettingsError, match=name):
        IdentitySettings(**{name: value})
