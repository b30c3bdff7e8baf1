"""The process as its operators meet it: options, start, ready, metrics, client, reflection, SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tributary.v1 import campaign_metrics_pb2 as pb

from serving.client.__main__ import main as client
from serving.metrics import PIPELINE_METRICS
from serving.options import OptionError, Options, check, parse
from tests.serving.local_stores import ROOT, free_port, wait_until
from tests.serving.pipeline_model import CampaignEvent
from tests.serving.running_server import options, running
from tests.serving.signals import alert_record, attribution_signal, window_signal
from tests.serving.stored_rows import (
    insert_alerts,
    insert_counts,
    insert_credits,
    insert_events,
    insert_late,
    insert_windows,
)
from tests.serving.test_attribution_service import credit_rows

REQUIRED = ["--kafka-bootstrap", "k:9092", "--clickhouse-url", "http://c:8123", "--redis-url", "redis://r:6379/0"]


def fetch(url):
    """Return (status, body) of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(text, name, **labels):
    """Return a metric's value from the text of /metrics, None when it is absent."""
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    for line in text.splitlines():
        head, _, value = line.rpartition(" ")
        if head.partition("{")[0] == name and wanted <= set(head.partition("{")[2].rstrip("}").split(",")):
            return float(value)
    return None


def test_options_from_command_line_and_environment():
    read = parse(
        [*REQUIRED, "--grpc-port", "0"],
        {"TRIBUTARY_GRPC_PORT": "1", "TRIBUTARY_TENANT_LABELS": "true", "TRIBUTARY_DRAIN_SECONDS": "2.5"},
    )
    assert (read.grpc_port, read.tenant_labels, read.drain_seconds) == (0, True, 2.5)
    assert (read.kafka_bootstrap, read.clickhouse_database) == ("k:9092", "tributary")


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("grpc-port", "70000", "0 to 65535"),
        ("grpc-port", "many", "a number"),
        ("tenant-labels", "perhaps", "true or false"),
        ("kafka-bootstrap", "nowhere", "host:port"),
        ("clickhouse-url", "ftp://x", "http or https"),
        ("clickhouse-url", "http://u:secret@c:8123", "no password"),
        ("redis-url", "redis://:secret@r:6379", "no password"),
        ("clickhouse-database", "a b", "letters"),
        ("topic-prefix", "a b", "letters"),
        ("default-deadline-ms", "90000", "--max-deadline-ms"),
        ("log-level", "chatty", "debug, info"),
        ("host", "", "an address"),
    ],
)
def test_wrong_options_name_key_value_and_what_is_allowed(option, value, shown, capsys):
    with pytest.raises(SystemExit):
        parse([*REQUIRED, f"--{option}", value], {})
    said = capsys.readouterr().err
    assert f"--{option}" in said
    assert shown in said
    assert "secret" not in said


def test_missing_options_are_named(capsys):
    with pytest.raises(SystemExit):
        parse(REQUIRED[:4], {})
    assert "--redis-url is required (or TRIBUTARY_REDIS_URL)" in capsys.readouterr().err
    with pytest.raises(OptionError):
        check(Options(kafka_bootstrap="k:1", clickhouse_url="http://c", redis_url="redis://r", heartbeat_ms=1))


@pytest.fixture
def process(clickhouse_process, redis_process, history_address):
    """A serving process of its own; its addresses as it printed them."""
    command = [sys.executable, "-m", "serving", "--grpc-port", "0", "--http-port", "0"]
    command += ["--kafka-bootstrap", "127.0.0.1:1", "--clickhouse-url", f"http://127.0.0.1:{clickhouse_process.port}"]
    command += [
        "--clickhouse-database",
        history_address.database,
        "--redis-url",
        f"redis://127.0.0.1:{redis_process.port}/0",
    ]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started.addresses = json.loads(started.stdout.readline())
    yield started
    if started.poll() is None:
        started.kill()
    started.communicate()


