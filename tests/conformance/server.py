"""Our transports with the suite's service, as the suite wants a server: it reads one ServerCompatRequest from standard
input, writes one ServerCompatResponse, and answers until it is told to stop."""

from __future__ import annotations

import asyncio
import base64
import signal
import struct
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from connectrpc.interceptor import MetadataInterceptor
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from serving.access.certificates import Certificates
from serving.access.gate import Admission
from serving.metrics import ServingMetrics
from serving.options import Options, check
from serving.transports.connect_services import ConnectServices
from serving.transports.dispatch import Dispatch
from serving.transports.grpc_server import GrpcServer
from serving.transports.http_application import SecurityHeaders
from serving.transports.http_server import HttpServer
from tests.conformance import contract
from tests.conformance.handlers import Carrier, carrier

if TYPE_CHECKING:
    from serving.handlers.call import Service

PROTOCOL_GRPC = 2
LENGTH = struct.Struct(">I")


class OpenGate:
    """Admits everybody, as the suite has no tenants."""

    async def admit(self, headers, method, tenant_id, action):
        return Admission(None, "conformance", action, method, headers)

    async def note(self, *_args, **_named) -> None:
        pass

    def note_end(self, *_args) -> None:
        pass

    def guarded(self, responses, admission):
        return responses


class ConnectMetadata(MetadataInterceptor):
    """Lets handlers see and set the headers of a call over Connect or gRPC-Web."""

    async def on_start(self, ctx) -> None:
        remaining = None if ctx.timeout_ms is None else ctx.timeout_ms / 1000
        got = Carrier(list(ctx.request_headers.allitems()), remaining)
        got.response_headers, got.response_trailers = Sent(ctx.response_headers), Sent(ctx.response_trailers)
        carrier.set(got)

    async def on_end(self, token, ctx, error) -> None:
        pass


class Sent:
    """Headers of the library, as a list that is added to."""

    def __init__(self, headers) -> None:
        self._headers = headers

    def extend(self, pairs) -> None:
        for name, value in pairs:
            self._headers.add(name, value)


class GrpcCarrier(Carrier):
    """A call over gRPC."""

    def __init__(self, context) -> None:
        metadata = [(key, _text(key, value)) for key, value in context.invocation_metadata() or ()]
        super().__init__(metadata, context.time_remaining())
        self._context = context
        self._sent = False

    async def send_headers(self) -> None:
        if not self._sent:
            self._sent = True
            await self._context.send_initial_metadata([_metadatum(*pair) for pair in self.response_headers])

    async def end(self) -> None:
        await self.send_headers()
        trailers = [_metadatum(*pair) for pair in self.response_trailers]
        self._context.set_trailing_metadata((*(self._context.trailing_metadata() or ()), *trailers))


def _text(key: str, value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    return base64.b64encode(value).decode().rstrip("=")


def _metadatum(name: str, value: str) -> tuple[str, str | bytes]:
    if not name.lower().endswith("-bin"):
        return name.lower(), value
    return name.lower(), base64.b64decode(value + "=" * (-len(value) % 4))


class GrpcMetadata(grpc.aio.ServerInterceptor):
    """The same over gRPC."""

    async def intercept_service(self, continuation, details):
        handler = await continuation(details)
        if handler is None or "ConformanceService" not in details.method:
            return handler
        inner = handler.unary_stream or handler.unary_unary

        async def carried(request, context):
            seen = GrpcCarrier(context)
            carrier.set(seen)
            response = await inner(request, context)
            await seen.end()
            return response

        make = grpc.unary_stream_rpc_method_handler if handler.unary_stream else grpc.unary_unary_rpc_method_handler
        return make(carried, handler.request_deserializer, handler.response_serializer)


def options(limit: int) -> Options:
    """Our options, with the suite's limit on requests (0: ours)."""
    nowhere = {
        "kafka_bootstrap": "127.0.0.1:1",
        "clickhouse_url": "http://127.0.0.1:1",
        "redis_url": "redis://127.0.0.1:1/0",
    }
    limits = {"max_request_bytes": limit} if limit else {}
    return check(Options(**nowhere, grpc_port=0, http_port=0, max_calls=10_000, **limits))


async def serve(service: Service) -> None:
    """Answer one run of the suite."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    (length,) = LENGTH.unpack(sys.stdin.buffer.read(LENGTH.size))
    asked = contract.message("ServerCompatRequest").FromString(sys.stdin.buffer.read(length))
    chosen = options(asked.message_receive_limit)
    certificates = None
    if asked.use_tls:
        with tempfile.TemporaryDirectory() as folder:
            chain, key = Path(folder) / "chain.pem", Path(folder) / "key.pem"
            chain.write_bytes(asked.server_creds.cert)
            key.write_bytes(asked.server_creds.key)
            certificates = Certificates(chain, key)
    dispatch = Dispatch([service], OpenGate(), chosen, ServingMetrics())
    response = contract.message("ServerCompatResponse")(host=chosen.host, pem_cert=asked.server_creds.cert)
    if asked.protocol == PROTOCOL_GRPC:
        grpc_server = GrpcServer(
            chosen, dispatch, certificates.grpc_credentials() if certificates else None, interceptors=[GrpcMetadata()]
        )
        await grpc_server.start()
        response.port = grpc_server.port
        ended = asyncio.create_task(stopping.wait())
    else:
        services = ConnectServices(dispatch, chosen.max_request_bytes, interceptors=[ConnectMetadata()])
        app = Starlette(
            routes=[Mount(f"/{service.descriptor.full_name}", services)], middleware=[Middleware(SecurityHeaders)]
        )
        tls = certificates.http_context if certificates else None
        http_server = HttpServer(app, chosen.host, 0, 1, tls)
        response.port = http_server.port
        ended = asyncio.create_task(http_server.run_until_stopped())
    written = response.SerializeToString()
    sys.stdout.buffer.write(LENGTH.pack(len(written)) + written)
    sys.stdout.buffer.flush()
    await asyncio.wait([ended, asyncio.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
    if asked.protocol == PROTOCOL_GRPC:
        await grpc_server.stop(0)
    else:
        http_server.should_exit = True
        await ended
