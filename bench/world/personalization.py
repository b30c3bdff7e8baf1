"""Personalization events: what an engine chose for a customer, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.world.records import Draft, Record

if TYPE_CHECKING:
    from random import Random

    from bench.world.tenants import Tenant

_ENGINES = ("rule_based", "ml_powered", "real_time")
_PATTERNS = ("browsing", "cart_abandonment", "repeat_visit", "price_check")
_SEGMENTS = ("new", "active", "loyal", "at_risk", "lapsed")


def personalization(tenant: Tenant, rng: Random, event_type: str | None = None) -> Draft:
    """A personalization event of one of the tenant's customers; of a random type unless one is named."""
    kind = (
        event_type
        or rng.choices(("personalization_trigger", "content_optimization", "segment_update"), (60, 30, 10))[0]
    )
    customer = rng.choice(tenant.customers)
    record: Record = {
        "envelope": tenant.envelope(kind, "engine", customer, rng.randrange(len(customer.devices))),
        "customer_id": customer.customer_id,
        "engine": rng.choice(_ENGINES),
        "trigger_context": {
            "behavior_pattern": rng.choice(_PATTERNS),
            "context_data": {"page": f"/p/{rng.randrange(500)}"},
            "confidence": round(rng.random(), 3),
        },
        "variants": [_variant(number, rng) for number in range(rng.randint(1, 3))],
    }
    if kind == "segment_update":
        record["segment_id"] = rng.choice(_SEGMENTS)
        record["previous_segment_id"] = rng.choice((None, *_SEGMENTS))
    return Draft(tenant.tenant_id, kind, record)


def _variant(number: int, rng: Random) -> Record:
    views = rng.randrange(1, 400)
    clicks = int(views * rng.random() * 0.2)
    return {
        "variant_id": f"v{number}",
        "views": views,
        "clicks": clicks,
        "conversions": int(clicks * rng.random() * 0.3),
        "engagement_score": round(rng.random(), 4),
    }
