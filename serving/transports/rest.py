"""The dashboard's paths over REST: the same answers as JSON or CSV, with ETags for those who poll."""

from __future__ import annotations

import asyncio
import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import grpc
import orjson
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from tributary.v1 import campaign_metrics_pb2 as campaign_pb

from serving.errors import Reason, ServingError, invalid, to_status
from serving.handlers.questions import without
from serving.handlers.requests import now_ms
from serving.transports.charts import CHARTS, FILTER_OPTIONS, METRICS, POLLED
from serving.transports.encoded_once import EncodedOnce
from serving.transports.json_messages import json_of
from serving.transports.live_http import LiveHttp
from serving.transports.openapi import document
from serving.transports.query_parameters import read_request
from serving.transports.table_rows import csv_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from serving.transports.dispatch import Dispatch

ROOT = "/api/v1/dashboard"
# How google.rpc codes are told over HTTP (google/rpc/code.proto).
HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
# A figure of a range that ended so long ago changes only when late events come; browsers may keep it (SPEC E3: 5 min).
KEPT_BY_BROWSERS = "private, max-age=300"
SETTLED_MS = 15 * 60_000
FILTER_VALUES = 1_000


class Rest:
    """Handlers of the paths. `routes` lists them."""

    def __init__(self, dispatch: Dispatch, max_request_bytes: int) -> None:
        """Keep what answers are made by."""
        self._dispatch = dispatch
        self._max_request_bytes = max_request_bytes
        self._live = LiveHttp(dispatch)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of every path."""
        return [
            Route(f"{ROOT}/metrics", self.metrics),
            Route(f"{ROOT}/charts/{{chart_id}}", self.chart),
            Route(f"{ROOT}/filters", self.filters, methods=["POST"]),
            Route(f"{ROOT}/realtime/{{tenant_id}}", self.realtime),
            WebSocketRoute(f"{ROOT}/realtime/{{tenant_id}}", self._live.websocket),
            Route("/api/openapi.json", self.openapi),
        ]

    async def metrics(self, request: Request) -> Response:
        """Sums and KPIs of a range."""
        return await self._answer(request, METRICS, {})

    async def chart(self, request: Request) -> Response:
        """What the chart of the path shows."""
        method = CHARTS.get(request.path_params["chart_id"])
        if method is None:
            return refusal(not_found("chart_id", f"allowed: {', '.join(CHARTS)}"))
        return await self._answer(request, method, {})

    async def realtime(self, request: Request) -> Response:
        """A live stream as server-sent events, or, when none is asked for, what is current."""
        fixed = {"tenant_id": request.path_params["tenant_id"]}
        if "text/event-stream" not in request.headers.get("accept", ""):
            return await self._answer(request, POLLED, fixed)
        try:
            return await self._live.events(request, fixed)
        except ServingError as error:
            return refusal(error)

    async def filters(self, request: Request) -> Response:
        """Check a filter, and list the values that figures under it have."""
        try:
            asked = ParseDict(await read_body(request, self._max_request_bytes), campaign_pb.GetBreakdownRequest())
            asked.dimensions[:] = [campaign_pb.DIMENSION_CAMPAIGN, campaign_pb.DIMENSION_CHANNEL]
            asked.page_size = FILTER_VALUES
            answer = await self._call(request, FILTER_OPTIONS, asked)
        except (ParseError, RecursionError):
            return refusal(invalid("body", "must be a JSON object with the fields of GetBreakdownRequest"))
        except ServingError as error:
            return refusal(error)
        groups = [row.metrics for row in answer.rows]
        common = MessageToDict(answer, preserving_proto_field_name=True)
        return JSONResponse(
            {
                "filter": asked.filter,
                "campaign_ids": list(dict.fromkeys(group.campaign_id for group in groups)),
                "channels": sorted({group.channel for group in groups}),
                "currencies": sorted({group.currency for group in groups}),
                # More campaigns than are listed have figures.
                "more": bool(answer.next_page_token),
                "covered_range": common["covered_range"],
                "freshness": common["freshness"],
            }
        )

    async def openapi(self, _: Request) -> Response:
        """The description of all this."""
        return JSONResponse(document())

    async def _answer(self, request: Request, method: MethodDescriptor, fixed: Mapping[str, str]) -> Response:
        given = [(name, value) for name, value in request.query_params.multi_items() if name != "format"]
        try:
            wanted = _format(request)
            asked = read_request(method.input_type, given, fixed)
            answer = await self._call(request, method, asked, export=wanted == "csv")
        except ServingError as error:
            return refusal(error)
        tag = etag(answer, wanted)
        headers = {"etag": tag, "cache-control": _cache_control(asked), "vary": "Accept, Authorization, Cookie"}
        known = request.headers.get("if-none-match", "")
        if tag in (part.strip() for part in known.split(",")) and not answer.freshness.degraded:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if wanted == "csv":
            headers |= _csv_headers(answer)
            return Response(csv_text(answer), media_type="text/csv; charset=utf-8", headers=headers)
        return Response(json_of(answer), media_type="application/json", headers=headers)

    async def _call(self, request: Request, method: MethodDescriptor, asked: Any, *, export: bool = False) -> Any:
        headers = dict(request.headers.items())
        return await unless_disconnected(request, self._dispatch.answer(method, asked, headers, None, export=export))


async def read_body(request: Request, most_bytes: int) -> Any:
    """Return the JSON object that a request carries; raises ServingError."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                Reason.REQUEST_TOO_LARGE,
                f"a request must not be larger than {most_bytes} bytes",
            )
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise invalid("content-type", "must be application/json")
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise invalid("body", "is not JSON") from None
    if not isinstance(read, dict):
        raise invalid("body", "must be a JSON object")
    return read


