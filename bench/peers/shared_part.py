"""The shared part, for programs that work in Python: the pipeline's own decoder and rules, so that the engines differ
and nothing else. Runs in every environment.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.kafka.decode_batch import VALID, BatchDecoder
from connectors.schema_registry import open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WINDOW_MS, STEP_MS = 5_000, 1_000
# Campaign events are at most half a second out of order (`bench/peers/events.py`); windows wait four times as long.
DISORDER_MS = 2_000
_SCHEMAS = str(Path(__file__).resolve().parents[2] / "avro")

Event = tuple[str, str, str, int, int, int, int, int, int]
"""(tenant id, event id, campaign key or "" for an event that is in no window, event time in ms, impressions, clicks,
conversions, cost in micros, revenue in micros). The campaign key is `tenant/campaign/channel/currency`.
"""


class SharedDecoder:
    """Decodes and validates messages; what is not valid is counted and left out."""

    def __init__(self) -> None:
        """Open the registry."""
        self._decoder = BatchDecoder(open_registry(_SCHEMAS))
        self.seen = 0
        self.refused = 0

    def decode(self, values: Sequence[bytes | None], append_times_ms: Sequence[int]) -> Iterator[Event]:
        """Yield the valid events among messages that were appended at `append_times_ms` (UTC ms)."""
        columns = self._decoder.decode_batch(values, [None] * len(values), append_times_ms)
        self.seen += len(values)
        names = (
            *("outcome", "event_type", "tenant_id", "event_id", "campaign_id", "channel", "currency", "event_time"),
            *("impressions", "clicks", "conversions", "cost_micros", "revenue_micros"),
        )
        for outcome, kind, tenant, event, campaign, channel, currency, *numbers in zip(
            *(columns[name] for name in names), strict=True
        ):
            if outcome != VALID:
                self.refused += 1
                continue
            key = f"{tenant}/{campaign}/{channel}/{currency}" if kind.startswith("campaign_") else ""
            yield (tenant, event, key, *numbers)


def window_line(key: str, start_ms: int, sums: Sequence[int]) -> str:
    """Return one window as a line of an output file: key, start, the five sums, number of events."""
    return json.dumps([key, start_ms, *sums])


@dataclass(slots=True)
class Progress:
    """When a worker saw its first and its last message (UTC seconds), and how many messages."""

    first: float = 0.0
    last: float = 0.0
    messages: int = 0

    def note(self, messages: int) -> None:
        """Note that so many messages have been seen now."""
        self.last = time.time()
        self.first = self.first or self.last
        self.messages += messages

    def write(self, path: Path) -> None:
        """Leave it for the program that started this worker."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
