"""SIGTERM while calls are under way: the ports close at once, the calls are answered, then the process ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import uuid

import aiohttp
import grpc
import pytest
from tributary.v1 import campaign_metrics_pb2 as pb
from tributary.v1 import campaign_metrics_pb2_grpc, freshness_pb2

from tests.serving.faulty_store import FaultyStore
from tests.serving.local_stores import ROOT
from tests.serving.running_server import until

# The machine may be busy: nothing here is meant to end by a time limit.
PATIENCE_SECONDS = 600
SERVICE = "tributary.v1.CampaignMetricsService"
OPTIONS = {
    "--kafka-bootstrap": "127.0.0.1:1",
    "--grpc-port": "0",
    "--http-port": "0",
    "--default-deadline-ms": "600000",
    "--max-deadline-ms": "600000",
    "--clickhouse-timeout-ms": "600000",
    "--drain-seconds": "600",
    "--answer-cache": "false",
}


class HoldingStore(FaultyStore):
    """Forwards all requests but those that name one of some tenants, which wait until `release` is set."""

    def __init__(self, target_port, tenants) -> None:
        super().__init__(target_port)
        self.waiting: set[str] = set()
        self.release = asyncio.Event()
        self._tenants = tenants

    async def _before_request(self, data: bytes) -> None:
        named = {tenant for tenant in self._tenants if tenant.encode() in data}
        if named and not self.release.is_set():
            self.waiting |= named
            await self.release.wait()


async def refused(base):
    """Tell whether the HTTP port takes no more connections."""
    async with aiohttp.ClientSession(base) as session:
        try:
            async with session.get("/readyz"):
                return False
        except aiohttp.ClientConnectionError:
            return True


@pytest.mark.asyncio
async def test_calls_under_way_are_answered_after_sigterm(clickhouse_process, redis_process, history_address):
    over_rest, over_connect, over_grpc = tenants = [f"t-{uuid.uuid4().hex[:12]}" for _ in range(3)]

    async with (
        HoldingStore(clickhouse_process.port, tenants) as store,
        contextlib.AsyncExitStack() as stack,
    ):
        stores = {
            "--clickhouse-url": f"http://127.0.0.1:{store.port}",
            "--clickhouse-database": history_address.database,
            "--redis-url": f"redis://127.0.0.1:{redis_process.port}/0",
        }
        arguments = [part for pair in (OPTIONS | stores).items() for part in pair]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "serving", *arguments),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stack.callback(lambda: process.returncode is None and process.kill())
        said = asyncio.ensure_future(process.stderr.read())
        addresses = json.loads(await process.stdout.readline())
        base = addresses["http"]
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(addresses["grpc"]))
        session = await stack.enter_async_context(aiohttp.ClientSession(base))

        async def rest():
            asked = {"tenant_id": over_rest, "last": "1h"}
            async with session.get("/api/v1/dashboard/metrics", params=asked) as response:
                return response.status, await response.json()

        async def connect():
            body = {"tenantId": over_connect, "range": {"last": "3600s"}}
            async with session.post(f"/{SERVICE}/GetCampaignMetrics", json=body) as response:
                return response.status, await response.json()

        async def native():
            asked = pb.GetCampaignMetricsRequest(tenant_id=over_grpc)
            asked.range.last.FromSeconds(3600)
            return await campaign_metrics_pb2_grpc.CampaignMetricsServiceStub(channel).GetCampaignMetrics(asked)

        calls = [asyncio.ensure_future(call()) for call in (rest, connect, native)]

        async def all_wait():
            assert not any(call.done() for call in calls), [call.result() for call in calls if call.done()]
            return store.waiting == set(tenants)

        await until(all_wait, PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        # Also with a gRPC call under way: both ports drain at the same time, so that the limit is one for both.
        await until(lambda: refused(base), PATIENCE_SECONDS)
        assert not any(call.done() for call in calls)
        assert process.returncode is None
        store.release.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            (rest_status, rest_answer), (connect_status, connect_answer), grpc_answer = await asyncio.gather(*calls)
            assert (rest_status, connect_status) == (200, 200)
            assert rest_answer["freshness"]["source"] == "SOURCE_HISTORY"
            assert connect_answer["freshness"]["source"] == "SOURCE_HISTORY"
            assert grpc_answer.freshness.source == freshness_pb2.SOURCE_HISTORY
            await session.close()
            assert await process.wait() == 0
            assert b"Traceback" not in await said
