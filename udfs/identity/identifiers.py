"""Identifiers that can link two customers, and the values that never do."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """Kinds of identifiers, the most trusted first: the order in which links are made.

    Those before `NETWORK` link for certain. A network (the hash of an IP address) only proposes pairs of customers, for
    `similarity` to judge.
    """

    USER_ID = "user_id"
    ACCOUNT_ID = "account_id"
    HASHED_EMAIL = "hashed_email"
    HASHED_PHONE = "hashed_phone"
    DEVICE_ID = "device_id"
    COOKIE_ID = "cookie_id"
    NETWORK = "hashed_ip"


CERTAIN_KINDS = tuple(kind for kind in Kind if kind is not Kind.NETWORK)
RANK = {kind: rank for rank, kind in enumerate(Kind)}


class Identifier(NamedTuple):
    """One identifier of a tenant's customers."""

    kind: Kind
    value: str


# What programs write where they know nothing. Compared in lower case, without punctuation.
_PLACEHOLDERS = frozenset(
    {
        *("null", "nil", "none", "na", "nan", "undefined", "unknown", "unset", "empty", "blank", "missing", "default"),
        *("anonymous", "anon", "guest", "visitor", "user", "test", "true", "false", "objectobject", "device"),
        # Android's device id of a faulty series, which millions of devices share.
        "9774d56d682e549c",
    }
)
_PUNCTUATION = str.maketrans("", "", "-_:;.,{}[]()<>/\\\"'#* \t")
# Hashes of what programs hash although they know nothing.
_EMPTY_HASHES = frozenset(sha256(text.encode()).hexdigest() for text in ("", " ", "0", *sorted(_PLACEHOLDERS)))
# A value of one character repeated so often is a filler; shorter ones (11, 777) are ids of small systems.
_FILLER_LENGTH = 8
# Longer values are kept by their hash, so that no one can fill the state with a few events.
_LONGEST_VALUE = 128


def is_blocked(value: str) -> bool:
    """Tell whether a value says nothing about who somebody is.

    Blocked are empty values, all zeros (with or without punctuation), eight or more times the same character, known
    placeholders and defaults, and the hashes of those.
    """
    plain = value.strip().lower().translate(_PUNCTUATION)
    if plain in _PLACEHOLDERS or plain in _EMPTY_HASHES:
        return True
    return not plain.strip("0") or (len(plain) >= _FILLER_LENGTH and len(set(plain)) == 1)


def linking_identifiers(identifiers: Mapping[str, str]) -> list[Identifier]:
    """Return the identifiers of an event that can link its customer, in the order of `Kind`; blocked ones left out."""
    found = []
    for kind in Kind:
        value = identifiers.get(kind.value)
        if value is not None and not is_blocked(value):
            value = value.strip()
            short = value if len(value) <= _LONGEST_VALUE else sha256(value.encode()).hexdigest()
            found.append(Identifier(kind, short))
    return found
