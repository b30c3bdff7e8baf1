"""Answers kept in Redis, so that the same question is read from ClickHouse once for all servers.

Redis is a cache: when it is down, slow or wrong, an answer is computed. An entry begins with what it is the answer to,
so that an entry that came under a wrong key is not believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.queries.redis_connection import RedisConnection, RedisUnavailable

if TYPE_CHECKING:
    from serving.metrics import ServingMetrics

# A larger answer is a page of an export, which nobody asks for twice.
LARGEST_BYTES = 1024 * 1024
_HEAD = struct.Struct(">16sqq")


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as bytes, when it was computed, and until when it may be given (UTC ms)."""

    made_ms: int
    until_ms: int
    answer: bytes


def answer_key(tenant_id: str, question: bytes) -> str:
    """Return the key of the answer to a question of a tenant. Tenant ids hold no colon: no two tenants share a key."""
    return f"answer:{tenant_id}:{_digest(tenant_id, question).hex()}"


def _digest(tenant_id: str, question: bytes) -> bytes:
    return hashlib.blake2b(tenant_id.encode() + b"\0" + question, digest_size=16).digest()


class AnswerCache:
    """Reads and writes of answers. May be called from many tasks; `close` at the end. Never raises for a fault of
    Redis."""

    def __init__(self, url: str, password: str | None, metrics: ServingMetrics, *, timeout_seconds: float) -> None:
        """Prepare a client; the first read connects."""
        self._redis = RedisConnection(url, password, metrics, store="answer_cache", timeout_seconds=timeout_seconds)
        self.breaker = self._redis.breaker

    async def get(self, tenant_id: str, question: bytes, not_before_ms: int) -> Kept | None:
        """Return the answer to a question if it is held and was computed after `not_before_ms`."""
        try:
            value = await self._redis.run("get_answer", lambda: self._redis.client.get(answer_key(tenant_id, question)))
        except RedisUnavailable:
            return None
        if not isinstance(value, bytes) or len(value) < _HEAD.size:
            return None
        digest, made_ms, until_ms = _HEAD.unpack_from(value)
        # An entry from the future would never be found stale, and a cache that does not forget in time is not believed.
        if digest != _digest(tenant_id, question) or not not_before_ms < made_ms <= time.time() * 1000 < until_ms:
            return None
        return Kept(made_ms, until_ms, value[_HEAD.size :])

    async def put(self, tenant_id: str, question: bytes, kept: Kept) -> None:
        """Keep an answer for as long as it may be given."""
        if len(kept.answer) > LARGEST_BYTES:
            return
        value = _HEAD.pack(_digest(tenant_id, question), kept.made_ms, kept.until_ms) + kept.answer
        milliseconds = max(1, round(kept.until_ms - time.time() * 1000))
        with contextlib.suppress(RedisUnavailable):
            await self._redis.run(
                "put_answer", lambda: self._redis.client.set(answer_key(tenant_id, question), value, px=milliseconds)
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.close()
