"""The messages of a run in order: the prologue, then lap after lap, with probes in between."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.world.clock import Clock
    from bench.world.message import Label, Planned
    from bench.world.plan import Plan
    from bench.world.probes import Probes
    from connectors.kafka.event_traces import Header

# Laps are numbered with four hexadecimal digits.
_LAPS = 1 << 16


@dataclass(frozen=True, slots=True)
class Stream:
    """All that a run sends, as a function of the message's number: asking twice gives the same answer."""

    plan: Plan
    clock: Clock
    probes: Probes | None = None

    def messages(self, first: int, last: int) -> Iterator[tuple[bytes, bytes | None]]:
        """Key and value of the messages numbered `first` to `last` - 1, and of the probes among them."""
        for planned, created_ms, event_ms, lap in self._walk(first, last):
            yield planned.key, planned.complete(created_ms, event_ms, lap)

    def sendable(self, first: int, last: int) -> Iterator[tuple[bytes, bytes | None, list[Header] | None]]:
        """The same messages with their Kafka headers."""
        for planned, created_ms, event_ms, lap in self._walk(first, last):
            yield planned.key, planned.complete(created_ms, event_ms, lap), planned.headers(lap)

    def lines(self, first: int, last: int, produced_at: int | None, line_number: int) -> Iterator[bytes]:
        """The lines of a record file for the same messages, sent at `produced_at` (UTC ms; None: when due)."""
        for planned, created_ms, event_ms, lap in self._walk(first, last):
            value = planned.complete(created_ms, event_ms, lap)
            yield b'{"n":%d,"produced_at":%d,"value_b64":%s,%s\n' % (
                line_number,
                created_ms if produced_at is None else produced_at,
                b"null" if value is None else b'"%s"' % b64encode(value),
                planned.complete_line(created_ms, event_ms, lap),
            )
            line_number += 1

    def counts(self, last: int) -> Counter[Label]:
        """How many messages of each kind the numbers below `last` have, probes included."""
        prologue, lap = self.plan.prologue, self.plan.lap
        laps, rest = divmod(max(0, last - len(prologue)), len(lap))
        found = Counter(message.label for message in prologue[:last])
        for label, number in Counter(message.label for message in lap).items():
            found[label] += number * laps
        found.update(message.label for message in lap[:rest])
        if self.probes:
            found.update(self.probes.counts(last))
        return +found

    def _walk(self, first: int, last: int) -> Iterator[tuple[Planned, int, int, bytes]]:
        """Planned messages with created_at, event time (UTC ms) and lap."""
        prologue, lap = self.plan.prologue, self.plan.lap
        created_of, event_of, probes = self.clock.created_ms, self.clock.event_ms, self.probes
        live = type(self.clock).__name__ == "LiveClock"
        for number in range(first, last):
            if probes and number % probes.every == 0:
                created = created_of(number)
                for probe in probes.at(number):
                    yield probe, created, event_of(number), b"0000"
            if number < len(prologue):
                planned, round_number = prologue[number], 0
            else:
                round_number, place = divmod(number - len(prologue), len(lap))
                planned = lap[place]
            created = created_of(number + planned.created_lead)
            if planned.event_from_created or (live and planned.created_lead == planned.event_lead):
                event = created + planned.shift_ms
            else:
                event = event_of(number + planned.event_lead) + planned.shift_ms
            yield planned, created, event, b"%04x" % (round_number % _LAPS)