async def unless_disconnected(request: Request, answer: Awaitable[Any]) -> Any:
    """Await an answer, and cancel it when the client goes away, so that its query is stopped.

    Raises:
        ServingError: what the answer raises, or that the client has gone.
    """
    answering = asyncio.ensure_future(answer)
    watching: asyncio.Future[None] | None = None

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    try:
        # What is at hand is answered in one turn of the event loop: no need to watch the connection for that.
        await asyncio.sleep(0)
        if not answering.done():
            # The body has been read, or there is none: what comes now is the end of the connection.
            watching = asyncio.ensure_future(gone())
            await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ServingError(grpc.StatusCode.CANCELLED, Reason.CLIENT_GONE, "the client has gone")
        return answering.result()
    finally:
        if watching is not None:
            watching.cancel()
        answering.cancel()


def not_found(field: str, problem: str) -> ServingError:
    """Return the error for a path that does not exist."""
    return ServingError(
        grpc.StatusCode.NOT_FOUND, Reason.INVALID_ARGUMENT, f"{field}: {problem}", violations=[(field, problem)]
    )


def refusal(error: ServingError) -> Response:
    """Return an error as AIP-193 has it in JSON."""
    status = HTTP_STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    details = [MessageToDict(detail) for detail in to_status(error).details]
    body = {"code": int(status), "status": error.code.name, "message": error.message, "details": details}
    headers = {}
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_seconds)))
    return JSONResponse({"error": body}, status_code=status, headers=headers)


def etag(answer: Message, wanted: str) -> str:
    """Return a weak ETag: the same as long as the figures are, whenever they were read."""
    return f'W/"{_figures_digest(answer)}-{wanted}"'


def _digest(answer: Message) -> str:
    same = without(answer, "covered_range", "covered_comparison_range", "next_page_token")
    same.freshness.ClearField("answered_at")  # type: ignore[attr-defined] # every answer has it
    same.freshness.ClearField("age")  # type: ignore[attr-defined] # as above
    return hashlib.blake2b(same.SerializeToString(deterministic=True), digest_size=12).hexdigest()


_figures_digest: EncodedOnce[str] = EncodedOnce(_digest)


def _format(request: Request) -> str:
    """Return json or csv, as the parameter `format` or else the header Accept asks for; raises ServingError."""
    wanted = request.query_params.get("format")
    if wanted is None:
        return "csv" if "text/csv" in request.headers.get("accept", "") else "json"
    if wanted not in {"json", "csv"}:
        raise invalid("format", "allowed: json, csv")
    return wanted


def _cache_control(asked: Any) -> str:
    fields = asked.DESCRIPTOR.fields_by_name
    if "range" not in fields or not asked.range.HasField("end_time"):
        return "private, no-cache"
    settled = asked.range.end_time.ToMilliseconds() < now_ms() - SETTLED_MS
    return KEPT_BY_BROWSERS if settled else "private, no-cache"


def _csv_headers(answer: Any) -> dict[str, str]:
    """Return what a CSV has no room for."""
    headers = {"content-disposition": 'attachment; filename="figures.csv"'}
    if answer.freshness.degraded:
        headers["x-degraded"] = answer.freshness.degraded_reason
    if answer.freshness.HasField("data_through"):
        headers["x-data-through"] = answer.freshness.data_through.ToJsonString()
    if getattr(answer, "next_page_token", ""):
        headers["x-next-page-token"] = answer.next_page_token
    return headers
