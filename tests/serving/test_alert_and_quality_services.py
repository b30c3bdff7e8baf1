"""AlertService and QualityService against stored rows."""

from __future__ import annotations

import time

import pytest
import pytest_asyncio
from tributary.v1 import alerts_pb2, quality_pb2

from tests.serving.running_server import details, next_message, options, refusal, running
from tests.serving.signals import alert_record, window_signal
from tests.serving.stored_rows import insert_alerts, insert_counts, insert_late, insert_rollups, insert_windows

pytestmark = pytest.mark.asyncio

HOUR = 3_600_000


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


@pytest.fixture
def now():
    return int(time.time() * 1000)


async def test_alerts_newest_first_in_pages(server, tenant, history_address, now):
    # Three alerts opened in the same millisecond lie on a page border.
    opened = [now - HOUR, now - 2 * HOUR, now - 2 * HOUR, now - 2 * HOUR, now - 3 * HOUR]
    records = [alert_record(tenant, f"a{i}", updated_ms=at + 1000) for i, at in enumerate(opened)]
    insert_alerts(history_address, records)
    insert_alerts(history_address, [records[0] | {"state": "cleared", "updated_at": now, "value": 70.0}])
    request = alerts_pb2.ListAlertsRequest(tenant_id=tenant, page_size=2)
    got = []
    while True:
        answer = await server.alerts.ListAlerts(request)
        got += [(a.alert_id, a.state, a.value) for a in answer.alerts]
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    raised, cleared = alerts_pb2.ALERT_STATE_RAISED, alerts_pb2.ALERT_STATE_CLEARED
    only_raised = alerts_pb2.ListAlertsRequest(tenant_id=tenant)
    only_raised.selection.states.append(raised)
    # The first state of a0 is still stored beside its newest one.
    assert [a.alert_id for a in (await server.alerts.ListAlerts(only_raised)).alerts] == ["a1", "a2", "a3", "a4"]
    assert got == [("a0", cleared, 70.0), *((f"a{i}", raised, 41.5) for i in (1, 2, 3, 4))]


async def test_alert_selection(server, tenant, history_address, now):
    insert_alerts(
        history_address,
        [
            alert_record(tenant, "a1", updated_ms=now - HOUR),
            alert_record(tenant, "a2", updated_ms=now - HOUR, severity="warning", campaign="c2"),
            alert_record(tenant, "a3", updated_ms=now - 30 * HOUR, state="cleared"),
        ],
    )

    async def listed(**fields):
        request = alerts_pb2.ListAlertsRequest(tenant_id=tenant, selection=alerts_pb2.AlertSelection(**fields))
        return [a.alert_id for a in (await server.alerts.ListAlerts(request)).alerts]

    assert await listed() == ["a1", "a2", "a3"]
    assert await listed(states=[alerts_pb2.ALERT_STATE_RAISED]) == ["a1", "a2"]
    assert await listed(severities=[alerts_pb2.ALERT_SEVERITY_WARNING]) == ["a2"]
    assert await listed(campaign_ids=["c1"]) == ["a1", "a3"]
    assert await listed(rules=["another"]) == []
    request = alerts_pb2.ListAlertsRequest(tenant_id=tenant)
    request.range.last.FromSeconds(24 * 3600)
    assert [a.alert_id for a in (await server.alerts.ListAlerts(request)).alerts] == ["a1", "a2"]
    first = await next_message(server.alerts.WatchAlerts(alerts_pb2.WatchAlertsRequest(tenant_id=tenant)))
    assert [a.alert_id for a in first.snapshot.alerts] == ["a1", "a2"]
    for selection, field in (
        (alerts_pb2.AlertSelection(states=[0]), "selection.states"),
        (alerts_pb2.AlertSelection(severities=[9]), "selection.severities"),
        (alerts_pb2.AlertSelection(rules=[""]), "selection.rules"),
    ):
        error = await refusal(
            server.alerts.ListAlerts(alerts_pb2.ListAlertsRequest(tenant_id=tenant, selection=selection))
        )
        assert list(details(error)[1]) == [field]


