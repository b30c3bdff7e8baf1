"""The names of the Kafka topics, in one place."""

from __future__ import annotations

from dataclasses import dataclass

CLOCK_TICK_KEY = "tributary.clock"
"""Key of a record with a null value that only moves the watermark of a quiet partition."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Topic names of one installation; `prefix` lets two share a broker."""

    prefix: str = ""

    @property
    def events(self) -> str:
        """Marketing events, Avro, keyed by tenant."""
        return f"{self.prefix}marketing-events"

    @property
    def signals(self) -> str:
        """Metrics, credits and anomalies, JSON."""
        return f"{self.prefix}analytics-signals"

    @property
    def alerts(self) -> str:
        """Alerts, JSON."""
        return f"{self.prefix}analytics-alerts"

    @property
    def control(self) -> str:
        """Settings and published models of each tenant, JSON, compacted, keyed by tenant."""
        return f"{self.prefix}measurement-control"

    @property
    def identity_commands(self) -> str:
        """Commands to the device graphs, JSON, keyed by tenant."""
        return f"{self.prefix}identity-commands"

    @property
    def quarantine(self) -> str:
        """Events that were refused, with reasons and raw bytes."""
        return f"{self.prefix}marketing-events-quarantine"

    @property
    def late(self) -> str:
        """Events that came after the watermark; they are counted all the same."""
        return f"{self.prefix}marketing-events-late"
