"""Connect, gRPC-Web and the web app on the HTTP port: the answers and refusals of gRPC, and nothing given away."""

from __future__ import annotations

import asyncio
import gzip
import json
import time

import aiohttp
import pytest
import pytest_asyncio
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from tributary.v1 import campaign_metrics_pb2 as pb

from tests.serving.browser_clients import PROTOCOLS, answer, browser_client, connect_details, http_url, updates
from tests.serving.faulty_store import FaultyStore, Mood
from tests.serving.pipeline_model import CampaignEvent
from tests.serving.running_server import options, running
from tests.serving.signals import window_signal
from tests.serving.stored_rows import insert_events

pytestmark = pytest.mark.asyncio

METHODS = pb.DESCRIPTOR.services_by_name["CampaignMetricsService"].methods_by_name
GET, WATCH = METHODS["GetCampaignMetrics"], METHODS["WatchCampaignMetrics"]
GET_PATH, WATCH_PATH = (f"/tributary.v1.CampaignMetricsService/{method.name}" for method in (GET, WATCH))


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


def minute_of(tenant):
    request = pb.GetCampaignMetricsRequest(tenant_id=tenant)
    request.range.last.FromSeconds(60)
    return request


async def refused(awaitable) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        await awaitable
    return caught.value


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_answer_is_that_of_grpc(server, tenant, history_address, protocol):
    event = CampaignEvent("e1", (tenant, "c1", "email", "EUR"), int(time.time() * 1000), (9, 8, 7, 6, 5, 1))
    insert_events(history_address, [event])
    wanted = await server.campaigns.GetCampaignMetrics(minute_of(tenant))
    assert wanted.metrics[0].sums.clicks == 8
    async with browser_client(server, protocol) as client:
        got = await answer(client, GET, minute_of(tenant))
    assert got.metrics == wanted.metrics


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_refusals_carry_reason_and_field(server, tenant, protocol):
    request = minute_of(tenant)
    request.page_size = -1
    async with browser_client(server, protocol) as client:
        error = await refused(answer(client, GET, request))
        assert error.code is Code.INVALID_ARGUMENT
        assert connect_details(error)[:2] == ("INVALID_ARGUMENT", {"page_size": "must be 0 to 1000"})
        error = await refused(answer(client, GET, minute_of(tenant), headers={"x-tenant-id": "other"}))
        assert error.code is Code.PERMISSION_DENIED
        assert connect_details(error)[0] == "TENANT_MISMATCH"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_stream_begins_with_a_snapshot_and_goes_on_from_its_cursor(server, tenant, protocol):
    end = int(time.time()) * 1000
    async with browser_client(server, protocol) as client, asyncio.timeout(60):
        stream = updates(client, WATCH, pb.WatchCampaignMetricsRequest(tenant_id=tenant))
        first = await anext(stream)
        assert first.WhichOneof("update") == "snapshot"
        server.feed.publish(window_signal(tenant, "c1", end))
        change = await anext(stream)
        assert [w.campaign_id for w in change.changes.windows] == ["c1"]
        await stream.aclose()

        async def closed():
            while server.process.dispatch._streams:
                await asyncio.sleep(0.02)

        await closed()
        server.feed.publish(window_signal(tenant, "c2", end))
        again = pb.WatchCampaignMetricsRequest(tenant_id=tenant, resume_cursor=change.resume_cursor)
        stream = updates(client, WATCH, again)
        missed = await anext(stream)
        assert [w.campaign_id for w in missed.changes.windows] == ["c2"]
        await stream.aclose()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_stream_ends_at_the_clients_deadline(server, tenant, protocol):
    async with browser_client(server, protocol) as client:
        stream = updates(client, WATCH, pb.WatchCampaignMetricsRequest(tenant_id=tenant), timeout_ms=1_500)

        async def read():
            async for _ in stream:
                pass

        error = await refused(read())
        assert error.code is Code.DEADLINE_EXCEEDED
        async with asyncio.timeout(60):
            while server.process.dispatch._streams:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_draining_server_ends_streams_with_a_cause(server, tenant, protocol):
    async with browser_client(server, protocol) as client:
        stream = updates(client, WATCH, pb.WatchCampaignMetricsRequest(tenant_id=tenant))
        await anext(stream)
        server.process.hub.close()
        error = await refused(anext(stream))
        assert error.code is Code.UNAVAILABLE
        reason, _, delay = connect_details(error)
        assert reason == "DRAINING"
        assert delay > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_fails_inside_stays_inside(server, tenant, protocol, monkeypatch, caplog):
    async def fail(*_):
        raise RuntimeError("secret of the store")

    async def fail_streaming(*_):
        yield pb.WatchCampaignMetricsResponse()
        raise RuntimeError("secret of the store")

    monkeypatch.setitem(server.process.dispatch._unary, GET.full_name, fail)
    monkeypatch.setitem(server.process.dispatch._streaming, WATCH.full_name, fail_streaming)
    async with browser_client(server, protocol) as client:
        errors = [await refused(answer(client, GET, minute_of(tenant)))]
        stream = updates(client, WATCH, pb.WatchCampaignMetricsRequest(tenant_id=tenant))
        await anext(stream)
        errors.append(await refused(anext(stream)))
    for error in errors:
        assert (error.code, error.message) == (Code.INTERNAL, "internal error")
        assert connect_details(error)[0] == "INTERNAL"
        assert "secret" not in repr([(d.type_name, d.message_bytes) for d in error.details])


