"""A customer's keys are taken out of a real Redis, and nobody else's."""

from __future__ import annotations

import pytest
import redis

from connectors.redis.erasure import forget_customer
from tests.serving.local_stores import free_port, redis_server


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    process = redis_server(tmp_path_factory.mktemp("redis"))
    process.start()
    yield f"redis://127.0.0.1:{process.port}/0"
    process.stop()


def test_only_the_customers_keys_go(cache):
    client = redis.Redis.from_url(cache)
    others = [
        "journey:acme:ann2:intent",
        "journey:acme-2:a*n:intent",
        "attribution:acme:annn:1h",
        "metrics:campaign:acme:a*n",
    ]
    own = ["journey:acme:a*n:intent", "journey:acme:a*n:purchase", "attribution:acme:a*n:0-9"]
    for key in (*own, *others):
        client.set(key, "{}")
    assert forget_customer(cache, None, "acme", "a*n") == 3
    assert sorted(key.decode() for key in client.scan_iter()) == sorted(others)
    assert forget_customer(cache, None, "acme", "a*n") == 0
    client.close()


def test_a_redis_that_is_down_is_an_error():
    with pytest.raises(redis.RedisError):
        forget_customer(f"redis://127.0.0.1:{free_port()}/0", None, "acme", "ann")
