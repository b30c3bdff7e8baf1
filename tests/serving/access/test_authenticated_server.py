"""A whole server that asks who is calling: every method on every transport, with every kind of credential."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import aiohttp
import grpc
import pytest
import pytest_asyncio
from connectrpc.errors import ConnectError
from google.protobuf import message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.access.__main__ import main as access_command
from serving.access.authorization import NEEDED
from serving.access.roles import PERMISSIONS, Role
from serving.access.tokens import LEEWAY_SECONDS
from serving.client.__main__ import main as client_command
from serving.options import OptionError, Options, check
from serving.relational.audit_log import entries_of
from serving.transports.charts import CHARTS, LIVE
from tests.serving.access.oidc_client import AUDIENCE, CLIENT_ID, CLIENT_SECRET
from tests.serving.browser_clients import answer, browser_client, connect_details, http_url, updates
from tests.serving.local_stores import ROOT, free_port
from tests.serving.running_server import details, next_message, options, refusal, running
from tests.serving.test_live_answers import ASKED as STREAMS
from tests.serving.test_tenant_isolation import METHODS as CONTRACT
from tests.serving.test_tenant_isolation import request_of

pytestmark = pytest.mark.asyncio

METHODS = {method.full_name: method for method in CONTRACT}
SECRET = "of the tests, and of no use elsewhere"
OPERATOR = "the operators token"
GET = METHODS["tributary.v1.CampaignMetricsService.GetCampaignMetrics"]
WATCH = METHODS["tributary.v1.CampaignMetricsService.WatchCampaignMetrics"]


@pytest.fixture
def relational_url(tmp_path):
    return f"sqlite:///{tmp_path}/access.sqlite"


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address, oidc, relational_url, monkeypatch):
    monkeypatch.setenv("TRIBUTARY_OIDC_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("TRIBUTARY_SESSION_SECRET", SECRET)
    monkeypatch.setenv("TRIBUTARY_OPERATOR_TOKEN", OPERATOR)
    port = free_port()
    chosen = options(
        clickhouse_process.port,
        redis_process.port,
        http_port=port,
        heartbeat_ms=300,
        oidc_issuer=oidc.issuer,
        oidc_audience=AUDIENCE,
        oidc_client_id=CLIENT_ID,
        public_url=f"http://127.0.0.1:{port}",
        service_keys=True,
        relational_url=relational_url,
    )
    oidc.tell("set", redirect_uris=[f"http://127.0.0.1:{port}/auth/callback"])
    async with running(chosen) as started:
        yield started


def token(oidc, role, *tenants, **claims):
    return oidc.token(roles=[role], tenant_ids=list(tenants), **({"amr": ["mfa"]} | claims))


def bearer(credentials):
    return (("authorization", f"Bearer {credentials}"),)


async def over_grpc(server, method, tenant, metadata):
    """The outcome of a call: None, or (code, reason)."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    kind = server.channel.unary_stream if method.server_streaming else server.channel.unary_unary
    request = request_of(method, tenant)
    response = message_factory.GetMessageClass(method.output_type)
    call = kind(path, type(request).SerializeToString, response.FromString)(request, metadata=metadata)
    try:
        await (next_message(call) if method.server_streaming else call)
    except grpc.aio.AioRpcError as error:
        return error.code().name, details(error)[0]
    finally:
        call.cancel()
    return None


async def over_connect(server, method, tenant, metadata, client):
    headers = dict(metadata)
    try:
        if method.server_streaming:
            stream = updates(client, method, request_of(method, tenant), headers=headers)
            await anext(stream)
            await stream.aclose()
        else:
            await answer(client, method, request_of(method, tenant), headers=headers)
    except ConnectError as error:
        return error.code.name, connect_details(error)[0]
    return None


def plain(outcome):
    """What is not about access: there is no such conversion."""
    return None if outcome and outcome[0] == "NOT_FOUND" else outcome


async def test_every_method_is_closed_on_every_transport(server, oidc, tenant):
    async with browser_client(server) as connect, browser_client(server, "grpc-web") as web:
        ways = (
            over_grpc,
            lambda *call: over_connect(*call, connect),
            lambda *call: over_connect(*call, web),
        )
        good = bearer(token(oidc, "marketing_analyst", tenant))
        viewer = bearer(token(oidc, "viewer", tenant, sub="vera"))
        for method in METHODS.values():
            for way in ways:
                assert await way(server, method, tenant, ()) == ("UNAUTHENTICATED", "CREDENTIALS_MISSING")
                # What opened every tenant to the demo user opens nothing here.
                named = (("x-tenant-id", tenant),)
                assert await way(server, method, tenant, named) == ("UNAUTHENTICATED", "CREDENTIALS_MISSING")
                spoilt = bearer("a.b.c")
                assert await way(server, method, tenant, spoilt) == ("UNAUTHENTICATED", "CREDENTIALS_INVALID")
                assert await way(server, method, "other", good) == ("PERMISSION_DENIED", "TENANT_MISMATCH")
                assert plain(await way(server, method, tenant, good)) is None
                seen = NEEDED[method.full_name] in PERMISSIONS[Role.VIEWER]
                expected = None if seen else ("PERMISSION_DENIED", "PERMISSION_MISSING")
                assert plain(await way(server, method, tenant, viewer)) == expected


