"""Credits, calculated by hand from the rules in SPEC C and the data contract."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import Answer
from tests.oracle.attribution import MODELS, flaw, largest_remainder
from tests.unit.oracle.hand_written import NOW, conversion, touch, write

DAY = 86_400_000


def credits_of(path, *messages):
    """Touchpoint ids and, by model, credited micros of the first conversion by id."""
    with Answer(write(path / "r", *messages)) as answer:
        found = min(answer.conversions(), key=lambda found: found.conversion_id)
    micros = {model: largest_remainder(found.net, found.weights(model)) for model in MODELS}
    return [touch.touchpoint_id for touch in found.touches], micros


def test_three_touches_a_week_apart(tmp_path):
    touches = [touch("t1", NOW - 14 * DAY), touch("t2", NOW - 7 * DAY), touch("t3", NOW, "direct")]
    ids, micros = credits_of(tmp_path, *touches, conversion("v", NOW, 100_000_000))
    assert ids == ["t1", "t2", "t3"]
    assert micros == {
        "first_touch": [100_000_000, 0, 0],
        "last_touch": [0, 0, 100_000_000],
        "last_non_direct": [0, 100_000_000, 0],
        "linear": [33_333_334, 33_333_333, 33_333_333],
        # Half-life 7 days: 1/7, 2/7, 4/7 of the value, 14285714.29, 28571428.57, 57142857.14: the second has most left.
        "time_decay": [14_285_714, 28_571_429, 57_142_857],
        "position_based": [40_000_000, 20_000_000, 40_000_000],
    }


def test_position_based_shares_the_middle_and_halves_two(tmp_path):
    four = [touch(f"t{number}", NOW - number) for number in (4, 3, 2, 1)]
    assert credits_of(tmp_path, *four, conversion("v", NOW, 1_001))[1]["position_based"] == [401, 100, 100, 400]
    two = [touch("t1", NOW - 2), touch("t2", NOW - 1)]
    assert credits_of(tmp_path, *two, conversion("v", NOW, 7))[1]["position_based"] == [4, 3]
    assert credits_of(tmp_path, two[0], conversion("v", NOW, 7))[1]["position_based"] == [7]


def test_last_non_direct_falls_back_on_direct(tmp_path):
    direct = [touch("t1", NOW - 2, "direct"), touch("t2", NOW - 1, "direct")]
    assert credits_of(tmp_path, *direct, conversion("v", NOW, 5))[1]["last_non_direct"] == [0, 5]


def test_the_lookback_holds_both_of_its_ends(tmp_path):
    touches = [
        touch("too-early", NOW - 30 * DAY - 1),
        touch("first", NOW - 30 * DAY),
        touch("last", NOW),
        touch("after", NOW + 1),
    ]
    ids, _ = credits_of(tmp_path, *touches, conversion("v", NOW, 5))
    assert ids == ["first", "last"]


def test_touches_of_one_moment_stand_in_the_order_of_their_ids(tmp_path):
    ids, micros = credits_of(tmp_path, touch("b", NOW), touch("a", NOW), touch("B", NOW), conversion("v", NOW, 1))
    assert ids == ["B", "a", "b"]
    assert micros["linear"] == [1, 0, 0]


def test_a_touch_that_arrives_later_counts_all_the_same(tmp_path):
    ids, _ = credits_of(tmp_path, touch("t1", NOW - 5), conversion("v", NOW, 5), touch("t2", NOW - 9))
    assert ids == ["t2", "t1"]


def test_touches_of_other_customers_and_tenants_do_not_count(tmp_path):
    others = [touch("t1", NOW, customer="p2"), touch("t2", NOW, tenant="other")]
    assert credits_of(tmp_path, *others, conversion("v", NOW, 5)) == ([], {model: [5] for model in MODELS})


def test_a_refusal_takes_the_touches_up_to_it(tmp_path):
    path = [touch("t1", NOW - 9), touch("t2", NOW - 5), touch("no", NOW - 5, analytics=False), touch("t3", NOW - 4)]
    assert credits_of(tmp_path, *path, conversion("v", NOW, 8))[0] == ["t3"]
    later = touch("no", NOW + 60_000, analytics=False)
    assert credits_of(tmp_path, *path[:2], conversion("v", NOW, 8), later) == ([], {model: [8] for model in MODELS})
    # Of another customer it says nothing.
    other = touch("no", NOW + 60_000, customer="p2", analytics=False)
    assert credits_of(tmp_path, *path[:2], conversion("v", NOW, 8), other)[0] == ["t1", "t2"]


def test_each_conversion_is_credited_in_full(tmp_path):
    path = tmp_path / "r"
    messages = [touch("t1", NOW - 9), conversion("v1", NOW - 5, 100), touch("t2", NOW - 3), conversion("v2", NOW, 11)]
    with Answer(write(path, *messages)) as answer:
        found = {made.conversion_id: [t.touchpoint_id for t in made.touches] for made in answer.conversions()}
    assert found == {"v1": ["t1"], "v2": ["t1", "t2"]}


@pytest.mark.parametrize(
    ("taken_back", "net"),
    [
        ([("refund", 30)], 70),
        ([("refund", 30), ("refund", 30)], 40),
        ([("refund", 80), ("refund", 80)], 0),
        ([("cancellation", 0)], 0),
        ([("refund", 10), ("cancellation", 5)], 0),
    ],
)
def test_what_is_taken_back_lowers_the_value(tmp_path, taken_back, net):
    backs = [conversion(f"b{n}", NOW + 5, value, kind=kind, of="v") for n, (kind, value) in enumerate(taken_back)]
    # One comes before the conversion, one is a copy, one is of another tenant: only the first counts.
    strangers = [conversion("b9", NOW, 1, kind="refund", of="v", tenant="other"), backs[0]]
    messages = [backs[0], touch("t1", NOW), conversion("v", NOW, 100), *backs[1:], *strangers]
    with Answer(write(tmp_path / "r", *messages)) as answer:
        (found,) = answer.conversions()
    assert (found.gross, found.net) == (100, net)


def test_journey_of_the_rows_above(tmp_path):
    messages = [
        touch("t2", NOW - 1),
        conversion("v1", NOW, 100),
        touch("t1", NOW - 9),
        conversion("b", NOW + 3, 5, kind="refund", of="v1"),
    ]
    with Answer(write(tmp_path / "r", *messages)) as answer:
        rows = answer.rows(
            "SELECT journey_id, customer_id, stage, started_at, last_event_at, touchpoints, conversions, value_micros, "
            "currency FROM journeys"
        )
    assert rows == [("j1", "p1", "purchase", NOW - 9, NOW + 3, 2, 1, 100, "EUR")]


SHARES = st.lists(st.integers(1, 50), min_size=1, max_size=12).map(
    lambda parts: [Fraction(part, sum(parts)) for part in parts]
)


@given(total=st.integers(0, 10**17), shares=SHARES)
def test_parts_sum_to_the_whole_and_lie_within_one_of_their_quota(total, shares):
    parts = largest_remainder(total, shares)
    assert sum(parts) == total
    assert all(abs(part - total * share) < 1 for part, share in zip(parts, shares, strict=True))
    assert flaw(total, shares, parts) is None


@given(total=st.integers(100, 10**9), shares=SHARES.filter(lambda shares: len(shares) > 1), data=st.data())
def test_a_micro_moved_is_found(total, shares, data):
    giver, taker = data.draw(st.permutations(range(len(shares))))[:2]
    parts = largest_remainder(total, shares)
    remainders = [total * share % 1 for share in shares]
    parts[giver] -= 1
    parts[taker] += 1
    swapped_a_tie = remainders[giver] == remainders[taker] and shares[giver] != shares[taker]
    assert swapped_a_tie or flaw(total, shares, parts)


@given(total=st.integers(0, 2**55), shares=SHARES)
def test_rounding_of_floats_is_forgiven(total, shares):
    floats = [float(share) for share in shares]
    scaled = [Fraction(weight) / sum(map(Fraction, floats)) for weight in floats]
    assert flaw(total, shares, largest_remainder(total, scaled)) is None


def test_flaws_are_named():
    thirds = [Fraction(1, 3)] * 3
    assert flaw(100, thirds, [34, 33, 33]) is None
    assert "later one got more" in flaw(100, thirds, [33, 33, 34])
    assert "sum to 99" in flaw(100, thirds, [33, 33, 33])
    assert "2 parts" in flaw(100, thirds, [50, 50])
    assert "off by a micro" in flaw(100, thirds, [32, 34, 34])
    unequal = [Fraction(55, 100), Fraction(45, 100)]
    assert "passed over" in flaw(9, unequal, [4, 5])
