"""The services over Connect and gRPC-Web, for browsers, as one ASGI application.

The library reads and writes the protocols; handlers are the same as over gRPC. Every message that it can send to a
client is made here or of constants: it would send the text of an exception that it did not expect.
"""

from __future__ import annotations

from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import grpc
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_codecs
from connectrpc.errors import ConnectError, ErrorDetail
from connectrpc.interceptor import MetadataInterceptor
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf import message_factory
from protobuf.wkt import Any as PackedDetail
from starlette.responses import Response
from starlette.websockets import WebSocketClose

from serving.errors import ServingError, to_status
from serving.transports.dispatch import deadline_exceeded, translate, unreadable
from serving.transports.encoded_once import EncodedOnce

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from connectrpc.codec import Codec
    from connectrpc.interceptor import Interceptor
    from connectrpc.request import RequestContext
    from google.protobuf.descriptor import MethodDescriptor
    from starlette.types import Receive, Scope, Send

    from serving.transports.dispatch import Dispatch

MILLISECONDS = 1_000
# How the library's messages about a broken envelope begin; they are constants and numbers, and no fault of this server.
PROTOCOL_ERROR = "protocol error:"


class _ClientError(ConnectError):
    """A refusal that was made for the client."""

    def __init__(self, error: ServingError) -> None:
        details = [
            ErrorDetail(PackedDetail(type_url=packed.type_url, value=packed.value))
            for packed in to_status(error).details
        ]
        super().__init__(_code(error.code), error.message, details)


def _code(code: grpc.StatusCode) -> Code:
    # Connect writes CANCELLED, which no handler answers with, with one L.
    return Code(code.name.lower()) if code is not grpc.StatusCode.CANCELLED else Code.CANCELED


class _SafeErrors(MetadataInterceptor[None]):
    """Catches whatever ends a call, also before its request was read, and lets only what was meant for the client
    pass."""

    async def on_start(self, ctx: RequestContext[Any, Any]) -> None:
        """Do nothing: the end is what counts."""

    async def on_end(self, token: None, ctx: RequestContext[Any, Any], error: Exception | None) -> None:  # noqa: ARG002 - the library's signature
        """Raise what the client is told in place of `error`."""
        if error is None or isinstance(error, _ClientError):
            return
        method = f"{ctx.method.service_name}.{ctx.method.name}"
        if not isinstance(error, ConnectError):
            raise _ClientError(translate(error, method)) from None
        if error.code is Code.DEADLINE_EXCEEDED:
            raise _ClientError(deadline_exceeded()) from None
        if error.code is Code.INVALID_ARGUMENT:
            # The library's message holds the text of a parser's exception.
            raise _ClientError(unreadable(ctx.method.input.DESCRIPTOR.full_name)) from None
        if error.code in {Code.UNKNOWN, Code.INTERNAL} and not error.message.startswith(PROTOCOL_ERROR):
            raise _ClientError(translate(error, method)) from None


class _SafeCodec:
    """A codec whose failure to write a response is an internal error like any other."""

    def __init__(self, codec: Codec[Any, Any]) -> None:
        self._codec = codec
        self._encode = EncodedOnce(codec.encode)

    def name(self) -> str:
        return self._codec.name()

    def encode(self, message: Any) -> bytes:
        try:
            return self._encode(message)
        except Exception as error:  # noqa: BLE001 - the border: a response that cannot be written
            raise _ClientError(translate(error, message.DESCRIPTOR.full_name)) from None

    def decode(self, data: bytes | bytearray, message_class: Any) -> Any:
        return self._codec.decode(data, message_class)


class ConnectServices(ConnectASGIApplication[Any]):
    """An ASGI application that answers `POST /<service>/<method>` in the protocols Connect and gRPC-Web."""

    def __init__(self, dispatch: Dispatch, max_request_bytes: int, interceptors: Iterable[Interceptor] = ()) -> None:
        """Describe every method of the dispatched services to the library. `interceptors` are called inside the one
        that keeps the texts of exceptions from clients."""
        endpoints = {
            f"/{method.containing_service.full_name}/{method.name}": _endpoint(dispatch, method)
            for service in dispatch.services
            for method in service.descriptor.methods
        }
        super().__init__(
            service=None,
            endpoints=lambda _: endpoints,
            interceptors=[_SafeErrors(), *interceptors],
            read_max_bytes=max_request_bytes,
            codecs=[_SafeCodec(codec) for codec in google_protobuf_codecs()],
        )

    @property
    def path(self) -> str:
        """Where the application stands: services are told apart by their full names."""
        return "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless it is one that the library would fail at."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        content_type = b""
        for name, value in scope["headers"]:
            if not value.isascii():
                await Response(status_code=HTTPStatus.BAD_REQUEST)(scope, receive, send)
                return
            if name == b"content-type":
                content_type = value
        if content_type == b"application/grpc" or content_type.startswith(b"application/grpc+"):
            # Native gRPC needs trailers, which this port has not; it is served on its own port.
            await Response(status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


def method_info(method: MethodDescriptor) -> MethodInfo[Any, Any]:
    """Return what the library, as server and as client, wants to know of a method."""
    return MethodInfo(
        name=method.name,
        service_name=method.containing_service.full_name,
        input=message_factory.GetMessageClass(method.input_type),
        output=message_factory.GetMessageClass(method.output_type),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
    )


def _endpoint(dispatch: Dispatch, method: MethodDescriptor) -> Any:
    """Return the library's endpoint of a method; the types of it are private to the library."""
    info = method_info(method)

    async def answer(request: Any, ctx: RequestContext[Any, Any]) -> Any:
        remaining = None if ctx.timeout_ms is None else ctx.timeout_ms / MILLISECONDS
        try:
            return await dispatch.answer(method, request, _headers(ctx), remaining)
        except ServingError as error:
            raise _ClientError(error) from None

    async def stream(request: Any, ctx: RequestContext[Any, Any]) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(dispatch.stream(method, request, _headers(ctx))) as responses:
                async for response in responses:
                    yield response
        except ServingError as error:
            raise _ClientError(error) from None

    if method.server_streaming:
        return Endpoint.server_stream(info, stream)
    return Endpoint.unary(info, answer)


def _headers(ctx: RequestContext[Any, Any]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in ctx.request_headers.allitems()}
