"""A client that hangs up stops its query in ClickHouse, over every transport."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack

import aiohttp
import pytest
from tributary.v1 import campaign_metrics_pb2 as pb

from tests.serving.browser_clients import answer, browser_client, http_url
from tests.serving.running_server import options, running

METHOD = pb.DESCRIPTOR.services_by_name["CampaignMetricsService"].methods_by_name["GetCampaignMetrics"]
# A minute, row by row.
SLOW = "SELECT sum(sleepEachRow(0.1)) FROM numbers(600) SETTINGS max_block_size = 1"
# The engine shows a statement with its parameters, so the one that looks would find itself.
RUNNING = """
SELECT count() FROM system.processes WHERE position(query, {mark:String}) > 0 AND position(query, 'processes') = 0
"""


def over_grpc(server, request, stack):
    return server.campaigns.GetCampaignMetrics(request)


async def over_connect(server, request, stack):
    client = await stack.enter_async_context(browser_client(server, "connect"))
    return await answer(client, METHOD, request)


async def over_grpc_web(server, request, stack):
    client = await stack.enter_async_context(browser_client(server, "grpc-web"))
    return await answer(client, METHOD, request)


async def over_rest(server, request, stack):
    session = await stack.enter_async_context(aiohttp.ClientSession(http_url(server)))
    asked = {"tenant_id": request.tenant_id, "last": "60s"}
    async with session.get("/api/v1/dashboard/metrics", params=asked) as response:
        return await response.read()


@pytest.mark.asyncio
@pytest.mark.parametrize("ask", [over_grpc, over_connect, over_grpc_web, over_rest])
async def test_the_query_of_a_client_that_hangs_up_is_stopped(
    clickhouse_process, redis_process, history_address, tenant, monkeypatch, ask
):
    mark = uuid.uuid4().hex
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant)
    request.range.last.FromSeconds(60)
    async with running(options(clickhouse_process.port, redis_process.port)) as server, AsyncExitStack() as stack:
        history = server.process.history

        async def slow(*_):
            await history.rows(f"/* {mark} */ {SLOW}", {}, name="slow")
            return pb.GetCampaignMetricsResponse()

        async def until(wanted):
            async with asyncio.timeout(60):
                while (await history.rows(RUNNING, {"mark": mark}, name="running"))[0][0] != wanted:
                    await asyncio.sleep(0.1)

        monkeypatch.setitem(server.process.dispatch._unary, METHOD.full_name, slow)
        call = asyncio.ensure_future(ask(server, request, stack))
        await until(1)
        call.cancel()
        await until(0)
        assert server.process.dispatch._calls == 0
