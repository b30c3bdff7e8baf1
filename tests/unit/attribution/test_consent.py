"""Consent in the stream: what a refusal takes out of a customer's credits, and what comes back after it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.attribution.test_person import DAY, LINEAR, START, Stream, conversion, fact, refund, touch
from udfs.attribution.person import apply_facts, reattribute
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import settings_of

REFUSED = 5  # marketing and personalization, not analytics
ASSUMED = replace(LINEAR, consent="assumed")


def shares(stream: Stream, conversion_id: str = "c1") -> dict[str, int]:
    """Credited micros by touchpoint; the one without an id is `unattributed`. They sum to the net value."""
    row = stream.attributions[conversion_id]
    micros = row["models"]["linear"]["credited_micros"]
    assert sum(micros) == row["value_micros"]
    return dict(zip([one[0] for one in row["touches"]], micros, strict=True))


def test_who_never_consented_is_credited_to_nobody() -> None:
    stream = Stream(LINEAR)
    stream.feed(touch("t1", START, consent=REFUSED), conversion("c1", START + DAY, consent=REFUSED))
    assert shares(stream) == {"": 1_000_000}
    assert stream.attributions["c1"]["touches"] == [["", "unattributed", "", START + DAY]]
    # The journey counts them all the same.
    assert stream.journeys["j1"]["touchpoints"] == 1


def test_a_withdrawal_takes_the_touches_before_it_out_of_what_was_credited() -> None:
    stream = Stream(LINEAR)
    stream.feed(touch("t1", START), touch("t2", START + DAY), conversion("c1", START + 2 * DAY))
    assert shares(stream) == {"t1": 500_000, "t2": 500_000}
    stream.feed(refund("r1", START + 3 * DAY, "c1", 200_001))
    update = stream.feed(fact("s", "s1", START + 4 * DAY, consent=REFUSED))
    assert [row["conversion_id"] for row in update.attributions] == ["c1"]
    assert shares(stream) == {"": 799_999}
    # Once more changes nothing; a refund of what is unattributed does.
    assert stream.feed(fact("s", "s2", START + 5 * DAY, consent=REFUSED)).attributions == []
    stream.feed(refund("r2", START + 6 * DAY, "c1", 99_999))
    assert shares(stream) == {"": 700_000}


def test_after_a_refusal_touches_with_consent_count_again() -> None:
    stream = Stream(LINEAR)
    stream.feed(
        touch("banner", START, consent=REFUSED),
        touch("t1", START + 1),
        touch("t2", START + 2),
        conversion("c1", START + 3),
    )
    assert shares(stream) == {"t1": 500_000, "t2": 500_000}
    stream.feed(fact("s", "no", START + 2, consent=REFUSED), touch("t3", START + 4), conversion("c2", START + 5))
    assert shares(stream) == {"": 1_000_000}
    assert shares(stream, "c2") == {"t3": 1_000_000}


def test_a_late_refusal_changes_just_the_conversions_that_it_affects() -> None:
    stream = Stream(LINEAR)
    stream.feed(
        touch("t1", START),
        conversion("c1", START + DAY),
        touch("t2", START + 40 * DAY),
        conversion("c2", START + 41 * DAY),
    )
    update = stream.feed(fact("s", "s1", START + 2 * DAY, consent=REFUSED))
    assert [row["conversion_id"] for row in update.attributions] == ["c1"]
    assert shares(stream, "c2") == {"t2": 1_000_000}


def test_with_consent_assumed_only_a_withdrawal_counts() -> None:
    never = Stream(ASSUMED)
    never.feed(touch("t1", START, consent=REFUSED), conversion("c1", START + 1, consent=REFUSED))
    assert shares(never) == {"t1": 1_000_000}
    # A late fact says that the customer had consented before: it was a withdrawal.
    update = never.feed(fact("s", "s1", START - 1))
    assert [row["conversion_id"] for row in update.attributions] == ["c1"]
    assert shares(never) == {"": 1_000_000}
    first_no = Stream(ASSUMED)
    first_no.feed(touch("t1", START, consent=REFUSED), touch("t2", START + 1), conversion("c1", START + 2))
    assert shares(first_no) == {"t1": 500_000, "t2": 500_000}


def test_a_change_of_the_setting_attributes_anew_who_refused() -> None:
    facts = [touch("t1", START, consent=REFUSED), conversion("c1", START + 1, consent=REFUSED)]
    required = settings_of({"models": ["linear"]}, LINEAR, 1, [])
    assumed = settings_of({"models": ["linear"], "consent": "assumed"}, LINEAR, 2, [])
    update = apply_facts(None, facts, LINEAR, required)
    (row,) = reattribute(update.state, "acme", "ann", LINEAR, assumed, required)
    assert [one[0] for one in row["touches"]] == ["t1"]
    assert row["revision"] > update.attributions[0]["revision"]
    assert row["replaces"]["touches"][0][1] == "unattributed"
    consenting = apply_facts(None, [touch("t1", START), conversion("c1", START + 1)], LINEAR, required)
    assert reattribute(consenting.state, "acme", "ann", LINEAR, assumed, required) == []


@pytest.mark.parametrize("path", ["before", "after"])
def test_touches_there_is_no_room_for_are_out_too(path: str) -> None:
    """A path beyond its bound: revisions grow (checked by Stream) whether a touch is forgotten first or refused."""
    stream = Stream(AttributionSettings(models=("linear",), max_touches=3))
    refusal: list[Any] = [fact("s", "s1", START + 6, consent=REFUSED)]
    touches = [touch(f"t{number}", START + number) for number in range(6)]
    for one in [conversion("c1", START + 9), *(refusal if path == "before" else []), *touches, *refusal]:
        stream.feed(one)
    assert shares(stream) == {"": 1_000_000}
    stream.feed(touch("t7", START + 7))
    assert shares(stream) == {"t7": 1_000_000}
