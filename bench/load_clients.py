"""Clients of every transport, for the load on serving: each asks the questions of MIX and watches campaign metrics."""

from __future__ import annotations

import itertools
import math
import time
from contextlib import AsyncExitStack, aclosing
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import grpc
import orjson
from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from google.protobuf import message_factory

from serving.transports.connect_services import method_info
from serving.transports.query_parameters import read_request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.protobuf.descriptor import MethodDescriptor

TRANSPORTS = ("grpc", "connect", "grpc-web", "rest", "sse", "websocket")
"""What can be chosen. Events and WebSocket carry streams only: their questions go over REST, and REST's streams are
events."""
NO_AGES = ("rest", "sse", "websocket")
"""Transports whose messages are not read, which would cost the client more than receiving them: no ages of updates."""
# A gRPC channel carries about a hundred streams well; browsers have a connection each.
STREAMS_PER_CHANNEL = 100
# The dashboards ask for what is current most, for sums and series less.
MIX = ("current", "current", "current", "sums", "series", "breakdown", "key_figures", "attribution")


class Client(Protocol):
    """One transport."""

    async def ask(self, question: str) -> None:
        """Ask one of MIX and wait for its answer; raises what the transport raises."""

    def watch(self) -> AsyncGenerator[tuple[str, str, int], None]:
        """Yield (cursor, kind of update, end of the newest window in ms) of a live stream."""


@cache
def methods() -> dict[str, MethodDescriptor]:
    """Return the methods by the names of MIX, and the one that streams as `watch`."""
    from tributary.v1 import attribution_pb2, campaign_metrics_pb2

    campaigns = campaign_metrics_pb2.DESCRIPTOR.services_by_name["CampaignMetricsService"].methods_by_name
    attribution = attribution_pb2.DESCRIPTOR.services_by_name["AttributionService"].methods_by_name
    return {
        "current": campaigns["GetCurrentCampaignMetrics"],
        "sums": campaigns["GetCampaignMetrics"],
        "series": campaigns["ListTimeSeries"],
        "breakdown": campaigns["GetBreakdown"],
        "key_figures": campaigns["ListKeyFigures"],
        "attribution": attribution["GetAttributionSummary"],
        "watch": campaigns["WatchCampaignMetrics"],
    }


PARAMETERS = {
    "current": ("current", {}),
    "sums": ("metrics", {"last": "1d", "group_by": "campaign"}),
    "series": ("time-series", {"last": "6h", "grain": "minute"}),
    "breakdown": ("breakdown", {"last": "7d", "dimensions": "campaign,channel", "comparison": "preceding"}),
    "key_figures": ("key-figures", {"cadence": "daily"}),
    "attribution": ("attribution", {"last": "7d", "model": "linear"}),
}
"""Chart id and parameters of each question, from which its request is made for every transport."""


def request_of(question: str, tenant: str) -> Any:
    """Return the request of a question."""
    method = methods()[question]
    parameters = PARAMETERS.get(question, ("", {}))[1]
    return read_request(method.input_type, parameters.items(), {"tenant_id": tenant})


def newest_end(windows: Any) -> int:
    """Return the end (ms) of the newest window of a message, 0 when it has none."""
    return max((window.window_end.ToMilliseconds() for window in windows), default=0)


class GrpcClient:
    """Native gRPC, streams spread over channels."""

    def __init__(self, address: str, tenant: str, watchers: int) -> None:
        """Open the channels."""
        count = max(1, math.ceil(watchers / STREAMS_PER_CHANNEL))
        self.channels = [
            grpc.aio.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),)) for _ in range(count)
        ]
        self._next = itertools.cycle(self.channels)
        self._tenant = tenant
        self._requests = {question: request_of(question, tenant) for question in PARAMETERS}

    async def ask(self, question: str) -> None:
        """Ask over the first channel."""
        method, request = methods()[question], self._requests[question]
        call = self.channels[0].unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            type(request).SerializeToString,
            message_factory.GetMessageClass(method.output_type).FromString,
        )
        await call(request, timeout=30)

    async def watch(self) -> AsyncGenerator[tuple[str, str, int], None]:
        """Watch over the next channel."""
        method, request = methods()["watch"], request_of("watch", self._tenant)
        call: Any = next(self._next).unary_stream(
            f"/{method.containing_service.full_name}/{method.name}",
            type(request).SerializeToString,
            message_factory.GetMessageClass(method.output_type).FromString,
        )
        async for message in call(request):
            yield message.resume_cursor, str(message.WhichOneof("update")), newest_end(message.changes.windows)


