"""What a client that has no contract does, as grpcurl and Postman: learn it from the server, then call."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.serving.running_server import options, running


def learned(address: str):
    """Return the methods of all services of the contract by full name, from what the server says alone."""
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = descriptor_pool.DescriptorPool(database)
        services = [pool.FindServiceByName(name) for name in database.get_services() if name.startswith("tributary.")]
        return {method.full_name: method for service in services for method in service.methods}


def called(address: str, method, text: str) -> dict:
    """Call a learned method with a request in JSON; returns the answer, of a stream the first one."""
    request, response = (message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type))
    # Not the classes that this process has of the contract.
    assert method.containing_service.file.pool is not descriptor_pool.Default()
    path = f"/{method.containing_service.full_name}/{method.name}"
    with grpc.insecure_channel(address) as channel:
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = make(path, request.SerializeToString, response.FromString)
        answer = call(json_format.Parse(text, request()), timeout=60)
        if method.server_streaming:
            stream, answer = answer, next(answer)
            stream.cancel()
        return json_format.MessageToDict(answer)


@pytest.mark.asyncio
async def test_a_client_without_the_contract_learns_it_and_calls(
    clickhouse_process, redis_process, history_address, tenant
):
    async with running(options(clickhouse_process.port, redis_process.port)) as server:
        address = f"127.0.0.1:{server.process.grpc.port}"
        methods = await asyncio.to_thread(learned, address)
        declared = {
            f"{service.descriptor.full_name}.{name}"
            for service in server.process.dispatch.services
            for name in (*service.unary, *service.streams)
        }
        assert set(methods) == declared
        campaigns = "tributary.v1.CampaignMetricsService"
        asked = (
            f'{{"tenant_id":"{tenant}","range":{{"last":"3600s"}},"group_by":["DIMENSION_CAMPAIGN"]}}',
            f'{{"tenant_id":"{tenant}"}}',
        )
        answer = await asyncio.to_thread(called, address, methods[f"{campaigns}.GetCampaignMetrics"], asked[0])
        assert answer["freshness"]["source"] == "SOURCE_HISTORY"
        assert "coveredRange" in answer
        first = await asyncio.to_thread(called, address, methods[f"{campaigns}.WatchCampaignMetrics"], asked[1])
        assert "snapshot" in first
        assert first["resumeCursor"]


@pytest.mark.asyncio
async def test_the_newer_reflection_is_refused_so_that_clients_fall_back(clickhouse_process, redis_process):
    async with running(options(clickhouse_process.port, redis_process.port)) as server:
        call = server.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in call(iter([b"\x3a\x00"])):
                pass
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
