"""Personal data at the door: allow-list, hashes of the normalised value, and nothing left behind."""

from __future__ import annotations

import copy
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.events.sample_events import event
from udfs.events.envelope import EventType
from udfs.events.privacy import (
    KEPT_IDENTIFIERS,
    hash_email,
    hash_ip,
    hash_phone,
    may_hold_personal_text,
    protect_maps,
    protect_strings,
    protected_free_text,
    protected_identifiers,
    protected_string,
)

# From outside: `printf %s jane@example.com | sha256sum`, and so on.
JANE = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"
PHONE = "663a4322addcdcc2be9435bfd2505066dc1048b89d33e48f363119f18bdd71e8"  # +4915123456789
PHONE_WITHOUT_PLUS = "c0f8f0bebbbac96451ee8d8def84a02ae9e34c877775437cb9d458328315afa7"  # 4915123456789
IPV4 = "fec52565aa0cf18f57d7cf5b3ac728503b8992d2d6f7d46da1d1201090902b02"  # 203.0.113.7
IPV6 = "5afd19e856d1c18d17d600dfd2b5f534992333985e126c2a951047102c1ed536"  # 2001:db8::1
UNKNOWN = "b23a6a8439c0dde5515893e7c90c1e3233b8616e634470f20dc4928bcf3609bc"  # unknown


@pytest.mark.parametrize("value", ["jane@example.com", " Jane@Example.COM\n"])
def test_an_email_is_hashed_without_space_in_lower_case(value: str) -> None:
    assert hash_email(value) == JANE


@pytest.mark.parametrize("value", ["+4915123456789", "+49 (151) 234-56789 ", "004915123456789"])
def test_a_phone_number_is_hashed_in_e164(value: str) -> None:
    assert hash_phone(value) == PHONE


def test_a_phone_number_without_prefix_keeps_its_digits() -> None:
    assert hash_phone("49 151 23456789") == PHONE_WITHOUT_PLUS


@pytest.mark.parametrize(
    ("value", "digest"),
    [("203.0.113.7", IPV4), (" 203.0.113.7 ", IPV4), ("2001:DB8:0:0::1", IPV6), ("Unknown", UNKNOWN)],
)
def test_an_ip_address_is_hashed_in_its_canonical_form(value: str, digest: str) -> None:
    assert hash_ip(value) == digest


def test_identifiers_on_the_list_stay_and_others_go() -> None:
    kept = dict.fromkeys(KEPT_IDENTIFIERS, "ab" * 32)
    assert protected_identifiers(kept | {"ssn": "1", "name": "Jane", "Email": "x", "": "y"}) == kept


def test_the_allow_list_is_that_of_the_contract() -> None:
    assert " ".join(sorted(KEPT_IDENTIFIERS)) == (
        "account_id cookie_id device_id geo hashed_email hashed_ip hashed_phone user_agent user_id"
    )


def test_raw_identifiers_arrive_hashed_under_the_hashed_key() -> None:
    raw = {"email": "jane@example.com", "phone": "+4915123456789", "ip": "203.0.113.7", "user_id": "u"}
    assert protected_identifiers(raw) == {
        "hashed_email": JANE,
        "hashed_phone": PHONE,
        "hashed_ip": IPV4,
        "user_id": "u",
    }


@pytest.mark.parametrize("key", ["email", "phone", "ip", "hashed_email", "hashed_phone", "hashed_ip"])
def test_an_empty_identifier_is_not_hashed(key: str) -> None:
    assert protected_identifiers({key: " "}) == {}


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [
        ({"hashed_email": JANE.upper()}, JANE),
        ({"hashed_email": "jane@example.com"}, JANE),
        ({"hashed_email": JANE, "email": "jane@example.com"}, JANE),
        ({"hashed_email": "cd" * 32, "email": "jane@example.com"}, JANE),
        ({"email": "jane@example.com", "hashed_email": "cd" * 32}, JANE),
        ({"hashed_email": "cd" * 32}, "cd" * 32),
    ],
)
def test_a_hash_stays_a_raw_value_in_its_place_does_not(identifiers: dict[str, str], expected: str) -> None:
    assert protected_identifiers(identifiers) == {"hashed_email": expected}


def test_free_text_keeps_its_keys_but_for_raw_ones() -> None:
    texts = {"page": "/a.b.c.d", "email": "jane@example.com", "ip": "203.0.113.7", "phone": "004915123456789"}
    assert protected_free_text(texts | {"proxy": "2001:db8::1", "at": "12:30:15", "v": "1.2.3"}) == {
        "page": "/a.b.c.d",
        "hashed_email": JANE,
        "hashed_ip": IPV4,
        "hashed_phone": PHONE,
        "proxy": IPV6,
        "at": "12:30:15",
        "v": "1.2.3",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@example.com", JANE),
        ("JANE@example.com", JANE),
        ("Jane <jane@example.com>, at home", f"Jane <{JANE}>, at home"),
        ("mailto:jane@example.com?subject=x", f"mailto:{JANE}?subject=x"),
        ("Write to jane@example.com.", f"Write to {JANE}"),
        ("https://x.test/?e=jane%40example.com&u=1", f"https://x.test/?e={JANE}&u=1"),
        ("jane@example.com and jane@example.com", f"{JANE} and {JANE}"),
        ("+4915123456789", PHONE),
        ("+49 151 23456789", PHONE),
        ("Win @ home", "Win @ home"),
        ("@acme", "@acme"),
        ("me@localhost", "me@localhost"),
        ("50%40%", "50%40%"),
        ("+1", "+1"),
        ("+ 20 percent", "+ 20 percent"),
        ("a+b", "a+b"),
        ("", ""),
    ],
)
def test_personal_text_is_hashed_where_it_stands(text: str, expected: str) -> None:
    assert protected_string(text) == expected


