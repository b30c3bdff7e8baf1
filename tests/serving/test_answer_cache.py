"""Answers kept in Redis: given again until they are old or the past changed, never believed when Redis lies."""

from __future__ import annotations

import asyncio
import time

import pytest
import pytest_asyncio
import redis as redis_client
from tributary.v1 import campaign_metrics_pb2 as pb

from serving.handlers.answers import LONGEST_LIVE_MS
from serving.live.hub import Topic
from serving.live.settled_changes import SETTLED_MS, SettledChanges, Subject
from serving.queries.answer_cache import answer_key
from serving.queries.single_flight import SingleFlight
from tests.serving.faulty_store import FaultyStore, Mood
from tests.serving.pipeline_model import CampaignEvent, rollups, windows
from tests.serving.running_server import options, running
from tests.serving.signals import alert_record, attribution_signal
from tests.serving.stored_rows import insert_rollups, insert_windows

HOUR = 3_600_000
REFRESH = (("cache-control", "no-cache"),)


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port, answer_cache=True)) as started:
        yield started


@pytest_asyncio.fixture
async def forgetful_server(clickhouse_process, redis_process, history_address):
    """A server that asks the cache every time."""
    chosen = options(clickhouse_process.port, redis_process.port, answer_cache=True, answer_memory_mib=0)
    async with running(chosen) as started:
        yield started


def store(address, tenant, name, at_ms):
    """Store one event with one click, as the pipeline does."""
    events = [CampaignEvent(name, (tenant, name, "email", "EUR"), at_ms, (1, 1, 1, 1, 1, 1))]
    insert_windows(address, windows(events, at_ms + HOUR))
    insert_rollups(address, rollups(events, at_ms + HOUR))


def past(tenant):
    """A question about two hours that ended three hours ago, and a time in them."""
    end = int(time.time() * 1000) // HOUR * HOUR - 3 * HOUR
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant, group_by=[pb.DIMENSION_CAMPAIGN])
    request.range.start_time.FromMilliseconds(end - 2 * HOUR)
    request.range.end_time.FromMilliseconds(end)
    return request, end - HOUR - 1234


async def campaigns(server, request, **kwargs):
    answer = await server.campaigns.GetCampaignMetrics(request, **kwargs)
    return {metrics.campaign_id for metrics in answer.metrics}


def count(server, origin):
    return server.process.metrics.answers.labels(origin)._value.get()


@pytest.mark.asyncio
async def test_answers_about_the_past_are_kept_until_it_changes(server, tenant, history_address):
    request, at = past(tenant)
    store(history_address, tenant, "c1", at)
    assert await campaigns(server, request) == {"c1"}
    assert count(server, "computed") == 1
    store(history_address, tenant, "c2", at)
    answer = await server.campaigns.GetCampaignMetrics(request)
    assert {m.campaign_id for m in answer.metrics} == {"c1"}
    assert not answer.freshness.degraded
    assert answer.freshness.age.ToMilliseconds() > 0
    assert count(server, "cache") == 1
    # Another question, another tenant, a signal about another tenant: nothing of it is this answer's.
    server.feed.publish({"kind": "revision", "tenant_id": f"{tenant}-other", "campaign_id": "c2"})
    assert await campaigns(server, request) == {"c1"}
    server.feed.publish({"kind": "revision", "tenant_id": tenant, "campaign_id": "c2"})
    assert await campaigns(server, request) == {"c1", "c2"}
    # What was computed now is kept again, for another server too.
    store(history_address, tenant, "c3", at)
    assert await campaigns(server, request) == {"c1", "c2"}


@pytest.mark.asyncio
async def test_a_caller_can_ask_past_the_cache(server, tenant, history_address):
    request, at = past(tenant)
    store(history_address, tenant, "c1", at)
    await campaigns(server, request)
    store(history_address, tenant, "c2", at)
    assert await campaigns(server, request) == {"c1"}
    assert await campaigns(server, request, metadata=REFRESH) == {"c1", "c2"}
    assert await campaigns(server, request) == {"c1", "c2"}


@pytest.mark.asyncio
async def test_answers_about_now_are_kept_for_a_moment(server, tenant, redis_process):
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant)
    request.range.last.FromSeconds(3600)
    await campaigns(server, request)
    client = redis_client.Redis(port=redis_process.port)
    assert all(client.pttl(key) <= LONGEST_LIVE_MS for key in client.scan_iter(f"answer:{tenant}:*"))
    figures = pb.ListKeyFiguresRequest(tenant_id=tenant, cadence=pb.CADENCE_WEEKLY)
    await server.campaigns.ListKeyFigures(figures)
    (lives,) = [ttl for key in client.scan_iter(f"answer:{tenant}:*") if (ttl := client.pttl(key)) > 5_000]
    assert lives <= 15 * 60_000


