"""A stack comes up, says where everything is, keeps its data over a restart, and leaves nothing behind."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from pathlib import Path

import clickhouse_connect
import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from local import process
from local.component import StackError
from local.demonstration import FIGURES
from local.http_probe import get, get_json
from local.process import ProcessRecord

COMPONENTS = ["kafka", "clickhouse", "redis", "jobmanager", "taskmanager-1"]
TOPICS = {
    "marketing-events",
    "analytics-signals",
    "analytics-alerts",
    "marketing-events-quarantine",
    "marketing-events-late",
    "measurement-control",
}


def wait_for(condition, seconds=300.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.1)
    return found


def running_in(folder: Path) -> list[str]:
    """Return the command lines of all processes that mention the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in command:
                found.append(command)
    return found


@pytest.fixture(scope="module")
def up(new_stack):
    stack = new_stack()
    stack.up(only=["kafka", "clickhouse", "redis", "flink"])
    return stack


def clickhouse(stack):
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=stack.config.clickhouse_port, database=stack.config.clickhouse_database
    )


def cache(stack):
    return redis.Redis.from_url(stack.endpoints()["redis"], decode_responses=True)


def test_endpoints_say_where_everything_is(up):
    found = json.loads((up.config.run_dir / "endpoints.json").read_text())
    assert set(found) == {"kafka", "schema_registry", "clickhouse", "redis", "flink", "grpc", "http", "prometheus"}
    assert found["kafka"] == f"127.0.0.1:{up.config.port_base}"
    assert urllib.request.urlopen(found["clickhouse"] + "/ping", timeout=60).read() == b"Ok.\n"
    assert cache(up).ping()
    assert (
        json.load(urllib.request.urlopen(found["flink"] + "/overview", timeout=60))["slots-total"]
        == up.config.parallelism
    )
    assert (Path(found["schema_registry"].removeprefix("file://"))).is_dir()
    assert found["grpc"] is None
    assert found["prometheus"] is None


def test_status_calls_every_component_ready(up):
    assert {one.name: one.state for one in up.status()} == dict.fromkeys([*COMPONENTS, "supervisor"], "ready")


def test_topics_are_those_of_the_contract(up):
    admin = KafkaAdminClient(bootstrap_servers=up.endpoints()["kafka"])
    described = {topic["name"]: topic for topic in admin.describe_topics(sorted(TOPICS))}
    assert set(described) == TOPICS
    assert {len(topic["partitions"]) for topic in described.values()} == {8}
    resource = ConfigResource(ConfigResourceType.TOPIC, "marketing-events")
    answer = admin.describe_configs([resource])
    admin.close()
    text = json.dumps(answer, default=str)
    for expected in ("LogAppendTime", str(90 * 24 * 3600 * 1000), str(16 * 1024 * 1024)):
        assert expected in text


def test_a_message_of_ten_megabytes_passes_the_broker(up):
    producer = KafkaProducer(bootstrap_servers=up.endpoints()["kafka"], max_request_size=16 << 20)
    sent = producer.send("marketing-events-late", value=b"x" * (10 << 20), partition=0).get(timeout=300)
    producer.close()
    assert sent.offset >= 0


def test_the_schema_is_there(up):
    names = {row[0] for row in clickhouse(up).query("SHOW TABLES").result_rows}
    assert {"events", "campaign_metrics", "campaign_rollups", "attribution_credits", "quarantine", "alerts"} <= names


def test_the_figures_of_the_demonstration_can_be_read_from_an_empty_stack(up):
    row = clickhouse(up).query(FIGURES).first_item
    assert set(row) == {"events", "spend", "conversions", "attributed", "quarantined", "late", "age_ms"}
    assert row["events"] == 0


def test_redis_evicts_and_keeps_an_append_only_file(up):
    settings = cache(up).config_get("*")
    assert (settings["maxmemory-policy"], settings["appendonly"]) == ("allkeys-lru", "yes")


def test_flink_runs_with_our_settings(up):
    settings = {one["key"]: one["value"] for one in get_json(up.config.flink_port, "/jobmanager/config")}
    assert settings["state.backend.type"] == "rocksdb"
    assert settings["execution.checkpointing.interval"] == "30 s"
    assert settings["execution.checkpointing.externalized-checkpoint-retention"] == "RETAIN_ON_CANCELLATION"
    assert settings["python.execution-mode"] == "thread"
    assert settings["execution.checkpointing.dir"].startswith(up.config.run_dir.as_uri())


def test_flink_s_prometheus_reporters_answer(up):
    for port, sample in (
        (up.config.jobmanager_metrics_port, "flink_jobmanager_taskSlotsTotal"),
        (up.config.taskmanager_metrics_port(1), "flink_taskmanager_Status_JVM_Memory_Heap_Used"),
    ):
        wait_for(lambda port=port, sample=sample: sample in get(port, "/metrics", seconds=10))


