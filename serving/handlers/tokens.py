"""Opaque tokens: page tokens and resume cursors.

A token holds a position in an answer and a digest of the request that it belongs to. The digest finds tokens that
were garbled or are used with another request. It is no protection against forgery, and needs to be none: a token
names only a position, and every read is for the tenant of the call, whatever the token says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from serving.errors import Reason, invalid
from serving.handlers.questions import without

if TYPE_CHECKING:
    from google.protobuf.message import Message

DIGEST_BYTES = 8
# Positions are a few times and names; a longer token was not made here.
LONGEST_TOKEN = 4_096


def _digest(request: Message, leave_out: tuple[str, ...], position: bytes) -> bytes:
    made = hashlib.blake2b(without(request, *leave_out).SerializeToString(deterministic=True), digest_size=DIGEST_BYTES)
    made.update(request.DESCRIPTOR.full_name.encode())
    made.update(position)
    return made.digest()


def make_token(request: Message, leave_out: tuple[str, ...], position: list[Any]) -> str:
    """Return a token for a position (JSON values) in the answer to `request`; fields in `leave_out` may differ when
    it comes back."""
    text = orjson.dumps(position)
    return base64.urlsafe_b64encode(_digest(request, leave_out, text) + text).decode().rstrip("=")


def read_token(
    token: str, field: str, request: Message, leave_out: tuple[str, ...], kinds: tuple[type, ...]
) -> list[Any]:
    """Return the position that a token holds: a list of values of `kinds`.

    Raises:
        ServingError: naming `field`, when the token was not made for this request.
    """
    reason = Reason.INVALID_RESUME_CURSOR if field == "resume_cursor" else Reason.INVALID_PAGE_TOKEN
    refusal = invalid(field, "is not one that an answer to this request gave", reason)
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise refusal
    try:
        read = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        raise refusal from None
    digest, text = read[:DIGEST_BYTES], read[DIGEST_BYTES:]
    if digest != _digest(request, leave_out, text):
        raise refusal
    try:
        position = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise refusal from None
    if not isinstance(position, list) or [type(value) for value in position] != list(kinds):
        raise refusal
    return position
