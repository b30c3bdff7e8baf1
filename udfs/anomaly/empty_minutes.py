"""The minutes in which a live campaign sent nothing.

A minute without an event has no row, so a baseline that learns from rows alone never sees a drop to zero. Between two
minutes of a campaign the empty ones are filled in, and after its newest minute as far as the stream's clock has come:
`MINUTES` in a row at most, then the campaign counts as ended until it sends again. What is filled in is a function of
the campaign's minutes and that bound alone, so a replay fills in the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from udfs.anomaly.seasonal import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE_MS = 60_000
# A quarter of an hour of nothing has been flagged fifteen times; more says no more, and costs a timer a minute for
# each campaign that ever was.
MINUTES = 15


@dataclass(slots=True)
class Campaign:
    """What is known of one campaign, channel and currency: its newest minute and how many were filled in after it."""

    key: dict[str, str]
    newest: int
    """Start of its newest minute with events, UTC ms."""
    filled: int = 0

    def due(self) -> int | None:
        """Return when the next minute after the known ones is over, UTC ms; None when the campaign counts as ended."""
        return None if self.filled >= MINUTES else self.newest + (self.filled + 2) * MINUTE_MS

    def fill(self, until: int) -> Iterator[dict[str, Any]]:
        """Return the empty minutes that are over at `until` (UTC ms) and not yet filled in, in order."""
        while (due := self.due()) is not None and due <= until:
            self.filled += 1
            yield empty_minute(self.key, self.newest + self.filled * MINUTE_MS, self.newest)

    def saw(self, minute: int) -> Iterator[dict[str, Any]]:
        """Take in a minute with events; return the empty ones before it."""
        yield from self.fill(minute)
        if minute > self.newest:
            self.newest, self.filled = minute, 0


def key_of(minute: dict[str, Any]) -> dict[str, str]:
    """Return what names the campaign of a `campaign_rollup` signal."""
    return {name: minute[name] for name in ("tenant_id", "campaign_id", "channel", "currency")}


def empty_minute(key: dict[str, str], start: int, newest: int) -> dict[str, Any]:
    """Return a minute of nothing, as much of a `campaign_rollup` signal as a baseline reads.

    `silent_since`: start of the campaign's newest minute before it, UTC ms.
    """
    return key | {"bucket_start": start, "silent_since": newest} | dict.fromkeys(METRICS, 0)


def is_expected(minute: dict[str, Any], terminated_at: int) -> bool:
    """Tell whether a minute is empty because the campaign was terminated (UTC ms, 0: never): that is no anomaly.

    A termination is an event of the campaign, so it lies in or after the newest minute, unless the campaign went on.
    """
    return "silent_since" in minute and terminated_at >= minute["silent_since"]