async def test_every_path_is_closed(server, oidc, tenant):
    good = dict(bearer(token(oidc, "marketing_analyst", tenant)))

    async def status(client, path, headers, method="GET", named=tenant):
        path = path.replace("{tenant}", named)
        query = {} if "{tenant}" in path or named in path else {"tenant_id": named}
        body = {"json": {"tenant_id": named}} if method == "POST" else {"params": query}
        async with client.request(
            method, f"{http_url(server)}/api/v1/dashboard/{path}", headers=headers, **body
        ) as got:
            return got.status

    paths = ["metrics", *(f"charts/{chart}" for chart in CHARTS), "realtime/{tenant}"]
    asked = [("GET", path, {}) for path in paths] + [("POST", "filters", {})]
    asked += [("GET", f"realtime/{{tenant}}?stream={name}", {"accept": "text/event-stream"}) for name in LIVE]
    async with aiohttp.ClientSession() as client:
        for method, path, headers in asked:
            assert await status(client, path, headers, method) == 401, path
            assert await status(client, path, headers | {"x-tenant-id": tenant}, method) == 401, path
            assert await status(client, path, headers | good, method, "other") == 403, path
            assert await status(client, path, headers | good, method) in {200, 400, 404}, path
        url = f"{http_url(server)}/api/v1/dashboard/realtime/{{}}"
        for name in LIVE:
            for headers, seen in (({}, tenant), (good, "other")):
                async with client.ws_connect(f"{url.format(seen)}?stream={name}", headers=headers) as socket:
                    said = await socket.receive_json(timeout=30)
                    assert said["error"]["status"] in {"UNAUTHENTICATED", "PERMISSION_DENIED"}
                    assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
            parameters = {"stream": name, **STREAMS.get(name, ("", {}))[1]}
            async with client.ws_connect(url.format(tenant), params=parameters, headers=good) as socket:
                assert "snapshot" in await socket.receive_json(timeout=30)


async def test_a_file_needs_its_own_permission_and_is_in_the_audit_log(server, oidc, tenant):
    async def fetched(role, path, wanted):
        headers = dict(bearer(token(oidc, role, tenant, sub=role)))
        query = {"tenant_id": tenant, "format": wanted, "last": "60s"}
        url = f"{http_url(server)}/api/v1/dashboard/{path}"
        async with aiohttp.ClientSession() as client, client.get(url, params=query, headers=headers) as response:
            return response.status

    for role, path, wanted, status in (
        ("viewer", "metrics", "json", 200),
        ("viewer", "metrics", "csv", 403),
        ("marketing_director", "metrics", "csv", 200),
        ("marketing_director", "charts/counts", "json", 200),
        ("marketing_director", "charts/counts", "csv", 403),
        ("marketing_analyst", "charts/counts", "csv", 200),
        ("cmo", "metrics", "csv", 200),
        ("cmo", "charts/counts", "csv", 403),
    ):
        assert await fetched(role, path, wanted) == status, (role, path, wanted)
    with server.process.access.database.transaction() as connection:
        entries = entries_of(connection, tenant, 0, 2**53, 100)
    assert sum(e.action == "export" and e.outcome == "OK" for e in entries) == 3


async def test_executives_need_a_second_factor(server, oidc, tenant):
    without = bearer(token(oidc, "cmo", tenant, amr=["pwd"]))
    assert await over_grpc(server, GET, tenant, without) == ("PERMISSION_DENIED", "MFA_REQUIRED")
    assert await over_grpc(server, GET, tenant, bearer(token(oidc, "cmo", tenant))) is None


