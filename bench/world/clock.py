"""When each message is due and when its event happened.

Message number k of a run is due at a moment that the rate alone decides (open loop), however late the producer is.
Its event happened at that moment too (live), or in a virtual time that runs at its own speed (fixed).
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.world.seasonality import busy_ms_until, moment_of_busy_ms


@dataclass(frozen=True, slots=True)
class LiveClock:
    """Events happen when they are sent. With `seasonal` the rate follows the hour and the day; `rate` is its weekly
    mean.
    """

    start_ms: int
    rate: float
    seasonal: bool = False

    def created_ms(self, number: int) -> int:
        """When message `number` is due, UTC ms."""
        elapsed = number * 1000 / self.rate
        if not self.seasonal:
            return int(self.start_ms + elapsed)
        return int(moment_of_busy_ms(busy_ms_until(self.start_ms) + elapsed))

    def event_ms(self, number: int) -> int:
        """When the event of message `number` happens, UTC ms."""
        return self.created_ms(number)

    def due(self, now_ms: float) -> int:
        """How many messages are due at `now_ms`."""
        elapsed = now_ms - self.start_ms
        if self.seasonal:
            elapsed = busy_ms_until(now_ms) - busy_ms_until(self.start_ms)
        return 0 if elapsed < 0 else int(elapsed * self.rate / 1000) + 1


@dataclass(frozen=True, slots=True)
class FixedClock:
    """Events happen in a virtual time: from `event_start_ms` on, `speed` virtual seconds for each second of the run.

    With `seasonal` the virtual time passes faster in quiet hours, so that the events lie denser in busy ones.
    """

    start_ms: int
    rate: float
    event_start_ms: int
    speed: float = 1.0
    seasonal: bool = True

    def created_ms(self, number: int) -> int:
        """When message `number` is due, UTC ms."""
        return int(self.start_ms + number * 1000 / self.rate)

    def event_ms(self, number: int) -> int:
        """When the event of message `number` happens, UTC ms."""
        elapsed = number * 1000 / self.rate * self.speed
        if not self.seasonal:
            return int(self.event_start_ms + elapsed)
        return int(moment_of_busy_ms(busy_ms_until(self.event_start_ms) + elapsed))

    def due(self, now_ms: float) -> int:
        """How many messages are due at `now_ms`."""
        elapsed = now_ms - self.start_ms
        return 0 if elapsed < 0 else int(elapsed * self.rate / 1000) + 1


Clock = LiveClock | FixedClock
