"""Whatever a client sends, over whatever transport, it gets an answer or a refusal that says what is wrong: never an
internal error, a hang, or a word about the inside."""

from __future__ import annotations

import contextlib
import json

import aiohttp
import grpc
import pytest
import pytest_asyncio
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToJson, SerializeToJsonError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.transports.charts import CHARTS, LIVE
from serving.transports.query_parameters import parameters_of
from tests.serving.browser_clients import http_url
from tests.serving.running_server import details, options, running

pytestmark = pytest.mark.asyncio

TENANT = "fuzzed"
METHODS = [*CHARTS.values(), *LIVE.values()]
FUZZED = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
# What a request may be refused with: it is wrong, it asks for what is not there, or for too much.
REFUSALS = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED}
INSIDE = ("Traceback", "DB::", "SELECT", "clickhouse", "redis", "Exception", "google.protobuf.", "/serving/")

HOSTILE = st.sampled_from(
    [
        *("", "'", '"', "\\", "\\'", "\0", "\n", "\t", "{x:String}", "%s", "' OR 1=1 --", "é", "\U0001f600", "a" * 300),
        *(
            "*",
            "(",
            "-1",
            "campaign",
            "=",
            "!=",
            "AND",
            "OR",
            "NOT",
            "campaign = c1",
            'channel = "email"',
            "clicks desc",
        ),
        *("linear", "EUR"),
    ]
)
PIECES = st.text(max_size=8) | HOSTILE
TEXT = PIECES | st.lists(PIECES, max_size=8).map(" ".join)
EXTREMES = {
    FieldDescriptor.TYPE_INT32: [0, 1, -1, 100, 2**31 - 1, -(2**31)],
    FieldDescriptor.TYPE_INT64: [0, 1, -1, 86_400, 1_780_000_000, 2**63 - 1, -(2**63), 253_402_300_800],
}


def value_of(field, depth):
    if field.message_type is not None:
        return messages(field.message_type, depth + 1)
    if field.enum_type is not None:
        return st.sampled_from([0, 1, 2, 3, 77, -5])
    if field.type == FieldDescriptor.TYPE_STRING:
        return st.just(TENANT) if field.name == "tenant_id" else TEXT
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    return st.sampled_from(EXTREMES[field.type])


@st.composite
def messages(draw, descriptor, depth=0):
    """A message of any content that its kind can hold."""
    made = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.name != "tenant_id" and draw(st.integers(0, 2)) == 0:
            continue
        if field.is_repeated:
            values = draw(st.lists(value_of(field, depth), max_size=3))
            getattr(made, field.name).extend(values)
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(draw(value_of(field, depth)))
        else:
            setattr(made, field.name, draw(value_of(field, depth)))
    return made


ASKED = st.sampled_from(METHODS).flatmap(lambda method: st.tuples(st.just(method), messages(method.input_type)))


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with (
        running(options(clickhouse_process.port, redis_process.port)) as started,
        aiohttp.ClientSession(http_url(started)) as started.session,
    ):
        yield started


def path_of(method):
    return f"/{method.containing_service.full_name}/{method.name}"


async def sent(server, method, data):
    """Send bytes over gRPC; check a refusal."""
    refused = None
    try:
        if method.server_streaming:
            stream = server.channel.unary_stream(path_of(method))(data)
            await stream.read()
            stream.cancel()
        else:
            await server.channel.unary_unary(path_of(method))(data)
    except grpc.aio.AioRpcError as error:
        refused = error
    if refused is not None:
        assert refused.code() in REFUSALS, (refused.code(), refused.details())
        assert not any(word in repr(refused.details()) for word in INSIDE)
        assert details(refused)[0]


async def check(response):
    """An HTTP response is an answer, or a refusal that says what is wrong."""
    text = await response.text(errors="replace")
    assert response.status in (200, 304, 400, 404, 429), (response.status, text)
    if response.status != 200:
        for word in INSIDE:
            assert word not in text, text


@FUZZED
@given(ASKED)
async def test_any_request_over_grpc(server, asked):
    method, request = asked
    await sent(server, method, request.SerializeToString())


@FUZZED
@given(st.sampled_from(METHODS), st.binary(max_size=200))
async def test_any_bytes_over_grpc(server, method, data):
    await sent(server, method, data)


@FUZZED
@given(ASKED)
async def test_any_request_over_connect(server, asked):
    method, request = asked
    if method.server_streaming:
        return
    data, kind = request.SerializeToString(), "application/proto"
    # A time that JSON cannot write is sent in binary.
    with contextlib.suppress(SerializeToJsonError, ValueError):
        data, kind = MessageToJson(request).encode(), "application/json"
    async with server.session.post(path_of(method), data=data, headers={"content-type": kind}) as response:
        await check(response)


KINDS = st.sampled_from(
    ["application/json", "application/proto", "application/connect+json", "application/connect+proto",
     "application/grpc-web+proto", "application/grpc-web", "text/plain", ""]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("tenantId"), inner, max_size=3),
    max_leaves=6,
)
BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())


@FUZZED
@given(st.sampled_from(METHODS), KINDS, BODIES)
async def test_any_body_over_http(server, method, kind, body):
    async with server.session.post(path_of(method), data=body, headers={"content-type": kind}) as response:
        text = await response.text(errors="replace")
        # What needs a trailer is told in the last frame of a stream, with status 200.
        assert response.status in (200, 400, 404, 415, 429), (response.status, text)
        for word in ("Traceback", "internal error", "DB::"):
            assert word not in text


@FUZZED
@given(st.sampled_from(sorted(CHARTS)).flatmap(
    lambda chart: st.tuples(
        st.just(chart),
        st.dictionaries(st.sampled_from(sorted(parameters_of(CHARTS[chart].input_type))) | PIECES, TEXT, max_size=5),
    )
), st.booleans())  # fmt: skip
async def test_any_parameters_over_rest(server, asked, csv):
    chart, parameters = asked
    parameters = {"last": "1h"} | parameters | {"tenant_id": TENANT, "format": "csv" if csv else "json"}
    if "range" not in CHARTS[chart].input_type.fields_by_name:
        parameters.pop("last")
    async with server.session.get(f"/api/v1/dashboard/charts/{chart}", params=parameters) as response:
        await check(response)


@FUZZED
@given(
    BODIES
    | JSON.map(lambda value: json.dumps({"tenant_id": TENANT, "range": {"last": "60s"}, "filter": value}).encode())
)
async def test_any_body_of_filters(server, body):
    headers = {"content-type": "application/json"}
    async with server.session.post("/api/v1/dashboard/filters", data=body, headers=headers) as response:
        await check(response)


@FUZZED
@given(PIECES, st.sampled_from([*LIVE, "x"]), TEXT)
async def test_any_cursor_of_events(server, tenant_id, stream, cursor):
    headers = {"accept": "text/event-stream"}
    path = f"/api/v1/dashboard/realtime/{TENANT}"
    async with server.session.get(
        path, params={"stream": stream, "resume_cursor": cursor}, headers=headers
    ) as response:
        if response.status == 200:
            assert (await response.content.readline()).startswith(b"retry:")
        else:
            await check(response)
