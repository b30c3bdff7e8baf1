"""Writes to the Redis cache: a newer version replaces an older one, never the other way round.

Redis is a cache: when it is lost, answers become slower, never wrong. So a write that fails is counted and forgotten,
and after a failure
writes pause for a moment instead of making the stream wait for every batch.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = (
    0.5  # a healthy Redis answers a pipeline within milliseconds; the stream must not wait longer for a cache
)
PAUSE_SECONDS = 5.0  # how long writes are left out after a failure
METRICS_TTL_SECONDS = 300
JOURNEY_TTL_SECONDS = 3600

# KEYS[1] hash; ARGV: field, window end, JSON, TTL. An older window never replaces a newer one.
SET_FIELD_IF_NEWER = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and cjson.decode(held)['window_end'] > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""
# KEYS[1] string; ARGV: revision, JSON, TTL.
SET_IF_NEWER = """
local held = redis.call('GET', KEYS[1])
if held and cjson.decode(held)['revision'] > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


def campaign_key(tenant_id: str, campaign_id: str) -> str:
    """Return the key of a campaign's newest windows. Tenant ids hold no colon, so no two tenants can share a key."""
    return f"metrics:campaign:{tenant_id}:{campaign_id}"


def journey_key(tenant_id: str, customer_id: str, stage: str) -> str:
    """Return the key of a customer's journey in a stage."""
    return f"journey:{tenant_id}:{customer_id}:{stage}"


class Cache:
    """Versioned writes in pipelines.

    Never raises for a Redis fault; `failures` counts the batches that were left out.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        """Prepare a client; it connects at the first write."""
        self._client = redis.Redis.from_url(
            url,
            password=password or None,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self._set_field = self._client.register_script(SET_FIELD_IF_NEWER)
        self._set = self._client.register_script(SET_IF_NEWER)
        self._paused_until = 0.0
        self.failures = 0

    def _guarded(self, write: Callable[[], None]) -> None:
        if time.monotonic() < self._paused_until:
            self.failures += 1
            return
        try:
            write()
        except redis.RedisError as error:
            self.failures += 1
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            log.warning("Redis write left out (%s); next try in %.0f s", type(error).__name__, PAUSE_SECONDS)

    def put_campaign_fields(self, rows: Iterable[tuple[str, str, int, str]]) -> None:
        """Write (key, field, window end in ms, JSON) rows of `metrics:campaign:…` hashes.

        The JSON holds its `window_end`.
        """

        def write() -> None:
            with self._client.pipeline(transaction=False) as pipe:
                for key, field, version, value in rows:
                    self._set_field(keys=[key], args=[field, version, value, METRICS_TTL_SECONDS], client=pipe)
                pipe.execute()

        self._guarded(write)

    def put_journeys(self, rows: Iterable[tuple[str, int, str]]) -> None:
        """Write (key, revision, JSON) rows of `journey:…` strings; the JSON holds its `revision`."""

        def write() -> None:
            with self._client.pipeline(transaction=False) as pipe:
                for key, version, value in rows:
                    self._set(keys=[key], args=[version, value, JOURNEY_TTL_SECONDS], client=pipe)
                pipe.execute()

        self._guarded(write)
