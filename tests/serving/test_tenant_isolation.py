"""No call of one tenant can reach another's figures: every method of every service, every path and every stream is
tried, over every transport, and what is not tried fails."""

from __future__ import annotations

import json
import time

import aiohttp
import grpc
import orjson
import pytest
import pytest_asyncio
from connectrpc.errors import ConnectError
from google.protobuf import message_factory
from google.protobuf.json_format import MessageToDict
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from starlette.routing import Mount, Route, WebSocketRoute
from tributary.v1 import (
    alerts_pb2,
    attribution_pb2,
    campaign_metrics_pb2,
    dashboards_pb2,
    journeys_pb2,
    live_answers_pb2,
    quality_pb2,
)

from connectors.redis.cache import Cache, campaign_key
from serving.access.tenancy import METADATA_KEY
from serving.live.hub import Topic
from serving.relational import dashboards
from serving.relational.dashboards import StoredDashboard, Viewer
from serving.transports.charts import BODILESS, CHARTS, DASHBOARD_PATHS, LIVE
from tests.serving.browser_clients import answer, browser_client, connect_details, http_url, updates
from tests.serving.pipeline_model import CampaignEvent
from tests.serving.running_server import details, next_message, options, refusal, running
from tests.serving.signals import alert_record, attribution_signal, window_signal
from tests.serving.stored_rows import (
    insert_alerts,
    insert_anomalies,
    insert_campaigns,
    insert_counts,
    insert_credits,
    insert_events,
    insert_journey_events,
    insert_journeys,
    insert_late,
    insert_rollups,
    insert_windows,
)

pytestmark = pytest.mark.asyncio

# In every name of the other tenant's rows.
MARK = "forbidden"
FILES = (
    campaign_metrics_pb2, attribution_pb2, journeys_pb2, alerts_pb2, quality_pb2, dashboards_pb2, live_answers_pb2,
)  # fmt: skip
METHODS = [
    method for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
]
UNARY = [method for method in METHODS if not method.server_streaming]
STREAMS = [method for method in METHODS if method.server_streaming]
ROOT = "/api/v1/dashboard"
# Paths that tests of this file try, and those that show no tenant's figures to anybody.
TRIED_PATHS = {f"{ROOT}/metrics", f"{ROOT}/charts/{{chart_id}}", f"{ROOT}/filters", f"{ROOT}/realtime/{{tenant_id}}"}
TRIED_PATHS |= {path for _, path in DASHBOARD_PATHS}
PATHS_WITHOUT_TENANTS = {
    "/metrics", "/healthz", "/readyz", "/api/openapi.json", "/api/{rest:path}", "/tributary.{rest:path}", "",
}  # fmt: skip
# Their answers to the other tenant hold numbers and times, no names.
NUMBERS_ONLY = {"GetFreshness", "GetFunnel", "GetQuality", "ListKeyFigures"}
NUMBERS_ONLY |= {"WatchFreshness", "WatchFunnel", "WatchQuality"}
# Their changes are read from the stores; those of the others are the signals themselves.
READ_ANEW = {method.name for method in live_answers_pb2.DESCRIPTOR.services_by_name["LiveAnswerService"].methods}
# Ask for one thing by its id: another tenant's is not found.
BY_ID = {"ExplainConversion", "GetJourney", "ListCreditRevisions", "GetEventTrace", "GetDashboard", "UpdateDashboard"}
BY_ID |= {"DeleteDashboard", "ListDashboardVersions", "RestoreDashboard", "ShareDashboard", "DuplicateDashboard"}
# Says nothing when it is done.
SILENT = {"DeleteDashboard"}


def by_name(method):
    return method.name


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address, tmp_path):
    relational_url = f"sqlite:///{tmp_path}/relational.sqlite"
    chosen = options(clickhouse_process.port, redis_process.port, heartbeat_ms=300, relational_url=relational_url)
    async with running(chosen) as started:
        yield started


