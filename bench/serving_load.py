"""Load on a running serving process: live watchers and questions at a rate, over one transport; prints one JSON object.

    python -m bench.serving_load --grpc 127.0.0.1:19095 --http http://127.0.0.1:19096 --tenant tenant-01 \\
        --transport grpc --watchers 1000 --queries-per-second 500 --seconds 60

Questions are sent at their times whatever came of those before (an open loop), so that a slow answer shows as latency
and not as a lower rate; what could not be sent because too many were waiting is counted. Latency is counted from the
time at which a question was due. `update_age_ms` is the receive time of a change minus the end of the newest window in
it, which holds the pipeline's own delay; `fan_out_ms` is how long after the first watcher the last one got the
same message.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import sys
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import grpc
from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from google.protobuf import message_factory

import serving  # noqa: F401 - puts the generated messages on the import path

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from google.protobuf.descriptor import MethodDescriptor

TRANSPORTS = ("grpc", "connect", "rest", "sse")
PERCENTILES = (50, 90, 99, 99.9)
# Questions that may wait for an answer at the same time; a server that is so far behind is overloaded.
MOST_WAITING = 5_000
# Watchers that connect at the same time, so that the start is not a storm.
CONNECTING = 50
# A gRPC channel carries about a hundred streams well; browsers have a connection each.
STREAMS_PER_CHANNEL = 100
# The dashboards ask for what is current most, for sums and series less.
MIX = ("current", "current", "current", "sums", "series", "breakdown", "key_figures", "attribution")


@dataclass(slots=True)
class Figures:
    """What was seen."""

    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    not_sent: int = 0
    updates: int = 0
    heartbeats: int = 0
    reconnects: int = 0
    update_ages: list[float] = field(default_factory=list)
    stopping: bool = False
    first_seen: dict[str, float] = field(default_factory=dict)
    last_seen: dict[str, float] = field(default_factory=dict)

    def saw(self, cursor: str, kind: str, window_end_ms: int) -> None:
        """Note a message of a watcher."""
        now = time.time()
        if kind != "changes":
            self.heartbeats += kind == "heartbeat"
            return
        self.updates += 1
        self.update_ages.append(now - window_end_ms / 1000)
        self.first_seen.setdefault(cursor, now)
        self.last_seen[cursor] = now


class Client(Protocol):
    """One transport."""

    async def ask(self, question: str) -> None:
        """Ask one of MIX and wait for its answer; raises what the transport raises."""

    def watch(self) -> AsyncGenerator[tuple[str, str, int], None]:
        """Yield (cursor, kind of update, end of the newest window in ms) of a live stream."""


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
    from serving.transports.query_parameters import read_request

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
    """Connect in binary, as a browser's client speaks it."""

    def __init__(self, client: ConnectClient, tenant: str) -> None:
        """Keep the client."""
        self._client = client
        self._tenant = tenant
        self._requests = {question: request_of(question, tenant) for question in PARAMETERS}

    def _info(self, method: MethodDescriptor) -> MethodInfo[Any, Any]:
        return MethodInfo(
            name=method.name,
            service_name=method.containing_service.full_name,
            input=message_factory.GetMessageClass(method.input_type),
            output=message_factory.GetMessageClass(method.output_type),
            idempotency_level=IdempotencyLevel.UNKNOWN,
            stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
        )

    async def ask(self, question: str) -> None:
        """Ask once."""
        request = self._requests[question]
        await self._client.execute_unary(request=request, method=self._info(methods()[question]), timeout_ms=30_000)

    async def watch(self) -> AsyncGenerator[tuple[str, str, int], None]:
        """Watch."""
        request = request_of("watch", self._tenant)
        stream: Any = self._client.execute_server_stream(request=request, method=self._info(methods()["watch"]))
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


async def client_of(chosen: argparse.Namespace, stack: AsyncExitStack) -> Client:
    """Return the client of the chosen transport."""
    if chosen.transport == "grpc":
        made = GrpcClient(chosen.grpc, chosen.tenant, chosen.watchers)
        for channel in made.channels:
            stack.push_async_callback(channel.close)
        return made
    if chosen.transport == "connect":
        codec = google_protobuf_binary_codec()
        return ConnectBrowser(
            await stack.enter_async_context(ConnectClient(chosen.http, codec=codec, send_compression=None)),
            chosen.tenant,
        )
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=30)
    session = aiohttp.ClientSession(chosen.http, connector=connector, timeout=timeout)
    return RestClient(await stack.enter_async_context(session), chosen.tenant)


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


