"""The gate: who is let in, how often, what the audit log says of it, and when a live stream ends."""

from __future__ import annotations

import asyncio
import time

import pytest
import pytest_asyncio
from tributary.v1 import alerts_pb2, attribution_pb2, campaign_metrics_pb2, quality_pb2

from serving.access import audit as audit_module
from serving.access import gate as gate_module
from serving.access.audit import AuditWriter, range_of, rows_of
from serving.access.gate import Gate
from serving.access.open_streams import OpenStreams
from serving.access.principal import Kind, Principal
from serving.access.rate_limits import Limit, RateLimits
from serving.access.roles import Role
from serving.access.settings import AccessSettings
from serving.errors import ServingError
from serving.relational import audit_log, users
from serving.relational.audit_log import Action

pytestmark = pytest.mark.asyncio

METHOD = "tributary.v1.CampaignMetricsService.GetCampaignMetrics"
ASKED = campaign_metrics_pb2.GetCampaignMetricsRequest(tenant_id="acme")
OPEN = AccessSettings()
CLOSED = AccessSettings(service_keys=True, calls_per_second=100.0, burst=3)


class Known:
    """An authentication that recognises one caller."""

    def __init__(self, *roles, tenant="acme", **changed):
        values = {"kind": Kind.USER, "id": "u1", "grants": {tenant: frozenset(roles)}, "mfa": True}
        self.caller = Principal(**(values | changed))
        self.open_streams = OpenStreams()

    def session_of(self, headers):
        return None

    async def principal(self, headers):
        return self.caller


@pytest_asyncio.fixture
async def writer(sqlite_database):
    return AuditWriter(sqlite_database, {})


async def reason_of(awaitable):
    with pytest.raises(ServingError) as refused:
        await awaitable
    return refused.value.reason


async def logged(writer, database, tenant="acme"):
    assert await writer.flush()
    with database.transaction() as connection:
        return audit_log.entries_of(connection, tenant, 0, int(time.time() * 1000) + 60_000, 100)


async def test_the_demo_caller_sees_every_tenant_but_no_other_than_a_proxy_says(writer, sqlite_database):
    demo = Known(kind=Kind.DEMO, id="demo", grants={})
    gate = Gate(OPEN, demo, sqlite_database, writer)
    for tenant in ("acme", "beta"):
        assert (await gate.admit({}, METHOD, tenant)).tenant_id == tenant
    assert await reason_of(gate.admit({"x-tenant-id": "acme"}, METHOD, "beta")) == "TENANT_MISMATCH"
    assert await reason_of(gate.admit({}, METHOD, "")) == "INVALID_ARGUMENT"


async def test_a_header_opens_no_other_tenant_to_a_known_caller(writer, sqlite_database):
    gate = Gate(CLOSED, Known(Role.VIEWER), sqlite_database, writer)
    assert (await gate.admit({"x-tenant-id": "beta"}, METHOD, "acme")).tenant_id == "acme"
    assert await reason_of(gate.admit({"x-tenant-id": "beta"}, METHOD, "beta")) == "TENANT_MISMATCH"


async def test_each_tenant_has_its_own_limit(writer, sqlite_database, monkeypatch):
    gate = Gate(
        CLOSED,
        Known(Role.VIEWER, grants=dict.fromkeys(("acme", "beta"), frozenset({Role.VIEWER}))),
        sqlite_database,
        writer,
    )
    now = [0.0]
    gate._limits = RateLimits(lambda: now[0])
    for _ in range(3):
        await gate.admit({}, METHOD, "acme")
    with pytest.raises(ServingError) as refused:
        await gate.admit({}, METHOD, "acme")
    assert refused.value.reason == "RATE_LIMITED"
    assert refused.value.retry_after_seconds == pytest.approx(0.01)
    await gate.admit({}, METHOD, "beta")
    now[0] += 0.0101
    await gate.admit({}, METHOD, "acme")
    assert await reason_of(gate.admit({}, METHOD, "acme")) == "RATE_LIMITED"
    # A tenant's own limit wins.
    monkeypatch.setattr(gate_module, "LIMITS_FRESH_SECONDS", -1.0)
    with sqlite_database.transaction() as connection:
        users.put_tenant(connection, "acme", 1, 1_000.0, 1_000)
    now[0] += 1.0
    for _ in range(20):
        await gate.admit({}, METHOD, "acme")


async def test_a_bucket_fills_up_to_its_burst_and_no_further():
    now = [0.0]
    limits = RateLimits(lambda: now[0])
    limit = Limit(calls_per_second=2.0, burst=4)
    now[0] = 1000.0
    for _ in range(4):
        limits.take("acme", limit)
    with pytest.raises(ServingError):
        limits.take("acme", limit)


