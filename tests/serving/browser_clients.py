"""Clients of the HTTP port for tests: Connect and gRPC-Web as a browser's client speaks them, and plain HTTP."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager

from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.protocol import ProtocolType
from google.rpc import error_details_pb2

from serving.transports.connect_services import method_info

PROTOCOLS = {
    "connect": (ProtocolType.CONNECT, google_protobuf_binary_codec),
    "connect-json": (ProtocolType.CONNECT, google_protobuf_json_codec),
    "grpc-web": (ProtocolType.GRPC_WEB, google_protobuf_binary_codec),
}


def http_url(server) -> str:
    return f"http://127.0.0.1:{server.process.http.port}"


@asynccontextmanager
async def browser_client(server, protocol="connect"):
    """A client of the library, for `call`."""
    kind, codec = PROTOCOLS[protocol]
    async with ConnectClient(http_url(server), protocol=kind, codec=codec()) as client:
        yield client


async def answer(client, method, request, **kwargs):
    """The answer to a unary call."""
    return await client.execute_unary(request=request, method=method_info(method), **kwargs)


async def updates(client, method, request, **kwargs):
    """Yield the messages of a streaming call."""
    async with aclosing(client.execute_server_stream(request=request, method=method_info(method), **kwargs)) as stream:
        async for message in stream:
            yield message


def connect_details(error):
    """Return (reason, field violations by field, retry delay in seconds or None) of a refused call."""
    reason, violations, delay = None, {}, None
    for detail in error.details:
        if detail.type_name == "google.rpc.ErrorInfo":
            reason = error_details_pb2.ErrorInfo.FromString(detail.message_bytes).reason
        elif detail.type_name == "google.rpc.BadRequest":
            bad = error_details_pb2.BadRequest.FromString(detail.message_bytes)
            violations = {violation.field: violation.description for violation in bad.field_violations}
        elif detail.type_name == "google.rpc.RetryInfo":
            retry = error_details_pb2.RetryInfo.FromString(detail.message_bytes)
            delay = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, violations, delay