async def test_a_response_that_cannot_be_written_is_an_internal_error(server, tenant, monkeypatch):
    async def wrong(*_):
        response = pb.GetCampaignMetricsResponse()
        response.covered_range.start_time.seconds = 2**60
        return response

    monkeypatch.setitem(server.process.dispatch._unary, GET.full_name, wrong)
    async with browser_client(server, "connect-json") as client:
        error = await refused(answer(client, GET, minute_of(tenant)))
    assert (error.code, error.message) == (Code.INTERNAL, "internal error")


JSON, PROTO = "application/json", "application/proto"


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", GET_PATH, {"content-type": JSON}, b"{", 400),
        ("POST", GET_PATH, {"content-type": JSON}, b"[" * 50_000, 400),
        ("POST", GET_PATH, {"content-type": JSON}, b'{"tenant_id": 7}', 400),
        ("POST", GET_PATH, {"content-type": JSON}, b"\xff\xfe", 400),
        ("POST", GET_PATH, {"content-type": PROTO}, b"\xff\xff\xff", 400),
        ("POST", GET_PATH, {"content-type": PROTO, "content-encoding": "gzip"}, b"not gzip", 400),
        ("POST", GET_PATH, {"content-type": JSON, "connect-timeout-ms": "soon"}, b"{}", 400),
        ("POST", GET_PATH, {"content-type": JSON, "connect-protocol-version": "9"}, b"{}", 400),
        ("POST", GET_PATH, {"content-type": JSON}, b'"' + b"x" * 300_000 + b'"', 429),
        ("POST", GET_PATH, {"content-type": "text/plain"}, b"{}", 415),
        ("POST", GET_PATH, {"content-type": "application/grpc"}, b"", 415),
        ("POST", GET_PATH, {"content-type": "application/grpc+proto"}, b"", 415),
        ("POST", GET_PATH, {"content-type": "application/grpc-web-text"}, b"", 415),
        ("POST", WATCH_PATH, {"content-type": JSON}, b"{}", 415),
        ("GET", GET_PATH, {}, b"", 405),
        ("GET", GET_PATH + "?encoding=%ff&message=%ff", {}, b"", 405),
        ("PUT", GET_PATH, {"content-type": JSON}, b"{}", 405),
        ("POST", "/tributary.v1.CampaignMetricsService/Nothing", {"content-type": JSON}, b"{}", 404),
        ("POST", "/tributary.v1.CampaignMetricsService", {"content-type": JSON}, b"{}", 404),
        ("POST", "/tributary.v1.NoService/Get", {"content-type": JSON}, b"{}", 404),
        ("POST", "/", {"content-type": JSON}, b"{}", 404),
        ("GET", "/api/v1/nothing", {}, b"", 404),
    ],
)
async def test_malformed_calls_get_a_4xx_that_gives_nothing_away(server, method, path, headers, body, status, caplog):
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, http_url(server) + path, data=body, headers=headers) as response,
    ):
        text = (await response.read()).decode(errors="replace")
        assert response.status == status, text
        for secret in ("Traceback", "json", "google.protobuf", "Error", "unpack"):
            assert secret not in text.replace("google.rpc.ErrorInfo", "").replace("application/json", "")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("envelope", [b"\x01\x00\x00\x00\x00", b"\x00\x00\x00\x00\x09{}"])
