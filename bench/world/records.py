"""Event records as dicts shaped like their Avro schemas, with stand-ins where a value is known only when the message
is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]

# Stand-ins for the two times (UTC ms). They are searched for in the encoded message, so they are numbers that nothing
# else in a record is.
EVENT_TIME = 1_234_567_890_123
CREATED_AT = 1_345_678_901_234
# Stand-in for the number of the lap, four characters at the end of the ids that must differ from lap to lap.
LAP = "@@@@"

NAMES = {
    "campaign": ("campaign_launch", "campaign_optimization", "campaign_termination"),
    "journey": ("journey_start", "touchpoint_interaction", "conversion_event", "journey_stage_change"),
    "personalization": ("personalization_trigger", "content_optimization", "segment_update"),
}
EVENT_TYPES = tuple(name for names in NAMES.values() for name in names)


@dataclass(eq=False, slots=True)
class Draft:
    """A message of the plan before it is encoded. Exactly one of `record`, `raw` and `copy_of` says what it carries.

    `key` is the tenant, `event_type` that of the Avro record and `version` its schema's. The event's time is that of
    its place in the stream, or of the draft `relative_to`, plus `shift_ms`; with `from_created` it is the time of
    sending plus `shift_ms`. `place` is filled in by the plan.
    """

    key: str
    event_type: str
    record: Record | None = None
    version: int = 1
    raw: bytes | None = None
    copy_of: Draft | None = None
    fault: str | None = None
    shift_ms: int = 0
    relative_to: Draft | None = None
    from_created: bool = False
    place: int = -1


def metrics(
    kind: str,
    currency: str,
    *,
    impressions: int = 0,
    clicks: int = 0,
    conversions: int = 0,
    cost_micros: int = 0,
    revenue_micros: int = 0,
) -> Record:
    """A CampaignMetrics record; `kind` is report or increment."""
    return {
        "kind": kind,
        "impressions": impressions,
        "clicks": clicks,
        "conversions": conversions,
        "cost_micros": cost_micros,
        "revenue_micros": revenue_micros,
        "currency": currency,
    }


def touchpoint(
    channel: str,
    interaction: str,
    campaign_id: str | None = None,
    creative_id: str | None = None,
    source: str | None = None,
) -> Record:
    """A Touchpoint record that happened at the event's time."""
    return {
        "channel": channel,
        "interaction_type": interaction,
        "interaction_time": EVENT_TIME,
        "campaign_id": campaign_id,
        "creative_id": creative_id,
        "source": source,
        "metadata": {},
    }


def conversion(
    value_micros: int,
    currency: str,
    *,
    conversion_type: str = "purchase",
    kind: str = "conversion",
    original_event_id: str | None = None,
    weight: float | None = None,
) -> Record:
    """A Conversion record; `kind` is conversion, refund or cancellation, the last two of `original_event_id`."""
    return {
        "conversion_type": conversion_type,
        "kind": kind,
        "value_micros": value_micros,
        "currency": currency,
        "weight": weight,
        "original_event_id": original_event_id,
    }
