"""Journeys of the made-up company: those of its conversions, event by event, and others that went less far."""

from __future__ import annotations

from tests.serving.pipeline_model import DAY, HOUR

# Of a hundred journeys that did not convert, so many came no further than each stage.
UNCONVERTED = (("awareness", 60), ("consideration", 25), ("intent", 15))
WEEKS = 7
# Where journeys begin, in turn: codes, what a producer wrote by hand, and nothing.
PLACES = ("DE-BE", "DE-BY", "FR-IDF", "DE-BE", "US", "Mars", "")


def creative_of(campaign: str, position: int) -> str:
    """Return the creative of a touch: the first of a campaign's two for even positions in the path."""
    return f"{campaign}-creative-{'ab'[position % 2]}" if campaign else ""


def converted(world) -> tuple[list[dict], list[dict]]:
    """Return (journeys, events) of every conversion: its touches and the conversion itself."""
    journeys, events = [], []
    for row in world.credits:
        if row["model"] != "linear":
            continue
        at, journey = row["conversion_time"], row["journey_id"]
        shared = {"tenant_id": world.tenant, "customer_id": row["customer_id"], "journey_id": journey}
        value = sum(touch[5] for touch in row["touches"])
        events.append(_start(shared, row["touches"][0][3], len(events)))
        for position, (touchpoint, channel, campaign, time_ms, *_) in enumerate(row["touches"]):
            touch = {"interaction_type": "click", "source": channel, "creative_id": creative_of(campaign, position)}
            events.append(
                shared
                | {
                    "event_id": touchpoint,
                    "event_type": "touchpoint_interaction",
                    "event_time": time_ms,
                    "channel": channel,
                    "campaign_id": campaign,
                    "payload": {"journey": {"stage": "consideration"}, "touchpoint": touch},
                }
            )
        events.append(
            shared
            | {
                "event_id": row["conversion_id"],
                "event_type": "conversion_event",
                "event_time": at,
                "kind": "conversion",
                "value_micros": value,
                "currency": row["currency"],
                "payload": {"journey": {"stage": "purchase"}},
            }
        )
        journeys.append(_journey(shared, "purchase", row["touches"][0][3], at, len(row["touches"]), value))
    return journeys, events


def unconverted(world) -> tuple[list[dict], list[dict]]:
    """Return (journeys, events) that began in the last weeks and did not convert: of their events the starts."""
    rows, events = [], []
    for week in range(WEEKS):
        for stage, number in UNCONVERTED:
            for n in range(number // 5):
                start = world.now - week * 7 * DAY - n * 5 * HOUR - HOUR
                shared = {
                    "tenant_id": world.tenant,
                    "customer_id": f"visitor-{n}",
                    "journey_id": f"{stage}-{week}-{n}",
                }
                rows.append(_journey(shared, stage, start, start + HOUR // 2, 2, 0))
                events.append(_start(shared, start, len(events)))
    return rows, events


def _start(shared: dict, time_ms: int, number: int) -> dict:
    return shared | {
        "event_id": f"start-{shared['journey_id']}",
        "event_type": "journey_start",
        "event_time": time_ms,
        "payload": {"journey": {"stage": "awareness"}, "context": {"location": PLACES[number % len(PLACES)]}},
    }


def _journey(shared: dict, stage: str, start: int, end: int, touchpoints: int, value: int) -> dict:
    return shared | {
        "stage": stage,
        "started_at": start,
        "last_event_at": end,
        "touchpoints": touchpoints,
        "conversions": int(value > 0),
        "value_micros": value,
        "currency": "EUR" if value else "",
        "revision": touchpoints + 1,
    }