async def test_a_broken_envelope_is_told_and_is_no_incident(server, envelope, caplog):
    """One that says it is compressed where nothing was agreed, and one that is shorter than it says."""
    headers = {"content-type": "application/connect+json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(http_url(server) + WATCH_PATH, data=envelope, headers=headers) as response,
    ):
        assert response.status == 200
        ending = await response.read()
    assert ending[0] == 2  # the end of a stream, which holds its error
    error = json.loads(ending[5:])["error"]
    assert error["code"] in {"internal", "invalid_argument"}
    assert "incident" not in str(error)
    assert "Traceback" not in caplog.text


async def test_headers_of_any_bytes_are_refused(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.process.http.port)
    writer.write(
        f"POST {GET_PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode()
        + b"x-odd: \xff\xfe\r\ncontent-length: 2\r\n\r\n{}"
    )
    assert b" 400 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_client_that_goes_away_frees_its_query(clickhouse_process, redis_process, tenant, protocol):
    changed = {"clickhouse_timeout_ms": 60_000, "default_deadline_ms": 60_000}
    async with (
        FaultyStore(clickhouse_process.port) as history,
        running(options(history.port, redis_process.port, **changed)) as server,
        browser_client(server, protocol) as client,
    ):
        history.set(Mood.HANG)
        async with asyncio.timeout(60):
            call = asyncio.create_task(answer(client, GET, minute_of(tenant)))
            while not server.process.dispatch._calls:
                await asyncio.sleep(0.02)
            call.cancel()
            while server.process.dispatch._calls:
                await asyncio.sleep(0.02)
        count = server.process.metrics.calls.labels(GET.containing_service.full_name, GET.name, "CANCELLED")
        assert count._value.get() == 1


async def test_no_call_is_answered_across_origins(server, tenant):
    """A page of another site can send simple requests only, and those are refused; it may not read any answer."""
    async with aiohttp.ClientSession() as session:
        body = json.dumps({"tenantId": tenant})
        headers = {"origin": "https://elsewhere.example", "content-type": "text/plain"}
        async with session.post(http_url(server) + GET_PATH, data=body, headers=headers) as response:
            assert response.status == 415
        headers = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
        async with session.options(http_url(server) + GET_PATH, headers=headers) as response:
            assert "access-control-allow-origin" not in response.headers


async def test_the_web_app(clickhouse_process, redis_process, tmp_path):
    folder = tmp_path / "dist"
    chosen = options(clickhouse_process.port, redis_process.port, web_folder=str(folder))
    async with running(chosen) as server, aiohttp.ClientSession(http_url(server), auto_decompress=False) as session:

        async def get(path):
            async with session.get(path) as response:
                assert "script-src 'self'" in response.headers["content-security-policy"]
                assert "unsafe" not in response.headers["content-security-policy"]
                assert response.headers["x-content-type-options"] == "nosniff"
                return response.status, await response.text(), response.headers.get("cache-control")

        status, text, _ = await get("/")
        assert (status, "not built" in text) == (404, True)
        (folder / "assets").mkdir(parents=True)
        (folder / "index.html").write_text("<title>app</title>")
        (folder / "assets" / "app-1a2b.js").write_text("1")
        (tmp_path / "secret.txt").write_text("secret")
        for page in ("/", "/campaigns", "/a/b/c", "/index.html"):
            assert await get(page) == (200, "<title>app</title>", "no-cache")
        status, text, cached = await get("/assets/app-1a2b.js")
        assert (status, text) == (200, "1")
        assert "immutable" in cached
        (folder / "assets" / "app-1a2b.js.br").write_bytes(b"smaller")
        (folder / "assets" / "app-1a2b.js.gz").write_bytes(gzip.compress(b"1"))
        for accepted, encoding in (("gzip, br;q=0.9", "br"), ("gzip", "gzip"), ("zstd", None), ("", None)):
            async with session.get("/assets/app-1a2b.js", headers={"accept-encoding": accepted}) as response:
                assert response.status == 200
                assert response.headers.get("content-encoding") == encoding
                assert response.content_type == "text/javascript"
                assert response.headers["vary"] == "Accept-Encoding"
        for missing in ("/assets/app-9.js", "/favicon.ico", "/assets/old"):
            assert (await get(missing))[0] == 404
        for outside in ("/..%2fsecret.txt", "/assets/..%2f..%2fsecret.txt", "/%2e%2e/secret.txt"):
            assert "secret" not in (await get(outside))[1]
        async with session.get("/healthz") as response:
            assert await response.text() == "ok\n"
