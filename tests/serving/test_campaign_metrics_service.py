"""CampaignMetricsService over gRPC: sums, series, pages, the newest windows."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import grpc
import orjson
import pytest
import pytest_asyncio
import redis as redis_client
from google.protobuf.duration_pb2 import Duration
from tributary.v1 import campaign_metrics_pb2 as pb
from tributary.v1 import freshness_pb2

from connectors.redis.cache import Cache, campaign_key
from serving.queries.tiling import HOUR_MS, MINUTE_MS
from tests.serving.pipeline_model import CampaignEvent, add_up, rollups, windows
from tests.serving.running_server import details, options, refusal, running
from tests.serving.signals import window_signal
from tests.serving.stored_rows import insert_events, insert_rollups, insert_windows
from udfs.kpi import kpis

pytestmark = pytest.mark.asyncio

CAMPAIGN, CHANNEL = pb.DIMENSION_CAMPAIGN, pb.DIMENSION_CHANNEL


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


def at(range_message, start_ms, end_ms):
    range_message.start_time.FromMilliseconds(start_ms)
    range_message.end_time.FromMilliseconds(end_ms)


def now_ms():
    return int(time.time() * 1000)


def some_events(tenant, watermark):
    keys = [(tenant, f"c{i}", channel, "EUR") for i in range(3) for channel in ("email", "search")]
    return [
        CampaignEvent(
            f"{i}-{age}", key, watermark - age, (100 * (i + 1), 10, 0 if i == 0 else 2, 5_000_000, 9_000_001, 1)
        )
        for i, key in enumerate(keys)
        for age in range(7_000, 3 * HOUR_MS, 17 * MINUTE_MS + 1234)
    ]


def store(address, events, watermark):
    """Store what the pipeline stores."""
    insert_events(address, events)
    insert_windows(address, windows(events, watermark))
    insert_rollups(address, rollups(events, watermark))


def sums_of(metrics):
    s = metrics.sums
    return (s.impressions, s.clicks, s.conversions, s.cost_micros, s.revenue_micros, s.events)


async def test_sums_and_kpis_of_a_range(server, tenant, history_address):
    watermark = now_ms()
    events = some_events(tenant, watermark)
    store(history_address, events, watermark)
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant, group_by=[CAMPAIGN, CHANNEL])
    at(request.range, watermark - 2 * HOUR_MS + 1, watermark - 3)
    answer = await server.campaigns.GetCampaignMetrics(request)
    start, end = answer.covered_range.start_time.ToMilliseconds(), answer.covered_range.end_time.ToMilliseconds()
    assert start <= watermark - 2 * HOUR_MS + 1 < start + 5000
    assert end - 5000 < watermark - 3 <= end
    wanted = add_up([e for e in events if start <= e.time_ms < end], lambda e: e.key[1:])
    assert wanted
    assert {(m.campaign_id, m.channel, m.currency): sums_of(m) for m in answer.metrics} == wanted
    for metrics in answer.metrics:
        figures = kpis(*sums_of(metrics)[:5])
        assert metrics.kpis.ctr == figures.ctr
        assert metrics.kpis.performance_score == figures.performance_score
        assert metrics.kpis.HasField("cpa_micros") == (figures.cpa_micros is not None)
    assert any(not metrics.kpis.HasField("cpa_micros") for metrics in answer.metrics)
    assert answer.freshness.source == freshness_pb2.SOURCE_HISTORY
    assert not answer.freshness.degraded
    assert answer.freshness.data_through.ToMilliseconds() <= watermark
    assert answer.next_page_token == ""


async def test_an_event_counts_as_soon_as_it_is_stored(server, tenant, history_address):
    """The first event of a new tenant: no window of it is over yet."""
    now = now_ms()
    insert_events(history_address, [CampaignEvent("e1", (tenant, "c1", "email", "EUR"), now, (9, 8, 7, 6, 5, 1))])
    answer = await server.campaigns.GetCampaignMetrics(
        pb.GetCampaignMetricsRequest(tenant_id=tenant, range=freshness_pb2.TimeRange(last=Duration(seconds=60)))
    )
    assert [sums_of(m) for m in answer.metrics] == [(9, 8, 7, 6, 5, 1)]
    assert answer.freshness.data_through.ToMilliseconds() == now + 1


async def test_groups(server, tenant, history_address):
    watermark = now_ms()
    events = some_events(tenant, watermark)
    store(history_address, events, watermark)
    for group_by, name in (
        ([], lambda e: ("", "", e.key[3])),
        ([CAMPAIGN], lambda e: (e.key[1], "", e.key[3])),
        ([CHANNEL], lambda e: ("", e.key[2], e.key[3])),
    ):
        request = pb.GetCampaignMetricsRequest(tenant_id=tenant, group_by=group_by)
        request.range.last.FromSeconds(6 * 3600)
        answer = await server.campaigns.GetCampaignMetrics(request)
        assert {(m.campaign_id, m.channel, m.currency): sums_of(m) for m in answer.metrics} == add_up(events, name)


async def test_pages_cover_everything_once(server, tenant, history_address):
    watermark = now_ms()
    events = some_events(tenant, watermark)
    store(history_address, events, watermark)
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant, group_by=[CAMPAIGN, CHANNEL], page_size=4)
    request.range.last.FromSeconds(6 * 3600)
    first = await server.campaigns.GetCampaignMetrics(request)
    request.page_token = first.next_page_token
    request.page_size = 3
    second = await server.campaigns.GetCampaignMetrics(request)
    assert [len(first.metrics), len(second.metrics)] == [4, 2]
    assert second.next_page_token == ""
    # Later pages are about the range of the first one.
    assert second.covered_range == first.covered_range
    names = [(m.campaign_id, m.channel) for m in (*first.metrics, *second.metrics)]
    assert names == sorted(set(names))


@pytest.mark.parametrize("grain", [pb.GRAIN_MINUTE, pb.GRAIN_HOUR, pb.GRAIN_DAY, pb.GRAIN_WEEK])
async def test_series_add_up_to_the_sums(server, tenant, history_address, grain):
    watermark = now_ms()
    events = some_events(tenant, watermark)
    store(history_address, events, watermark)
    request = pb.ListTimeSeriesRequest(tenant_id=tenant, grain=grain, page_size=5)
    request.range.last.FromSeconds(6 * 3600)
    points = []
    while True:
        answer = await server.campaigns.ListTimeSeries(request)
        points += answer.points
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert tuple(map(sum, zip(*(sums_of(p.metrics) for p in points), strict=True))) == add_up(events, lambda e: 0)[0]
    starts = [p.start_time.ToMilliseconds() for p in points]
    assert starts == sorted(set(starts))


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "UTC"])
async def test_days_of_a_time_zone_are_sums_of_its_hours(server, tenant, history_address, name):
    watermark = now_ms()
    # Nine weeks hold a change to or from summer time in half of the year's weeks.
    ages = range(2 * HOUR_MS, 63 * 24 * HOUR_MS, 11 * HOUR_MS + 17 * MINUTE_MS)
    key = (tenant, "c1", "email", "EUR")
    events = [CampaignEvent(f"e{age}", key, watermark - age, (100 + age % 7, 10, 2, 5_000_000, 9, 1)) for age in ages]
    store(history_address, events, watermark)
    request = pb.ListTimeSeriesRequest(tenant_id=tenant, grain=pb.GRAIN_DAY, time_zone=name, page_size=40)
    at(request.range, watermark - 62 * 24 * HOUR_MS, watermark)
    answer = await server.campaigns.ListTimeSeries(request)
    points = list(answer.points)
    request.page_token = answer.next_page_token
    points += (await server.campaigns.ListTimeSeries(request)).points
    first = answer.covered_range.start_time.ToMilliseconds()
    assert first % HOUR_MS == 0

    def day(time_ms: int) -> datetime:
        return datetime.fromtimestamp(time_ms / 1000, ZoneInfo(name)).replace(hour=0, minute=0, second=0, microsecond=0)

    wanted = {}
    for event in events:
        if event.time_ms >= first:
            before = wanted.get(day(event.time_ms), (0,) * 6)
            wanted[day(event.time_ms)] = tuple(map(sum, zip(before, event.sums, strict=True)))
    got = {p.start_time.ToDatetime(UTC): sums_of(p.metrics) for p in points}
    assert got == {start.astimezone(UTC): sums for start, sums in wanted.items()}
    ends = [p.end_time.ToDatetime(UTC) for p in points]
    assert ends == [(start + timedelta(days=1)).astimezone(UTC) for start in sorted(wanted)]


@pytest.mark.parametrize("name", ["Nowhere/Atlantis", "../etc/passwd", "Europe", "\x00"])
async def test_days_of_no_time_zone_are_refused(server, tenant, name):
    request = pb.ListTimeSeriesRequest(tenant_id=tenant, grain=pb.GRAIN_DAY, time_zone=name)
    request.range.last.FromSeconds(86_400)
    assert list(details(await refusal(server.campaigns.ListTimeSeries(request)))[1]) == ["time_zone"]
    request.time_zone, request.grain = "Europe/Berlin", pb.GRAIN_HOUR
    assert list(details(await refusal(server.campaigns.ListTimeSeries(request)))[1]) == ["time_zone"]


async def test_sliding_windows(server, tenant, history_address):
    watermark = now_ms()
    events = some_events(tenant, watermark)
    stored = windows(events, watermark)
    insert_windows(history_address, stored)
    request = pb.ListTimeSeriesRequest(tenant_id=tenant, grain=pb.GRAIN_SLIDING_WINDOW, group_by=[CAMPAIGN, CHANNEL])
    at(request.range, watermark - 60_000, watermark)
    answer = await server.campaigns.ListTimeSeries(request)
    first = answer.covered_range.start_time.ToMilliseconds()
    wanted = {(row[4], *row[1:4]): row[6:] for row in stored if row[4] >= first}
    assert wanted
    got = {
        (p.start_time.ToMilliseconds(), p.metrics.campaign_id, p.metrics.channel, p.metrics.currency): sums_of(
            p.metrics
        )
        for p in answer.points
    }
    assert got == wanted
    assert all(p.end_time.ToMilliseconds() - p.start_time.ToMilliseconds() == 5000 for p in answer.points)


async def test_current_windows_come_from_redis(server, tenant, redis_process):
    end = now_ms() // 1000 * 1000
    cache = Cache(f"redis://127.0.0.1:{redis_process.port}/0")
    signals = [
        window_signal(tenant, "c1", end),
        window_signal(tenant, "c1", end - 1000, channel="search"),
        window_signal(tenant, "c2", end),
    ]
    cache.put_campaign_fields(
        (
            campaign_key(tenant, s["campaign_id"]),
            f"{s['channel']}|{s['currency']}",
            s["window_end"],
            orjson.dumps(s).decode(),
        )
        for s in signals
    )
    request = pb.GetCurrentCampaignMetricsRequest(tenant_id=tenant)
    request.selection.campaign_ids.append("c1")
    answer = await server.campaigns.GetCurrentCampaignMetrics(request)
    assert answer.freshness.source == freshness_pb2.SOURCE_HOT_STORE
    assert not answer.freshness.degraded
    assert [(w.campaign_id, w.channel, w.window_end.ToMilliseconds()) for w in answer.windows] == [
        ("c1", "email", end),
        ("c1", "search", end - 1000),
    ]
    assert answer.windows[0].kpis.performance_score == pytest.approx(100.0)
    assert answer.freshness.data_through.ToMilliseconds() == end


async def test_current_windows_of_all_campaigns_and_of_a_lost_entry(server, tenant, redis_process, history_address):
    """Redis holds one campaign of two (the other entry was evicted): the answer has both."""
    end = now_ms() // 1000 * 1000
    rows = [(tenant, campaign, "email", "EUR", end - 5000, end, 400, 20, 2, 10, 30, 3) for campaign in ("c1", "c2")]
    insert_windows(history_address, rows)
    newer = window_signal(tenant, "c1", end + 1000)
    Cache(f"redis://127.0.0.1:{redis_process.port}/0").put_campaign_fields(
        [(campaign_key(tenant, "c1"), "email|EUR", newer["window_end"], orjson.dumps(newer).decode())]
    )
    answer = await server.campaigns.GetCurrentCampaignMetrics(pb.GetCurrentCampaignMetricsRequest(tenant_id=tenant))
    assert [(w.campaign_id, w.window_end.ToMilliseconds()) for w in answer.windows] == [("c1", end + 1000), ("c2", end)]


async def test_a_lying_hot_store_is_not_believed(server, tenant, redis_process, caplog):
    end = now_ms() // 1000 * 1000
    client = redis_client.Redis(port=redis_process.port)
    other = window_signal("somebody-else", "c1", end)
    client.hset(
        campaign_key(tenant, "c1"),
        mapping={"email|EUR": orjson.dumps(other), "search|EUR": b"{", "video|EUR": orjson.dumps([1])},
    )
    good = window_signal(tenant, "c1", end, channel="social")
    client.hset(campaign_key(tenant, "c1"), "social|EUR", orjson.dumps(good))
    request = pb.GetCurrentCampaignMetricsRequest(tenant_id=tenant)
    request.selection.campaign_ids.append("c1")
    answer = await server.campaigns.GetCurrentCampaignMetrics(request)
    assert [w.channel for w in answer.windows] == ["social"]
    assert server.process.metrics.malformed_records.labels("hot_store")._value.get() == 3
    assert "somebody-else" not in caplog.text


async def test_old_ranges_are_rounded_to_what_is_kept(server, tenant, history_address):
    """Minutes are deleted after 90 days: an odd edge before that is moved to the hour, before 400 days to the day."""
    day = 86_400_000
    now = now_ms()
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant)
    at(request.range, now - 95 * day, now - 94 * day)
    answer = await server.campaigns.GetCampaignMetrics(request)
    start, end = answer.covered_range.start_time.ToMilliseconds(), answer.covered_range.end_time.ToMilliseconds()
    assert start % HOUR_MS == 0
    assert end % HOUR_MS == 0
    assert start <= now - 95 * day < start + HOUR_MS
    assert end - HOUR_MS < now - 94 * day <= end


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda r: r.ClearField("range"), "range.start_time"),
        (lambda r: r.range.end_time.FromMilliseconds(r.range.start_time.ToMilliseconds()), "range.end_time"),
        (lambda r: r.range.start_time.FromMilliseconds(0), "range.start_time"),
        (lambda r: setattr(r.range.start_time, "nanos", -1), "range.start_time"),
        (lambda r: setattr(r.range.start_time, "seconds", 2**62), "range.start_time"),
        (lambda r: r.range.last.FromSeconds(60), "range"),
        (lambda r: (r.ClearField("range"), r.range.last.FromSeconds(1)), "range.last"),
        (lambda r: (r.ClearField("range"), setattr(r.range.last, "seconds", 2**62)), "range.last"),
        (lambda r: r.selection.campaign_ids.append(""), "selection.campaign_ids"),
        (lambda r: r.selection.campaign_ids.append("x" * 257), "selection.campaign_ids"),
        (lambda r: r.selection.campaign_ids.extend(map(str, range(201))), "selection.campaign_ids"),
        (lambda r: r.selection.channels.append("fax"), "selection.channels"),
        (lambda r: r.selection.currencies.append("eur"), "selection.currencies"),
        (lambda r: r.group_by.append(0), "group_by"),
        (lambda r: r.group_by.append(77), "group_by"),
        (lambda r: setattr(r, "page_size", -1), "page_size"),
        (lambda r: setattr(r, "page_size", 1001), "page_size"),
        (lambda r: setattr(r, "page_token", "AAAA"), "page_token"),
        (lambda r: setattr(r, "page_token", "é"), "page_token"),
        (lambda r: setattr(r, "page_token", "A" * 5000), "page_token"),
        (lambda r: setattr(r, "tenant_id", ""), "tenant_id"),
        (lambda r: setattr(r, "tenant_id", "a b"), "tenant_id"),
        (lambda r: setattr(r, "tenant_id", "x" * 65), "tenant_id"),
    ],
)
async def test_malformed_requests_name_the_field(server, tenant, change, field):
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant)
    at(request.range, now_ms() - HOUR_MS, now_ms())
    change(request)
    error = await refusal(server.campaigns.GetCampaignMetrics(request))
    reason, violations, _ = details(error)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert list(violations) == [field]
    assert reason == ("INVALID_PAGE_TOKEN" if field == "page_token" else "INVALID_ARGUMENT")


async def test_series_refuse_a_missing_grain_and_too_many_steps(server, tenant):
    request = pb.ListTimeSeriesRequest(tenant_id=tenant)
    request.range.last.FromSeconds(3600)
    assert list(details(await refusal(server.campaigns.ListTimeSeries(request)))[1]) == ["grain"]
    request.grain = pb.GRAIN_SLIDING_WINDOW
    request.range.last.FromSeconds(30 * 86_400)
    assert list(details(await refusal(server.campaigns.ListTimeSeries(request)))[1]) == ["range"]