def request_of(method, tenant):
    """A request that asks for as much as the method can give."""
    request = message_factory.GetMessageClass(method.input_type)(tenant_id=tenant)
    fields = method.input_type.fields_by_name
    if "range" in fields:
        request.range.last.FromSeconds(24 * 3600)
    if "grain" in fields:
        request.grain = campaign_metrics_pb2.GRAIN_MINUTE
    if "cadence" in fields:
        request.cadence = campaign_metrics_pb2.CADENCE_DAILY
    if "model" in fields:
        request.model = "linear"
    named = {"conversion_id": "v", "customer_id": "u", "journey_id": "j", "dashboard_id": "d", "event_id": "e"}
    values = {name: f"{mark}-{MARK}" for name, mark in named.items()}
    values |= {"title": f"Figures of {tenant}", "expected_version": 1, "version": 1}
    for name in values.keys() & fields.keys():
        setattr(request, name, values[name])
    for name in ("group_by", "dimensions"):
        if name in fields:
            getattr(request, name).extend([1, 2])
    if "views" in fields:
        request.views.add(model="linear")
        request.views.add(model="linear").lookback.FromSeconds(3600)
    return request


def call(server, method, request, **kwargs):
    path = f"/{method.containing_service.full_name}/{method.name}"
    kind = server.channel.unary_stream if method.server_streaming else server.channel.unary_unary
    response = message_factory.GetMessageClass(method.output_type)
    return kind(path, type(request).SerializeToString, response.FromString)(request, **kwargs)


