"""Answers that are kept are given only to those who may see them now, and each time is in the audit log."""

from __future__ import annotations

import json
import uuid

import grpc
import pytest
from tributary.v1 import campaign_metrics_pb2 as pb

from serving.access.__main__ import main as access_command
from serving.relational.audit_log import entries_of
from tests.serving.running_server import details, next_message, options, refusal, running, until

pytestmark = pytest.mark.asyncio


async def reason_of(call):
    """Why a call was refused, None when it was answered."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return details(error)[0]
    return None


async def test_a_kept_answer_is_for_those_who_may_see_it_now(
    clickhouse_process, redis_process, history_address, tenant, tmp_path, capsys
):
    url, other = f"sqlite:///{tmp_path}/access.sqlite", f"t-{uuid.uuid4().hex[:12]}"

    def command(*arguments):
        assert access_command(["--relational-url", url, *arguments]) == 0
        return capsys.readouterr().out

    def key(named, scope="view_campaigns"):
        made = json.loads(command("keys", "create", "--tenant", named, "--name", "BI", "--scope", scope))
        return made["key_id"], (("authorization", f"Bearer {made['key']}"),)

    for named in (tenant, other):
        command("tenants", "add", named)
    (key_id, first), (_, second), (_, stranger) = key(tenant), key(tenant), key(other)
    _, operator = key(tenant, "view_operations")
    chosen = options(
        clickhouse_process.port,
        redis_process.port,
        answer_cache=True,
        heartbeat_ms=300,
        service_keys=True,
        relational_url=url,
    )
    past = pb.GetCampaignMetricsRequest(tenant_id=tenant)
    past.range.start_time.FromSeconds(1_700_000_000)
    past.range.end_time.FromSeconds(1_700_003_600)
    current = pb.GetCurrentCampaignMetricsRequest(tenant_id=tenant)
    asked = 0
    async with running(chosen) as server:
        stub = server.campaigns
        calls = ((stub.GetCampaignMetrics, past), (stub.GetCurrentCampaignMetrics, current))
        watching = stub.WatchCampaignMetrics(pb.WatchCampaignMetricsRequest(tenant_id=tenant), metadata=first)
        await next_message(watching, "snapshot")
        for _ in range(3):
            for call, request in calls:
                await call(request, metadata=first)
                await call(request, metadata=second)
                asked += 2
        cached = server.process.metrics.answers.labels("cache")._value.get
        before = cached()
        assert before > 0
        for call, request in calls:
            for caller, reason in (
                (stranger, "TENANT_MISMATCH"),
                (operator, "PERMISSION_MISSING"),
                ((), "CREDENTIALS_MISSING"),
            ):
                assert await reason_of(call(request, metadata=caller)) == reason
        assert cached() == before
        command("keys", "revoke", "--tenant", tenant, key_id)

        async def refused():
            nonlocal asked
            reason = await reason_of(stub.GetCampaignMetrics(past, metadata=first))
            asked += reason is None
            return reason == "CREDENTIALS_INVALID"

        await until(refused)
        assert details(await refusal(watching))[0] == "CREDENTIALS_INVALID"
        before = cached()
        await stub.GetCampaignMetrics(past, metadata=second)
        asked += 1
        assert cached() == before + 1
        database = server.process.access.database

        async def noted():
            with database.transaction() as connection:
                entries = entries_of(connection, tenant, 0, 2**53, 10_000)
            return sum(entry.action == "read" and entry.outcome == "OK" for entry in entries) == asked

        await until(noted)
