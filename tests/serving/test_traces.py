"""Traces: the caller's context on every transport, the reads below a call, and the trace of an event."""

from __future__ import annotations

import http.server
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tributary.v1 import (
    attribution_pb2,
    attribution_pb2_grpc,
    campaign_metrics_pb2,
    campaign_metrics_pb2_grpc,
    quality_pb2,
    quality_pb2_grpc,
)

from connectors.kafka.event_traces import event_trace, event_traceparent
from serving.observability.tracing import event_span, trace_headers
from tests.serving.local_stores import ROOT, free_port, wait_until
from tests.serving.stored_rows import insert_journey_events


class Collector:
    """Takes spans as an OpenTelemetry collector does, OTLP over HTTP."""

    def __init__(self):
        self.spans = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def trace(self, trace_id):
        return [span for span in self.spans if span.trace_id.hex() == trace_id]


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def start(clickhouse_process, redis_process, history_address):
    """Start a serving process; its addresses as it printed them."""
    running = []

    def begin(endpoint):
        command = [sys.executable, "-m", "serving", "--grpc-port", "0", "--http-port", "0", "--drain-seconds", "1"]
        command += ["--kafka-bootstrap", "127.0.0.1:1", "--clickhouse-database", history_address.database]
        command += ["--clickhouse-url", f"http://127.0.0.1:{clickhouse_process.port}", "--otlp-endpoint", endpoint]
        command += ["--redis-url", f"redis://127.0.0.1:{redis_process.port}/0"]
        started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        running.append(started)
        return started, json.loads(started.stdout.readline())

    yield begin
    for started in running:
        if started.poll() is None:
            started.kill()
        started.communicate()


def parent_of(number):
    return f"{number:032x}", f"00-{number:032x}-{number:016x}-01"


def ask(address, stub, name, request, traceparent):
    with grpc.insecure_channel(address) as channel:
        call = getattr(stub(channel), name)
        answered = call(request, timeout=60, metadata=(("traceparent", traceparent),))
        return next(iter(answered)) if name.startswith("Watch") else answered


def test_calls_and_their_reads_are_in_the_callers_trace(start, collector, tenant, history_address):
    started, addresses = start(collector.endpoint)
    metrics = campaign_metrics_pb2.GetCampaignMetricsRequest(tenant_id=tenant)
    metrics.range.last.FromSeconds(3600)
    stub = campaign_metrics_pb2_grpc.CampaignMetricsServiceStub
    ask(addresses["grpc"], stub, "GetCampaignMetrics", metrics, parent_of(1)[1])
    path = "tributary.v1.CampaignMetricsService/GetCampaignMetrics"
    body = json.dumps({"tenantId": tenant, "range": {"last": "60s"}}).encode()
    headers = {"content-type": "application/json", "traceparent": parent_of(2)[1]}
    with urllib.request.urlopen(urllib.request.Request(f"{addresses['http']}/{path}", body, headers), timeout=60):
        pass
    rest = f"{addresses['http']}/api/v1/dashboard/metrics?tenant_id={tenant}&last=2m"
    with urllib.request.urlopen(urllib.request.Request(rest, headers={"traceparent": parent_of(3)[1]}), timeout=60):
        pass
    watch = campaign_metrics_pb2.WatchCampaignMetricsRequest(tenant_id=tenant)
    ask(addresses["grpc"], stub, "WatchCampaignMetrics", watch, parent_of(4)[1])
    refused = campaign_metrics_pb2.GetCampaignMetricsRequest(tenant_id="not a tenant")
    with pytest.raises(grpc.RpcError):
        ask(addresses["grpc"], stub, "GetCampaignMetrics", refused, parent_of(5)[1])
    explain = attribution_pb2.ExplainConversionRequest(tenant_id=tenant, conversion_id="e-1")
    with pytest.raises(grpc.RpcError):
        ask(
            addresses["grpc"],
            attribution_pb2_grpc.AttributionServiceStub,
            "ExplainConversion",
            explain,
            parent_of(6)[1],
        )
    # The answer about an event is linked to the event's trace, and to the one that its producer was in.
    event = {"tenant_id": tenant, "event_id": "e-2", "event_type": "segment_update"}
    payload = {"envelope": {"metadata": {"traceparent": parent_of(77)[1]}}}
    now = int(time.time() * 1000)
    insert_journey_events(history_address, [event | {"event_time": now - 1000, "payload": payload}])
    way = quality_pb2.GetEventTraceRequest(tenant_id=tenant, event_id="e-2")
    way.range.last.FromSeconds(3600)
    ask(addresses["grpc"], quality_pb2_grpc.QualityServiceStub, "GetEventTrace", way, parent_of(7)[1])
    # What does not parse begins a trace of its own.
    ask(addresses["grpc"], stub, "GetCampaignMetrics", metrics, "00-nonsense")
    started.send_signal(signal.SIGTERM)
    assert started.wait(120) == 0
    for number, method in ((1, "Get"), (2, "Get"), (3, "Get"), (4, "Watch")):
        spans = collector.trace(parent_of(number)[0])
        (call,) = (span for span in spans if span.parent_span_id.hex() == f"{number:016x}")
        assert call.name == f"tributary.v1.CampaignMetricsService.{method}CampaignMetrics"
        reads = [span for span in spans if span.parent_span_id == call.span_id]
        assert any(span.name.startswith("clickhouse ") for span in reads), number
        attributes = {item.key: item.value.string_value for item in call.attributes}
        assert attributes["tributary.tenant_id"] == tenant
        assert attributes["tributary.outcome"] in {"OK", "CANCELLED"}
        # No statement and no value in any span.
        assert "SELECT" not in repr(spans)
    (call,) = collector.trace(parent_of(5)[0])
    assert (call.status.code, call.status.message) == (2, "INVALID_ARGUMENT")
    (call,) = (s for s in collector.trace(parent_of(6)[0]) if s.name.endswith("ExplainConversion"))
    assert [int(link.trace_id.hex(), 16) for link in call.links] == [event_trace(tenant, "e-1")[0]]
    (call,) = (s for s in collector.trace(parent_of(7)[0]) if s.name.endswith("GetEventTrace"))
    assert {int(link.trace_id.hex(), 16) for link in call.links} == {event_trace(tenant, "e-2")[0], 77}
    assert any(s.name.endswith("GetCampaignMetrics") and not s.parent_span_id for s in collector.spans)