async def test_a_service_key_made_on_the_command_line_opens_the_server(
    server, tenant, relational_url, capsys, monkeypatch
):
    def command(*arguments):
        assert access_command(["--relational-url", relational_url, *arguments]) == 0
        return capsys.readouterr().out

    command("tenants", "add", tenant)
    made = command("keys", "create", "--tenant", tenant, "--name", "BI", "--scope", "view_campaigns")
    secret = made.split('"key": "')[1].split('"')[0]
    asked = ["freshness", "--address", f"127.0.0.1:{server.process.grpc.port}", "--tenant", tenant]
    assert await asyncio.to_thread(client_command, asked) == 1
    assert "CREDENTIALS_MISSING" in capsys.readouterr().err
    monkeypatch.setenv("TRIBUTARY_CREDENTIALS", secret)
    assert await asyncio.to_thread(client_command, asked) == 0
    watched = ["watch", *asked[1:], "--cursor", "not a cursor", "--once"]
    assert await asyncio.to_thread(client_command, watched) == 1
    assert "INVALID_RESUME_CURSOR" in capsys.readouterr().err
    key = bearer(secret)
    assert await over_grpc(server, GET, tenant, key) is None
    assert await over_grpc(server, GET, "other", key) == ("PERMISSION_DENIED", "TENANT_MISMATCH")
    counts = METHODS["tributary.v1.QualityService.GetCounts"]
    assert await over_grpc(server, counts, tenant, key) == ("PERMISSION_DENIED", "PERMISSION_MISSING")


async def test_a_stream_ends_when_its_token_expires(server, oidc, tenant):
    soon = int(time.time()) - LEEWAY_SECONDS + 3
    short = bearer(token(oidc, "viewer", tenant, exp=soon))
    stream = server.campaigns.WatchCampaignMetrics(request_of(WATCH, tenant), metadata=short)
    await next_message(stream, "snapshot")
    error = await asyncio.wait_for(refusal(stream), 60)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert details(error)[0] == "CREDENTIALS_EXPIRED"


async def test_a_browser_signs_in_and_its_session_opens_the_services(server, oidc, tenant):
    oidc.tell("set", user={"sub": "ann", "tenant_ids": [tenant], "roles": ["cmo"], "amr": ["mfa"]})
    base = http_url(server)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(f"{base}/auth/login") as response:
            assert response.status in {200, 404, 503}  # the start page, if the web app is built
        async with browser.get(f"{base}/auth/session") as response:
            assert list((await response.json())["tenants"]) == [tenant]
        path = f"{base}/{GET.containing_service.full_name}/{GET.name}"
        asked = {"tenantId": tenant, "range": {"last": "60s"}}
        async with browser.post(path, json=asked) as response:
            assert response.status == 200
        async with browser.post(path, json=asked | {"tenantId": "other"}) as response:
            assert response.status == 403
        for elsewhere in ({"Origin": "https://elsewhere"}, {"Sec-Fetch-Site": "cross-site"}):
            async with browser.post(path, json=asked, headers=elsewhere) as response:
                assert (response.status, "CROSS_SITE" in await response.text()) == (403, False)
        async with browser.post(f"{base}/auth/logout") as response:
            assert response.status == 200
        async with browser.post(path, json=asked) as response:
            assert response.status == 401


async def test_what_is_for_operators_and_probes(server):
    base = http_url(server)
    async with aiohttp.ClientSession() as client:
        for path, headers, status in (
            ("/healthz", {}, 200),
            ("/readyz", {}, 200),
            ("/metrics", {}, 401),
            ("/metrics", {"authorization": "Bearer x"}, 401),
            ("/metrics", {"authorization": "Bearer "}, 401),
            ("/metrics", {"authorization": f"Bearer {OPERATOR}"}, 200),
            ("/auth/other", {}, 404),
        ):
            async with client.get(f"{base}{path}", headers=headers) as response:
                assert response.status == status, path
    health = health_pb2_grpc.HealthStub(server.channel)
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING


async def test_reads_and_streams_are_in_the_audit_log(server, oidc, tenant):
    await over_grpc(server, GET, tenant, bearer(token(oidc, "viewer", tenant)))
    await over_grpc(server, WATCH, tenant, bearer(token(oidc, "viewer", tenant)))
    await over_grpc(server, GET, tenant, bearer(token(oidc, "viewer", "other")))
    wanted = {
        ("read", GET.full_name, "OK"),
        ("stream", WATCH.full_name, "OPENED"),
        ("stream", WATCH.full_name, "CANCELLED"),
        ("read", GET.full_name, "TENANT_MISMATCH"),
    }
    async with asyncio.timeout(30):
        while True:
            with server.process.access.database.transaction() as connection:
                entries = entries_of(connection, tenant, 0, 2**53, 100)
            if {(e.action, e.method, e.outcome) for e in entries} == wanted:
                break
            await asyncio.sleep(0.05)
    (read,) = (e for e in entries if e.outcome == "OK")
    assert read.range_start < read.range_end
    assert "ann" not in repr(entries)


