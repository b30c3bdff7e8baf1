"""Personal data at the door: what is kept, what is hashed, what is dropped.

- Identifiers: only the keys of the allow-list are kept. The raw keys `email`, `phone` and `ip` become `hashed_email`,
  `hashed_phone` and `hashed_ip`; a `hashed_*` value that is no SHA-256 in hex is taken for raw and hashed. Any other
  key is dropped: nobody can say what is behind it, and its hash would be of no use to anybody.
- Free text maps (metadata, context data): values under the keys `email`, `phone` and `ip` move to the `hashed_*` key in
  the
  same way, and a value that is an IP address is hashed in place. Other keys stay.
- Every string of the event, ids included: e-mail addresses in it, also URL-encoded ones, and whole international phone
  numbers are replaced by their hash. The same address has the same hash everywhere, so that ids still match.

A hash is the SHA-256 of the normalised value in lower-case hex, unsalted, as advertising platforms exchange it.
"""

import ipaddress
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

KEPT_IDENTIFIERS = frozenset(
    {
        "user_id",
        "account_id",
        "device_id",
        "cookie_id",
        "hashed_email",
        "hashed_phone",
        "hashed_ip",
        "user_agent",
        "geo",
    }
)
_RAW_KEYS = frozenset({"email", "phone", "ip"})
_HASHED_KEYS = ("hashed_email", "hashed_phone", "hashed_ip")
_HASH = re.compile(r"[0-9a-f]{64}")

# What may stand in an address, whatever the alphabet; what cannot ends it. Possessive quantifiers and the look-behind
# keep the search linear in the length of the text, however hostile.
_ADDRESS_CHARACTER = r"[^\s@<>()\[\]{},;:\"'=&?/\\|]"
_EMAIL = re.compile(rf"(?<!{_ADDRESS_CHARACTER}){_ADDRESS_CHARACTER}++(?:@{_ADDRESS_CHARACTER}++)+")
_PHONE = re.compile(r"\+[0-9][0-9 ().\-]{6,24}")
_AT, _PERCENT, _PLUS = b"@%+"
_LONGEST_IP = 45  # an IPv6 address that ends in an IPv4 one


def hash_email(value: str) -> str:
    """Hash of an e-mail address: without surrounding white space, in lower case."""
    return _sha256(value.strip().lower())


def hash_phone(value: str) -> str:
    """Hash of a phone number in E.164: a plus and digits. A leading 00 is a plus; without either only the digits."""
    text = value.strip()
    digits = "".join(filter(str.isdecimal, text))
    if text.startswith("+"):
        return _sha256("+" + digits)
    return _sha256("+" + digits[2:] if digits.startswith("00") else digits)


def hash_ip(value: str) -> str:
    """Hash of an IP address in its canonical form; of the text in lower case when it is none."""
    text = value.strip().lower()
    try:
        return _sha256(str(ipaddress.ip_address(text)))
    except ValueError:
        return _sha256(text)


_HASHERS = {"email": hash_email, "phone": hash_phone, "ip": hash_ip}


def protect_maps(record: Mapping[str, Any]) -> None:
    """Apply the rules for identifiers and free text maps to a decoded event, in place."""
    envelope = record["envelope"]
    identifiers = envelope["identifiers"]
    if identifiers and not _are_harmless(identifiers):
        envelope["identifiers"] = protected_identifiers(identifiers)
    _protect_free_text(envelope, "metadata")
    if "touchpoint" in record:
        _protect_free_text(record["touchpoint"], "metadata")
    elif "trigger_context" in record:
        _protect_free_text(record["trigger_context"], "context_data")


def protected_identifiers(identifiers: Mapping[str, str]) -> dict[str, str]:
    """The identifiers that may be kept. A raw value wins over a hash that came beside it: its normal form is known."""
    kept: dict[str, str] = {}
    for key, value in identifiers.items():
        if not value.strip():
            continue
        if key in _HASHED_KEYS:
            lower = value.lower()
            kept[key] = lower if _HASH.fullmatch(lower) else _HASHERS[key.removeprefix("hashed_")](value)
        elif key in KEPT_IDENTIFIERS:
            kept[key] = value
    for key in _RAW_KEYS & identifiers.keys():
        if identifiers[key].strip():
            kept[f"hashed_{key}"] = _HASHERS[key](identifiers[key])
    return kept


def protected_free_text(texts: Mapping[str, str]) -> dict[str, str]:
    """Free attributes with raw keys and IP addresses hashed."""
    kept: dict[str, str] = {}
    for key, value in texts.items():
        if key not in _RAW_KEYS:
            kept[key] = hash_ip(value) if _is_ip(value) else value
        elif value.strip():
            kept[f"hashed_{key}"] = _HASHERS[key](value)
    return kept


def may_hold_personal_text(payload: bytes) -> bool:
    """Whether the JSON of an event can hold an e-mail address or phone number. False is certain, true is not."""
    # Looking for a byte given as a number is many times faster than for two bytes, and mostly says enough.
    return _AT in payload or (_PERCENT in payload and b"%40" in payload) or (_PLUS in payload and b'"+' in payload)


def protect_strings(value: Any) -> Any:
    """A copy of an event, or of any part of one, with e-mail addresses and phone numbers in its strings hashed."""
    if isinstance(value, str):
        return protected_string(value)
    if isinstance(value, Mapping):
        return {protected_string(key): protect_strings(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [protect_strings(inner) for inner in value]
    return value


def protected_string(text: str) -> str:
    """The text with e-mail addresses hashed where they stand, or hashed as a whole if it is a phone number."""
    if text.startswith("+") and _PHONE.fullmatch(text):
        return hash_phone(text)
    if "%40" in text:
        decoded = unquote(text)
        hashed = _EMAIL.sub(_hash_match, decoded)
        # Without an address in it the text keeps the form in which it came.
        return hashed if hashed != decoded else text
    return _EMAIL.sub(_hash_match, text) if "@" in text else text


def _hash_match(match: re.Match[str]) -> str:
    address = match[0].rstrip(".")
    domain = address.rpartition("@")[2]
    return hash_email(address) if "." in domain else match[0]


def _are_harmless(identifiers: Mapping[str, str]) -> bool:
    if not KEPT_IDENTIFIERS.issuperset(identifiers):
        return False
    for key in _HASHED_KEYS:
        value = identifiers.get(key)
        if value is not None and not _HASH.fullmatch(value):
            return False
    return True


def _protect_free_text(parent: dict[str, Any], name: str) -> None:
    texts = parent[name]
    if not texts:
        return
    # Nearly all maps hold nothing of the kind, and looking at them as one text is what that costs.
    joined = "\n".join(texts.values())
    if joined.count(".") > 2 or joined.count(":") > 1 or not _RAW_KEYS.isdisjoint(texts):
        parent[name] = protected_free_text(texts)


def _is_ip(value: str) -> bool:
    text = value.strip()
    if len(text) > _LONGEST_IP or not ("." in text or ":" in text):
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