@pytest.mark.asyncio
async def test_a_lying_cache_is_not_believed(forgetful_server, tenant, redis_process, history_address):
    server = forgetful_server
    request, at = past(tenant)
    other, _ = past(f"{tenant}-other")
    store(history_address, tenant, "c1", at)
    store(history_address, f"{tenant}-other", "forbidden", at)
    await campaigns(server, request)
    await campaigns(server, other)
    client = redis_client.Redis(port=redis_process.port)
    (mine,) = client.scan_iter(f"answer:{tenant}:*")
    (theirs,) = client.scan_iter(f"answer:{tenant}-other:*")
    value = client.get(mine)
    future = value[:16] + (int(time.time() * 1000) + HOUR).to_bytes(8, "big") + value[24:]
    old = value[:16] + (1).to_bytes(8, "big") + value[24:]
    over = value[:24] + (1).to_bytes(8, "big") + value[32:]
    eternal = value[:24] + (2**62).to_bytes(8, "big") + value[32:]
    garbled = value[:32] + b"\xff\xff\xff"
    lies = [client.get(theirs), b"", b"garbage", value[:30], garbled, future, old, over, eternal]
    for lie in lies:
        client.set(mine, lie)
        before = count(server, "computed")
        assert await campaigns(server, request) == {"c1"}
        assert count(server, "computed") == before + 1, lie
    client.delete(mine)
    client.hset(mine, "a", "b")
    assert await campaigns(server, request) == {"c1"}


@pytest.mark.asyncio
@pytest.mark.parametrize("mood", [Mood.REFUSE, Mood.HANG, Mood.GARBLE])
async def test_a_cache_that_is_down_is_left_out(clickhouse_process, redis_process, history_address, tenant, mood):
    request, at = past(tenant)
    store(history_address, tenant, "c1", at)
    changed = {"answer_cache": True, "answer_memory_mib": 0, "redis_timeout_ms": 1_000}
    async with (
        FaultyStore(redis_process.port) as hot,
        running(options(clickhouse_process.port, hot.port, **changed)) as server,
    ):
        hot.set(mood)
        # Each tries to read and to write: five faults open the circuit.
        for _ in range(4):
            assert await campaigns(server, request) == {"c1"}
        assert not server.process.answer_cache.breaker.closed
        hot.set(Mood.FORWARD)
        async with asyncio.timeout(120):
            while not count(server, "cache"):
                assert await campaigns(server, request) == {"c1"}
                await asyncio.sleep(0.05)


@pytest.mark.asyncio
async def test_many_who_ask_at_once_cost_one_query(server, tenant, history_address):
    request, at = past(tenant)
    store(history_address, tenant, "c1", at)
    found = await asyncio.gather(*(campaigns(server, request) for _ in range(30)))
    assert found == [{"c1"}] * 30
    assert count(server, "computed") + count(server, "shared") + count(server, "cache") == 30
    assert count(server, "computed") < 5


@pytest.mark.asyncio
async def test_a_computation_ends_with_the_last_who_waits():
    flights = SingleFlight()
    begun, ended = [], []

    async def compute():
        begun.append(1)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(1)

    waiting = [asyncio.create_task(flights.run("key", compute)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert flights.under_way("key")
    assert len(begun) == 1
    for task in waiting[:2]:
        task.cancel()
    await asyncio.wait(waiting[:2])
    assert not ended
    waiting[2].cancel()
    await asyncio.wait(waiting)
    while not ended:
        await asyncio.sleep(0)
    assert not flights.under_way("key")
    # The next one computes anew, and gets its own error.

    async def fail():
        raise ValueError("once")

    for _ in range(2):
        with pytest.raises(ValueError, match="once"):
            await flights.run("key", fail)


def test_changes_of_the_past():
    changes = SettledChanges()
    began = changes.last_ms("t", Subject.CAMPAIGNS)
    now = int(time.time() * 1000)
    assert began <= now
    changes._everything_ms = 0
    changes.note("t", Subject.ATTRIBUTION, now - 1000)
    assert changes.last_ms("t", Subject.ATTRIBUTION) == 0
    changes.note("t", Subject.ATTRIBUTION, now - SETTLED_MS)
    assert changes.last_ms("t", Subject.ATTRIBUTION) >= now
    assert changes.last_ms("t", Subject.CAMPAIGNS) == 0
    assert changes.last_ms("u", Subject.ATTRIBUTION) == 0
    for number in range(10_000):
        changes.note(f"n{number}", Subject.ALERTS)
    # Forgotten tenants count as changed.
    assert changes.last_ms("t", Subject.ATTRIBUTION) >= now


@pytest.mark.asyncio
async def test_signals_note_what_changed(server, tenant):
    changes = server.process.hub.changes
    changes._everything_ms = 0
    old = int(time.time() * 1000) - 2 * SETTLED_MS
    server.feed.publish(attribution_signal(tenant, "v1", old), {"kind": "revision", "tenant_id": tenant})
    server.feed.publish(alert_record(tenant, "a1", updated_ms=old), topic=Topic.ALERTS)
    assert all(changes.last_ms(tenant, subject) > old for subject in Subject)
    assert all(changes.last_ms(f"{tenant}-other", subject) == 0 for subject in Subject)


def test_keys_of_two_tenants_differ():
    assert answer_key("a", b"q") != answer_key("b", b"q")
    assert answer_key("a", b"q").startswith("answer:a:")
