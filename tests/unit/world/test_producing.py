"""From the command line to a broker and back, and into files."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict

import pytest

from bench.world.clock import LiveClock
from bench.world.command_line import main
from bench.world.producer import KafkaSender, Stop, produce
from bench.world.stream import Stream
from connectors.kafka.codec import DecodeError, EventDecoder
from connectors.kafka.event_traces import event_traceparent
from connectors.schema_registry import open_registry
from tests.unit.world.conftest import EVERY_FAULT, SCHEMAS
from tests.unit.world.mock_kafka import MockKafka, mock_kafka


@pytest.fixture(scope="module")
def kafka():
    with mock_kafka() as running:
        yield running


@pytest.fixture
def fresh_kafka():
    with mock_kafka() as running:
        yield running


def last_json(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def lines_of(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def by_key(pairs):
    found = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found


def recorded(path):
    return by_key(
        (line["key"].encode(), None if line["value_b64"] is None else base64.b64decode(line["value_b64"]))
        for line in lines_of(path)
    )


def test_what_is_recorded_was_sent_in_order(fresh_kafka, tmp_path, capsys, seed):
    record = tmp_path / "record"
    options = ["--count", "3000", "--rate", "20000", "--lap", "1000", "--probe-every", "20", "--faults", EVERY_FAULT]
    options += ["--bootstrap", fresh_kafka.bootstrap, "--record", str(record), "--seed", str(seed)]
    before = int(time.time() * 1000)
    assert main(["produce", *options]) == 0
    report = last_json(capsys)
    assert report["failed"] == 0
    assert report["produced"] == 3000 + 8 * 3  # a probe every 400 messages, three events each
    messages = fresh_kafka.read(report["produced"])
    assert by_key((key, value) for _, key, value in messages) == recorded(record)
    # A tenant's messages are in one partition.
    assert len({(partition, key) for partition, key, _ in messages}) == len({key for _, key, _ in messages})
    lines = lines_of(record)
    assert [line["n"] for line in lines] == list(range(len(lines)))
    assert all(before <= line["produced_at"] <= time.time() * 1000 for line in lines)
    assert Counter(line["key"] for line in lines) == report["by_tenant"]
    assert Counter(line["fault"] for line in lines if line["fault"]) == report["by_fault"]
    types = Counter((line["schema"] or "undecodable").partition(".")[0] for line in lines)
    assert types == report["by_type"]


def test_conversions_and_some_other_events_carry_their_trace(fresh_kafka, capsys):
    options = ["--count", "3000", "--rate", "100000", "--faults", "poison=0.05", "--bootstrap", fresh_kafka.bootstrap]
    assert main(["produce", *options]) == 0
    decoder = EventDecoder(open_registry(str(SCHEMAS)))
    traced, conversions, others = 0, 0, 0
    for record in fresh_kafka.records(last_json(capsys)["produced"]):
        try:
            event = decoder.decode(record.value())
        except DecodeError:
            assert record.headers() is None
            continue
        if record.headers() is not None:
            traced += 1
            names = record.key().decode(), event.record["envelope"]["event_id"]
            assert record.headers() == [("traceparent", event_traceparent(*names).encode())]
        conversions += event.event_type == "conversion_event"
        others += event.event_type != "conversion_event"
    assert 0 < conversions <= traced < conversions + others / 10


def test_a_file_is_sent_unchanged(fresh_kafka, tmp_path, capsys):
    written, sent = tmp_path / "written", tmp_path / "sent"
    options = ["--count", "500", "--faults", "poison=0.1,dup=0.1", "--clock", "fixed", "--start", "2026-11-01"]
    assert main(["write", "--out", str(written), *options]) == 0
    options = ["--bootstrap", fresh_kafka.bootstrap, "--from", str(written), "--record", str(sent)]
    assert main(["produce", *options]) == 0
    report = last_json(capsys)
    assert (report["produced"], report["failed"]) == (500, 0)
    assert by_key((key, value) for _, key, value in fresh_kafka.read(500)) == recorded(written)
    for before, after in zip(lines_of(written), lines_of(sent), strict=True):
        assert after.pop("produced_at") > before.pop("produced_at")
        assert after == before


def test_the_rate_is_kept(kafka, capsys):
    options = ["--bootstrap", kafka.bootstrap, "--rate", "400", "--seconds", "1.5"]
    assert main(["produce", *options]) == 0
    report = last_json(capsys)
    assert report["produced"] == 600
    # The last message is due after 1.4975 s. A busy machine may take longer, none less.
    assert report["seconds"] >= 1.49


def test_written_files_do_not_depend_on_when_they_are_written(tmp_path):
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        options = ["--count", "300", "--clock", "fixed", "--start", "2026-11-01T00:00:00+02:00", "--speed", "600"]
        assert main(["write", "--out", str(file), "--faults", "poison=0.1,invalid=0.1,dup=0.1", *options]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert lines_of(files[0])[0]["produced_at"] == 1_793_484_000_000


def test_an_interrupt_flushes_and_reports(fresh_kafka, tmp_path):
    record = tmp_path / "record"
    command = [
        sys.executable,
        "-m",
        "bench.world",
        "produce",
        "--bootstrap",
        fresh_kafka.bootstrap,
        "--rate",
        "300",
        "--lap",
        "500",
    ]
    process = subprocess.Popen(
        [*command, "--record", str(record)],
        cwd=SCHEMAS.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert fresh_kafka.wait_for_messages()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    report = json.loads(out.splitlines()[-1])
    assert report["produced"] > 0
    assert by_key((key, value) for _, key, value in fresh_kafka.read(report["produced"])) == recorded(record)


def test_no_broker_is_an_error_with_its_address(capsys):
    options = ["--bootstrap", "127.0.0.1:1", "--count", "1", "--connect-timeout", "0.5"]
    assert main(["produce", *options]) == 1
    assert "no Kafka broker at 127.0.0.1:1 within 0.5 s" in capsys.readouterr().err


def test_a_missing_topic_is_an_error_with_its_name(capsys):
    kafka = MockKafka()
    try:
        assert main(["produce", "--bootstrap", kafka.bootstrap, "--count", "1", "--topic", "nowhere"]) == 1
    finally:
        kafka.close()
    assert "topic 'nowhere' does not exist" in capsys.readouterr().err


def test_what_was_not_delivered_is_counted():
    with mock_kafka() as kafka:
        sender = KafkaSender(kafka.bootstrap, "marketing-events")
    # The broker is gone now.
    sender.send([(b"acme", b"value", None)] * 10)
    sender.flush(timeout_seconds=0.5)
    assert (sender.sent, sender.failed) == (10, 10)


class SlowSender:
    """Takes messages and counts them."""

    sent = failed = 0

    def send(self, messages):
        self.sent += len(list(messages))

    def serve(self):
        pass

    def flush(self):
        pass


def test_falling_behind_is_said_and_nothing_is_left_out(new_plan, capsys):
    # The run should have begun three seconds ago.
    stream = Stream(new_plan(500), LiveClock(int(time.time() * 1000) - 3_000, 10_000))
    sending = produce(stream, SlowSender(), 20_000, Stop())
    assert sending.sent == 20_000
    assert sending.largest_delay_ms >= 3_000
    assert "behind by 3." in capsys.readouterr().err
    parts = list(sending.log.parts())
    assert [first for first, _, _ in parts] == [0, *(until for _, until, _ in parts)][:-1]
    assert parts[-1][1] == 20_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rate", "0"], "rate: 0 is not allowed"),
        (["--seconds", "0"], "seconds: 0 is not allowed"),
        (["--count", "0"], "count: 0 is not allowed"),
        (["--mix", "1,2"], "mix: '1,2' is not allowed"),
        (["--faults", "gamma=1"], "faults: 'gamma' is not allowed"),
        (["--clock", "fixed"], "start: nothing is not allowed"),
        (["--clock", "fixed", "--start", "yesterday"], "start: 'yesterday' is not allowed"),
        (["--run", "a-b"], "run: 'a-b' is not allowed"),
        (["--schemas", "/nowhere"], "/nowhere"),
        ([], "count: None is not allowed"),
    ],
)
def test_wrong_options_are_named(tmp_path, capsys, options, says):
    rest = [] if not options or options[0] in {"--seconds", "--count"} else ["--count", "5"]
    assert main(["write", "--out", str(tmp_path / "file"), *options, *rest]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--start", "2026-01-01"], "start: '2026-01-01' is not allowed; allowed: at most 44 days ago"),
        (["--start", "2999-01-01"], "speed: 1 is not allowed; allowed: a run that ends before the present"),
    ],
)
def test_virtual_times_that_would_be_refused_are_refused_first(kafka, capsys, options, says):
    command = ["produce", "--bootstrap", kafka.bootstrap, "--count", "10", "--clock", "fixed"]
    assert main([*command, *options]) == 2
    assert says in capsys.readouterr().err


def test_a_malformed_file_is_an_error_with_its_line(kafka, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text('{"key": "a"}\n')
    assert main(["produce", "--bootstrap", kafka.bootstrap, "--from", str(file)]) == 1
    assert "line 1, is no line of a record file" in capsys.readouterr().err


def test_truth_and_examples_are_printed(capsys):
    assert main(["truth", "--count", "500"]) == 0
    assert "deserved_conversions" in json.loads(capsys.readouterr().out)["tenants"]["tenant-01"]
    assert main(["faults", "length_bomb"]) == 0
    assert "quarantined, undecodable" in capsys.readouterr().out
    assert main(["faults"]) == 0
    assert main(["faults", "gamma"]) == 2
