"""The dashboard's paths: JSON, CSV, ETags, refusals, live events and WebSocket, over the same handlers as gRPC."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from google.protobuf.json_format import ParseDict
from tributary.v1 import campaign_metrics_pb2 as pb

from serving.transports.charts import CHARTS
from tests.serving.browser_clients import http_url
from tests.serving.faulty_store import FaultyStore, Mood
from tests.serving.pipeline_model import CampaignEvent
from tests.serving.running_server import options, running
from tests.serving.signals import window_signal
from tests.serving.stored_rows import insert_campaigns, insert_events

pytestmark = pytest.mark.asyncio

ROOT = "/api/v1/dashboard"


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with (
        running(options(clickhouse_process.port, redis_process.port, heartbeat_ms=500)) as started,
        aiohttp.ClientSession(http_url(started)) as started.session,
    ):
        yield started


@pytest.fixture
def stored(tenant, history_address):
    now = int(time.time() * 1000)
    events = [
        CampaignEvent(f"e{n}", (tenant, f"c{n}", "email", "EUR"), now - 1000, (100, 10 * n, n, 10**12 + n, 7, 1))
        for n in range(3)
    ]
    insert_events(history_address, events)
    return events


async def get(server, path, status=200, headers=None, **parameters):
    """(parsed body, headers) of a GET that must have the status."""
    async with server.session.get(ROOT + path, params=parameters, headers=headers) as response:
        text = await response.text()
        assert response.status == status, text
        assert response.headers["x-content-type-options"] == "nosniff"
        is_json = response.content_type == "application/json"
        return (json.loads(text) if is_json else text), response.headers


async def test_metrics_are_the_answer_of_grpc(server, tenant, stored):
    got, _ = await get(server, "/metrics", tenant_id=tenant, last="10m", group_by="campaign")
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant, group_by=[pb.DIMENSION_CAMPAIGN])
    request.range.last.FromSeconds(600)
    wanted = await server.campaigns.GetCampaignMetrics(request)
    read = ParseDict(got, pb.GetCampaignMetricsResponse())
    assert len(read.metrics) == 3
    assert read.metrics == wanted.metrics
    # The contract's names; integers of 64 bits as text; ratios over zero absent.
    assert got["metrics"][0]["sums"]["cost_micros"] == str(10**12)
    assert "cpa_micros" not in got["metrics"][0]["kpis"]
    same, _ = await get(server, "/charts/metrics", tenant_id=tenant, last="10m", group_by="campaign")
    assert same["metrics"] == got["metrics"]


async def test_parameters(server, tenant, stored):
    chosen = {"tenant_id": tenant, "last": "10m", "dimensions": "campaign,channel", "order_by": "clicks desc"}
    got, _ = await get(server, "/charts/breakdown", **chosen, campaign="c1,c2", channel="email")
    assert [row["metrics"]["campaign_id"] for row in got["rows"]] == ["c2", "c1"]
    assert got["rows"][0]["share"] == pytest.approx(2 / 3)
    chosen |= {"filter": 'campaign = "c1" OR campaign = "c0"', "page_size": "1"}
    got, _ = await get(server, "/charts/breakdown", **chosen)
    assert [row["metrics"]["campaign_id"] for row in got["rows"]] == ["c1"]
    got, _ = await get(server, "/charts/breakdown", **chosen, page_token=got["next_page_token"])
    assert [row["metrics"]["campaign_id"] for row in got["rows"]] == ["c0"]
    got, _ = await get(
        server, "/charts/attribution-comparison", tenant_id=tenant, last="1d", view="linear,time_decay:7d,last_touch"
    )
    assert got["covered_range"]
    start = "2026-01-05T00:00:00Z"
    got, _ = await get(
        server, "/charts/time-series", tenant_id=tenant, start=start, end="2026-01-06T00:00:00Z", grain="day",
        comparison="week_earlier",
    )  # fmt: skip
    assert got["covered_comparison_range"]["start_time"] == "2025-12-29T00:00:00Z"


async def test_csv(server, tenant, stored, history_address):
    text, headers = await get(
        server, "/charts/breakdown", tenant_id=tenant, last="10m", dimensions="campaign", format="csv", page_size="2"
    )
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert headers["x-next-page-token"]
    assert headers["x-data-through"]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["metrics.campaign_id"] for row in rows] == ["c2", "c1"]
    assert rows[0]["metrics.sums.cost_micros"] == str(10**12 + 2)
    assert rows[0]["metrics.kpis.ctr"] == "0.2"
    assert rows[0]["metrics.compared.sums.clicks"] == ""
    text, _ = await get(server, "/charts/counts", tenant_id=tenant, last="10m", headers={"accept": "text/csv"})
    assert text.splitlines()[0].startswith("reason")
    evil = '=HYPERLINK("http://x")'
    insert_campaigns(history_address, [(tenant, "c1", evil, "email", "EUR", -5, int(time.time() * 1000))])
    text, _ = await get(server, "/charts/campaigns", tenant_id=tenant, format="csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"] == f"'{evil}"
    assert row["budget_micros"] == "-5"


async def test_etag(server, tenant, stored, history_address):
    asked = {"tenant_id": tenant, "last": "10m", "group_by": "campaign"}
    _, headers = await get(server, "/metrics", **asked)
    tag = headers["etag"]
    assert headers["cache-control"] == "private, no-cache"
    text, headers = await get(server, "/metrics", 304, {"if-none-match": f'"other", {tag}'}, **asked)
    assert text == ""
    assert headers["etag"] == tag
    _, headers = await get(server, "/metrics", headers={"if-none-match": tag}, **asked, format="csv")
    assert headers["etag"] != tag
    event = CampaignEvent("e9", (tenant, "c9", "email", "EUR"), int(time.time() * 1000) - 500, (1, 1, 1, 1, 1, 1))
    insert_events(history_address, [event])

    async def changed():
        async with server.session.get(f"{ROOT}/metrics", params=asked, headers={"if-none-match": tag}) as response:
            return response.status == 200

    async with asyncio.timeout(30):
        while not await changed():
            await asyncio.sleep(0.1)
    old = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z"}
    _, headers = await get(server, "/metrics", tenant_id=tenant, **old)
    assert headers["cache-control"] == "private, max-age=300"


@pytest.mark.parametrize(
    ("path", "parameters", "status", "field"),
    [
        ("/metrics", {}, 400, "tenant_id"),
        ("/metrics", {"tenant_id": "a b", "last": "1h"}, 400, "tenant_id"),
        ("/metrics", {"last": "soon"}, 400, "last"),
        ("/metrics", {"last": "1h", "start": "2026-01-05T00:00:00Z"}, 400, "range"),
        ("/metrics", {"start": "yesterday"}, 400, "start"),
        ("/metrics", {"last": "1h", "group_by": "moon"}, 400, "group_by"),
        ("/metrics", {"last": "1h", "page_size": "many"}, 400, "page_size"),
        ("/metrics", {"last": "1h", "page_size": "99999999999"}, 400, "page_size"),
        ("/metrics", {"last": "1h", "filter": "tenant_id = x"}, 400, "filter"),
        ("/metrics", {"last": "1h", "format": "xml"}, 400, "format"),
        ("/metrics", {"last": "1h", "sql": "x"}, 400, "sql"),
        ("/charts/nothing", {}, 404, "chart_id"),
        ("/charts/attribution-comparison", {"last": "1h", "view": "linear:x,linear"}, 400, "view"),
        ("/charts/conversion", {"conversion_id": "nope"}, 404, None),
        ("/realtime/a%20b", {}, 400, "tenant_id"),
        ("/realtime/t-1", {"tenant_id": "t-2"}, 400, "tenant_id"),
    ],
)
async def test_refusals(server, tenant, path, parameters, status, field):
    if "tenant_id" not in parameters and parameters and "realtime" not in path:
        parameters = {"tenant_id": tenant} | parameters
    body, _ = await get(server, path, status, **parameters)
    error = body["error"]
    assert error["code"] == status
    assert error["details"][0]["domain"] == "tributary"
    fields = [v["field"] for d in error["details"] for v in d.get("fieldViolations", [])]
    assert fields == ([field] if field else [])


async def test_another_tenants_figures_are_refused(server, tenant):
    body, _ = await get(server, "/metrics", 403, {"x-tenant-id": "other"}, tenant_id=tenant, last="1h")
    assert body["error"]["details"][0]["reason"] == "TENANT_MISMATCH"


async def test_filters(server, tenant, stored):
    async def post(body, status=200, content_type="application/json"):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": content_type}
        async with server.session.post(f"{ROOT}/filters", data=text, headers=headers) as response:
            assert response.status == status, await response.text()
            return await response.json()

    asked = {"tenant_id": tenant, "range": {"last": "600s"}, "filter": 'campaign != "c1"'}
    got = await post(asked)
    assert got["campaign_ids"] == ["c2", "c0"]
    assert (got["channels"], got["currencies"], got["more"]) == (["email"], ["EUR"], False)
    assert got["covered_range"]
    assert got["freshness"]
    for wrong, status, content_type in (
        (asked | {"filter": "campaign ~ x"}, 400, "application/json"),
        (asked | {"unknown": 1}, 400, "application/json"),
        (b"{", 400, "application/json"),
        (b"[" * 100_000, 400, "application/json"),
        (b"[1]", 400, "application/json"),
        (b"\xff", 400, "application/json"),
        (b'"' + b"x" * 400_000 + b'"', 429, "application/json"),
        (asked, 400, "text/plain"),
    ):
        assert (await post(wrong, status, content_type))["error"]["details"]
    async with server.session.get(f"{ROOT}/filters") as response:
        assert response.status == 404


async def test_a_store_that_is_down_is_told_with_when_to_come_back(clickhouse_process, redis_process, tenant):
    async with (
        FaultyStore(clickhouse_process.port) as history,
        running(options(history.port, redis_process.port, clickhouse_timeout_ms=1_000)) as server,
        aiohttp.ClientSession(http_url(server)) as server.session,
    ):
        history.set(Mood.REFUSE)
        body, headers = await get(server, "/metrics", 503, tenant_id=tenant, last="1h")
        assert body["error"]["details"][0]["reason"] == "HISTORY_UNAVAILABLE"
        assert int(headers["retry-after"]) >= 1


async def test_a_client_that_goes_away_frees_its_query(clickhouse_process, redis_process, tenant):
    changed = {"clickhouse_timeout_ms": 60_000, "default_deadline_ms": 60_000}
    async with (
        FaultyStore(clickhouse_process.port) as history,
        running(options(history.port, redis_process.port, **changed)) as server,
        aiohttp.ClientSession(http_url(server)) as server.session,
        asyncio.timeout(60),
    ):
        history.set(Mood.HANG)
        call = asyncio.create_task(get(server, "/metrics", tenant_id=tenant, last="1h"))
        while not server.process.dispatch._calls:
            await asyncio.sleep(0.02)
        call.cancel()
        while server.process.dispatch._calls:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def events(server, tenant, headers=None, **parameters):
    """Yield a reader of server-sent events: (event, id, data) each."""
    headers = {"accept": "text/event-stream"} | (headers or {})
    async with server.session.get(f"{ROOT}/realtime/{tenant}", params=parameters, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"

        async def read():
            async with asyncio.timeout(60):
                while True:
                    fields = {}
                    while (line := (await response.content.readline()).decode().rstrip("\n")) != "":
                        name, _, value = line.partition(": ")
                        fields[name] = value
                    if "event" in fields:
                        return fields["event"], fields.get("id"), json.loads(fields["data"])

        yield read


async def test_events_go_on_from_the_last_one_seen(server, tenant):
    end = int(time.time()) * 1000
    async with events(server, tenant) as read:
        kind, _, data = await read()
        assert (kind, data["snapshot"]) == ("snapshot", {})
        server.feed.publish(window_signal(tenant, "c1", end))
        while (seen := await read())[0] != "changes":
            pass
        assert [w["campaign_id"] for w in seen[2]["changes"]["windows"]] == ["c1"]
        while (beat := await read())[0] != "heartbeat":
            pass
        assert beat[1]
    server.feed.publish(window_signal(tenant, "c2", end))
    async with events(server, tenant, {"last-event-id": seen[1]}) as read:
        kind, _, data = await read()
        assert kind == "changes"
        assert [w["campaign_id"] for w in data["changes"]["windows"]] == ["c2"]


async def test_events_end_with_a_cause(server, tenant):
    async with events(server, tenant, stream="alerts") as read:
        assert (await read())[0] == "snapshot"
        server.process.hub.close()
        while (last := await read())[0] != "error":
            pass
        assert last[2]["error"]["details"][0]["reason"] == "DRAINING"


async def test_a_stream_that_cannot_begin_is_refused_with_a_status(server, tenant):
    accept = {"accept": "text/event-stream"}
    body, _ = await get(server, f"/realtime/{tenant}", 400, accept | {"last-event-id": "AAAA"})
    assert body["error"]["details"][0]["reason"] == "INVALID_RESUME_CURSOR"
    await get(server, f"/realtime/{tenant}", 400, accept, stream="weather")
    await get(server, f"/realtime/{tenant}", 403, accept | {"x-tenant-id": "other"})


async def test_polling_what_is_current(server, tenant):
    end = int(time.time()) * 1000
    server.feed.publish(window_signal(tenant, "c1", end))
    got, headers = await get(server, f"/realtime/{tenant}")
    assert [w["campaign_id"] for w in got["windows"]] == ["c1"]
    await get(server, f"/realtime/{tenant}", 304, {"if-none-match": headers["etag"]})
    server.feed.publish(window_signal(tenant, "c1", end + 1000))
    await get(server, f"/realtime/{tenant}", 200, {"if-none-match": headers["etag"]})


async def test_websocket(server, tenant):
    end = int(time.time()) * 1000
    path = f"{ROOT}/realtime/{tenant}"
    async with server.session.ws_connect(path) as socket, asyncio.timeout(60):
        assert "snapshot" in await socket.receive_json()
        await socket.send_str("ignored")
        server.feed.publish(window_signal(tenant, "c1", end))
        while "changes" not in (seen := await socket.receive_json()):
            pass
    async with asyncio.timeout(60):
        while server.process.dispatch._streams:
            await asyncio.sleep(0.02)
    server.feed.publish(window_signal(tenant, "c2", end))
    async with server.session.ws_connect(path, params={"resume_cursor": seen["resume_cursor"]}) as socket:
        missed = await socket.receive_json(timeout=60)
        assert [w["campaign_id"] for w in missed["changes"]["windows"]] == ["c2"]
        server.process.hub.close()
        assert (await socket.receive_json(timeout=60))["error"]["details"][0]["reason"] == "DRAINING"
        assert (await socket.receive(timeout=60)).data == 1001


async def test_websocket_refusals(server, tenant):
    path = f"{ROOT}/realtime/{tenant}"
    async with server.session.ws_connect(path, params={"stream": "weather"}) as socket:
        assert (await socket.receive_json(timeout=60))["error"]["status"] == "INVALID_ARGUMENT"
        assert (await socket.receive(timeout=60)).data == 1008
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await server.session.ws_connect(path, headers={"origin": "https://elsewhere.example"})
    assert caught.value.status == 403
    for other in ("/", "/tributary.v1.AlertService/WatchAlerts", "/api/v1/nothing"):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await server.session.ws_connect(other)


async def test_every_chart_answers_or_names_what_it_needs(server, tenant):
    """No chart is broken: with its required parameters it answers, and its CSV has a header."""
    needed = {
        "time-series": {"grain": "hour"}, "breakdown": {"dimensions": "campaign"}, "key-figures": {"cadence": "daily"},
        "attribution": {"model": "linear"}, "attribution-comparison": {"view": "linear,last_touch"},
    }  # fmt: skip
    not_found = {
        "conversion": {"conversion_id": "v"},
        "credit-revisions": {"conversion_id": "v"},
        "journey": {"customer_id": "u", "journey_id": "j"},
        "event-trace": {"event_id": "e"},
    }
    for chart, method in CHARTS.items():
        asked = {"tenant_id": tenant} | needed.get(chart, {}) | not_found.get(chart, {})
        if "range" in method.input_type.fields_by_name:
            asked["last"] = "1h"
        status = 404 if chart in not_found else 200
        await get(server, f"/charts/{chart}", status, **asked)
        text, _ = await get(server, f"/charts/{chart}", status, format="csv", **asked)
        assert status == 404 or text.splitlines()[0]


def references(part):
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


async def test_openapi_describes_every_path_and_parameter(server, tenant):
    async with server.session.get("/api/openapi.json") as response:
        document = await response.json()
    assert document["openapi"] == "3.1.0"
    paths = document["paths"]
    assert {f"{ROOT}/charts/{chart}" for chart in CHARTS} < set(paths)
    assert {f"{ROOT}/metrics", f"{ROOT}/filters", f"{ROOT}/realtime/{{tenant_id}}"} < set(paths)

    schemas = document["components"]["schemas"]
    assert {name.rpartition("/")[2] for name in references(document)} <= set(schemas)
    # What is described is what is accepted: every parameter that is said to exist is known to the server.
    for path, operations in paths.items():
        for parameter in operations.get("get", {}).get("parameters", []):
            # Those of a stream are tried above.
            if parameter["in"] != "query" or parameter["name"] in ("format", "stream", "resume_cursor"):
                continue
            asked = {parameter["name"]: "1"}
            async with server.session.get(path.replace("{tenant_id}", tenant), params=asked) as response:
                if response.status == 400:
                    assert "is not a parameter here" not in await response.text(), (path, parameter["name"])
