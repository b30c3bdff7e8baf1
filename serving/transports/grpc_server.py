"""The services over gRPC, with health and reflection."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import message_factory
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from serving.errors import STATUS_DETAILS_KEY, ServingError, to_status
from serving.transports.dispatch import unreadable
from serving.transports.encoded_once import EncodedOnce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message

    from serving.options import Options
    from serving.transports.dispatch import Dispatch

# Answers are pages of at most 10,000 rows of about 200 bytes; this leaves room, and no answer can fill the memory.
MAX_RESPONSE_BYTES = 16 * 1024 * 1024

_KEEP_ALIVE: tuple[tuple[str, int], ...] = (
    # A silent peer is asked after 30 s and given up 10 s later, so that watchers that vanished free their stream.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Clients may ask every 10 s; those that ask more often are disconnected by gRPC.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A second server on the same port must fail, not take half of the calls.
    ("grpc.so_reuseport", 0),
)


class GrpcServer:
    """A gRPC server of the dispatched services, with health and reflection. `start`, then `stop` once."""

    def __init__(
        self,
        options: Options,
        dispatch: Dispatch,
        tls: grpc.ServerCredentials | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        """Build the server; nothing listens yet. `interceptors` are called around every method."""
        self._tls = tls
        self._options = options
        self._dispatch = dispatch
        self.health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=interceptors,
            options=(
                ("grpc.max_receive_message_length", options.max_request_bytes),
                ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
                *_KEEP_ALIVE,
            ),
        )
        self._register()
        self.port = 0

    @property
    def service_names(self) -> list[str]:
        """Full names of the services, without health and reflection."""
        return [service.descriptor.full_name for service in self._dispatch.services]

    async def start(self) -> None:
        """Listen; `port` is the real one after that. Raises RuntimeError when the address is taken."""
        address = f"{self._options.host}:{self._options.grpc_port}"
        self.port = (
            self._server.add_secure_port(address, self._tls) if self._tls else self._server.add_insecure_port(address)
        )
        await self._server.start()

    async def set_serving(self, service: str, serving: bool) -> None:
        """Set what the health service says of one service; the empty name stands for the whole server."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self.health.set(service, status)

    async def drain(self) -> None:
        """Say NOT_SERVING from now on, whatever is set later, so that load balancers send new calls elsewhere."""
        await self.health.enter_graceful_shutdown()

    async def stop(self, grace: float) -> None:
        """Refuse new calls, let those in flight go on for at most `grace` seconds, then cancel them."""
        await self._server.stop(grace)

    def _register(self) -> None:
        for service in self._dispatch.services:
            methods = {method.name: self._method(method) for method in service.descriptor.methods}
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.descriptor.full_name, methods),)
            )
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        names = (*self.service_names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def _method(self, method: MethodDescriptor) -> grpc.RpcMethodHandler[Any, Any]:
        request = message_factory.GetMessageClass(method.input_type)
        encode = EncodedOnce(message_factory.GetMessageClass(method.output_type).SerializeToString)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(method, request), response_serializer=encode)
        return grpc.unary_unary_rpc_method_handler(self._unary(method, request), response_serializer=encode)

    def _unary(self, method: MethodDescriptor, kind: type[Message]) -> Any:
        async def answer(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                request = _read(data, kind)
                return await self._dispatch.answer(method, request, _headers(context), context.time_remaining())
            except ServingError as error:
                _refuse(context, error)
                return None

        return answer

    def _stream(self, method: MethodDescriptor, kind: type[Message]) -> Any:
        async def answer(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            try:
                request = _read(data, kind)
                async with aclosing(self._dispatch.stream(method, request, _headers(context))) as responses:
                    # The next response is made only when the client's flow control has let the one before pass.
                    async for response in responses:
                        await context.write(response)
            except ServingError as error:
                _refuse(context, error)

        return answer


def _read(data: bytes, kind: type[Message]) -> Message:
    """Return the request in some bytes. The library would answer to others with INTERNAL.

    Raises:
        ServingError: the bytes are not one.
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        raise unreadable(kind.DESCRIPTOR.full_name) from None


def _headers(context: grpc.aio.ServicerContext[Any, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in context.invocation_metadata() or ()}


def _refuse(context: grpc.aio.ServicerContext[Any, Any], error: ServingError) -> None:
    """Set the error as the outcome of the call."""
    context.set_trailing_metadata(((STATUS_DETAILS_KEY, to_status(error).SerializeToString()),))
    context.set_code(error.code)
    context.set_details(error.message)
