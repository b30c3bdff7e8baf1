"""Forget what the cache holds of a customer."""

from __future__ import annotations

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

# An operator waits for this, not the stream: a slow Redis may have its time.
TIMEOUT_SECONDS = 10.0
RETRIES = 3
KEYS_PER_STEP = 1_000
# What has a meaning in patterns; a customer's id may hold anything.
_PATTERN = str.maketrans({character: f"\\{character}" for character in "*?[]^-\\"})


def forget_customer(url: str, password: str | None, tenant_id: str, customer_id: str) -> int:
    """Delete the keys of a customer's journeys and attribution, and return how many there were.

    Looks at all keys of the database, in steps that hold up nobody. Blocks for TIMEOUT_SECONDS a step at most, tries
    again RETRIES times, and raises redis.RedisError. Safe to run again.
    """
    client = redis.Redis.from_url(
        url,
        password=password or None,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(ExponentialBackoff(), RETRIES),
    )
    deleted = 0
    try:
        for kind in ("journey", "attribution"):
            pattern = f"{kind}:{tenant_id}:{customer_id.translate(_PATTERN)}:*"
            keys = list(client.scan_iter(match=pattern, count=KEYS_PER_STEP))
            deleted += client.delete(*keys) if keys else 0
    finally:
        client.close()
    return deleted
