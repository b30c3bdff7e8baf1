"""When figures of the past changed last, by tenant: what answers about the past are kept against.

Figures of the last minutes change all the time, and answers about them are kept for a moment only. What is older
changes when late events, late touches or refunds come, and the pipeline tells of each by a signal.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from enum import StrEnum

# Stored figures of a range that ended so long ago do not change by themselves any more: minutes are settled after ten.
SETTLED_MS = 15 * 60_000
# Clocks of producers and servers differ; a change of what is almost settled counts as one of the past.
MARGIN_MS = 60_000
TENANTS_KEPT = 10_000


class Subject(StrEnum):
    """What figures are about."""

    CAMPAIGNS = "campaigns"
    ATTRIBUTION = "attribution"
    ALERTS = "alerts"


class SettledChanges:
    """The newest change of settled figures by tenant and subject. Used from one event loop."""

    def __init__(self) -> None:
        """Know nothing of what was before: answers of before are not trusted."""
        self._everything_ms = int(time.time() * 1000)
        self._changed: OrderedDict[tuple[str, Subject], int] = OrderedDict()

    def note(self, tenant_id: str, subject: Subject, time_ms: int = 0) -> None:
        """Note that a figure of the time `time_ms` changed now; one that is not settled yet is passed over."""
        now = int(time.time() * 1000)
        if time_ms > now - SETTLED_MS + MARGIN_MS:
            return
        self._changed[tenant_id, subject] = now
        self._changed.move_to_end((tenant_id, subject))
        if len(self._changed) > TENANTS_KEPT:
            # When that tenant's figures changed is not known any more, nor that of any tenant that is not held.
            self._everything_ms = max(self._everything_ms, self._changed.popitem(last=False)[1])

    def last_ms(self, tenant_id: str, subject: Subject) -> int:
        """Return the time (UTC ms) before which answers about settled figures may be out of date."""
        return self._changed.get((tenant_id, subject), self._everything_ms)