async def test_demo_signs_everybody_in_and_is_refused_beyond_loopback(
    clickhouse_process, redis_process, history_address, tenant
):
    async with running(options(clickhouse_process.port, redis_process.port, demo_user="showcase")) as server:
        assert await over_grpc(server, GET, tenant, ()) is None
        async with aiohttp.ClientSession() as client, client.get(f"{http_url(server)}/auth/session") as response:
            said = await response.json()
        assert (said["kind"], said["id"], said["all_tenants"]) == ("demo", "showcase", True)
    needed = {"kafka_bootstrap": "k:1", "clickhouse_url": "http://c", "redis_url": "redis://r"}
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "127.0.0.1.example.org"):
        for demo in ({}, {"demo_user": "showcase"}):
            with pytest.raises(OptionError, match="--host"):
                check(Options(**needed, host=host, **demo))
        check(Options(**needed, host=host, service_keys=True))
    for host in ("127.0.0.1", "::1", "localhost"):
        check(Options(**needed, host=host, demo_user="showcase"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"demo_user": "x", "service_keys": True}, "--demo-user"),
        ({"demo_user": "a b"}, "--demo-user"),
        ({"oidc_issuer": "http://idp.example", "oidc_audience": "a"}, "--oidc-issuer"),
        ({"oidc_issuer": "https://idp.example"}, "--oidc-audience"),
        ({"oidc_client_id": "web"}, "--oidc-client-id"),
        ({"oidc_issuer": "https://i", "oidc_audience": "a", "public_url": "http://dash.example"}, "--public-url"),
        ({"relational_url": "mysql://u:secret@h/d"}, "--relational-url"),
        ({"tls_certificate": "c.pem"}, "--tls-key"),
        ({"session_hours": 0.0}, "--session-hours"),
    ],
)
async def test_wrong_options_are_named(changed, named):
    needed = {"kafka_bootstrap": "k:1", "clickhouse_url": "http://c", "redis_url": "redis://r"}
    with pytest.raises(OptionError, match=named) as refused:
        check(Options(**needed, **changed))
    assert "secret" not in str(refused.value)


async def test_the_process_says_why_it_does_not_start():
    command = [sys.executable, "-m", "serving", "--kafka-bootstrap", "k:1", "--clickhouse-url", "http://c"]
    command += ["--redis-url", "redis://r", "--grpc-port", "0", "--http-port", "0"]
    oidc = ["--oidc-issuer", "https://idp.example", "--oidc-audience", "a", "--oidc-client-id", "w"]
    for more, status, said in (
        (["--host", "0.0.0.0", "--demo-user", "x"], 2, "--host is '0.0.0.0'"),
        ([*oidc, "--public-url", "https://d"], 2, "TRIBUTARY_SESSION_SECRET"),
        (["--service-keys", "true", "--relational-url", "sqlite:////nowhere/at/all.sqlite"], 1, "relational database"),
    ):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIBUTARY_")}
        ended = await asyncio.to_thread(
            subprocess.run, [*command, *more], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == status, ended.stderr
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr


async def test_the_provider_ends_a_browsers_live_streams_at_once(server, oidc, tenant, monkeypatch):
    """Not only when they are held against the database again, which is an hour away here."""
    monkeypatch.setattr("serving.access.gate.RECHECK_SECONDS", 3600.0)
    user = {"sub": "ann", "tenant_ids": [tenant], "roles": ["marketing_analyst"]}
    base = http_url(server)
    paths = [f"/api/v1/dashboard/realtime/{tenant}?stream={stream}" for stream in ("campaigns", "freshness")]
    accept = {"accept": "text/event-stream"}
    async with (
        aiohttp.ClientSession(base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as ended,
        aiohttp.ClientSession(base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as other,
        asyncio.timeout(120),
    ):
        for browser, name in ((ended, "s1"), (other, "s2")):
            await asyncio.to_thread(oidc.tell, "set", user=user | {"sid": name})
            async with browser.get("/auth/login"):
                pass
        async with (
            ended.get(paths[0], headers=accept) as first,
            ended.get(paths[1], headers=accept) as second,
            other.get(paths[0], headers=accept) as third,
        ):
            assert [response.status for response in (first, second, third)] == [200] * 3
            for response in (first, second, third):
                while not (await response.content.readline()).startswith(b"event: snapshot"):
                    pass
            status, _ = await asyncio.to_thread(oidc.log_out, base, sid="s1", sub="ann")
            assert status == 200
            for response in (first, second):
                assert b"CREDENTIALS_INVALID" in await response.content.read()
            # The other browser's goes on.
            for _ in range(2):
                while not (await third.content.readline()).startswith(b"event: heartbeat"):
                    pass
        async with ended.get("/auth/session") as response:
            assert response.status == 401
        async with other.get("/auth/session") as response:
            assert response.status == 200