def test_a_collector_that_is_down_costs_no_call(start, tenant):
    started, addresses = start(f"http://127.0.0.1:{free_port()}/v1/traces")
    metrics = campaign_metrics_pb2.GetCampaignMetricsRequest(tenant_id=tenant)
    metrics.range.last.FromSeconds(60)
    for number in range(1, 6):
        stub = campaign_metrics_pb2_grpc.CampaignMetricsServiceStub
        assert ask(addresses["grpc"], stub, "GetCampaignMetrics", metrics, parent_of(number)[1]) is not None
    started.send_signal(signal.SIGTERM)
    assert started.wait(120) == 0


def test_an_event_has_one_trace_wherever_it_is_met():
    assert event_trace("a", "bc") == event_trace("a", "bc")
    different = {event_trace(*names) for names in (("a", "bc"), ("ab", "c"), ("a", "b"), ("", "abc"), ("1", ":a"))}
    assert len(different) == 5
    version, trace_id, span_id, flags = event_traceparent("acme", "e-1").split("-")
    assert (version, len(trace_id), len(span_id), flags) == ("00", 32, 16, "01")
    assert (int(trace_id, 16), int(span_id, 16)) == event_trace("acme", "e-1")


def test_what_came_of_an_event_joins_its_trace():
    """In a process of its own: the provider of a process is set once."""
    collector = Collector()
    program = (
        "import sys, time\n"
        "import orjson\n"
        "from serving.live.hub import LiveHub, Record, Topic\n"
        "from serving.live.latest_values import Position\n"
        "from serving.metrics import ServingMetrics\n"
        "from serving.observability import tracing\n"
        "from tests.serving.signals import attribution_signal\n"
        "provider = tracing.set_up(sys.argv[1], 0.0)\n"
        "now = int(time.time() * 1000)\n"
        "hub = LiveHub(ServingMetrics())\n"
        "def hear(event, created, sent, offset):\n"
        "    signal = attribution_signal('acme', event, now, created=created, calculation_ms=0.5)\n"
        "    hub.publish([Record(Topic.SIGNALS, Position(0, offset), orjson.dumps(signal), sent)])\n"
        "hear('e-1', now - 1500, now - 100, 1)\n"
        "hear('e-1', now - 1500, now - 50, 2)\n"
        "hear('e-2', 0, 0, 3)\n"
        "provider.shutdown()\n"
    )
    try:
        subprocess.run([sys.executable, "-c", program, collector.endpoint], cwd=ROOT, check=True, timeout=120)
        wait_until(lambda: len(collector.spans) > 1, "the spans")
    finally:
        collector.server.shutdown()
        collector.server.server_close()
    # Attributed anew, an event is not seen anew; of one whose times are not known there is nothing to say.
    calculated, visible = sorted(collector.spans, key=lambda span: span.name)
    assert (calculated.name, visible.name) == ("attribution calculated", "attribution visible")
    for span in (calculated, visible):
        assert (int(span.trace_id.hex(), 16), int(span.parent_span_id.hex(), 16)) == event_trace("acme", "e-1")
    assert visible.end_time_unix_nano - visible.start_time_unix_nano >= 1_500_000_000
    # What the signal tells: half a millisecond that ended when it was sent, 1.4 s after the event was made.
    assert calculated.end_time_unix_nano - calculated.start_time_unix_nano == 500_000
    assert calculated.end_time_unix_nano - visible.start_time_unix_nano == 1_400_000_000


def test_without_an_exporter_nothing_is_recorded():
    event_span("acme", "e-1", "attribution visible", int(time.time() * 1000))
    assert trace_headers() == {}
