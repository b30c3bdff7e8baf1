"""Processes are started, recognised by their start time, and stopped with all they have started."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

import pytest

from local import process
from local.process import ProcessRecords


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


@pytest.fixture
def run(tmp_path):
    """Start Python code as a process, and wait until it has said that it is ready."""
    started = []

    def start(code):
        log = tmp_path / f"{len(started)}.log"
        record = process.start([sys.executable, "-c", code], {}, tmp_path, log)
        started.append(record)
        wait_for(lambda: "ready" in log.read_text() or not process.alive(record))
        return record

    yield start
    for record in started:
        process.kill(record)


SLEEP = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"


def test_a_process_that_listens_is_stopped_when_asked(run):
    record = run(SLEEP)
    assert process.alive(record)
    assert process.stop(record, 20)
    assert not process.alive(record)
    assert process.exit_code(record) == -15


def test_a_process_that_ignores_the_signal_is_killed(run):
    record = run(STUBBORN)
    assert not process.stop(record, 0.2)
    assert not process.alive(record)
    assert process.exit_code(record) == -9


def test_what_a_killed_process_has_started_dies_with_it(run):
    code = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); import time; time.sleep(600)"
    )
    record = run(code)
    members = list(process.session_members(record))
    assert len(members) == 2
    os.kill(record.pid, 9)  # the leader alone: its worker is an orphan now
    wait_for(lambda: not process.alive(record))
    process.kill(record)
    assert not any(process.alive(member) for member in members)


def test_a_recycled_process_id_is_never_signalled(run):
    record = run(SLEEP)
    earlier = replace(record, started=record.started - 1)
    assert not process.alive(earlier)
    assert process.stop(earlier, 0.2)
    process.kill(earlier)
    assert process.alive(record)


def test_an_ended_process_that_nobody_collected_is_not_alive(run):
    record = run("print('ready')")
    wait_for(lambda: not process.alive(record))
    assert process.exit_code(record) == 0


def test_records_survive_and_broken_ones_are_none(tmp_path, run):
    records = ProcessRecords(tmp_path / "pids")
    assert records.names() == []
    record = run(SLEEP)
    records.write("one", record)
    assert ProcessRecords(tmp_path / "pids").read("one") == record
    (tmp_path / "pids" / "two.json").write_text("{")
    assert records.read("two") is None
    records.remove("one")
    assert records.read("one") is None


def test_the_callers_python_settings_do_not_reach_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/of/the/caller")
    monkeypatch.setenv("FLINK_CONF_DIR", "/of/the/caller")
    log = tmp_path / "log"
    code = "import os; print(os.environ.get('PYTHONPATH'), os.environ.get('FLINK_CONF_DIR'), os.environ['GIVEN'])"
    record = process.start([sys.executable, "-c", code], {"GIVEN": "yes"}, tmp_path, log)
    wait_for(lambda: not process.alive(record))
    assert log.read_text().split() == ["None", "None", "yes"]
