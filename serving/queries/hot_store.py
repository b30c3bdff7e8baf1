"""The hot store: the newest window of each campaign, as the pipeline writes it to Redis."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors.redis.cache import campaign_key
from serving.live.signals import MalformedSignalError, read_json, read_window
from serving.queries.redis_connection import RedisConnection, RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.metrics import ServingMetrics
    from serving.queries.campaign_metrics import Window

log = logging.getLogger(__name__)

# Entries read in one round trip: enough to make round trips rare, few enough that one answer stays below a megabyte.
KEYS_PER_ROUND_TRIP = 500


class HotStoreUnavailable(Exception):  # noqa: N818 - a state that callers answer to, not an error of theirs
    """Redis gave no answer."""


class HotStore:
    """Reads of Redis. May be called from many tasks; `close` at the end."""

    def __init__(self, url: str, password: str | None, metrics: ServingMetrics, *, timeout_seconds: float) -> None:
        """Prepare a client; the first read connects."""
        self._metrics = metrics
        self._redis = RedisConnection(url, password, metrics, store="hot_store", timeout_seconds=timeout_seconds)
        self.breaker = self._redis.breaker

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
        return await self._redis.answers()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.close()

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
        try:
            entries: list[dict[bytes, bytes]] = await self._redis.run(
                "newest_windows", lambda: self._pipeline(tenant_id, campaign_ids)
            )
        except RedisUnavailable as error:
            raise HotStoreUnavailable(str(error)) from None
        return entries

    async def _pipeline(self, tenant_id: str, campaign_ids: Sequence[str]) -> list[dict[bytes, bytes]]:
        async with self._redis.client.pipeline(transaction=False) as pipe:
            for campaign_id in campaign_ids:
                pipe.hgetall(campaign_key(tenant_id, campaign_id))
            return list(await pipe.execute())