async def test_counts_reconcile(server, tenant, history_address, now):
    bucket = now // 10_000 * 10_000
    insert_counts(
        history_address,
        [
            (tenant, bucket - 20_000, "valid", "", 100),
            (tenant, bucket - 20_000, "accepted", "", 90),
            (tenant, bucket - 20_000, "quarantined", "negative_metric", 3),
            (tenant, bucket - 10_000, "quarantined", "invalid_currency,negative_metric", 2),
            (tenant, bucket - 10_000, "valid", "", 10),
            # The valid records of the newest bucket are still on their way.
            (tenant, bucket, "accepted", "", 7),
            (tenant, bucket - 24 * HOUR, "valid", "", 1000),
        ],
    )
    # A bucket that was written again with a larger total counts once.
    insert_counts(history_address, [(tenant, bucket - 10_000, "accepted", "", 4)])
    insert_counts(history_address, [(tenant, bucket - 10_000, "accepted", "", 8)])
    insert_late(
        history_address,
        [
            (tenant, now - HOUR, "e1", bucket - 5_000),
            (tenant, now - HOUR, "e1", bucket - 5_000),
            (tenant, now, "e2", now - 30 * HOUR),
        ],
    )
    request = quality_pb2.GetCountsRequest(tenant_id=tenant)
    request.range.last.FromSeconds(3600)
    answer = await server.quality.GetCounts(request)
    assert (answer.received, answer.valid, answer.accepted, answer.duplicates, answer.quarantined, answer.late) == (
        122,
        117,
        105,
        12,
        5,
        1,
    )
    assert {r.reason: r.events for r in answer.quarantined_by_reason} == {"negative_metric": 5, "invalid_currency": 2}
    assert answer.received == answer.valid + answer.quarantined
    assert answer.valid == answer.accepted + answer.duplicates
    assert answer.covered_range.start_time.ToMilliseconds() % 10_000 == 0
    assert answer.freshness.data_through.ToMilliseconds() == bucket + 10_000


async def test_counts_of_nothing_are_zero(server, tenant):
    request = quality_pb2.GetCountsRequest(tenant_id=tenant)
    request.range.last.FromSeconds(3600)
    answer = await server.quality.GetCounts(request)
    assert (answer.received, answer.accepted, answer.late) == (0, 0, 0)
    assert not answer.freshness.HasField("data_through")


async def test_freshness_of_each_stage(server, tenant, history_address, now):
    answer = await server.quality.GetFreshness(quality_pb2.GetFreshnessRequest(tenant_id=tenant))
    assert all(not stage.HasField("newest") and not stage.HasField("age") for stage in answer.stages)
    end, minute = now // 1000 * 1000, now // 60_000 * 60_000 - 60_000
    insert_windows(history_address, [(tenant, "c1", "email", "EUR", end - 5000, end, 1, 1, 1, 1, 1, 1)])
    insert_rollups(history_address, [(tenant, "c1", "email", "EUR", "minute", minute, 1, 1, 1, 1, 1, 1)])
    insert_counts(history_address, [(tenant, now // 10_000 * 10_000, "valid", "", 1)])
    server.feed.publish(window_signal(tenant, "c1", end + 1000))
    answer = await server.quality.GetFreshness(quality_pb2.GetFreshnessRequest(tenant_id=tenant))
    newest = {stage.stage: stage.newest.ToMilliseconds() for stage in answer.stages if stage.HasField("newest")}
    assert newest == {
        quality_pb2.STAGE_INGEST: now // 10_000 * 10_000 + 10_000,
        quality_pb2.STAGE_WINDOWS: end,
        quality_pb2.STAGE_ROLLUPS: minute + 60_000,
        quality_pb2.STAGE_LIVE: end + 1000,
    }
