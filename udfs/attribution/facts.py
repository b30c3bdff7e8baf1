"""Facts as attribution takes them in: `udfs.events.columns.journey_fact`, decoded."""

from __future__ import annotations

# Kinds of facts. Every fact: kind, tenant_id, customer_id, journey_id, stage, event_id, time, created_at (UTC ms),
# consent bits (`consent`); after these:
STAGE_CHANGE = "s"  # nothing more
TOUCH = "t"  # channel, campaign_id, creative_id, source, interaction_type
CONVERSION = "c"  # conversion_type, value_micros, currency, weight or null
REFUND = "r"  # original_event_id, value_micros
CANCELLATION = "x"  # original_event_id, value_micros


class FactError(ValueError):
    """A fact is none that the program knows, or facts of two people came together. Names no one."""
