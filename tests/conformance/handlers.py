"""What the suite asks a server to do: say what it got, answer or refuse as told, with the headers it is told to
send."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as PackedMessage

from serving.errors import Reason, ServingError
from serving.handlers.call import Service
from tests.conformance.contract import message

CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass
class Carrier:
    """One call as its transport sees it: what came, and what is to be sent beside the messages."""

    request_headers: list[tuple[str, str]]
    remaining_seconds: float | None
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    response_trailers: list[tuple[str, str]] = field(default_factory=list)

    async def send_headers(self) -> None:
        """Send the headers now, where the transport does not do so with the first message."""


carrier: ContextVar[Carrier] = ContextVar("carrier")


class ToldError(ServingError):
    """The refusal that the suite asked for, with its details and no others."""

    def __init__(self, code: grpc.StatusCode, text: str, details=()) -> None:
        super().__init__(code, Reason.INTERNAL, text)
        self._details = list(details)

    def details(self):
        return self._details


def told(error, *more) -> ToldError:
    """Return the refusal that a request describes, with `more` details."""
    return ToldError(CODES[error.code], error.message, [*map(unpacked, error.details), *more])


def unpacked(detail: PackedMessage):
    """Return the message in a detail."""
    made = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(detail.TypeName()))()
    detail.Unpack(made)
    return made


def service(descriptor) -> Service:
    """Return the suite's service with its handlers."""
    return Service(
        descriptor,
        unary={"Unary": _unary, "IdempotentUnary": _unary, "Unimplemented": _unimplemented},
        streams={"ServerStream": _server_stream},
    )


async def _unary(request, call):
    wanted = request.response_definition
    response = message(type(request).DESCRIPTOR.name.replace("Request", "Response"))()
    info = _request_info(request)
    _set_metadata(wanted)
    if wanted.WhichOneof("response") == "error":
        raise told(wanted.error, info)
    await asyncio.sleep(wanted.response_delay_ms / 1000)
    response.payload.data = wanted.response_data
    response.payload.request_info.CopyFrom(info)
    return response


async def _unimplemented(request, call):
    raise ToldError(grpc.StatusCode.UNIMPLEMENTED, "not implemented")


async def _server_stream(request, call):
    wanted = request.response_definition
    info = _request_info(request)
    _set_metadata(wanted)
    if wanted.response_data:
        await carrier.get().send_headers()
    for number, data in enumerate(wanted.response_data):
        await asyncio.sleep(wanted.response_delay_ms / 1000)
        response = message("ServerStreamResponse")()
        response.payload.data = data
        if number == 0:
            response.payload.request_info.CopyFrom(info)
        yield response
    if wanted.HasField("error"):
        raise told(wanted.error, *([] if wanted.response_data else [info]))


def _set_metadata(wanted) -> None:
    sent = carrier.get()
    sent.response_headers.extend(_pairs(wanted.response_headers))
    sent.response_trailers.extend(_pairs(wanted.response_trailers))


def _pairs(headers) -> list[tuple[str, str]]:
    return [(header.name, value) for header in headers for value in header.value]


def _request_info(request):
    got = carrier.get()
    info = message("ConformancePayload").RequestInfo()
    by_name: dict[str, list[str]] = {}
    for name, value in got.request_headers:
        by_name.setdefault(name.lower(), []).append(value)
    for name, values in by_name.items():
        info.request_headers.add(name=name, value=values)
    if got.remaining_seconds is not None:
        info.timeout_ms = max(0, round(got.remaining_seconds * 1000))
    packed = PackedMessage()
    packed.Pack(request)
    info.requests.append(packed)
    return info
