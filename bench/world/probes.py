"""Latency probes: tagged events whose way through the system can be timed one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.world.message import Label, Planned, plan_message
from bench.world.records import CREATED_AT, EVENT_TIME, Draft, Record, conversion, metrics, touchpoint

if TYPE_CHECKING:
    from connectors.kafka.codec import EventEncoder

PROBE_CAMPAIGN = "probe"
PROBE_VALUE_MICROS = 1_000_000
PROBE_CURRENCY = "EUR"
# What one probe consists of: a touch, the conversion it is credited with, and a campaign increment.
_EVENT_TYPES = ("touchpoint_interaction", "conversion_event", "campaign_optimization")


def probe_envelope(event_id: str, tenant: str, event_type: str) -> Record:
    """Return the envelope of a probe, to be sent at once or with the times of a plan."""
    return {
        "event_id": event_id,
        "tenant_id": tenant,
        "event_type": event_type,
        "event_time": EVENT_TIME,
        "created_at": CREATED_AT,
        "source_platform": "probe",
        "consent": {"marketing": True, "analytics": True, "personalization": True},
        "identifiers": {},
        "metadata": {},
    }


def campaign_increment(envelope: Record, campaign: str, **figures: int) -> Record:
    """Return the record of a campaign's event that adds `figures` (names of the schema's metrics)."""
    return {
        "envelope": envelope,
        "campaign": {"campaign_id": campaign, "name": "Latency probe", "channel": "search"},
        "metrics": metrics("increment", PROBE_CURRENCY, **figures),
        "trigger": "manual_trigger",
        "changes": {
            "bid_adjustment": None,
            "audience_targeting": None,
            "budget_allocation_micros": None,
            "creative_rotation": None,
        },
    }


class Probes:
    """Three tagged events before every `every`-th message: touch, conversion, campaign increment of campaign `probe`.

    The ids are `probe-{run}-{message number}` with `-touch`, `-conversion` or `-increment` behind it, the customer's
    is the same without an ending; `created_at` is when the probe was due, UTC ms.
    """

    def __init__(self, tenant: str, run: str, every: int, encoder: EventEncoder, *, with_lines: bool) -> None:
        """Probe in `tenant`. `every` is at least 1."""
        self.every = every
        self._tenant = tenant
        self._run = run
        self._encoder = encoder
        self._with_lines = with_lines

    def at(self, number: int) -> list[Planned]:
        """The probe before message `number`."""
        return [
            plan_message(Draft(self._tenant, kind, record), self._encoder, with_line=self._with_lines)
            for kind, record in self._records(f"probe-{self._run}-{number}").items()
        ]

    def counts(self, last: int) -> dict[Label, int]:
        """How many probe messages there are before message `last`."""
        times = -(-last // self.every)
        return {Label(self._tenant, kind, ""): times for kind in _EVENT_TYPES}

    def _records(self, probe: str) -> dict[str, Record]:
        def envelope(event_type: str, part: str) -> Record:
            return probe_envelope(f"{probe}-{part}", self._tenant, event_type) | {"metadata": {"probe": probe}}

        journey = {"customer_id": probe, "journey_id": probe, "stage": "purchase"}
        touch, won, step = _EVENT_TYPES
        return {
            touch: {
                "envelope": envelope(touch, "touch"),
                "journey": journey,
                "touchpoint": touchpoint("search", "click", PROBE_CAMPAIGN),
            },
            won: {
                "envelope": envelope(won, "conversion"),
                "journey": journey,
                "conversion": conversion(PROBE_VALUE_MICROS, PROBE_CURRENCY),
            },
            step: campaign_increment(
                envelope(step, "increment"), PROBE_CAMPAIGN, clicks=1, cost_micros=PROBE_VALUE_MICROS
            ),
        }
