"""Breakdowns, comparisons with an earlier range, key figures and campaigns, against plain sums over the events."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from tributary.v1 import campaign_metrics_pb2 as pb

from serving.handlers.key_figures import change_percent, trend_of
from serving.queries.breakdowns import RATIOS
from tests.serving.pipeline_model import SUMS, CampaignEvent, add_up, rollups, windows
from tests.serving.running_server import details, options, refusal, running
from tests.serving.stored_rows import insert_campaigns, insert_events, insert_rollups, insert_windows
from udfs.kpi import kpis

pytestmark = pytest.mark.asyncio

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
CAMPAIGN, CHANNEL = pb.DIMENSION_CAMPAIGN, pb.DIMENSION_CHANNEL
DAY_OF_WEEK, HOUR_OF_DAY = pb.DIMENSION_DAY_OF_WEEK, pb.DIMENSION_HOUR_OF_DAY


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


@pytest.fixture
def events(tenant, history_address, seed):
    """Two days of events of four campaigns in two currencies, some of them without clicks; stored as the pipeline
    does."""
    rng = random.Random(seed)
    now = int(time.time() * 1000)
    made = []
    for number in range(400):
        campaign = rng.randrange(4)
        key = (tenant, f"c{campaign}", rng.choice(["email", "search"]), "EUR" if campaign else "USD")
        clicks = rng.randrange(20) if campaign != 3 else 0
        sums = (rng.randrange(100), clicks, rng.randrange(3), rng.randrange(10**9), rng.randrange(10**9), 1)
        made.append(CampaignEvent(f"e{number}", key, now - 20_000 - rng.randrange(2 * DAY), sums))
    insert_events(history_address, made)
    insert_windows(history_address, windows(made, now))
    insert_rollups(history_address, rollups(made, now))
    return made


def request_of(tenant, *dimensions, **fields):
    request = pb.GetBreakdownRequest(tenant_id=tenant, dimensions=dimensions, **fields)
    request.range.last.FromSeconds(3 * 24 * 3600)
    return request


def sums_of(sums):
    return tuple(getattr(sums, name) for name in SUMS)


def value(sums, metric):
    """A metric of sums as `udfs.kpi` defines it; None when undefined."""
    named = dict(zip(SUMS, sums, strict=True))
    return named[metric] if metric in named else getattr(kpis(*sums[:5]), metric)


@pytest.mark.parametrize("metric", [*SUMS, *RATIOS])
@pytest.mark.parametrize("direction", ["", " asc", " desc"])
async def test_order_and_share(server, tenant, events, metric, direction):
    request = request_of(tenant, CAMPAIGN, CHANNEL, order_by=metric + direction)
    answer = await server.campaigns.GetBreakdown(request)
    wanted = add_up(events, lambda e: (e.key[3], e.key[1], e.key[2]))
    totals = add_up(events, lambda e: e.key[3])

    def place(group):
        found = value(wanted[group], metric)
        sign = -1 if direction == " desc" else 1
        return (group[0], found is None, 0 if found is None else sign * found, group[1:])

    got = [(r.metrics.currency, r.metrics.campaign_id, r.metrics.channel) for r in answer.rows]
    assert got == sorted(wanted, key=place)
    for row, group in zip(answer.rows, got, strict=True):
        assert sums_of(row.metrics.sums) == wanted[group]
        assert row.HasField("share") == (metric not in RATIOS)
        if metric not in RATIOS:
            assert row.share == pytest.approx(value(wanted[group], metric) / value(totals[group[0]], metric))
    assert {t.currency: sums_of(t.sums) for t in answer.totals} == totals


async def test_pages_give_every_group_once(server, tenant, events):
    request = request_of(tenant, CAMPAIGN, CHANNEL, page_size=3)
    found = []
    while True:
        answer = await server.campaigns.GetBreakdown(request)
        found += [(r.metrics.campaign_id, r.metrics.channel) for r in answer.rows]
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert len(found) == len(set(found)) == len(add_up(events, lambda e: e.key))


async def test_days_of_week_and_hours(server, tenant, events):
    answer = await server.campaigns.GetBreakdown(request_of(tenant, DAY_OF_WEEK, HOUR_OF_DAY, page_size=1000))
    assert answer.covered_range.start_time.ToMilliseconds() % HOUR == 0

    def hour(event):
        moment = datetime.fromtimestamp(event.time_ms / 1000, UTC)
        return moment.isoweekday(), moment.hour, event.key[3]

    got = {(r.day_of_week, r.hour_of_day, r.metrics.currency): sums_of(r.metrics.sums) for r in answer.rows}
    assert got == add_up(events, hour)
    (row, *_) = (await server.campaigns.GetBreakdown(request_of(tenant, CHANNEL))).rows
    assert not row.HasField("day_of_week")


async def test_filter(server, tenant, events):
    text = 'campaign != "c0" AND (campaign = "c1" OR channel = "email")'
    answer = await server.campaigns.GetBreakdown(request_of(tenant, CAMPAIGN, CHANNEL, filter=text))
    kept = [e for e in events if e.key[1] != "c0" and (e.key[1] == "c1" or e.key[2] == "email")]
    got = {(r.metrics.campaign_id, r.metrics.channel): sums_of(r.metrics.sums) for r in answer.rows}
    assert got == add_up(kept, lambda e: e.key[1:3])
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant, filter=text)
    request.range.last.FromSeconds(3 * 24 * 3600)
    sums = await server.campaigns.GetCampaignMetrics(request)
    assert {m.currency: sums_of(m.sums) for m in sums.metrics} == add_up(kept, lambda e: e.key[3])


@pytest.mark.parametrize("comparison", [pb.COMPARISON_PRECEDING, pb.COMPARISON_DAY_EARLIER])
async def test_sums_beside_those_of_an_earlier_range(server, tenant, events, comparison):
    for method, request in (
        (server.campaigns.GetCampaignMetrics, pb.GetCampaignMetricsRequest(tenant_id=tenant, group_by=[CAMPAIGN])),
        (server.campaigns.GetBreakdown, pb.GetBreakdownRequest(tenant_id=tenant, dimensions=[CAMPAIGN])),
    ):
        request.range.last.FromSeconds(20 * 3600)
        request.comparison = comparison
        answer = await method(request)
        groups = answer.metrics if hasattr(answer, "metrics") else [row.metrics for row in answer.rows]
        start, end = (t.ToMilliseconds() for t in (answer.covered_range.start_time, answer.covered_range.end_time))
        compared = answer.covered_comparison_range
        before, until = compared.start_time.ToMilliseconds(), compared.end_time.ToMilliseconds()
        assert start - before == (end - start if comparison == pb.COMPARISON_PRECEDING else DAY)
        assert until - before == end - start
        current = add_up([e for e in events if start <= e.time_ms < end], lambda e: e.key[1])
        earlier = add_up([e for e in events if before <= e.time_ms < until], lambda e: e.key[1])
        assert len(groups) == len(current | earlier)
        nothing = (0,) * len(SUMS)
        for group in groups:
            assert sums_of(group.sums) == current.get(group.campaign_id, nothing)
            assert sums_of(group.compared.sums) == earlier.get(group.campaign_id, nothing)


async def test_series_beside_an_earlier_one(server, tenant, events):
    request = pb.ListTimeSeriesRequest(
        tenant_id=tenant, grain=pb.GRAIN_HOUR, comparison=pb.COMPARISON_DAY_EARLIER, page_size=10
    )
    request.range.last.FromSeconds(20 * 3600)
    points = []
    while True:
        answer = await server.campaigns.ListTimeSeries(request)
        points += answer.points
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    start, end = (t.ToMilliseconds() for t in (answer.covered_range.start_time, answer.covered_range.end_time))
    key = lambda shift: lambda e: ((e.time_ms + shift) // HOUR * HOUR, e.key[3])  # noqa: E731
    current = add_up([e for e in events if start <= e.time_ms < end], key(0))
    earlier = add_up([e for e in events if start <= e.time_ms + DAY < end], key(DAY))
    nothing = (0,) * len(SUMS)
    got = {
        (p.start_time.ToMilliseconds(), p.metrics.currency): (sums_of(p.metrics.sums), sums_of(p.metrics.compared.sums))
        for p in points
    }
    assert len(got) == len(points)
    assert got == {
        name: (current.get(name, nothing), earlier.get(name, nothing)) for name in current.keys() | earlier.keys()
    }


async def test_key_figures(server, tenant, events):
    request = pb.ListKeyFiguresRequest(tenant_id=tenant, cadence=pb.CADENCE_DAILY)
    answer = await server.campaigns.ListKeyFigures(request)
    ranges = [
        (part.start_time.ToMilliseconds(), part.end_time.ToMilliseconds())
        for part in (answer.covered_range, answer.covered_comparison_range)
    ]
    assert all(DAY <= end - start <= DAY + 5_000 for start, end in ranges)
    assert ranges[1][1] == ranges[0][0]
    current, previous = (
        add_up([e for e in events if start <= e.time_ms < end], lambda e: e.key[3]) for start, end in ranges
    )
    assert len(answer.figures) == 22
    names = dict(
        zip(
            range(1, 12),
            [*SUMS[:-1], "ctr", "conversion_rate", "cpc_micros", "cpa_micros", "roas", "performance_score"],
            strict=True,
        )
    )
    for figure in answer.figures:
        now, before = (value(sums[figure.currency], names[figure.metric]) for sums in (current, previous))
        assert (figure.current if figure.HasField("current") else None) == now
        assert (figure.previous if figure.HasField("previous") else None) == before
        if now is not None and before:
            assert figure.change_percent == pytest.approx(100 * (now - before) / before)
        assert figure.expires_at.ToMilliseconds() - figure.cached_at.ToMilliseconds() == 5 * MINUTE
    assert answer.figures[0].key == "impressions:daily:EUR"
    request.metrics.append(pb.METRIC_ROAS)
    request.filter = 'currency = "USD"'
    assert [f.key for f in (await server.campaigns.ListKeyFigures(request)).figures] == ["roas:daily:USD"]


async def test_change_and_trend():
    assert change_percent(3.0, 2.0) == 50.0
    assert change_percent(3.0, 0.0) is None
    assert change_percent(None, 2.0) is None
    assert trend_of(3.0, 2.0) == trend_of(3.0, 0.0) == pb.TREND_UP
    assert trend_of(1.0, 2.0) == pb.TREND_DOWN
    assert trend_of(2.001, 2.0) == trend_of(0.0, 0.0) == pb.TREND_FLAT
    assert trend_of(None, 2.0) == trend_of(2.0, None) == pb.TREND_UNSPECIFIED


async def test_campaigns(server, tenant, history_address):
    now = int(time.time() * 1000)
    rows = [(tenant, f"c{n}", f"Campaign {n}", "email", "EUR", n * 10**6, now) for n in range(5)]
    insert_campaigns(history_address, rows)
    request = pb.ListCampaignsRequest(
        tenant_id=tenant, page_size=2, filter='budget_micros > 0 AND name != "Campaign 3"'
    )
    found = []
    while True:
        answer = await server.campaigns.ListCampaigns(request)
        found += answer.campaigns
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert [(c.campaign_id, c.name, c.budget_micros) for c in found] == [
        (f"c{n}", f"Campaign {n}", n * 10**6) for n in (1, 2, 4)
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"dimensions": []}, "dimensions"),
        ({"dimensions": [0]}, "dimensions"),
        ({"dimensions": [9]}, "dimensions"),
        ({"order_by": "tenant_id"}, "order_by"),
        ({"order_by": "clicks down"}, "order_by"),
        ({"order_by": "clicks desc, cost_micros"}, "order_by"),
        ({"filter": "tenant_id = x"}, "filter"),
        ({"comparison": 77}, "comparison"),
        ({"page_token": "AAAA"}, "page_token"),
        ({"page_size": -1}, "page_size"),
    ],
)
async def test_malformed_breakdowns_name_the_field(server, tenant, fields, field):
    request = pb.GetBreakdownRequest(**({"tenant_id": tenant, "dimensions": [CAMPAIGN]} | fields))
    request.range.last.FromSeconds(3600)
    assert list(details(await refusal(server.campaigns.GetBreakdown(request)))[1]) == [field]


async def test_malformed_series_and_key_figures_name_the_field(server, tenant):
    series = pb.ListTimeSeriesRequest(tenant_id=tenant, grain=pb.GRAIN_WEEK, comparison=pb.COMPARISON_DAY_EARLIER)
    series.range.last.FromSeconds(60 * 24 * 3600)
    assert list(details(await refusal(server.campaigns.ListTimeSeries(series)))[1]) == ["comparison"]
    series.grain = pb.GRAIN_SLIDING_WINDOW
    assert list(details(await refusal(server.campaigns.ListTimeSeries(series)))[1]) == ["comparison"]
    figures = pb.ListKeyFiguresRequest(tenant_id=tenant)
    assert list(details(await refusal(server.campaigns.ListKeyFigures(figures)))[1]) == ["cadence"]
    figures.cadence, figures.metrics[:] = pb.CADENCE_HOURLY, [0]
    assert list(details(await refusal(server.campaigns.ListKeyFigures(figures)))[1]) == ["metrics"]
