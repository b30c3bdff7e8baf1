"""Record files written by hand: events as short calls, times in UTC ms."""

from __future__ import annotations

import base64
import json
from typing import Any

NOW = 1_795_000_000_000  # 2026-11-18T11:06:40Z, when every message of the tests is produced


def campaign(
    event_id: str, time: int = NOW, *, kind: str = "increment", tenant: str = "acme", **more: Any
) -> dict[str, Any]:
    """A campaign_optimization of campaign c1 in search."""
    numbers = {
        "impressions": 0,
        "clicks": 0,
        "conversions": 0,
        "cost_micros": 0,
        "revenue_micros": 0,
        "currency": "EUR",
    }
    return {
        "schema": "campaign_optimization.v1",
        "record": {
            "envelope": envelope(event_id, "campaign_optimization", time, tenant),
            "campaign": {"campaign_id": "c1", "name": "Spring", "channel": "search"},
            "metrics": {"kind": kind} | numbers | more,
        },
    }


def touch(
    event_id: str,
    time: int,
    channel: str = "email",
    *,
    customer: str = "p1",
    tenant: str = "acme",
    analytics: bool = True,
) -> dict[str, Any]:
    """A touchpoint_interaction on journey j1."""
    return {
        "schema": "touchpoint_interaction.v2",
        "record": {
            "envelope": envelope(event_id, "touchpoint_interaction", time, tenant, analytics=analytics),
            "journey": {"customer_id": customer, "journey_id": "j1", "stage": "intent"},
            "touchpoint": {"channel": channel, "campaign_id": None},
        },
    }


def conversion(
    event_id: str, time: int, value: int, *, kind: str = "conversion", of: str | None = None, tenant: str = "acme"
) -> dict[str, Any]:
    """A conversion_event on journey j1; `of` is what a refund or cancellation takes back."""
    return {
        "schema": "conversion_event.v1",
        "record": {
            "envelope": envelope(event_id, "conversion_event", time, tenant),
            "journey": {"customer_id": "p1", "journey_id": "j1", "stage": "purchase"},
            "conversion": {
                "conversion_type": "purchase",
                "kind": kind,
                "value_micros": value,
                "currency": "EUR",
                "original_event_id": of,
            },
        },
    }


def personalization(event_id: str, **more: Any) -> dict[str, Any]:
    """A content_optimization."""
    return {
        "schema": "content_optimization.v1",
        "record": {
            "envelope": envelope(event_id, "content_optimization", NOW, "acme"),
            "customer_id": "p1",
            "variants": [{"views": 3, "clicks": 1, "conversions": 0}],
        }
        | more,
    }


def poison(fault: str, value: bytes | None = b"\xff") -> dict[str, Any]:
    """A message from which nothing can be read."""
    return {"schema": None, "record": None, "fault": fault, "value": value}


def envelope(event_id: str, event_type: str, time: int, tenant: str, *, analytics: bool = True) -> dict[str, Any]:
    """An envelope, made when it was produced."""
    return {
        "event_id": event_id,
        "tenant_id": tenant,
        "event_type": event_type,
        "event_time": time,
        "created_at": NOW,
        "source_platform": "test",
        "consent": {"marketing": True, "analytics": analytics, "personalization": True},
    }


def _tenant(message: dict[str, Any]) -> str:
    return str(message["record"]["envelope"]["tenant_id"]) if message["record"] else ""


def write(path: Any, *messages: dict[str, Any]) -> Any:
    """Write a record file of these messages and return its path. The key is that of a message (`key`), or the tenant
    it names, or acme.
    """
    lines = []
    for number, message in enumerate(messages):
        value = message.get("value", b"bytes")
        line = {
            "n": number,
            "produced_at": NOW,
            "value_b64": None if value is None else base64.b64encode(value).decode(),
            "key": message.get("key", _tenant(message) or "acme"),
            "schema": message["schema"],
            "fault": message.get("fault"),
            "record": message["record"],
        }
        lines.append(json.dumps(line) + "\n")
    path.write_text("".join(lines))
    return path