def test_up_again_starts_nothing_twice(up):
    before = {one.name: one.pid for one in up.status()}
    up.up(only=["kafka", "clickhouse", "redis", "flink"])
    assert {one.name: one.pid for one in up.status()} == before


def test_a_busy_port_is_named_and_nothing_is_left_running(up, new_stack):
    second = new_stack(port_base=up.config.port_base)
    with pytest.raises(StackError) as caught:
        second.up(only=["redis"])
    assert str(up.config.redis_port) in str(caught.value)
    assert "redis" in str(caught.value)
    assert "PORT_BASE" in str(caught.value)
    assert running_in(second.config.run_dir) == []
    assert second.status() == []


def test_a_component_that_cannot_start_stops_what_was_started_before_it(new_stack):
    stack = new_stack()
    with socket.create_server(("127.0.0.1", stack.config.redis_port)), pytest.raises(StackError, match="redis"):
        stack.up(only=["clickhouse", "redis"])
    assert running_in(stack.config.run_dir) == []
    assert not (stack.config.run_dir / "endpoints.json").exists()


def test_an_unknown_component_is_refused_with_the_known_ones(new_stack):
    with pytest.raises(StackError, match=r"no component 'kafak'; there are: kafka, clickhouse"):
        new_stack().up(only=["kafak"])


def test_two_stacks_live_side_by_side(up, new_stack):
    other = new_stack()
    other.up(only=["clickhouse", "redis"])
    cache(other).set("whose", "other")
    cache(up).set("whose", "first")
    assert cache(other).get("whose") == "other"
    assert clickhouse(other).query("SELECT count() FROM events").result_rows == [(0,)]
    other.down()
    assert cache(up).get("whose") == "first"
    assert {one.state for one in up.status()} == {"ready"}


def test_a_killed_taskmanager_is_replaced(up):
    pid = up.kill_taskmanager(1)
    record = up.wait_ready("taskmanager-1", 600, not_pid=pid)
    assert record.pid != pid
    assert {one.state for one in up.status()} == {"ready"}


def test_a_killed_clickhouse_and_redis_come_back_with_their_data(up):
    clickhouse(up).command("CREATE TABLE IF NOT EXISTS kept_after_kill (n UInt64) ENGINE = MergeTree ORDER BY n")
    clickhouse(up).insert("kept_after_kill", [[7]], column_names=["n"])
    for name in ("clickhouse", "redis"):
        up.wait_ready(name, 600, not_pid=up.kill(name))
    assert clickhouse(up).query("SELECT n FROM kept_after_kill").result_rows == [(7,)]


def test_data_survives_down_and_up(up):
    producer = KafkaProducer(bootstrap_servers=up.endpoints()["kafka"])
    sent = producer.send("analytics-alerts", key=b"t", value=b"kept").get(timeout=120)
    producer.close()
    clickhouse(up).command("CREATE TABLE IF NOT EXISTS kept (n UInt64) ENGINE = MergeTree ORDER BY n")
    clickhouse(up).insert("kept", [[42]], column_names=["n"])
    cache(up).set("kept", "yes")

    up.down()
    assert running_in(up.config.run_dir) == []
    assert not (up.config.run_dir / "endpoints.json").exists()
    assert up.status() == []
    up.up(only=["kafka", "clickhouse", "redis"])

    assert cache(up).get("kept") == "yes"
    assert clickhouse(up).query("SELECT n FROM kept").result_rows == [(42,)]
    consumer = KafkaConsumer(
        bootstrap_servers=up.endpoints()["kafka"], consumer_timeout_ms=300_000, auto_offset_reset="earliest"
    )
    partition = TopicPartition("analytics-alerts", sent.partition)
    consumer.assign([partition])
    consumer.seek(partition, sent.offset)
    assert next(consumer).value == b"kept"
    consumer.close()


def test_down_leaves_no_process_even_of_a_dead_leader(new_stack):
    stack = new_stack()
    stack.up(only=["redis"], supervise=False)
    stack.kill("redis")
    stack.down()
    assert running_in(stack.config.run_dir) == []
    assert not list((stack.config.run_dir / "pids").glob("*"))


def test_down_does_not_touch_a_process_that_took_over_a_recorded_id(new_stack, tmp_path):
    stack = new_stack()
    bystander = process.start(["sleep", "600"], {}, tmp_path, tmp_path / "log")
    stack.records.write("redis", ProcessRecord(bystander.pid, bystander.started - 1))
    stack.down()
    assert process.alive(bystander)
    process.kill(bystander)
