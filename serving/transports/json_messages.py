"""Messages as the JSON that REST, server-sent events and WebSocket carry: the contract's field names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from google.protobuf.json_format import MessageToDict

from serving.transports.encoded_once import EncodedOnce

if TYPE_CHECKING:
    from google.protobuf.message import Message


def _encode(message: Message) -> bytes:
    return orjson.dumps(MessageToDict(message, preserving_proto_field_name=True))


json_of: EncodedOnce[bytes] = EncodedOnce(_encode)
"""Return a message as JSON. Writing a hundred campaigns takes some milliseconds: it is done once for all who get it."""