def test_a_process_starts_answers_and_drains(process, tenant):
    grpc_address, http = process.addresses["grpc"], process.addresses["http"]
    assert fetch(f"{http}/healthz") == (200, "ok\n")
    everything = {"ready": True, "history": True, "hot_store": True, "draining": False}
    wait_until(
        lambda: fetch(f"{http}/readyz")[1] == json.dumps(everything, separators=(",", ":")), "both stores are up"
    )
    assert fetch(f"{http}/readyz")[0] == 200
    with grpc.insecure_channel(grpc_address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watched = iter(health.Watch(health_pb2.HealthCheckRequest(service="")))
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        path = "/tributary.v1.CampaignMetricsService/WatchCampaignMetrics"
        call = channel.unary_stream(
            path, pb.WatchCampaignMetricsRequest.SerializeToString, pb.WatchCampaignMetricsResponse.FromString
        )
        stream = call(pb.WatchCampaignMetricsRequest(tenant_id=tenant))
        assert next(stream).WhichOneof("update") == "snapshot"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as ended:
            next(stream)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert process.wait(20) == 0
    assert "Traceback" not in process.stderr.read()


def test_reflection_describes_every_service(process):
    with grpc.insecure_channel(process.addresses["grpc"]) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest
        (listed,) = stub.ServerReflectionInfo(iter([request(list_services="")]))
        names = {service.name for service in listed.list_services_response.service}
        ours = {f"tributary.v1.{name}Service" for name in ("CampaignMetrics", "Attribution", "Alert", "Quality")}
        assert ours < names
        for name in ours:
            (found,) = stub.ServerReflectionInfo(iter([request(file_containing_symbol=name)]))
            files = [
                descriptor_pb2.FileDescriptorProto.FromString(f)
                for f in found.file_descriptor_response.file_descriptor_proto
            ]
            assert any(service.name == name.rpartition(".")[2] for f in files for service in f.service)


def test_a_taken_port_ends_with_a_clear_message(process, clickhouse_process, redis_process):
    for option, address in (("--grpc-port", process.addresses["grpc"]), ("--http-port", process.addresses["http"])):
        ports = {"--grpc-port": "0", "--http-port": "0"} | {option: address.rpartition(":")[2]}
        command = [
            sys.executable,
            "-m",
            "serving",
            "--kafka-bootstrap",
            "127.0.0.1:1",
            "--redis-url",
            "redis://127.0.0.1:1",
        ]
        command += [
            "--clickhouse-url",
            f"http://127.0.0.1:{clickhouse_process.port}",
            *(part for pair in ports.items() for part in pair),
        ]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert "cannot listen on 127.0.0.1" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_starts_without_any_store(tenant):
    """Order of starting must not matter: the process is up, and says that it is not ready."""
    command = [
        sys.executable,
        "-m",
        "serving",
        "--grpc-port",
        "0",
        "--http-port",
        "0",
        "--kafka-bootstrap",
        f"127.0.0.1:{free_port()}",
    ]
    command += [
        "--clickhouse-url",
        f"http://127.0.0.1:{free_port()}",
        "--redis-url",
        f"redis://127.0.0.1:{free_port()}/0",
    ]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        addresses = json.loads(started.stdout.readline())
        status, body = fetch(f"{addresses['http']}/readyz")
        assert status == 503
        assert not json.loads(body)["ready"]
        with grpc.insecure_channel(addresses["grpc"]) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert client(["metrics", "--address", addresses["grpc"], "--tenant", tenant]) == 1
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 0
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


@pytest.mark.asyncio
async def test_metrics_hold_real_values(clickhouse_process, redis_process, history_address, tenant, seed):
    now = int(time.time() * 1000)
    bucket = now // 10_000 * 10_000 - 60_000
    insert_counts(
        history_address,
        [
            (tenant, bucket, "valid", "", 100),
            (tenant, bucket, "accepted", "", 90),
            (tenant, bucket, "quarantined", "invalid_currency,negative_metric", 3),
            (tenant, bucket - 5 * 3_600_000, "accepted", "", 1000),
            (tenant, bucket - 5 * 3_600_000, "valid", "", 1001),
            # Accepted ones that were valid a moment ago are not yet told apart from duplicates.
            (tenant, now // 10_000 * 10_000, "valid", "", 50),
            (tenant, now // 10_000 * 10_000, "accepted", "", 5),
        ],
    )
    insert_late(history_address, [(tenant, now, "e1", now)])
    async with running(options(clickhouse_process.port, redis_process.port, tenant_labels=True)) as server:
        url = f"http://127.0.0.1:{server.process.http.port}/metrics"
        server.feed.publish(window_signal(tenant, "c1", now, created=int(time.time() * 1000) + 1))
        # The same newest event in the next window was visible already; an event of before the start is not timed.
        server.feed.publish(window_signal(tenant, "c1", now + 1000, created=int(time.time() * 1000) - 3_600_000))
        server.feed.publish(window_signal(tenant, "c2", now, created=0))
        server.feed.publish(
            *(attribution_signal(tenant, "v1", now, revision=n, created=int(time.time() * 1000) + 1) for n in (2, 3))
        )

        refreshed = (
            "marketing_events_processed_total",
            "marketing_events_late_total",
            "campaign_performance_score",
        )

        async def scraped():
            status, text = await asyncio.to_thread(fetch, url)
            assert status == 200
            return text if all(metric(text, name, tenant_id=tenant) is not None for name in refreshed) else None

        async with asyncio.timeout(60):
            while not (text := await scraped()):
                await asyncio.sleep(0.1)
    processed = {
        o: metric(text, "marketing_events_processed_total", tenant_id=tenant, outcome=o)
        for o in ("accepted", "duplicate", "quarantined")
    }
    assert processed == {"accepted": 1095, "duplicate": 11, "quarantined": 3}
    assert metric(text, "marketing_events_quarantined_total", tenant_id=tenant, reason="negative_metric") == 3
    assert metric(text, "marketing_events_late_total", tenant_id=tenant) == 1
    assert metric(
        text, "campaign_performance_score", tenant_id=tenant, campaign_id="c1", channel="email"
    ) == pytest.approx(100)
    assert metric(text, "analytics_pipeline_latency_seconds_count", stage="campaign_metrics") == 1
    assert metric(text, "analytics_pipeline_latency_seconds_count", stage="attribution") == 1
    assert metric(text, "attribution_calculation_time_seconds_count") == 2
    assert metric(text, "attribution_calculation_time_seconds_sum") == pytest.approx(0.0008)
    assert metric(text, "analytics_signal_age_seconds") < 60
    for described in PIPELINE_METRICS:
        if described.name in text:
            assert f"# HELP {described.name}" in text


@pytest.mark.asyncio
async def test_client_prints_every_answer(clickhouse_process, redis_process, history_address, tenant, seed, capsys):
    import random

    now = int(time.time() * 1000)
    end = now // 5000 * 5000
    key, sums = (tenant, "c1", "email", "EUR"), (400, 20, 2, 10_000_000, 30_000_000, 1)
    insert_windows(history_address, [(*key, end - 5000, end, *sums)])
    insert_events(history_address, [CampaignEvent("e1", key, end - 1000, sums)])
    rows = credit_rows(random.Random(seed), tenant, now, 5)
    insert_credits(history_address, rows)
    insert_alerts(history_address, [alert_record(tenant, "a1", updated_ms=now)])
    insert_counts(history_address, [(tenant, end, "quarantined", "negative_metric", 3)])
    async with running(options(clickhouse_process.port, redis_process.port)) as server:
        address = ["--address", f"127.0.0.1:{server.process.grpc.port}", "--tenant", tenant, "--timeout", "60"]

        async def said(*arguments):
            assert await asyncio.to_thread(client, [*arguments, *address]) == 0
            return capsys.readouterr().out

        for command in (["metrics"], ["series", "--grain", "hour"], ["current"]):
            table = await said(*command)
            assert "c1" in table
            assert "10.00" in table  # cost
            assert "100.00" in table  # score
        read = json.loads(await said("metrics", "--json", "--by", "channel"))
        assert read["metrics"][0]["sums"]["impressions"] == "400"
        assert "campaign_id" not in read["metrics"][0]
        assert (
            "unattributed" in (table := await said("attribution", "--last", "7d"))
            or "email" in table
            or "search" in table
        )
        assert rows[0]["touches"][0][1] in await said("explain", "--conversion", rows[0]["conversion_id"])
        assert "performance_score_low" in await said("alerts")
        assert "negative_metric" in await said("counts")
        assert "windows" in await said("freshness")
        asked = json.loads(await said("ask", "breakdown", "dimensions=campaign", "last=1h", "order_by=clicks desc"))
        assert asked["rows"][0]["metrics"]["campaign_id"] == "c1"
        assert await asyncio.to_thread(client, ["ask", "breakdown", "moon=1", *address]) == 1
        assert "moon: is not a parameter here" in capsys.readouterr().err
        assert await asyncio.to_thread(client, ["explain", "--conversion", "nope", *address]) == 1
        assert "NOT_FOUND" in (text := capsys.readouterr().err)
        assert "CONVERSION_NOT_FOUND" in text
    for wrong in (["metrics", "--last", "soon"], ["metrics", "--from", "yesterday"], ["metrics", "--by", "moon"]):
        with pytest.raises(SystemExit):
            client([*wrong, "--tenant", "t"])


@pytest.mark.parametrize("asked", [["watch"], ["listen", "breakdown", "dimensions=campaign", "last=1h"]])
def test_client_follows_a_stream(process, tenant, asked):
    command = [
        sys.executable,
        "-m",
        "serving.client",
        *asked,
        "--json",
        "--once",
        "--address",
        process.addresses["grpc"],
        "--tenant",
        tenant,
    ]
    watching = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "snapshot" in json.loads(watching.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert watching.wait(30) == 1
        assert "DRAINING" in watching.stderr.read()
    finally:
        with contextlib.suppress(ProcessLookupError):
            watching.kill()
        watching.communicate()
