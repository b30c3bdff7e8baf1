"""Messages that no reader can decode."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_HEADER = struct.Struct(">BI")
# Ids a registry hands out in sequence never come near this.
_FIRST_UNKNOWN_ID = 1_000_000
# An Avro length of 2^60 bytes, as a zigzag variable-length integer.
_ENORMOUS_LENGTH = b"\x80\x80\x80\x80\x80\x80\x80\x80\x20"


def poison(fault: str, sound: bytes, rng: Random) -> bytes | None:
    """A message with this fault, made from a sound one. `too_large` is made from a large record instead, see
    invalid.py.

    Raises KeyError for a fault that is not one of bytes.
    """
    makers: dict[str, Callable[[], bytes | None]] = {
        "null_value": lambda: None,
        "empty_value": lambda: b"",
        "random_bytes": lambda: bytes((rng.randrange(1, 256),)) + rng.randbytes(rng.randrange(0, 200)),
        "json_text": lambda: json.dumps({"event_id": "e-1", "tenant_id": "acme"}).encode(),
        "unknown_schema": lambda: _HEADER.pack(0, rng.randrange(_FIRST_UNKNOWN_ID, 1 << 32)) + sound[_HEADER.size :],
        "truncated": lambda: sound[: rng.randrange(_HEADER.size + 1, len(sound))],
        "trailing_bytes": lambda: sound + rng.randbytes(rng.randrange(1, 9)),
        "garbage_body": lambda: sound[: _HEADER.size] + b"\xff" * 16 + rng.randbytes(rng.randrange(0, 100)),
        "length_bomb": lambda: sound[: _HEADER.size] + _ENORMOUS_LENGTH + rng.randbytes(32),
        "header_only": lambda: sound[: rng.randrange(1, _HEADER.size + 1)],
    }
    return makers[fault]()
