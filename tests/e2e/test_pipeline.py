"""The running pipeline against the independent batch oracle: exact, also after crashes, replays and repairs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from confluent_kafka import Producer

from connectors.kafka.codec import EventEncoder
from connectors.kafka.topics import Topics
from connectors.schema_registry import open_registry
from local.config import REPOSITORY
from tests.e2e.running_world import DATABASE, SETTLED_SECONDS, World, eventually
from tests.oracle import Answer
from tests.oracle.published import compare_alerts, compare_cache, compare_signals
from tests.oracle.settling import staying
from tests.oracle.topic import read_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle import Difference

pytestmark = [pytest.mark.timeout(600)]
FAULTS = "invalid=0.03,poison=0.02,dup=0.03,conflict=0.02,late=0.03,out_of_order=0.05,too_large=0.0005"


def names(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}-{number}" for number in range(1, 5))


def metrics_record(tenant: str, event_id: str, now_ms: int, **metrics: Any) -> dict[str, Any]:
    """A campaign event as a producer would make it."""
    sums = {"kind": "increment", "impressions": 7, "clicks": 3, "conversions": 1, "cost_micros": 5, "revenue_micros": 9}
    return {
        "envelope": {
            "event_id": event_id,
            "tenant_id": tenant,
            "event_type": "campaign_termination",
            "event_time": now_ms,
            "created_at": now_ms,
            "source_platform": "test",
            "consent": {"marketing": True, "analytics": True, "personalization": True},
            "identifiers": {},
            "metadata": {},
        },
        "campaign": {"campaign_id": "c1", "name": "one", "channel": "email"},
        "metrics": {**sums, "currency": "EUR", **metrics},
        "reason": "test",
    }


def send(world: World, messages: list[tuple[str, bytes | None]]) -> None:
    """Send (key, value) messages and wait for their acknowledgement."""
    failed: list[str] = []
    producer = Producer({"bootstrap.servers": world.kafka, "message.max.bytes": 16_000_000, "acks": "all"})
    for key, value in messages:
        producer.produce(
            "marketing-events", key=key, value=value, on_delivery=lambda e, _: failed.append(str(e)) if e else None
        )
    assert producer.flush(60) == 0
    assert failed == []


def test_everything_stored_equals_the_batch_computation(world: World) -> None:
    """Every count, window, roll-up, credit, journey, duplicate and quarantine reason, under every fault at once.

    Of whatever tenant, so that nothing is stored that was not sent: the first test on the stack that all files share,
    as it comes first of the first file.
    """
    tenants = names("oracle")
    report = world.produce(
        "oracle", "--rate", "1000", "--seconds", "25", "--tenants", ",".join(tenants), "--faults", FAULTS
    )
    assert report["by_fault"]
    world.agrees(world.folder / "oracle.jsonl")


def test_signals_and_alerts_equal_the_batch_computation(world: World) -> None:
    """What was published of the events above: sent after it was stored, so a moment later."""
    tenants = names("oracle")
    with Answer(world.folder / "oracle.jsonl") as answer:

        def differences() -> list[Difference]:
            signals = read_topic(world.kafka, Topics().signals)
            alerts = read_topic(world.kafka, Topics().alerts)
            published = compare_signals(answer, signals, tenants)
            return published + compare_alerts(answer, signals, alerts, tenants)

        if stay := staying(differences, SETTLED_SECONDS):
            pytest.fail(stay)


def test_the_cache_holds_the_newest_published_windows(world: World) -> None:
    """A write that Redis does not take within half a second is left out, and the next one makes up for it."""
    shape = ("--rate", "200", "--seconds", "3", "--mix", "1,0,0", "--campaigns", "3")
    found: list[Difference] = []
    for burst in range(5):
        tenants = names(f"cached{burst}")
        world.produce(f"cached{burst}", *shape, "--tenants", ",".join(tenants))
        world.agrees(world.folder / f"cached{burst}.jsonl", tenants=tenants)
        entries = world.cache_entries(tenants)
        signals = read_topic(world.kafka, Topics().signals)
        found = compare_cache(signals, entries, int(time.time() * 1000), tenants)
        if entries and not found:
            return
    pytest.fail("\n".join(str(difference) for difference in found) or "there are no entries")


def test_nothing_is_lost_or_doubled_when_a_taskmanager_is_killed(world: World) -> None:
    tenants = names("crash")
    producer = world.start(
        "crash", "--rate", "800", "--seconds", "30", "--tenants", ",".join(tenants), "--faults", "dup=0.02,late=0.02"
    )
    client = world.clickhouse()
    counted = f"SELECT count() FROM {DATABASE}.events WHERE startsWith(tenant_id, 'crash')"
    eventually("the first events are stored", lambda: client.query(counted).result_rows[0][0] > 2000)
    pid = world.stack.kill_taskmanager(1)
    world.finish(producer)
    world.stack.wait_ready("taskmanager-1", 90, not_pid=pid)
    world.agrees(world.folder / "crash.jsonl", tenants=tenants, seconds=240)


def test_a_full_replay_writes_the_same_rows_again(world: World) -> None:
    """All state forgotten, the topic read from its start into the same tables."""
    before = dict(
        world.clickhouse().query(f"SELECT tenant_id, count() FROM {DATABASE}.events FINAL GROUP BY 1").result_rows
    )
    world.stack.submit(fresh=True)
    for name in ("oracle", "crash"):
        world.agrees(world.folder / f"{name}.jsonl", tenants=names(name), seconds=300)
    after = dict(
        world.clickhouse().query(f"SELECT tenant_id, count() FROM {DATABASE}.events FINAL GROUP BY 1").result_rows
    )
    assert after == before


def test_the_job_resumes_from_a_savepoint(world: World) -> None:
    """Stopped with a savepoint while events flow, and submitted again: state goes on where it was."""
    tenants = names("savepoint")
    producer = world.start(
        "savepoint", "--rate", "300", "--seconds", "45", "--tenants", ",".join(tenants), "--faults", "dup_far=0.05"
    )
    client = world.clickhouse()
    counted = f"SELECT count() FROM {DATABASE}.events WHERE startsWith(tenant_id, 'savepoint')"
    eventually("the first events are stored", lambda: client.query(counted).result_rows[0][0] > 500)
    world.stack.submit()
    world.finish(producer)
    world.agrees(world.folder / "savepoint.jsonl", tenants=tenants, seconds=240)


def redrive(world: World, *arguments: str) -> str:
    ends = world.stack.endpoints()
    command = [
        sys.executable,
        "-m",
        "jobs.redrive",
        "--clickhouse-url",
        str(ends["clickhouse"]),
        "--kafka-bootstrap",
        str(ends["kafka"]),
    ]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_repaired_event_counts_as_if_it_had_never_failed(world: World) -> None:
    tenants = names("redrive")
    share = "conversions_exceed_clicks=0.05"
    world.produce("redrive", "--rate", "400", "--seconds", "10", "--tenants", ",".join(tenants), "--faults", share)
    refused = world.folder / "redrive.jsonl"
    world.agrees(refused, tenants=tenants)
    for tenant in tenants:
        if tenant in redrive(world, "counts", "--tenant", tenant):
            redrive(
                world,
                "submit",
                "--tenant",
                tenant,
                "--reason",
                "conversions_exceed_clicks",
                "--set",
                "metrics.kind=increment",
            )
    world.agrees(repaired(refused), tenants=tenants)
    # A second time is harmless: nothing is left to re-drive.
    assert "quarantined " not in redrive(world, "counts", "--tenant", tenants[0])


def repaired(file: Path) -> Path:
    """What was produced, and after it each refused report as the increment that it was repaired to."""
    lines = file.read_text(encoding="utf-8").splitlines()
    out = [*lines]
    for line in lines:
        message = json.loads(line)
        if message.get("fault") == "conversions_exceed_clicks":
            message["record"]["metrics"]["kind"] = "increment"
            out.append(json.dumps(message | {"fault": None}))
    assert len(out) > len(lines)
    made = file.with_name("repaired.jsonl")
    made.write_text("\n".join(out) + "\n", encoding="utf-8")
    return made


def test_hostile_messages_are_quarantined_and_the_job_lives(world: World) -> None:
    """Undecodable bytes, unknown schema ids and a message of 10 MB, each with its reason, raw bytes and position."""
    big = b"\x00\x00\x00\x00\x01" + b"x" * 10_000_000
    messages = {
        "undecodable": b"\x00\x00\x00\x00\x01\xff\xff",
        "unknown_schema_id": b"\x00\x00\x0f\xff\xff",
        "bad_magic": b"hello",
        "too_large": big,
        "empty": b"",
    }
    send(world, [("hostile", value) for value in messages.values()])
    client = world.clickhouse()
    query = f"SELECT reasons[1], length(raw) FROM {DATABASE}.quarantine FINAL WHERE tenant_id = 'hostile'"
    found = eventually(
        "all are quarantined", lambda: (rows := client.query(query).result_rows) and len(rows) == len(messages) and rows
    )
    assert dict(found) == {reason: len(value) for reason, value in messages.items()}
    # The job lives: an event sent after them is counted.
    now = int(time.time() * 1000)
    record = metrics_record("hostile", "after", now)
    send(world, [("hostile", EventEncoder(open_registry(str(REPOSITORY / "avro"))).encode(record))])
    stored = f"SELECT count() FROM {DATABASE}.events FINAL WHERE tenant_id = 'hostile' AND event_id = 'after'"
    eventually("the event after them is stored", lambda: client.query(stored).result_rows == [(1,)])


def test_the_last_event_before_silence_is_answered_within_5_seconds(world: World) -> None:
    """A single event of a new tenant: it must be in a gRPC answer although no later event moves the clock."""
    encoder = EventEncoder(open_registry(str(REPOSITORY / "avro")))
    address = str(world.stack.endpoints()["grpc"])
    answered: list[float] = []

    def ask(tenant: str, sent: float) -> None:
        while time.monotonic() - sent < 30 and not answered:
            got = client(address, "metrics", "--tenant", tenant, "--last", "2m", "--json")
            if '"clicks"' in got and "c1" in got:
                answered.append(time.monotonic() - sent)

    now = int(time.time() * 1000)
    send(world, [("lonely", encoder.encode(metrics_record("lonely", "only", now)))])
    asker = threading.Thread(target=ask, args=("lonely", time.monotonic()))
    asker.start()
    asker.join(40)
    assert answered, "the event never came into an answer"
    # 5 s is the promise on a machine that does nothing else; the test's own client processes take a share of it here.
    assert answered[0] < 15.0


def client(address: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "serving.client", *arguments, "--address", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def test_serving_answers_what_the_oracle_says(world: World) -> None:
    """gRPC totals of a tenant over two hours equal the sums of the accepted events."""
    from tributary.v1 import campaign_metrics_pb2 as messages
    from tributary.v1 import campaign_metrics_pb2_grpc as services

    import serving  # noqa: F401 - puts the generated messages on the path

    expected = world.clickhouse().query(
        f"SELECT sum(impressions), sum(clicks), sum(cost_micros) FROM {DATABASE}.events FINAL "
        "WHERE tenant_id = 'redrive-1' AND event_type LIKE 'campaign%'"
    )
    request = messages.GetCampaignMetricsRequest(tenant_id="redrive-1")
    request.range.last.FromSeconds(7200)
    with grpc.insecure_channel(str(world.stack.endpoints()["grpc"])) as channel:
        stub = services.CampaignMetricsServiceStub(channel)

        def totals() -> tuple[int, ...]:
            sums = [group.sums for group in stub.GetCampaignMetrics(request, timeout=30).metrics]
            return tuple(sum(getattr(one, name) for one in sums) for name in ("impressions", "clicks", "cost_micros"))

        eventually("the answer equals the stored events", lambda: totals() == tuple(expected.result_rows[0]))
    assert expected.result_rows[0][0] > 0