def fill(tenant, history_address, redis_process, name):
    """Rows in every table, an entry in Redis; every name holds `name`."""
    now = int(time.time() * 1000)
    end = now // 1000 * 1000
    key = (tenant, f"c-{name}", "email", "EUR")
    insert_windows(history_address, [(*key, end - 5000, end, 1, 1, 1, 1, 1, 1)])
    insert_rollups(
        history_address, [(*key, grain, now // 60_000 * 60_000 - 60_000, 1, 1, 1, 1, 1, 1) for grain in ("minute",)]
    )
    insert_events(history_address, [CampaignEvent(f"e-{name}", key, now, (1, 1, 1, 1, 1, 1))])
    insert_campaigns(history_address, [(tenant, f"c-{name}", name, "email", "EUR", 1, now)])
    insert_anomalies(history_address, [(*key, f"clicks-{name}", end, 1.0, 2.0, 3.0)])
    credit = {
        "tenant_id": tenant,
        "conversion_id": f"v-{name}",
        "model": "linear",
        "conversion_type": f"type-{name}",
        "customer_id": f"u-{name}",
        "journey_id": f"j-{name}",
        "currency": "EUR",
        "conversion_time": now - 60_000,
        "gross": 5,
        "touches": [(f"t-{name}", f"channel-{name}", f"c-{name}", now - 70_000, 1.0, 5)],
    }
    insert_credits(history_address, [credit])
    journey = {name: credit[name] for name in ("tenant_id", "customer_id", "journey_id", "currency")}
    figures = {"touchpoints": 1, "conversions": 1, "value_micros": 5, "revision": 1}
    times = {"started_at": now - 70_000, "last_event_at": now - 60_000}
    insert_journeys(history_address, [journey | figures | times | {"stage": "purchase"}])
    touched = {"event_id": f"t-{name}", "event_type": "touchpoint_interaction", "event_time": now - 70_000}
    started = {"event_id": f"s-{name}", "event_type": "journey_start", "event_time": now - 70_000}
    insert_journey_events(
        history_address,
        [
            journey | touched | {"payload": {"touchpoint": {"source": name}}},
            journey | started | {"payload": {"context": {"location": name}}},
        ],
    )
    insert_alerts(
        history_address, [alert_record(tenant, f"a-{name}", updated_ms=now, campaign=f"c-{name}") | {"message": name}]
    )
    insert_counts(
        history_address,
        [
            (tenant, now // 10_000 * 10_000, "quarantined", f"reason_{name}", 7),
            (tenant, now // 10_000 * 10_000, "valid", "", 9),
        ],
    )
    insert_late(history_address, [(tenant, now, f"e-{name}", now - 1000)])
    signal = window_signal(tenant, f"c-{name}", end)
    Cache(f"redis://127.0.0.1:{redis_process.port}/0").put_campaign_fields(
        [(campaign_key(tenant, f"c-{name}"), "email|EUR", end, orjson.dumps(signal).decode())]
    )


def keep_dashboard(server, tenant):
    """A dashboard of the demo user, who is the one that all calls of these tests are made by, at one tenant."""
    made = StoredDashboard(f"d-{MARK}", tenant, "demo", f"{MARK} figures", 1, 0, 1, 1)
    present = kept_dashboard(server, tenant)
    with server.process.access.database.transaction() as connection:
        if present:
            dashboards.remove(connection, tenant, made.dashboard_id, present.version)
        dashboards.add(connection, made, '{"widgets": []}')
        dashboards.share(connection, made.dashboard_id, ["admin"])


def kept_dashboard(server, tenant):
    with server.process.access.database.transaction() as connection:
        return dashboards.find(connection, Viewer(tenant, "demo", frozenset(), manages=True), f"d-{MARK}")


async def first_messages(server, method, request):
    """All of a unary answer; of a stream what comes until it is quiet."""
    if not method.server_streaming:
        return [await call(server, method, request)]
    stream = call(server, method, request)
    return [await next_message(stream, "snapshot"), await next_message(stream)]


def assert_empty(method, response, update="snapshot"):
    """An answer that could hold numbers of another tenant holds none."""
    if method.name in READ_ANEW:
        response = getattr(response, update)
    if method.name == "GetCounts":
        assert (response.received, response.late) == (0, 0)
    elif method.name in {"GetFreshness", "WatchFreshness"}:
        assert all(not stage.HasField("newest") for stage in response.stages)
    elif method.name in {"GetFunnel", "WatchFunnel"}:
        assert all(stage.reached == 0 for stage in response.stages)
    elif method.name in {"GetQuality", "WatchQuality"}:
        assert (response.received, response.conversions, len(response.unattributed_values)) == (0, 0, 0)
    elif method.name == "ListKeyFigures":
        assert not response.figures


@pytest.mark.parametrize("method", METHODS, ids=by_name)
async def test_answers_hold_nothing_of_another_tenant(server, tenant, history_address, redis_process, method):
    other = f"{tenant}-{MARK}"
    fill(other, history_address, redis_process, MARK)
    keep_dashboard(server, other)
    before = kept_dashboard(server, other)
    if method.name in BY_ID:
        error = await refusal(call(server, method, request_of(method, tenant)))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert MARK not in repr(error)
        assert kept_dashboard(server, other) == before
    # The other tenant's own answer shows that there is something to leak.
    shown = await first_messages(server, method, request_of(method, other))
    if method.name in SILENT:
        assert kept_dashboard(server, other) is None
    elif method.name in NUMBERS_ONLY:
        with pytest.raises(AssertionError):
            assert_empty(method, shown[0])
    else:
        assert MARK in repr(shown[0])
    if method.name in BY_ID:
        return
    answers = await first_messages(server, method, request_of(method, tenant))
    assert MARK not in repr(answers)
    assert_empty(method, answers[0])
    # A page token or cursor of the other tenant's answer leads nowhere.
    asked = request_of(method, other)
    if "page_size" in method.input_type.fields_by_name:
        asked.page_size = 1
    stolen = (await first_messages(server, method, asked))[0]
    for token, field in (("next_page_token", "page_token"), ("resume_cursor", "resume_cursor")):
        if getattr(stolen, token, ""):
            mine = request_of(method, tenant)
            setattr(mine, field, getattr(stolen, token))
            error = await refusal(call(server, method, mine))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert list(details(error)[1]) == [field]


@pytest.mark.parametrize("method", METHODS, ids=by_name)
async def test_the_callers_tenant_must_be_the_one_asked_for(server, tenant, method):
    error = await refusal(call(server, method, request_of(method, tenant), metadata=((METADATA_KEY, "somebody-else"),)))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert details(error)[0] == "TENANT_MISMATCH"
    error = await refusal(call(server, method, request_of(method, "")))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert list(details(error)[1]) == ["tenant_id"]
    error = await refusal(call(server, method, request_of(method, "*")))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("protocol", ["connect", "grpc-web"])
async def test_browsers_are_held_to_their_tenant_in_every_method(server, tenant, protocol):
    headers = {METADATA_KEY: "somebody-else"}
    async with browser_client(server, protocol) as client:
        for method in METHODS:
            request = request_of(method, tenant)
            if method.server_streaming:
                called = anext(updates(client, method, request, headers=headers))
            else:
                called = answer(client, method, request, headers=headers)
            with pytest.raises(ConnectError) as caught:
                await called
            assert connect_details(caught.value)[0] == "TENANT_MISMATCH", method.full_name


PARAMETERS = {
    "metrics": {"group_by": "campaign,channel"},
    "time-series": {"grain": "minute", "group_by": "campaign"},
    "breakdown": {"dimensions": "campaign"},
    "key-figures": {"cadence": "daily"},
    "attribution": {"model": "linear", "group_by": "campaign"},
    "attribution-comparison": {"view": "linear,linear:1h", "group_by": "campaign"},
    "conversion": {"conversion_id": f"v-{MARK}"},
    "credit-revisions": {"conversion_id": f"v-{MARK}"},
    "event-trace": {"event_id": f"e-{MARK}"},
    "journey": {"customer_id": f"u-{MARK}", "journey_id": f"j-{MARK}"},
}


async def test_paths_hold_nothing_of_another_tenant(server, tenant, history_address, redis_process):
    other = f"{tenant}-{MARK}"
    fill(other, history_address, redis_process, MARK)
    async with aiohttp.ClientSession(http_url(server)) as session:

        async def get(path, of, accept="application/json", **parameters):
            headers = {"accept": accept, METADATA_KEY: parameters.pop("caller", of)}
            async with session.get(path, params=parameters, headers=headers) as response:
                return response.status, await response.text()

        for chart, method in CHARTS.items():
            paths = [f"{ROOT}/charts/{chart}", *([f"{ROOT}/metrics"] if chart == "metrics" else [])]
            asked = PARAMETERS.get(chart, {})
            if "range" in method.input_type.fields_by_name:
                asked = asked | {"last": "1d"}
            for path in paths:
                for accept in ("application/json", "text/csv"):
                    status, text = await get(path, other, accept, tenant_id=other, **asked)
                    assert status == 200, (chart, text)
                    # The names in a revision are in its touches, of which CSV gives the number; of an event's way it
                    # gives the steps.
                    named = chart not in {"credit-revisions", "event-trace"} or accept != "text/csv"
                    numbers = method.name in NUMBERS_ONLY or not named
                    assert (MARK in text) == (not numbers), chart
                    status, text = await get(path, tenant, accept, tenant_id=tenant, **asked)
                    assert status == (404 if method.name in BY_ID else 200), (chart, text)
                    assert MARK not in text, chart
                status, text = await get(path, tenant, tenant_id=other, **asked)
                assert (status, MARK in text) == (403, False), chart
        for of, caller, wanted in ((other, other, 200), (tenant, tenant, 200), (other, tenant, 403)):
            status, text = await get(f"{ROOT}/realtime/{of}", of, caller=caller)
            assert (status, MARK in text) == (wanted, of == caller == other)
            body = {"tenant_id": of, "range": {"last": "86400s"}}
            async with session.post(f"{ROOT}/filters", json=body, headers={METADATA_KEY: caller}) as response:
                assert (response.status, MARK in await response.text()) == (wanted, of == caller == other)


async def test_dashboard_paths_hold_nothing_of_another_tenant(server, tenant):
    other = f"{tenant}-{MARK}"
    async with aiohttp.ClientSession(http_url(server)) as session:
        for (verb, path), method in DASHBOARD_PATHS.items():
            keep_dashboard(server, other)
            before = kept_dashboard(server, other)
            for of, caller in ((other, tenant), (tenant, tenant), (other, other)):
                asked = MessageToDict(request_of(method, of), preserving_proto_field_name=True)
                there = path.format(dashboard_id=asked.pop("dashboard_id", ""))
                sent = {"params": asked} if verb in BODILESS else {"json": asked}
                async with session.request(verb, there, **sent, headers={METADATA_KEY: caller}) as response:
                    text = await response.text()
                if of == caller == other:
                    assert response.status == 200, (method.name, text)
                    assert (MARK in text) == (method.name not in SILENT), method.name
                    continue
                wanted = 403 if of != caller else 404 if method.name in BY_ID else 200
                assert (response.status, MARK in text) == (wanted, False), (method.name, text)
                assert kept_dashboard(server, other) == before, method.name


@pytest.mark.parametrize("stream", LIVE)
async def test_live_paths_hold_nothing_of_another_tenant(server, tenant, history_address, redis_process, stream):
    other = f"{tenant}-{MARK}"
    fill(other, history_address, redis_process, MARK)
    accept = {"accept": "text/event-stream"}
    fields = LIVE[stream].input_type.fields_by_name
    parameters = {"stream": stream}
    if LIVE[stream].name in READ_ANEW:
        parameters |= PARAMETERS.get("attribution" if stream == "attribution-summary" else stream, {})
    if "range" in fields:
        parameters["last"] = "1d"
    async with aiohttp.ClientSession(http_url(server)) as session:
        for of, leaks in ((other, LIVE[stream].name not in NUMBERS_ONLY), (tenant, False)):
            path = f"{ROOT}/realtime/{of}"
            async with session.get(path, params=parameters, headers=accept) as response:
                assert response.status == 200, await response.text()
                seen = b""
                while b"event: heartbeat" not in seen:
                    assert not response.content.at_eof(), seen
                    seen += await response.content.readany()
                assert (MARK.encode() in seen) == leaks
            async with session.ws_connect(path, params=parameters) as socket:
                assert (MARK in json.dumps(await socket.receive_json(timeout=30))) == leaks
            caller = {METADATA_KEY: "somebody-else"}
            async with session.get(path, params=parameters, headers=accept | caller) as response:
                assert response.status == 403
            async with session.ws_connect(path, params=parameters, headers=caller) as socket:
                refused = await socket.receive_json(timeout=30)
                assert refused["error"]["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("method", STREAMS, ids=by_name)
async def test_live_changes_reach_their_own_tenant_only(server, tenant, history_address, redis_process, method):
    other = f"{tenant}-{MARK}"
    mine, theirs = (call(server, method, request_of(method, name)) for name in (tenant, other))
    for stream in (mine, theirs):
        await next_message(stream, "snapshot")
    if method.name in READ_ANEW:
        fill(other, history_address, redis_process, MARK)
    now = int(time.time()) * 1000
    server.feed.publish(window_signal(other, f"c-{MARK}", now), attribution_signal(other, f"v-{MARK}", now))
    server.feed.publish(alert_record(other, f"a-{MARK}", updated_ms=now), topic=Topic.ALERTS)
    change = await next_message(theirs, "changes")
    while method.name not in NUMBERS_ONLY and MARK not in repr(change):
        # What a stage stored first may come alone, and so does word of a store that was slow.
        change = await next_message(theirs, "changes")
    beats = 0
    while beats < 2:
        message = await next_message(mine)
        assert MARK not in repr(message)
        if message.WhichOneof("update") == "heartbeat":
            beats += 1
        else:
            # Only that a store was slow, or is not any more.
            assert method.name in READ_ANEW
            assert_empty(method, message, "changes")


async def test_every_method_path_and_stream_is_tried(server):
    """What the server offers, as it says itself, is what the tests of this file go through."""
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    listed = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    async for response in listed:
        offered = {service.name for service in response.list_services_response.service}
        break
    tried = {method.containing_service.full_name for method in METHODS}
    assert offered == tried | {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    dispatch = server.process.dispatch
    assert {*dispatch._unary, *dispatch._streaming} == {method.full_name for method in METHODS}
    # REST and the live paths offer every method of the contract, under names that the tests go through.
    rest = [*CHARTS.values(), *DASHBOARD_PATHS.values()]
    assert {method.full_name for method in rest} == {method.full_name for method in UNARY}
    assert {method.full_name for method in LIVE.values()} == {method.full_name for method in STREAMS}
    paths = set()
    for route in server.process.http.config.app.routes:
        assert isinstance(route, (Route, WebSocketRoute, Mount))
        # Signing in answers about the caller's own session; tests/serving/access go through it.
        service = isinstance(route, Mount) and route.path.removeprefix("/") in tried
        if not service and not route.path.startswith("/auth/"):
            paths.add(route.path)
    assert paths == TRIED_PATHS | PATHS_WITHOUT_TENANTS


async def test_paths_without_tenants_show_none(server, tenant, history_address, redis_process):
    other = f"{tenant}-{MARK}"
    fill(other, history_address, redis_process, MARK)
    server.feed.publish(attribution_signal(other, f"v-{MARK}", int(time.time()) * 1000))
    for method in UNARY:
        if method.name not in BY_ID:
            await call(server, method, request_of(method, other))
    async with aiohttp.ClientSession(http_url(server)) as session:
        # `/metrics` is for operators and shows every tenant.
        for path in ("/healthz", "/readyz", "/api/openapi.json", "/api/x", "/tributary.x", "/", "/index.html"):
            async with session.get(path) as response:
                assert MARK not in await response.text(), path
