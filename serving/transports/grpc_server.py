"""The services over gRPC: each call passes the same checks before its handler, and the same translation of errors
after."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import message_factory
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from serving.access.tenancy import tenant_of_call
from serving.errors import STATUS_DETAILS_KEY, Reason, ServingError, to_status
from serving.handlers.call import Call

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from google.protobuf.descriptor import MethodDescriptor

    from serving.handlers.call import Service, StreamHandler, UnaryHandler
    from serving.metrics import ServingMetrics
    from serving.options import Options

log = logging.getLogger(__name__)

# Answers are pages of at most 10,000 rows of about 200 bytes; this leaves room, and no answer can fill the memory.
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
# What a client whose call was refused for load should wait: longer than a query takes, shorter than a person notices.
BUSY_RETRY_SECONDS = 0.5

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
    """A gRPC server of the given services, with health and reflection. `start`, then `stop` once."""

    def __init__(self, options: Options, services: Iterable[Service], metrics: ServingMetrics) -> None:
        """Build the server; nothing listens yet."""
        self._options = options
        self._services = tuple(services)
        self._metrics = metrics
        # Calls and streams that are being answered now.
        self._calls = 0
        self._streams = 0
        self.health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
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
        return [service.descriptor.full_name for service in self._services]

    async def start(self) -> None:
        """Listen; `port` is the real one after that. Raises RuntimeError when the address is taken."""
        self.port = self._server.add_insecure_port(f"{self._options.host}:{self._options.grpc_port}")
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
        for service in self._services:
            methods = {method.name: self._method(service, method) for method in service.descriptor.methods}
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.descriptor.full_name, methods),)
            )
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        names = (*self.service_names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def _method(self, service: Service, method: MethodDescriptor) -> grpc.RpcMethodHandler[Any, Any]:
        request = message_factory.GetMessageClass(method.input_type)
        response = message_factory.GetMessageClass(method.output_type)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, service.streams[method.name]), request.FromString, response.SerializeToString
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method, service.unary[method.name]), request.FromString, response.SerializeToString
        )

    def _unary(self, method: MethodDescriptor, handler: UnaryHandler) -> Any:
        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            began = time.monotonic()
            code = grpc.StatusCode.CANCELLED
            self._calls += 1
            try:
                _admit(self._calls, self._options.max_calls, Reason.TOO_MANY_CALLS)
                call = Call(_tenant(request, context), self._deadline(context, began))
                async with asyncio.timeout(call.remaining_seconds):
                    response = await handler(request, call)
            except Exception as error:  # noqa: BLE001 - the border: whatever it is, the client gets a code and not a stack
                code = _refuse(context, _translate(error, method.full_name))
                return None
            else:
                code = grpc.StatusCode.OK
                return response
            finally:
                self._calls -= 1
                names = (method.containing_service.full_name, method.name)
                self._metrics.calls.labels(*names, code.name).inc()
                self._metrics.call_seconds.labels(*names).observe(time.monotonic() - began)

        return answer

    def _stream(self, method: MethodDescriptor, handler: StreamHandler) -> Any:
        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            code = grpc.StatusCode.CANCELLED
            names = (method.containing_service.full_name, method.name)
            self._streams += 1
            self._metrics.streams.labels(*names).inc()
            try:
                _admit(self._streams, self._options.max_streams, Reason.TOO_MANY_STREAMS)
                await _write_all(handler(request, Call(_tenant(request, context))), context)
                code = grpc.StatusCode.OK
            except Exception as error:  # noqa: BLE001 - the border, as above
                code = _refuse(context, _translate(error, method.full_name))
            finally:
                self._streams -= 1
                self._metrics.streams.labels(*names).dec()
                self._metrics.calls.labels(*names, code.name).inc()

        return answer

    def _deadline(self, context: grpc.aio.ServicerContext[Any, Any], began: float) -> float:
        remaining = context.time_remaining()
        seconds = self._options.default_deadline_ms / 1000 if remaining is None else remaining
        return began + min(seconds, self._options.max_deadline_ms / 1000)


async def _write_all(responses: AsyncGenerator[Any, None], context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """Write a stream; the next response is made only when the client's flow control has let the one before pass."""
    async with aclosing(responses):
        async for response in responses:
            await context.write(response)


def _tenant(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> str:
    metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
    return tenant_of_call(request.tenant_id, metadata)


def _admit(present: int, most: int, reason: Reason) -> None:
    """Raise ServingError when this call is one too many."""
    if present > most:
        raise ServingError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            reason,
            f"the server answers {most} at the same time and no more",
            retry_after_seconds=BUSY_RETRY_SECONDS,
        )


def _translate(error: Exception, method: str) -> ServingError:
    """Return what the client is told. What was not meant for it is logged with an identifier, which is all that it
    gets."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, TimeoutError):
        return ServingError(
            grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED, "the answer was not ready at the deadline"
        )
    incident = uuid.uuid4().hex[:12]
    log.error("%s failed, incident %s", method, incident, exc_info=error)
    return ServingError(grpc.StatusCode.INTERNAL, Reason.INTERNAL, "internal error", metadata={"incident": incident})


def _refuse(context: grpc.aio.ServicerContext[Any, Any], error: ServingError) -> grpc.StatusCode:
    """Set the error as the outcome of the call and return its code."""
    context.set_trailing_metadata(((STATUS_DETAILS_KEY, to_status(error).SerializeToString()),))
    context.set_code(error.code)
    context.set_details(error.message)
    return error.code
