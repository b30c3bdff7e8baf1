"""Stores that are down, slow or wrong: clear answers in time, marked as degraded, that give nothing away; and
recovery."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from itertools import islice

import grpc
import orjson
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tributary.v1 import alerts_pb2, attribution_pb2, freshness_pb2, quality_pb2
from tributary.v1 import campaign_metrics_pb2 as pb

from connectors.redis.cache import Cache, campaign_key
from serving.queries.circuit_breaker import FAILURES_TO_OPEN, OPEN_SECONDS, CircuitBreaker
from tests.serving.faulty_store import FaultyStore, Mood
from tests.serving.pipeline_model import CampaignEvent
from tests.serving.running_server import details, next_message, options, refusal, running, until
from tests.serving.signals import alert_record, attribution_signal, window_signal
from tests.serving.stored_rows import insert_events, insert_windows

FAULTS = [Mood.REFUSE, Mood.HANG, Mood.GARBLE]
# For a store that works: a busy machine may need longer than a test wants to wait for one that hangs.
PATIENT_SECONDS = 15.0
IMPATIENT_SECONDS = 1.0


@asynccontextmanager
async def faulty(clickhouse_process, redis_process, **changed):
    """A server whose stores are behind faulty proxies."""
    async with FaultyStore(clickhouse_process.port) as history, FaultyStore(redis_process.port) as hot:
        patience = round(PATIENT_SECONDS * 1000)
        limits = {"clickhouse_timeout_ms": patience, "redis_timeout_ms": patience}
        async with running(options(history.port, hot.port, **(limits | changed))) as server:
            yield server, history, hot


def turn(proxy, mood, store):
    """Make a store fail, or work again. It is waited for as long as a store that works may need, unless it hangs."""
    store._timeout = IMPATIENT_SECONDS if mood is Mood.HANG else PATIENT_SECONDS
    proxy.set(mood)


def store_window(history_address, tenant, end, campaign="c1"):
    key, sums = (tenant, campaign, "email", "EUR"), (400, 20, 2, 10, 30, 1)
    insert_windows(history_address, [(*key, end - 5000, end, *sums)])
    insert_events(history_address, [CampaignEvent("e1", key, end - 5000, sums)])


def cache_window(redis_process, tenant, end, campaign="c1"):
    signal = window_signal(tenant, campaign, end)
    Cache(f"redis://127.0.0.1:{redis_process.port}/0").put_campaign_fields(
        [(campaign_key(tenant, campaign), "email|EUR", end, orjson.dumps(signal).decode())]
    )


def hour_of(tenant):
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant)
    request.range.last.FromSeconds(3600)
    return request


def current(tenant, *campaigns):
    request = pb.GetCurrentCampaignMetricsRequest(tenant_id=tenant)
    request.selection.campaign_ids.extend(campaigns)
    return request


@pytest.mark.asyncio
@pytest.mark.parametrize("mood", FAULTS)
async def test_redis_down_falls_back_to_history(clickhouse_process, redis_process, history_address, tenant, mood):
    end = int(time.time()) * 1000
    store_window(history_address, tenant, end)
    async with faulty(clickhouse_process, redis_process) as (server, _, hot):
        redis = server.process.hot_store._redis
        turn(hot, mood, redis)
        for request in (current(tenant), current(tenant, "c1")):
            answer = await server.campaigns.GetCurrentCampaignMetrics(request)
            assert [w.window_end.ToMilliseconds() for w in answer.windows] == [end]
            assert answer.freshness.source == freshness_pb2.SOURCE_HISTORY
            assert not answer.freshness.degraded
        # After a few failures Redis is left alone: answers no longer wait for it.
        for _ in range(FAILURES_TO_OPEN):
            await server.campaigns.GetCurrentCampaignMetrics(current(tenant))
        assert not server.process.hot_store.breaker.closed
        cache_window(redis_process, tenant, end + 1000)
        turn(hot, Mood.FORWARD, redis)

        async def recovered():
            answer = await server.campaigns.GetCurrentCampaignMetrics(current(tenant))
            return (
                answer.freshness.source == freshness_pb2.SOURCE_HOT_STORE
                and answer.windows[0].window_end.ToMilliseconds() == end + 1000
            )

        await until(recovered)


@pytest.mark.asyncio
@pytest.mark.parametrize("mood", FAULTS)
async def test_history_down_gives_the_last_known_answer(
    clickhouse_process, redis_process, history_address, tenant, mood
):
    end = int(time.time()) * 1000 // 5000 * 5000
    store_window(history_address, tenant, end)
    async with faulty(clickhouse_process, redis_process) as (server, history, _):
        first = await server.campaigns.GetCampaignMetrics(hour_of(tenant))
        assert first.metrics[0].sums.clicks == 20
        turn(history, mood, server.process.history)
        began = time.monotonic()
        answer = await server.campaigns.GetCampaignMetrics(hour_of(tenant))
        assert answer.metrics == first.metrics
        assert answer.covered_range == first.covered_range
        assert answer.freshness.degraded
        assert answer.freshness.degraded_reason == "HISTORY_UNAVAILABLE"
        assert answer.freshness.source == freshness_pb2.SOURCE_LAST_KNOWN
        assert 0 <= answer.freshness.age.ToMilliseconds() <= (time.monotonic() - began) * 1000 + 60_000
        # Nothing is known for this request.
        other = hour_of(tenant)
        other.selection.campaign_ids.append("c7")
        error = await refusal(server.campaigns.GetCampaignMetrics(other))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        reason, _, delay = details(error)
        assert reason == "HISTORY_UNAVAILABLE"
        assert delay > 0
        turn(history, Mood.FORWARD, server.process.history)

        async def recovered():
            return not (await server.campaigns.GetCampaignMetrics(hour_of(tenant))).freshness.degraded

        await until(recovered)


@pytest.mark.asyncio
async def test_every_call_says_that_the_history_is_down(clickhouse_process, redis_process, history_address, tenant):
    async with faulty(clickhouse_process, redis_process) as (server, history, _):
        history.set(Mood.REFUSE)
        series = pb.ListTimeSeriesRequest(tenant_id=tenant, grain=pb.GRAIN_HOUR)
        summary = attribution_pb2.GetAttributionSummaryRequest(tenant_id=tenant, model="linear")
        counts = quality_pb2.GetCountsRequest(tenant_id=tenant)
        for request in (series, summary, counts):
            request.range.last.FromSeconds(3600)
        calls = [
            server.campaigns.GetCampaignMetrics(hour_of(tenant)),
            server.campaigns.ListTimeSeries(series),
            server.attribution.GetAttributionSummary(summary),
            server.attribution.ExplainConversion(
                attribution_pb2.ExplainConversionRequest(tenant_id=tenant, conversion_id="v1")
            ),
            server.attribution.WatchAttribution(attribution_pb2.WatchAttributionRequest(tenant_id=tenant)),
            server.alerts.ListAlerts(alerts_pb2.ListAlertsRequest(tenant_id=tenant)),
            server.alerts.WatchAlerts(alerts_pb2.WatchAlertsRequest(tenant_id=tenant)),
            server.quality.GetCounts(counts),
            server.quality.GetFreshness(quality_pb2.GetFreshnessRequest(tenant_id=tenant)),
        ]
        for call in calls:
            error = await refusal(call)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            reason, _, delay = details(error)
            assert reason == "HISTORY_UNAVAILABLE"
            assert delay > 0


@pytest.mark.asyncio
async def test_live_streams_begin_with_what_was_heard_when_the_history_is_down(
    clickhouse_process, redis_process, history_address, tenant
):
    from serving.live.hub import Topic

    now = int(time.time()) * 1000
    async with faulty(clickhouse_process, redis_process) as (server, history, _):
        history.set(Mood.REFUSE)
        server.feed.publish(attribution_signal(tenant, "v1", now))
        server.feed.publish(alert_record(tenant, "a1", updated_ms=now), topic=Topic.ALERTS)
        first = await next_message(
            server.attribution.WatchAttribution(attribution_pb2.WatchAttributionRequest(tenant_id=tenant))
        )
        assert [c.conversion_id for c in first.snapshot.conversions] == ["v1"]
        assert first.freshness.degraded
        assert first.freshness.source == freshness_pb2.SOURCE_LIVE
        raised = await next_message(server.alerts.WatchAlerts(alerts_pb2.WatchAlertsRequest(tenant_id=tenant)))
        assert [a.alert_id for a in raised.snapshot.alerts] == ["a1"]
        assert raised.freshness.degraded


@pytest.mark.asyncio
@pytest.mark.parametrize("mood", FAULTS)
async def test_current_windows_from_redis_while_the_history_is_down(
    clickhouse_process, redis_process, history_address, tenant, mood
):
    end = int(time.time()) * 1000
    cache_window(redis_process, tenant, end)
    async with faulty(clickhouse_process, redis_process) as (server, history, _):
        turn(history, mood, server.process.history)
        answer = await server.campaigns.GetCurrentCampaignMetrics(current(tenant, "c1"))
        assert [w.window_end.ToMilliseconds() for w in answer.windows] == [end]
        assert answer.freshness.source == freshness_pb2.SOURCE_HOT_STORE
        assert not answer.freshness.degraded
        # Which campaigns there are cannot be asked now.
        error = await refusal(server.campaigns.GetCurrentCampaignMetrics(current(tenant)))
        assert details(error)[0] == "HISTORY_UNAVAILABLE"
        # Those that were heard of are shown, and the answer says that there may be more.
        server.feed.publish(window_signal(tenant, "c1", end - 1000))
        answer = await server.campaigns.GetCurrentCampaignMetrics(current(tenant))
        assert [w.window_end.ToMilliseconds() for w in answer.windows] == [end]
        assert answer.freshness.degraded
        assert answer.freshness.degraded_reason == "HISTORY_UNAVAILABLE"


@pytest.mark.asyncio
async def test_both_stores_down(clickhouse_process, redis_process, history_address, tenant):
    end = int(time.time()) * 1000
    async with faulty(clickhouse_process, redis_process) as (server, history, hot):
        history.set(Mood.REFUSE)
        hot.set(Mood.REFUSE)
        error = await refusal(server.campaigns.GetCurrentCampaignMetrics(current(tenant, "c1")))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert details(error)[0] == "STORES_UNAVAILABLE"
        server.feed.publish(window_signal(tenant, "c1", end))
        answer = await server.campaigns.GetCurrentCampaignMetrics(current(tenant))
        assert [w.window_end.ToMilliseconds() for w in answer.windows] == [end]
        assert answer.freshness.source == freshness_pb2.SOURCE_LIVE
        assert answer.freshness.degraded
        stub = health_pb2_grpc.HealthStub(server.channel)

        async def status(service=""):
            return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status

        async def not_serving():
            return await status() == health_pb2.HealthCheckResponse.NOT_SERVING

        await until(not_serving)
        hot.set(Mood.FORWARD)

        async def serving():
            return await status() == health_pb2.HealthCheckResponse.SERVING

        await until(serving)
        assert await status("tributary.v1.CampaignMetricsService") == health_pb2.HealthCheckResponse.SERVING
        assert await status("tributary.v1.AttributionService") == health_pb2.HealthCheckResponse.NOT_SERVING
        error = await refusal(stub.Check(health_pb2.HealthCheckRequest(service="nobody")))
        assert error.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.asyncio
async def test_errors_of_the_store_are_not_shown(clickhouse_process, redis_process, history_address, tenant, caplog):
    async with faulty(clickhouse_process, redis_process) as (server, history, _):
        await server.campaigns.GetCampaignMetrics(hour_of(tenant))
        history.set(Mood.SQL_ERROR)
        request = hour_of(tenant)
        request.group_by.append(pb.DIMENSION_CAMPAIGN)
        error = await refusal(server.campaigns.GetCampaignMetrics(request))
        assert error.code() is grpc.StatusCode.INTERNAL
        assert error.details() == "internal error"
        assert details(error)[0] == "INTERNAL"
        shown = repr(error) + repr(error.trailing_metadata()) + caplog.text
        for secret in ("SELECT", "secret_column", "DB::Exception", history_address.host + ":"):
            assert secret not in shown


@pytest.mark.asyncio
async def test_the_clients_deadline_ends_the_call(clickhouse_process, redis_process, history_address, tenant):
    async with faulty(clickhouse_process, redis_process, clickhouse_timeout_ms=30_000) as (server, history, _):
        history.set(Mood.HANG)
        began = time.monotonic()
        error = await refusal(server.campaigns.GetCampaignMetrics(hour_of(tenant), timeout=1.0))
        assert time.monotonic() - began < 15
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        # Short deadlines of callers say nothing about the store.
        for _ in range(FAILURES_TO_OPEN + 1):
            await refusal(server.campaigns.GetCampaignMetrics(hour_of(tenant), timeout=0.2))
        assert server.process.history.breaker.closed


@pytest.mark.asyncio
async def test_a_call_without_deadline_gets_the_default(clickhouse_process, redis_process, history_address, tenant):
    changed = {"clickhouse_timeout_ms": 30_000, "default_deadline_ms": 800}
    async with faulty(clickhouse_process, redis_process, **changed) as (server, history, _):
        history.set(Mood.HANG)
        began = time.monotonic()
        error = await refusal(server.campaigns.GetCampaignMetrics(hour_of(tenant)))
        assert time.monotonic() - began < 15
        assert details(error)[0] in ("HISTORY_UNAVAILABLE", "DEADLINE_EXCEEDED")


@pytest.mark.asyncio
async def test_a_store_that_hangs_holds_up_no_stop(clickhouse_process, redis_process, history_address, tenant):
    """The read goes on after its caller has left, because others may come for the same answer."""
    changed = {"clickhouse_timeout_ms": 120_000, "default_deadline_ms": 800}
    async with faulty(clickhouse_process, redis_process, **changed) as (server, history, _):
        history.set(Mood.HANG)
        await refusal(server.campaigns.GetCampaignMetrics(hour_of(tenant)))
        async with asyncio.timeout(60):
            await server.process.history.close()


@pytest.mark.asyncio
async def test_cancelling_a_call_frees_its_connection(clickhouse_process, redis_process, history_address, tenant):
    changed = {"clickhouse_timeout_ms": 60_000, "default_deadline_ms": 60_000, "clickhouse_connections": 2}
    async with faulty(clickhouse_process, redis_process, **changed) as (server, history, _):
        await server.campaigns.GetCampaignMetrics(hour_of(tenant))
        history.set(Mood.HANG)
        held = [server.campaigns.GetCampaignMetrics(hour_of(f"{tenant}-{i}")) for i in range(4)]
        before = history.connections

        async def asked():
            return history.connections > before

        await until(asked)
        for call in held:
            call.cancel()
        history.set(Mood.FORWARD)

        async def answers():
            try:
                await server.campaigns.GetCampaignMetrics(hour_of(f"{tenant}-new"))
            except grpc.aio.AioRpcError:
                return False
            return True

        await until(answers)


@pytest.mark.asyncio
async def test_more_calls_than_allowed_are_refused(clickhouse_process, redis_process, history_address, tenant):
    changed = {"max_calls": 2, "clickhouse_timeout_ms": 60_000, "default_deadline_ms": 60_000}
    async with faulty(clickhouse_process, redis_process, **changed) as (server, history, _):
        history.set(Mood.HANG)
        asked = (server.campaigns.GetCampaignMetrics(hour_of(f"{tenant}-{i}")) for i in range(6))
        calls = [asyncio.ensure_future(refusal(call)) for call in asked]
        # Two are being answered for as long as the store hangs.
        for refused in islice(asyncio.as_completed(calls), 4):
            error = await refused
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            reason, _, delay = details(error)
            assert reason == "TOO_MANY_CALLS"
            assert delay > 0
        assert [call.done() for call in calls].count(False) == 2
        for call in calls:
            call.cancel()


@pytest.mark.asyncio
async def test_too_large_requests_are_refused(clickhouse_process, redis_process, history_address, tenant):
    async with faulty(clickhouse_process, redis_process) as (server, _, _):
        request = hour_of(tenant)
        request.selection.campaign_ids.append("x" * 400_000)
        error = await refusal(server.campaigns.GetCampaignMetrics(request))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_circuit_breaker():
    now = 0.0
    breaker = CircuitBreaker(clock=lambda: now)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    assert breaker.retry_after_seconds == OPEN_SECONDS
    now += OPEN_SECONDS
    assert breaker.allows()
    assert not breaker.allows()
    breaker.abandoned()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now += OPEN_SECONDS
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.closed
    assert breaker.allows()