@pytest.mark.parametrize("text", ["ann@b@example.com", "jürgen@exämple.de", "a.b+c_d@e-f.g.h"])
def test_unusual_addresses_leave_nothing(text: str) -> None:
    assert protected_string(text) == hash_email(text)


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000 + "@", "@" * 1_000_000, "a@" * 500_000, "a@b" * 300_000, "." * 1_000_000 + "@.", "%40" * 300_000],
    ids=["long name", "ats", "name at", "chain", "dots", "encoded"],
)
def test_hostile_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    began = time.process_time()
    protected_string(text)
    assert time.process_time() - began < 5


PATHS = [
    (EventType.CONVERSION_EVENT, "envelope.event_id"),
    (EventType.CONVERSION_EVENT, "envelope.source_platform"),
    (EventType.CONVERSION_EVENT, "envelope.identifiers.user_id"),
    (EventType.CONVERSION_EVENT, "envelope.metadata.note"),
    (EventType.CONVERSION_EVENT, "journey.customer_id"),
    (EventType.CONVERSION_EVENT, "conversion.original_event_id"),
    (EventType.TOUCHPOINT_INTERACTION, "touchpoint.metadata.note"),
    (EventType.TOUCHPOINT_INTERACTION, "touchpoint.source"),
    (EventType.CAMPAIGN_LAUNCH, "campaign.name"),
    (EventType.JOURNEY_START, "entry_point.term"),
    (EventType.SEGMENT_UPDATE, "trigger_context.context_data.note"),
]


def protected(record: dict[str, Any]) -> dict[str, Any]:
    """What the decoder does: maps first, strings if the JSON may hold personal text."""
    protect_maps(record)
    if may_hold_personal_text(orjson.dumps(record)):
        record = protect_strings(record)
    return record


def put(record: dict[str, Any], path: str, value: Any) -> None:
    node: Any = record
    *steps, last = path.split(".")
    for step in steps:
        node = node[step]
    node[last] = value


@pytest.mark.parametrize(("kind", "path"), PATHS)
@pytest.mark.parametrize("value", ["Jane@example.com", "x jane%40example.com y", "+49 151 23456789"])
def test_nothing_personal_is_left_anywhere(kind: EventType, path: str, value: str) -> None:
    record = event(kind)
    put(record, path, value)
    text = orjson.dumps(protected(record)).decode().lower()
    assert "jane" not in text
    assert "23456789" not in text


def test_the_same_address_has_the_same_hash_in_every_place() -> None:
    record = event(EventType.CONVERSION_EVENT)
    record["journey"]["customer_id"] = "Jane@Example.com"
    record["envelope"]["identifiers"] = {"email": "jane@example.com "}
    after = protected(record)
    assert after["journey"]["customer_id"] == after["envelope"]["identifiers"]["hashed_email"] == JANE


@pytest.mark.parametrize("kind", EventType)
def test_a_harmless_event_stays_as_it_is(kind: EventType) -> None:
    assert protected(event(kind)) == event(kind)


@pytest.mark.parametrize(
    ("key", "value", "after"),
    [
        ("phone", "0151 23456789", ("hashed_phone", hash_phone("015123456789"))),
        ("ip", "unknown", ("hashed_ip", UNKNOWN)),
        ("seen_from", "203.0.113.7", ("seen_from", IPV4)),
        ("seen_from", "2001:db8::1", ("seen_from", IPV6)),
        ("jane@example.com", "x", (JANE, "x")),
    ],
)
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (EventType.CAMPAIGN_LAUNCH, "envelope.metadata"),
        (EventType.TOUCHPOINT_INTERACTION, "touchpoint.metadata"),
        (EventType.SEGMENT_UPDATE, "trigger_context.context_data"),
    ],
)
def test_every_map_is_protected(kind: EventType, path: str, key: str, value: str, after: tuple[str, str]) -> None:
    record = event(kind)
    put(record, path, {"note": "x", key: value})
    found = protected(record)
    for step in path.split("."):
        found = found[step]
    assert found == {"note": "x", after[0]: after[1]}


emails = st.from_regex(r"[a-z0-9._-]{1,20}@[a-z0-9-]{1,10}\.[a-z]{2,5}", fullmatch=True)


@given(emails, st.text(alphabet=" <>,;\"'()", max_size=5), st.text(alphabet=" <>,;\"'()", max_size=5))
def test_any_address_in_any_text_is_hashed(address: str, before: str, after: str) -> None:
    assert address not in protected_string(f"{before}{address}{after}")


texts = st.one_of(
    emails,
    st.text(max_size=20),
    st.sampled_from(["203.0.113.7", "2001:db8::1", "+4915123456789", "jane%40example.com", JANE.upper()]),
)
maps = st.dictionaries(st.one_of(st.sampled_from(["email", "ip", "phone", "hashed_email", "note"]), texts), texts)


@given(maps, maps, texts)
def test_protecting_twice_changes_nothing(
    identifiers: dict[str, str], metadata: dict[str, str], customer_id: str
) -> None:
    # An event that is driven again from its payload must keep its ids and hashes.
    record = event(EventType.CONVERSION_EVENT)
    record["envelope"] |= {"identifiers": identifiers, "metadata": metadata}
    record["journey"]["customer_id"] = customer_id
    once = protected(record)
    assert protected(copy.deepcopy(once)) == once
