"""Faults of ClickHouse, Redis and the way to them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import redis

from tests.faults.rig import FaultError
from tests.faults.tcp_proxy import Behaviour, Conduct

if TYPE_CHECKING:
    from random import Random

    from tests.faults.rig import Rig
    from tests.faults.tcp_proxy import TcpProxy

T = TypeVar("T")
# As it stands in the request line of clickhouse-connect.
INSERT = b"INSERT"
# An insert is a matter of a second while events flow.
_INSERT_SECONDS = 60.0


def _there(part: T | None, what: str) -> T:
    if part is None:
        raise FaultError(f"this stack has no {what}")
    return part


def _store(rig: Rig) -> TcpProxy:
    return _there(rig.store, "proxy before ClickHouse")


def _through(proxy: TcpProxy, behaviour: Behaviour, seconds: float) -> str:
    proxy.behave(behaviour)
    try:
        time.sleep(seconds)
    finally:
        proxy.behave()
    return f"for {seconds:.1f} s"


def clickhouse_killed(rig: Rig, random: Random) -> str:
    """Kill -9 ClickHouse."""
    time.sleep(random.uniform(0, 2))
    return f"pid {rig.stack.kill('clickhouse')}"


def clickhouse_frozen(rig: Rig, random: Random) -> str:
    """Freeze ClickHouse, sometimes for longer than the client's time-out."""
    return rig.freeze("clickhouse", random.choice((random.uniform(2, 12), random.uniform(31, 38))))


def clickhouse_reply_lost(rig: Rig, random: Random) -> str:
    """ClickHouse carries out inserts and the job never hears of it."""
    replies, store = random.randint(1, 12), _store(rig)
    store.behave(Behaviour(Conduct.LOSE_REPLIES, marker=INSERT, replies=replies))
    try:
        if not store.wait_lost(_INSERT_SECONDS):
            raise FaultError(f"{store.lost} of {replies} replies were lost within {_INSERT_SECONDS:g} s")
    finally:
        store.behave()
    return f"{replies} replies"


def clickhouse_killed_after_commit(rig: Rig, random: Random) -> str:
    """Kill -9 ClickHouse when an insert is carried out, before its reply is sent on."""
    wait, store = random.uniform(0, 0.05), _store(rig)
    store.behave(
        Behaviour(
            Conduct.LOSE_REPLIES,
            marker=INSERT,
            replies=1,
            before_loss=lambda: _killed_after(rig, wait),
        )
    )
    try:
        if not store.wait_lost(_INSERT_SECONDS):
            raise FaultError(f"no insert came within {_INSERT_SECONDS:g} s")
    finally:
        store.behave()
    return f"{wait * 1000:.0f} ms after the commit"


def _killed_after(rig: Rig, seconds: float) -> None:
    time.sleep(seconds)
    rig.stack.kill("clickhouse")


def clickhouse_resetting(rig: Rig, random: Random) -> str:
    """Every connection to ClickHouse is reset in the middle of a request."""
    return _through(_store(rig), Behaviour(Conduct.RESET), random.uniform(1, 10))


def clickhouse_refusing(rig: Rig, random: Random) -> str:
    """ClickHouse takes no connection, sometimes for longer than the job tries again before it restarts."""
    seconds = random.choice((random.uniform(2, 15), random.uniform(62, 70)))
    return _through(_store(rig), Behaviour(Conduct.REFUSE), seconds)


def clickhouse_slow(rig: Rig, random: Random) -> str:
    """Every answer of ClickHouse takes seconds."""
    delay = random.uniform(0.5, 4)
    told = _through(_store(rig), Behaviour(Conduct.DELAY, seconds=delay), random.uniform(5, 15))
    return f"{delay:.1f} s an answer {told}"


def clickhouse_disk_full(rig: Rig, random: Random) -> str:
    """ClickHouse's disk takes not one byte more: it answers, refuses inserts, and cannot merge."""
    disk = _there(rig.disk, "small disk under ClickHouse")
    seconds = random.uniform(5, 20)
    try:
        written = disk.fill()
        time.sleep(seconds)
    finally:
        disk.empty()
    return f"{written >> 20} MiB written, for {seconds:.1f} s"


def redis_killed(rig: Rig, random: Random) -> str:
    """Kill -9 Redis."""
    time.sleep(random.uniform(0, 2))
    return f"pid {rig.stack.kill('redis')}"


def redis_frozen(rig: Rig, random: Random) -> str:
    """Freeze Redis."""
    return rig.freeze("redis", random.uniform(2, 15))


def redis_flushed(rig: Rig, random: Random) -> str:
    """Delete every key of Redis."""
    time.sleep(random.uniform(0, 2))
    with redis.Redis.from_url(str(rig.stack.endpoints()["redis"]), socket_timeout=10) as client:
        keys = client.dbsize()
        client.flushall()
    return f"{keys} keys"


def redis_unreachable(rig: Rig, random: Random) -> str:
    """The job cannot reach Redis."""
    return _through(_there(rig.cache, "proxy before Redis"), Behaviour(Conduct.REFUSE), random.uniform(2, 15))
