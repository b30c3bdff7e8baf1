"""Live streams: snapshot, changes, heartbeats, resume, slow readers, draining."""

from __future__ import annotations

import asyncio
import time

import grpc
import orjson
import pytest
import pytest_asyncio
from tributary.v1 import alerts_pb2, attribution_pb2, freshness_pb2
from tributary.v1 import campaign_metrics_pb2 as pb

from connectors.redis.cache import Cache, campaign_key
from serving.live.hub import Topic
from tests.serving.running_server import details, next_message, options, refusal, running
from tests.serving.signals import alert_record, attribution_signal, window_signal

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


@pytest.fixture
def end():
    return int(time.time()) * 1000


def ends(message):
    update = getattr(message, message.WhichOneof("update"))
    return {(w.campaign_id, w.channel): w.window_end.ToMilliseconds() for w in update.windows}


def put_in_redis(redis_process, *signals):
    Cache(f"redis://127.0.0.1:{redis_process.port}/0").put_campaign_fields(
        (
            campaign_key(s["tenant_id"], s["campaign_id"]),
            f"{s['channel']}|{s['currency']}",
            s["window_end"],
            orjson.dumps(s).decode(),
        )
        for s in signals
    )


async def test_snapshot_then_changes(server, tenant, redis_process, end):
    put_in_redis(redis_process, window_signal(tenant, "c1", end))
    request = pb.WatchCampaignMetricsRequest(tenant_id=tenant)
    request.selection.campaign_ids.extend(["c1", "c2"])
    stream = server.campaigns.WatchCampaignMetrics(request)
    first = await next_message(stream)
    assert first.WhichOneof("update") == "snapshot"
    assert ends(first) == {("c1", "email"): end}
    assert first.freshness.source == freshness_pb2.SOURCE_HOT_STORE
    server.feed.publish(
        window_signal(tenant, "c1", end + 1000),
        window_signal(tenant, "c2", end + 1000),
        window_signal(tenant, "c3", end + 1000),
    )
    change = await next_message(stream)
    assert change.WhichOneof("update") == "changes"
    assert ends(change) == {("c1", "email"): end + 1000, ("c2", "email"): end + 1000}
    assert change.freshness.source == freshness_pb2.SOURCE_LIVE
    assert change.resume_cursor != first.resume_cursor


async def test_an_empty_snapshot_is_sent(server, tenant):
    first = await next_message(server.campaigns.WatchCampaignMetrics(pb.WatchCampaignMetricsRequest(tenant_id=tenant)))
    assert first.WhichOneof("update") == "snapshot"
    assert not first.snapshot.windows


async def test_windows_never_go_back(server, tenant, redis_process, end):
    """The snapshot is ahead of the signals, which are still on their way; and a late revision of an old window is
    not current."""
    put_in_redis(redis_process, window_signal(tenant, "c1", end))
    request = pb.WatchCampaignMetricsRequest(tenant_id=tenant)
    request.selection.campaign_ids.append("c1")
    stream = server.campaigns.WatchCampaignMetrics(request)
    assert ends(await next_message(stream)) == {("c1", "email"): end}
    for back in (2000, 1000, 0):
        server.feed.publish(window_signal(tenant, "c1", end - back))
        await asyncio.sleep(0.05)
    server.feed.publish(window_signal(tenant, "c1", end + 1000))
    assert ends(await next_message(stream)) == {("c1", "email"): end + 1000}
    server.feed.publish(
        window_signal(tenant, "c1", end, revision=7), window_signal(tenant, "c1", end + 1000, revision=7, clicks=21)
    )
    change = await next_message(stream)
    assert ends(change) == {("c1", "email"): end + 1000}
    assert [(w.revision, w.sums.clicks) for w in change.changes.windows] == [(7, 21)]


async def test_heartbeats(clickhouse_process, redis_process, history_address, tenant, end):
    async with running(options(clickhouse_process.port, redis_process.port, heartbeat_ms=100)) as server:
        request = pb.WatchCampaignMetricsRequest(tenant_id=tenant)
        request.selection.campaign_ids.append("c1")
        stream = server.campaigns.WatchCampaignMetrics(request)
        snapshot = await next_message(stream, "snapshot")
        # Changes that the selection leaves out do not keep heartbeats away.
        server.feed.publish(window_signal(tenant, "c9", end))
        beat = await next_message(stream, "heartbeat")
        assert beat.heartbeat.sent_at.ToMilliseconds() >= end
        await next_message(stream, "heartbeat")
        assert snapshot.resume_cursor


