"""What happens to a device graph as lines of text: observations out of events, and commands.

An observation is a JSON array, a command a JSON object; neither holds a line break.

    ["c-1", 1760000000000, true, {"device_id": "…", …}]
    {"command": "withdraw", "tenant_id": "acme", "customer_id": "c-1", "kind": "device_id", "value": "…"}
    {"command": "erase", "tenant_id": "acme", "customer_id": "c-1", "at": 1760000000000}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from udfs.identity.device_graph import Erasure, Observation, Withdrawal
from udfs.identity.identifiers import Identifier, Kind

if TYPE_CHECKING:
    from udfs.identity.device_graph import Change

WITHDRAW, ERASE = "withdraw", "erase"
_USED = (*(kind.value for kind in Kind), "geo", "user_agent")


class CommandError(ValueError):
    """A command is none, or lacks something; the message names the key and what is allowed, and no person."""


def observation_line(payload: str) -> str:
    """Return the observation of a journey event, given as the JSON of its whole record."""
    record = orjson.loads(payload)
    envelope = record["envelope"]
    identifiers = envelope["identifiers"]
    return orjson.dumps(
        (
            record["journey"]["customer_id"],
            envelope["event_time"],
            envelope["consent"]["analytics"],
            {name: identifiers[name] for name in _USED if name in identifiers},
        )
    ).decode()


def withdrawal_line(tenant_id: str, customer_id: str, identifier: Identifier) -> str:
    """Return the command that withdraws a link."""
    command = {"command": WITHDRAW, "tenant_id": tenant_id, "customer_id": customer_id}
    return orjson.dumps(command | {"kind": identifier.kind, "value": identifier.value}).decode()


def erasure_line(tenant_id: str, customer_id: str, at_ms: int) -> str:
    """Return the command that erases what was known of a customer up to a moment (UTC ms)."""
    return orjson.dumps({"command": ERASE, "tenant_id": tenant_id, "customer_id": customer_id, "at": at_ms}).decode()


def read_change(line: str) -> Change:
    """Return the change that a line tells of.

    Raises:
        CommandError: it is no command.
    """
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise CommandError("the command is not JSON") from None
    if isinstance(read, list):
        customer_id, time_ms, consented, identifiers = read
        return Observation(customer_id, time_ms, consented, identifiers)
    if not isinstance(read, dict):
        raise CommandError("the command is no JSON object")
    match read.get("command"):
        case "withdraw":
            kind, value = _text(read, "kind"), _text(read, "value")
            if kind not in set(Kind):
                raise CommandError(f"kind of the command is unknown; allowed: {', '.join(Kind)}")
            return Withdrawal(_text(read, "customer_id"), Identifier(Kind(kind), value))
        case "erase":
            at = read.get("at")
            if isinstance(at, bool) or not isinstance(at, int) or at <= 0:
                raise CommandError("at of the command is no moment; allowed: UTC milliseconds")
            return Erasure(_text(read, "customer_id"), at)
        case _:
            raise CommandError(f"command is none that is known; allowed: {WITHDRAW}, {ERASE}")


def _text(command: dict[str, Any], key: str) -> str:
    value = command.get(key)
    if not isinstance(value, str) or not value:
        raise CommandError(f"{key} of the command is missing; allowed: text")
    return value