async def test_reads_exports_and_refusals_are_logged(writer, sqlite_database):
    gate = Gate(CLOSED, Known(Role.MARKETING_DIRECTOR), sqlite_database, writer)
    request = campaign_metrics_pb2.GetCampaignMetricsRequest(tenant_id="acme")
    response = campaign_metrics_pb2.GetCampaignMetricsResponse(metrics=[{}, {}])
    response.covered_range.start_time.FromMilliseconds(1000)
    response.covered_range.end_time.FromMilliseconds(2000)
    admitted = await gate.admit({}, METHOD, "acme")
    await gate.note(admitted, request, response)
    admitted = await gate.admit({}, METHOD, "acme", Action.EXPORT)
    await gate.note(admitted, request, response)
    # An export is in the log before it is handed out, without a flush.
    with sqlite_database.transaction() as connection:
        assert [e.action for e in audit_log.entries_of(connection, "acme", 0, 2**53, 9)] == [Action.EXPORT]
    explain = "tributary.v1.AttributionService.ExplainConversion"
    assert await reason_of(gate.admit({}, explain, "acme")) == "PERMISSION_MISSING"
    assert await reason_of(gate.admit({}, METHOD, "beta")) == "TENANT_MISMATCH"
    assert await reason_of(gate.admit({}, METHOD, "no tenant id")) == "INVALID_ARGUMENT"
    entries = await logged(writer, sqlite_database)
    shown = {(e.action, e.method, e.range_start, e.range_end, e.rows, e.outcome) for e in entries}
    assert shown == {
        (Action.READ, METHOD, 1000, 2000, 2, "OK"),
        (Action.EXPORT, METHOD, 1000, 2000, 2, "OK"),
        (Action.READ, explain, None, None, None, "PERMISSION_MISSING"),
    }
    assert {(e.caller_kind, e.caller_id) for e in entries} == {("user", "u1")}
    assert [e.outcome for e in await logged(writer, sqlite_database, "beta")] == ["TENANT_MISMATCH"]


async def test_what_cannot_be_logged_is_not_shown(writer, sqlite_database, monkeypatch):
    gate = Gate(AccessSettings(service_keys=True), Known(Role.ADMIN), sqlite_database, writer)
    admitted = await gate.admit({}, METHOD, "acme", Action.EXPORT)
    for _ in range(5):
        sqlite_database.breaker.failed()
    assert await reason_of(gate.note(admitted, ASKED)) == "AUDIT_UNAVAILABLE"
    # Reads wait for the store to come back, up to a limit.
    monkeypatch.setattr(audit_module, "MAX_WAITING", 2)
    for _ in range(2):
        await gate.note(await gate.admit({}, METHOD, "acme"), ASKED)
        assert not await writer.flush()
    assert await reason_of(gate.admit({}, METHOD, "acme")) == "AUDIT_UNAVAILABLE"
    sqlite_database.breaker.succeeded()
    assert len(await logged(writer, sqlite_database)) == 2


async def test_ranges_and_rows_of_answers():
    asked = campaign_metrics_pb2.GetCampaignMetricsRequest()
    assert range_of(asked, "range") is None
    asked.range.last.FromSeconds(5)
    assert range_of(asked, "range") is None
    assert range_of(alerts_pb2.ListAlertsResponse()) is None
    assert rows_of(alerts_pb2.ListAlertsResponse(alerts=[{}, {}, {}])) == 3
    assert rows_of(alerts_pb2.ListAlertsResponse(freshness={"degraded": True})) == 0
    assert rows_of(attribution_pb2.ExplainConversionResponse(conversion={"conversion_id": "c"})) in {0, 1}
    assert rows_of(quality_pb2.GetCountsResponse(received=5)) == 0
    watched = campaign_metrics_pb2.WatchCampaignMetricsResponse(changes={"windows": [{}, {}]})
    assert rows_of(watched) == 2
    assert rows_of(campaign_metrics_pb2.WatchCampaignMetricsResponse(heartbeat={})) == 0


async def endless(closed):
    try:
        yield "snapshot"
        await asyncio.Event().wait()
    finally:
        closed.append(True)


async def test_a_stream_ends_the_moment_its_credentials_expire(writer, sqlite_database):
    gate = Gate(CLOSED, Known(Role.VIEWER, expires_at=time.time() + 1.0), sqlite_database, writer)
    admitted = await gate.admit({}, METHOD, "acme", Action.STREAM)
    seen, closed = [], []

    async def watch():
        async for message in gate.guarded(endless(closed), admitted):
            seen.append(message)  # noqa: PERF401 - what came before the end counts

    with pytest.raises(ServingError) as refused:
        await asyncio.wait_for(watch(), 30)
    assert refused.value.reason == "CREDENTIALS_EXPIRED"
    assert refused.value.code.name == "UNAUTHENTICATED"
    assert (seen, closed) == (["snapshot"], [True])


async def test_a_stream_ends_when_the_caller_may_no_longer_see_it(writer, sqlite_database, monkeypatch):
    monkeypatch.setattr(gate_module, "RECHECK_SECONDS", -1.0)
    known = Known(Role.VIEWER)
    gate = Gate(CLOSED, known, sqlite_database, writer)
    admitted = await gate.admit({}, METHOD, "acme", Action.STREAM)

    async def three():
        for number in range(3):
            yield number

    assert [m async for m in gate.guarded(three(), admitted)] == [0, 1, 2]
    stream = gate.guarded(three(), admitted)
    assert await anext(stream) == 0
    known.caller = Known(Role.VIEWER, tenant="other").caller
    assert await reason_of(anext(stream)) == "TENANT_MISMATCH"


async def test_a_renewed_session_lets_its_stream_go_on(writer, sqlite_database, monkeypatch):
    monkeypatch.setattr(gate_module, "RECHECK_SECONDS", -1.0)
    known = Known(Role.VIEWER, expires_at=time.time() + 2.0)
    gate = Gate(CLOSED, known, sqlite_database, writer)
    admitted = await gate.admit({}, METHOD, "acme", Action.STREAM)
    go_on = asyncio.Event()

    async def two():
        yield 0
        yield 1
        await go_on.wait()
        yield 2

    stream = gate.guarded(two(), admitted)
    assert await anext(stream) == 0
    known.caller = Known(Role.VIEWER, expires_at=time.time() + 3600).caller
    assert await anext(stream) == 1
    asyncio.get_running_loop().call_later(2.2, go_on.set)
    assert await anext(stream) == 2
