"""Events for tests: a sound one of each type, and any record that a schema allows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from connectors.schema_registry import FileRegistry
from udfs.events.envelope import EventType, Family

APPENDED_MS = 1_790_000_000_000
"""Append time of the broker in the tests, UTC ms."""

SCHEMAS = Path(__file__).resolve().parents[3] / "avro"
REGISTRY = FileRegistry(SCHEMAS)

_CAMPAIGN = {
    "campaign": {"campaign_id": "c-1", "name": "Spring", "channel": "social"},
    "metrics": {
        "kind": "report",
        "impressions": 1000,
        "clicks": 100,
        "conversions": 10,
        "cost_micros": 5_000_000,
        "revenue_micros": 20_000_000,
        "currency": "EUR",
    },
}
_JOURNEY = {"journey": {"customer_id": "p-1", "journey_id": "j-1", "stage": "intent"}}
_PERSONALIZATION = {
    "customer_id": "p-1",
    "engine": "ml_powered",
    "trigger_context": {"behavior_pattern": "cart_abandoned", "context_data": {"items": "3"}, "confidence": 0.75},
    "variants": [{"variant_id": "v-1", "views": 10, "clicks": 2, "conversions": 1, "engagement_score": 0.5}],
}
_BODIES: dict[EventType, dict[str, Any]] = {
    EventType.CAMPAIGN_LAUNCH: _CAMPAIGN
    | {
        "target_audience": "everybody",
        "budget_micros": 900_000_000,
        "duration_days": 30,
        "creative_ids": ["k-1", "k-2"],
    },
    EventType.CAMPAIGN_OPTIMIZATION: _CAMPAIGN
    | {
        "trigger": "manual_trigger",
        "changes": {
            "bid_adjustment": 1.25,
            "audience_targeting": None,
            "budget_allocation_micros": 700_000_000,
            "creative_rotation": ["k-3"],
        },
    },
    EventType.CAMPAIGN_TERMINATION: _CAMPAIGN | {"reason": "completed"},
    EventType.JOURNEY_START: _JOURNEY
    | {
        "entry_point": {"source": "google", "medium": "cpc", "campaign": "c", "content": None, "term": None},
        "context": {"device_type": "mobile", "location": "DE", "referral_source": None},
    },
    EventType.TOUCHPOINT_INTERACTION: _JOURNEY
    | {
        "touchpoint": {
            "channel": "email",
            "interaction_type": "click",
            "interaction_time": APPENDED_MS - 2_000,
            "campaign_id": "c-1",
            "creative_id": None,
            "source": "newsletter",
            "metadata": {"placement": "top"},
        },
        "session_id": "s-1",
    },
    EventType.CONVERSION_EVENT: _JOURNEY
    | {
        "conversion": {
            "conversion_type": "purchase",
            "kind": "conversion",
            "value_micros": 49_990_000,
            "currency": "EUR",
            "weight": None,
            "original_event_id": None,
        }
    },
    EventType.JOURNEY_STAGE_CHANGE: _JOURNEY | {"previous_stage": "awareness", "reason": None},
    EventType.PERSONALIZATION_TRIGGER: _PERSONALIZATION,
    EventType.CONTENT_OPTIMIZATION: _PERSONALIZATION,
    EventType.SEGMENT_UPDATE: _PERSONALIZATION | {"segment_id": "g-1", "previous_segment_id": None},
}


def event(event_type: EventType) -> dict[str, Any]:
    """A sound event with every field, as its newest schema has it; the caller may change it."""
    envelope = {
        "event_id": "e-1",
        "tenant_id": "acme",
        "event_type": event_type.value,
        "event_time": APPENDED_MS - 1_000,
        "created_at": APPENDED_MS - 500,
        "source_platform": "shop",
        "consent": {"marketing": True, "analytics": False, "personalization": True},
        "identifiers": {"user_id": "u-1", "hashed_email": "ab" * 32},
        "metadata": {"page": "/pricing"},
    }
    return copy.deepcopy({"envelope": envelope} | _BODIES[event_type])


def changed(event_type: EventType, path: str, value: Any) -> dict[str, Any]:
    """A sound event with one value changed; `path` is like `envelope.event_id` or `variants.0.views`."""
    record = event(event_type)
    node: Any = record
    *steps, last = path.split(".")
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node[step]
    node[last] = value
    return record


def types_of(*families: Family) -> list[EventType]:
    """The event types of some families."""
    return [event_type for event_type in EventType if event_type.family in families]


def values(schema: Any, named: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Any value that an Avro schema allows."""
    named = {} if named is None else named
    if isinstance(schema, list):
        return st.one_of([values(branch, named) for branch in schema])
    if isinstance(schema, str):
        return values(named[schema], named) if schema in named else _PRIMITIVES[schema]
    if "name" in schema:
        named[schema["name"]] = schema
    match schema["type"]:
        case "record":
            return st.fixed_dictionaries({field["name"]: values(field["type"], named) for field in schema["fields"]})
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "array":
            return st.lists(values(schema["items"], named), max_size=4)
        case "map":
            return st.dictionaries(_PRIMITIVES["string"], values(schema["values"], named), max_size=4)
        case inner:
            return values(inner, named)


_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    # Most texts are short; some need two bytes for their length.
    "string": st.one_of(st.text(max_size=12), st.text(min_size=60, max_size=90)),
}