async def watch(client: Client, figures: Figures, gate: asyncio.Semaphore) -> None:
    """Watch until cancelled; connect anew when the stream ends. A library may tell of a cancellation as an error."""
    while not figures.stopping:
        try:
            async with gate:
                stream = client.watch()
                first = await anext(stream)
            figures.saw(*first)
            async with aclosing(stream):
                async for message in stream:
                    figures.saw(*message)
        except FAULTS as error:
            if figures.stopping:
                return
            figures.errors[f"watch {name_of(error)}"] += 1
        except StopAsyncIteration:
            figures.errors["watch ended"] += 1
        figures.reconnects += 1
        await asyncio.sleep(1)


async def ask(client: Client, question: str, due: float, figures: Figures) -> None:
    """Ask once and note how long after it was due the answer came."""
    try:
        await client.ask(question)
    except FAULTS as error:
        figures.errors[f"{question} {name_of(error)}"] += 1
    else:
        figures.latencies[question].append(time.monotonic() - due)


async def questions(client: Client, figures: Figures, rate: float, seconds: float) -> None:
    """Ask at a rate, for some seconds, then wait for the answers that are missing."""
    waiting: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for number in range(round(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if len(waiting) >= MOST_WAITING:
            figures.not_sent += 1
            continue
        task = asyncio.create_task(ask(client, MIX[number % len(MIX)], due, figures))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    if waiting:
        await asyncio.wait(waiting)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return percentiles in ms by the nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        f"p{share:g}": round(1000 * ordered[min(len(ordered) - 1, math.ceil(share / 100 * len(ordered)) - 1)], 1)
        for share in PERCENTILES
    } | {"max": round(1000 * ordered[-1], 1)}


def report(chosen: argparse.Namespace, figures: Figures, watching_seconds: float) -> dict[str, Any]:
    """Return what is printed."""
    everything = [value for values in figures.latencies.values() for value in values]
    spread = [figures.last_seen[cursor] - seen for cursor, seen in figures.first_seen.items()]
    return {
        "transport": chosen.transport,
        "watchers": chosen.watchers,
        "queries_per_second": chosen.queries_per_second,
        "seconds": chosen.seconds,
        "answered": len(everything),
        "answered_per_second": round(len(everything) / chosen.seconds, 1),
        "not_sent": figures.not_sent,
        "errors": dict(figures.errors),
        "latency_ms": percentiles(everything),
        "latency_ms_by_question": {name: percentiles(values) for name, values in sorted(figures.latencies.items())},
        "updates": figures.updates,
        "updates_per_watcher_and_second": round(figures.updates / max(1, chosen.watchers) / watching_seconds, 2),
        "heartbeats": figures.heartbeats,
        "reconnects": figures.reconnects,
        "update_age_ms": {} if chosen.transport in ("rest", "sse") else percentiles(figures.update_ages),
        "fan_out_ms": percentiles(spread),
    }


async def load(chosen: argparse.Namespace) -> dict[str, Any]:
    """Put the load on and return the report."""
    figures, gate = Figures(), asyncio.Semaphore(CONNECTING)
    async with AsyncExitStack() as stack:
        client = await client_of(chosen, stack)
        began = time.monotonic()
        watching = [asyncio.create_task(watch(client, figures, gate)) for _ in range(chosen.watchers)]
        if chosen.queries_per_second:
            await questions(client, figures, chosen.queries_per_second, chosen.seconds)
        else:
            await asyncio.sleep(chosen.seconds)
        lasted = time.monotonic() - began
        figures.stopping = True
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return report(chosen, figures, lasted)


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python -m bench.serving_load", description=__doc__, allow_abbrev=False)
    made.add_argument("--grpc", default="127.0.0.1:50051", help="host:port (default: %(default)s)")
    made.add_argument("--http", default="http://127.0.0.1:8080", help="base URL (default: %(default)s)")
    made.add_argument("--tenant", required=True, help="whose figures")
    made.add_argument("--transport", choices=TRANSPORTS, default="grpc", help="sse: as rest (default: %(default)s)")
    made.add_argument("--watchers", type=int, default=0, help="live streams (default: %(default)s)")
    made.add_argument("--queries-per-second", type=float, default=0.0, help="questions (default: %(default)s)")
    made.add_argument("--seconds", type=float, default=30.0, help="how long (default: %(default)s)")
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 when every question was answered and no watcher lost its stream."""
    chosen = parser().parse_args(arguments)
    if chosen.watchers < 0 or chosen.queries_per_second < 0 or chosen.seconds <= 0:
        parser().error("--watchers and --queries-per-second must not be negative, --seconds must be above 0")
    found = asyncio.run(load(chosen))
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if found["errors"] or found["not_sent"] else 0


if __name__ == "__main__":
    sys.exit(main())