async def test_a_slow_reader_gets_the_newest_of_each_key(server, tenant, end):
    """200 windows each of 50 campaigns while the client reads nothing: it then gets far fewer messages, and the
    last state of all."""
    stream = server.campaigns.WatchCampaignMetrics(pb.WatchCampaignMetricsRequest(tenant_id=tenant))
    await next_message(stream, "snapshot")
    rounds, campaigns = 200, 50
    for step in range(1, rounds + 1):
        server.feed.publish(*(window_signal(tenant, f"c{i:02}", end + 1000 * step) for i in range(campaigns)))
        if step % 20 == 0:
            await asyncio.sleep(0)
    assert len(server.process.hub.known(tenant).windows.values()) == campaigns
    state, messages = {}, 0
    while len(state) < campaigns or set(state.values()) != {end + 1000 * rounds}:
        message = await next_message(stream, "changes")
        messages += 1
        for key, at in ends(message).items():
            assert at > state.get(key, 0)
            state[key] = at
    assert messages < 20


async def test_resume_goes_on_with_what_changed(server, tenant, end):
    request = pb.WatchCampaignMetricsRequest(tenant_id=tenant)
    stream = server.campaigns.WatchCampaignMetrics(request)
    await next_message(stream, "snapshot")
    server.feed.publish(window_signal(tenant, "c1", end), window_signal(tenant, "c2", end))
    seen = await next_message(stream, "changes")
    stream.cancel()
    server.feed.publish(window_signal(tenant, "c2", end + 1000), window_signal(tenant, "c3", end + 1000))
    server.feed.publish(window_signal(tenant, "c2", end + 2000))
    request.resume_cursor = seen.resume_cursor
    again = await next_message(server.campaigns.WatchCampaignMetrics(request))
    assert again.WhichOneof("update") == "changes"
    assert ends(again) == {("c2", "email"): end + 2000, ("c3", "email"): end + 1000}


async def test_resume_from_before_what_is_known_begins_with_a_snapshot(server, tenant, end):
    request = pb.WatchCampaignMetricsRequest(tenant_id=tenant)
    stream = server.campaigns.WatchCampaignMetrics(request)
    await next_message(stream, "snapshot")
    server.feed.publish(window_signal(tenant, "c1", end))
    seen = await next_message(stream, "changes")
    stream.cancel()
    # Another server that began to listen later.
    server.process.hub.begin(Topic.SIGNALS, 0, 10_000)
    server.feed.offsets = iter(range(10_000, 20_000))
    server.feed.publish(window_signal(tenant, "c1", end + 1000))
    request.resume_cursor = seen.resume_cursor
    again = await next_message(server.campaigns.WatchCampaignMetrics(request))
    assert again.WhichOneof("update") == "snapshot"
    assert ends(again) == {("c1", "email"): end + 1000}


async def test_resume_on_a_server_that_heard_nothing_yet(server, tenant, end):
    request = pb.WatchCampaignMetricsRequest(tenant_id=tenant)
    first = await next_message(server.campaigns.WatchCampaignMetrics(request), "snapshot")
    request.resume_cursor = first.resume_cursor
    assert (await next_message(server.campaigns.WatchCampaignMetrics(request))).WhichOneof("update") == "snapshot"


@pytest.mark.parametrize("garble", ["AAAA", "!!", "x" * 5000, "other tenant", "other selection"])
async def test_wrong_cursors_are_refused(server, tenant, garble, end):
    request = pb.WatchCampaignMetricsRequest(tenant_id=tenant)
    cursor = (await next_message(server.campaigns.WatchCampaignMetrics(request))).resume_cursor
    wrong = pb.WatchCampaignMetricsRequest(tenant_id=tenant, resume_cursor=garble)
    if garble.startswith("other"):
        wrong.resume_cursor = cursor
    if garble == "other tenant":
        wrong.tenant_id = "somebody-else"
    if garble == "other selection":
        wrong.selection.campaign_ids.append("c1")
    error = await refusal(server.campaigns.WatchCampaignMetrics(wrong))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)[0] == "INVALID_RESUME_CURSOR"