class ConnectBrowser:
    """Connect or gRPC-Web in binary, as a browser's client speaks them."""

    def __init__(self, client: ConnectClient, tenant: str) -> None:
        """Keep the client."""
        self._client = client
        self._tenant = tenant
        self._requests = {question: request_of(question, tenant) for question in PARAMETERS}

    async def ask(self, question: str) -> None:
        """Ask once."""
        request = self._requests[question]
        await self._client.execute_unary(request=request, method=method_info(methods()[question]), timeout_ms=30_000)

    async def watch(self) -> AsyncGenerator[tuple[str, str, int], None]:
        """Watch."""
        request = request_of("watch", self._tenant)
        stream: Any = self._client.execute_server_stream(request=request, method=method_info(methods()["watch"]))
        async with aclosing(stream) as messages:
            async for message in messages:
                yield message.resume_cursor, str(message.WhichOneof("update")), newest_end(message.changes.windows)


class RestClient:
    """REST for questions, server-sent events for streams."""

    def __init__(self, session: aiohttp.ClientSession, tenant: str) -> None:
        """Keep the session."""
        self._session = session
        self._tenant = tenant

    async def ask(self, question: str) -> None:
        """Ask for a chart."""
        chart, parameters = PARAMETERS[question]
        asked = {"tenant_id": self._tenant} | parameters
        async with self._session.get(f"/api/v1/dashboard/charts/{chart}", params=asked) as response:
            response.raise_for_status()
            await response.read()

    async def watch(self) -> AsyncGenerator[tuple[str, str, int], None]:
        """Watch by events; the end of a window is not read, which would cost more than receiving does."""
        path = f"/api/v1/dashboard/realtime/{self._tenant}"
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, headers={"accept": "text/event-stream"}, timeout=timeout) as response:
            response.raise_for_status()
            kind = cursor = ""
            async for line in response.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    cursor = value
                elif not name and kind:
                    yield cursor, kind, round(time.time() * 1000)
                    kind = ""


class WebSocketClient(RestClient):
    """REST for questions, a WebSocket for each stream."""

    async def watch(self) -> AsyncGenerator[tuple[str, str, int], None]:
        """Watch; of a message only cursor and kind are looked for."""
        async with self._session.ws_connect(f"/api/v1/dashboard/realtime/{self._tenant}") as socket:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                update = orjson.loads(message.data)
                if "error" in update:
                    raise aiohttp.ClientPayloadError(update["error"]["status"])
                kind = next(name for name in ("changes", "heartbeat", "snapshot") if name in update)
                yield update["resume_cursor"], kind, round(time.time() * 1000)


async def client_of(
    transport: str, *, grpc_address: str, http_url: str, tenant: str, watchers: int, stack: AsyncExitStack
) -> Client:
    """Return the client of a transport; the stack closes it."""
    if transport == "grpc":
        made = GrpcClient(grpc_address, tenant, watchers)
        for channel in made.channels:
            stack.push_async_callback(channel.close)
        return made
    if transport in ("connect", "grpc-web"):
        browser = ConnectClient(
            http_url,
            protocol=ProtocolType.CONNECT if transport == "connect" else ProtocolType.GRPC_WEB,
            codec=google_protobuf_binary_codec(),
            send_compression=None,
        )
        return ConnectBrowser(await stack.enter_async_context(browser), tenant)
    connector = aiohttp.TCPConnector(limit=0)
    session = aiohttp.ClientSession(http_url, connector=connector, timeout=aiohttp.ClientTimeout(total=30))
    kind = WebSocketClient if transport == "websocket" else RestClient
    return kind(await stack.enter_async_context(session), tenant)


FAULTS = (grpc.aio.AioRpcError, ConnectError, aiohttp.ClientError, TimeoutError, OSError)


def name_of(error: Exception) -> str:
    """Return what to count an error as."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code().name
    if isinstance(error, ConnectError):
        return error.code.value.upper()
    if isinstance(error, aiohttp.ClientResponseError):
        return str(error.status)
    return type(error).__name__
