"""The one way in which serving talks to Redis: a client, a time limit, one repetition, a circuit breaker, and a metric
and a span for every command."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from serving.observability.tracing import store_span
from serving.queries.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from serving.metrics import ServingMetrics

# A fault of a pooled connection (the server was restarted) shows at its first use; a new connection then works.
RETRIES = 1


class RedisUnavailable(Exception):  # noqa: N818 - a state that callers answer to, not an error of theirs
    """Redis gave no answer."""


class RedisConnection:
    """Commands to Redis on behalf of one store. May be called from many tasks; `close` at the end."""

    def __init__(
        self, url: str, password: str | None, metrics: ServingMetrics, *, store: str, timeout_seconds: float
    ) -> None:
        """Prepare a client; the first command connects. `store` names it in the metrics."""
        self._metrics = metrics
        self._store = store
        self._timeout = timeout_seconds
        self.client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
            url,
            password=password or None,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), RETRIES),
        )
        self.breaker = CircuitBreaker()

    async def run(self, name: str, command: Callable[[], Awaitable[Any]]) -> Any:
        """Return what a command returns; `name` says what it is for in metrics and spans.

        Raises:
            RedisUnavailable: no answer in time, no valid one, or the circuit is open.
        """
        if not self.breaker.allows():
            raise RedisUnavailable("the circuit is open")
        began = time.monotonic()
        outcome = "failed"
        try:
            async with asyncio.timeout(self._timeout):
                with store_span("redis", name):
                    value = await command()
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            # ValueError: the peer does not speak Redis' protocol.
            self.breaker.failed()
            raise RedisUnavailable(type(error).__name__) from None
        except BaseException:
            outcome = "cancelled"
            self.breaker.abandoned()
            raise
        else:
            outcome = "answered"
            self.breaker.succeeded()
            return value
        finally:
            self._metrics.store_seconds.labels(self._store, name, outcome).observe(time.monotonic() - began)

    async def answers(self) -> bool:
        """Tell whether Redis answers a ping in time, whatever the circuit breaker says."""
        try:
            async with asyncio.timeout(self._timeout):
                # The return type of the client's `ping` covers its synchronous twin too.
                pinged: Any = self.client.ping()
                return bool(await pinged)
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
