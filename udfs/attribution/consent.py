"""Consent in attribution: which touches of a customer no longer count. ADR 0008 says why.

Every journey fact carries whether the customer consented to analytics at that moment. The answer is a function of two
moments, the oldest consent and the newest refusal, and so of the set of facts, whatever their order and copies. A
refusal takes all touches up to its moment out of every credit; touches after it count again as soon as they come with
consent, because under `required` each without it is a refusal itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ANALYTICS_BIT = 2
"""Of a fact's consent bits; see `udfs.events.columns.journey_fact`."""


class Consent(StrEnum):
    """What a tenant takes an event without consent to analytics for."""

    REQUIRED = "required"
    """A refusal, always."""
    ASSUMED = "assumed"
    """A refusal only of a customer who consented at that moment or before: the consent was withdrawn. For tenants that
    measure on another legal ground, or whose sources do not know the consent and leave the flag out."""


@dataclass(slots=True)
class ConsentSeen:
    """What a customer's facts say of consent to analytics: moments in UTC ms, 0 for never."""

    granted_at: int = 0
    """Oldest fact with consent."""
    denied_at: int = 0
    """Newest fact without consent."""

    def see(self, bits: int, time: int) -> bool:
        """Take in a fact's consent bits and time (UTC ms); tell whether it said anything new."""
        if bits & ANALYTICS_BIT:
            if self.granted_at and self.granted_at <= time:
                return False
            self.granted_at = time
        else:
            if self.denied_at >= time:
                return False
            self.denied_at = time
        return True

    def void_until(self, consent: str) -> int:
        """Return the moment (UTC ms) up to which touches do not count; 0 where all do."""
        if consent == Consent.REQUIRED or 0 < self.granted_at <= self.denied_at:
            return self.denied_at
        return 0
