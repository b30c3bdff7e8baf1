"""Live streams over HTTP: server-sent events and WebSocket, each message with the cursor to go on from."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from google.protobuf.json_format import MessageToDict
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from serving.errors import ServingError, invalid, to_status
from serving.transports.charts import LIVE
from serving.transports.json_messages import json_of
from serving.transports.query_parameters import read_request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from google.protobuf.descriptor import MethodDescriptor
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from serving.transports.dispatch import Dispatch

DEFAULT_STREAM = "campaigns"
# A browser that lost its stream comes back after this time, unless the error before said otherwise.
RETRY_MS = 1_000
# Close codes of RFC 6455: this side goes away; the caller may not do this; what it asked for is wrong.
GOING_AWAY, POLICY = 1001, 1008
# A close reason has at most 123 bytes.
LONGEST_CLOSE_REASON = 120


class LiveHttp:
    """Carries the streams of the contract to browsers and scripts."""

    def __init__(self, dispatch: Dispatch) -> None:
        """Keep what streams are made by."""
        self._dispatch = dispatch

    async def events(self, request: Request, fixed: Mapping[str, str]) -> Response:
        """Return a stream as server-sent events. The id of each is its cursor, so that a browser that comes back goes
        on with what changed.

        Raises:
            ServingError: the stream cannot begin.
        """
        method, asked = _read(request.query_params.multi_items(), fixed)
        resumed = request.headers.get("last-event-id", "")
        if resumed:
            asked.resume_cursor = resumed
        stream = self._dispatch.stream(method, asked, dict(request.headers.items()))
        # The first message is awaited here: what is wrong with a request is told with a status, not in the stream.
        first = await anext(stream)
        return StreamingResponse(
            _events(first, stream),
            media_type="text/event-stream",
            # Proxies must pass each event on at once.
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def websocket(self, socket: WebSocket) -> None:
        """Send a stream over a WebSocket, one JSON object a message; what the client sends is ignored."""
        if not _same_origin(socket):
            await socket.close(POLICY, "this origin may not connect")
            return
        await socket.accept()
        sending = asyncio.ensure_future(self._send(socket))
        try:
            while not sending.done():
                receiving = asyncio.ensure_future(socket.receive())
                await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
                if not receiving.done():
                    receiving.cancel()
                elif receiving.result()["type"] == "websocket.disconnect":
                    break
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sending

    async def _send(self, socket: WebSocket) -> None:
        try:
            method, asked = _read(socket.query_params.multi_items(), {"tenant_id": socket.path_params["tenant_id"]})
            async with aclosing(self._dispatch.stream(method, asked, dict(socket.headers.items()))) as stream:
                async for message in stream:
                    await socket.send_text(json_of(message).decode())
        except ServingError as error:
            await socket.send_text(_error(error).decode())
            code = GOING_AWAY if error.retry_after_seconds is not None else POLICY
            await socket.close(code, error.reason[:LONGEST_CLOSE_REASON])


def _read(given: Iterable[tuple[str, str]], fixed: Mapping[str, str]) -> tuple[MethodDescriptor, Any]:
    """Return the method that the parameter `stream` names, and the request of the others; raises ServingError."""
    parameters = list(given)
    streams = [value for name, value in parameters if name == "stream"] or [DEFAULT_STREAM]
    method = LIVE.get(streams[0])
    if method is None or len(streams) > 1:
        raise invalid("stream", f"allowed: one of {', '.join(LIVE)}")
    others = [(name, value) for name, value in parameters if name != "stream"]
    return method, read_request(method.input_type, others, fixed)


async def _events(first: Any, stream: AsyncGenerator[Any, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(stream):
        yield f"retry: {RETRY_MS}\n\n".encode()
        yield _event(first)
        try:
            async for message in stream:
                yield _event(message)
        except ServingError as error:
            retry = RETRY_MS if error.retry_after_seconds is None else round(error.retry_after_seconds * 1000)
            yield b"event: error\nretry: %d\ndata: %s\n\n" % (retry, _error(error))


def _event(message: Any) -> bytes:
    kind = message.WhichOneof("update")
    return b"event: %s\nid: %s\ndata: %s\n\n" % (kind.encode(), message.resume_cursor.encode(), json_of(message))


def _error(error: ServingError) -> bytes:
    details = [MessageToDict(detail) for detail in to_status(error).details]
    return orjson.dumps({"error": {"status": error.code.name, "message": error.message, "details": details}})


def _same_origin(socket: WebSocket) -> bool:
    """Tell whether the page that opens a WebSocket came from here; programs that are no browsers send no origin."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")