async def test_watch_attribution(server, tenant, end):
    stream = server.attribution.WatchAttribution(
        attribution_pb2.WatchAttributionRequest(tenant_id=tenant, model="linear")
    )
    assert not (await next_message(stream, "snapshot")).snapshot.conversions
    server.feed.publish(
        attribution_signal(tenant, "v1", end),
        attribution_signal(tenant, "v1", end, revision=4),
        attribution_signal(tenant, "v2", end),
    )
    change = await next_message(stream, "changes")
    assert [(c.conversion_id, c.revision) for c in change.changes.conversions] == [("v1", 4), ("v2", 3)]
    one = change.changes.conversions[0]
    assert [m.model for m in one.models] == ["linear"]
    assert [(t.channel, t.weight, t.credited_micros) for t in one.models[0].touches] == [
        ("email", 0.5, 500_001),
        ("search", 0.5, 500_000),
    ]
    assert sum(t.credited_micros for t in one.models[0].touches) == one.value_micros


async def test_watch_alerts_shows_clearing(server, tenant, end):
    request = alerts_pb2.WatchAlertsRequest(tenant_id=tenant)
    request.selection.states.append(alerts_pb2.ALERT_STATE_RAISED)
    request.selection.severities.append(alerts_pb2.ALERT_SEVERITY_CRITICAL)
    stream = server.alerts.WatchAlerts(request)
    await next_message(stream, "snapshot")
    server.feed.publish(
        alert_record(tenant, "a1", updated_ms=end),
        alert_record(tenant, "a2", updated_ms=end, severity="info"),
        topic=Topic.ALERTS,
    )
    raised = await next_message(stream, "changes")
    assert [(a.alert_id, a.state) for a in raised.changes.alerts] == [("a1", alerts_pb2.ALERT_STATE_RAISED)]
    # An older state that comes later changes nothing.
    server.feed.publish(
        alert_record(tenant, "a1", updated_ms=end + 5, state="cleared"),
        alert_record(tenant, "a1", updated_ms=end - 5),
        topic=Topic.ALERTS,
    )
    cleared = await next_message(stream, "changes")
    assert [(a.alert_id, a.state) for a in cleared.changes.alerts] == [("a1", alerts_pb2.ALERT_STATE_CLEARED)]


async def test_malformed_records_are_counted_and_left_out(server, tenant, end):
    stream = server.campaigns.WatchCampaignMetrics(pb.WatchCampaignMetricsRequest(tenant_id=tenant))
    await next_message(stream, "snapshot")
    broken = window_signal(tenant, "c1", end)
    del broken["clicks"]
    server.feed.publish(
        broken, [], {"kind": "campaign_metrics"}, {**window_signal(tenant, "c1", end), "clicks": "many"}
    )
    server.feed.publish({"kind": "revision", "tenant_id": tenant}, window_signal(tenant, "c2", end))
    assert ends(await next_message(stream, "changes")) == {("c2", "email"): end}
    assert server.process.metrics.malformed_records.labels("signals")._value.get() == 4


async def test_a_cancelled_stream_leaves_nothing_behind(server, tenant):
    stream = server.campaigns.WatchCampaignMetrics(pb.WatchCampaignMetricsRequest(tenant_id=tenant))
    await next_message(stream, "snapshot")
    assert not server.process.hub.known(tenant).idle
    stream.cancel()
    async with asyncio.timeout(10):
        while not server.process.hub.known(tenant).idle:
            await asyncio.sleep(0.01)
    server.process.hub.forget_idle()
    assert server.process.hub.known(tenant) is None


async def test_draining_ends_streams_with_a_reason(clickhouse_process, redis_process, history_address, tenant):
    async with running(options(clickhouse_process.port, redis_process.port)) as server:
        stream = server.campaigns.WatchCampaignMetrics(pb.WatchCampaignMetricsRequest(tenant_id=tenant))
        await next_message(stream, "snapshot")
        reading = asyncio.ensure_future(refusal(stream))
        stopping = asyncio.ensure_future(server.process.stop())
        error = await reading
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        reason, _, delay = details(error)
        assert reason == "DRAINING"
        assert delay is not None
        await stopping
        server.process.stop = lambda: asyncio.sleep(0)


async def test_more_streams_than_allowed_are_refused(clickhouse_process, redis_process, history_address, tenant):
    async with running(options(clickhouse_process.port, redis_process.port, max_streams=2)) as server:
        request = pb.WatchCampaignMetricsRequest(tenant_id=tenant)
        held = [server.campaigns.WatchCampaignMetrics(request) for _ in range(2)]
        for stream in held:
            await next_message(stream, "snapshot")
        error = await refusal(server.campaigns.WatchCampaignMetrics(request))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details(error)[0] == "TOO_MANY_STREAMS"
        held[0].cancel()
        async with asyncio.timeout(10):
            while True:
                try:
                    await next_message(server.campaigns.WatchCampaignMetrics(request), "snapshot")
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.02)
