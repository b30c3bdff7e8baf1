"""How often a tenant may call: a token bucket each, per server."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.access import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

# Buckets that are kept; one that was forgotten begins full again.
REMEMBERED = 10_000


@dataclass(slots=True)
class Limit:
    """Calls per second in the long run, and how many may come at once."""

    calls_per_second: float
    burst: int


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimits:
    """Buckets by tenant. Used from one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets; `clock` is in seconds."""
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, tenant_id: str, limit: Limit) -> None:
        """Take one call out of a tenant's bucket.

        Raises:
            ServingError: the bucket is empty; it says when the next call may come.
        """
        now = self._clock()
        bucket = self._buckets.get(tenant_id)
        if bucket is None:
            bucket = self._buckets[tenant_id] = _Bucket(limit.burst, now)
            if len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(tenant_id)
        bucket.tokens = min(limit.burst, bucket.tokens + (now - bucket.at) * limit.calls_per_second)
        bucket.at = now
        if bucket.tokens < 1:
            raise refusals.rate_limited((1 - bucket.tokens) / limit.calls_per_second)
        bucket.tokens -= 1
