"""The hot store: the newest window of each campaign, as the pipeline writes it to Redis."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from connectors.redis.cache import campaign_key
from serving.live.signals import MalformedSignalError, read_json, read_window
from serving.observability.tracing import store_span
from serving.queries.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.metrics import ServingMetrics
    from serving.queries.campaign_metrics import Window

log = logging.getLogger(__name__)

# Entries read in one round trip: enough to make round trips rare, few enough that one answer stays below a megabyte.
KEYS_PER_ROUND_TRIP = 500
# A fault of a pooled connection (the server was restarted) shows at its first use; a new connection then works.
ATTEMPTS = 2


class HotStoreUnavailable(Exception):  # noqa: N818 - a state that callers answer to, not an error of theirs
    """Redis gave no answer."""


class HotStore:
    """Reads of Redis. May be called from many tasks; `close` at the end."""

    def __init__(self, url: str, password: str | None, metrics: ServingMetrics, *, timeout_seconds: float) -> None:
        """Prepare a client; the first read connects."""
        self._metrics = metrics
        self._timeout = timeout_seconds
        self._client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
            url,
            password=password or None,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )
        self.breaker = CircuitBreaker()

    async def newest_windows(self, tenant_id: str, campaign_ids: Sequence[str]) -> list[Window]:
        """Return the newest windows of these campaigns, in any order; a campaign that has none is left out.

        An entry that is not what the pipeline writes, or is about another campaign than its key, is left out and
        counted.

        Raises:
            HotStoreUnavailable: no answer in time, or the circuit is open.
        """
        found: list[Window] = []
        for first in range(0, len(campaign_ids), KEYS_PER_ROUND_TRIP):
            part = campaign_ids[first : first + KEYS_PER_ROUND_TRIP]
            for campaign_id, entries in zip(part, await self._read(tenant_id, part), strict=True):
                self._metrics.hot_store_reads.labels("hit" if entries else "miss").inc()
                for value in entries.values():
                    window = self._window(tenant_id, campaign_id, value)
                    if window is not None:
                        found.append(window)
        return found

    async def answers(self) -> bool:
        """Tell whether Redis answers a ping in time."""
        try:
            async with asyncio.timeout(self._timeout):
                # The return type of the client's `ping` covers its synchronous twin too.
                pinged: Any = self._client.ping()
                return bool(await pinged)
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _window(self, tenant_id: str, campaign_id: str, value: bytes) -> Window | None:
        try:
            signal = read_json(value)
            window = read_window(signal)
        except MalformedSignalError as error:
            problem = str(error)
        else:
            if signal.get("tenant_id") == tenant_id and window.campaign_id == campaign_id:
                return window
            problem = "about another campaign"
        self._metrics.malformed_records.labels("hot_store").inc()
        log.warning("hot store entry ignored: %s", problem)
        return None

    async def _read(self, tenant_id: str, campaign_ids: Sequence[str]) -> list[dict[bytes, bytes]]:
        if not self.breaker.allows():
            raise HotStoreUnavailable("the circuit is open")
        began = time.monotonic()
        outcome = "failed"
        try:
            async with asyncio.timeout(self._timeout):
                for attempt in range(1, ATTEMPTS + 1):
                    try:
                        with store_span("redis", "newest_windows"):
                            entries = await self._pipeline(tenant_id, campaign_ids)
                        break
                    except redis.exceptions.ConnectionError:
                        if attempt == ATTEMPTS:
                            raise
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            # ValueError: the peer does not speak Redis' protocol.
            self.breaker.failed()
            raise HotStoreUnavailable(type(error).__name__) from None
        except BaseException:
            outcome = "cancelled"
            self.breaker.abandoned()
            raise
        else:
            outcome = "answered"
            self.breaker.succeeded()
            return entries
        finally:
            self._metrics.store_seconds.labels("hot_store", "newest_windows", outcome).observe(time.monotonic() - began)

    async def _pipeline(self, tenant_id: str, campaign_ids: Sequence[str]) -> list[dict[bytes, bytes]]:
        async with self._client.pipeline(transaction=False) as pipe:
            for campaign_id in campaign_ids:
                pipe.hgetall(campaign_key(tenant_id, campaign_id))
            return list(await pipe.execute())
