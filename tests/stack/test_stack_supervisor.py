"""What dies again and again is started ever more rarely; a job that its JobManager has forgotten is submitted again."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from local import flink_job, process, stack, supervisor
from local.catalogue import JOB
from local.component import Component
from local.config import StackConfig
from local.process import ProcessRecord
from local.stack import SUPERVISOR, Stack
from local.supervisor import Failures
from tests.conftest import free_port_base

# The supervisor looks four times a second; the rest is for a machine that is busy.
SECONDS = 120.0
GONE = ProcessRecord(pid=2**22 - 1, started=1)
# Answers from files, as a JobManager does that has only just been started.
JOBMANAGER = """
import http.server, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = "overview" if self.path == "/jobs/overview" else "exceptions" if "exceptions" in self.path else "job"
        body = (pathlib.Path(sys.argv[1]) / name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
KNOWN = '{"jobs": [{"jid": "j1", "name": "tributary-measurement", "state": "RUNNING", "start-time": 1}]}'


def test_the_delay_grows_to_half_a_minute_and_not_beyond():
    failures = Failures()
    delays = [failures.note(now=float(second)) for second in range(12)]
    assert 0.4 <= delays[0] <= 0.5
    assert all(later > earlier for earlier, later in pairwise(delays[:6]))
    assert all(24.0 <= delay <= 30.0 for delay in delays[7:])


def test_after_a_healthy_minute_it_starts_over():
    failures = Failures()
    for second in range(10):
        failures.note(now=float(second))
    assert failures.note(now=100.0) <= 0.5


def test_the_next_attempt_is_due_after_the_delay():
    failures = Failures()
    delay = failures.note(now=50.0)
    assert failures.due == 50.0 + delay


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A stack whose JobManager, TaskManager and job are small programs; all of them are dead."""
    config = StackConfig(run_dir=tmp_path, port_base=free_port_base(), start_timeout_seconds=600)
    answers = tmp_path / "answers"
    answers.mkdir()
    (answers / "overview").write_text('{"jobs": []}')
    (answers / "job").write_text('{"vertices": [{"status": "SCHEDULED"}]}')
    (answers / "exceptions").write_text('{"exceptionHistory": {"entries": []}}')
    once = f"test -e {tmp_path}/refused || {{ touch {tmp_path}/refused; exit 1; }}; "
    real = flink_job.component

    def job(*arguments, **options):
        submit = ("sh", "-c", f"{once} echo '{KNOWN}' > {answers}/overview")
        return replace(real(*arguments, **options), command=lambda: submit, environment={})

    def shell(name, *command):
        return lambda: Component(name=name, command=lambda: command, missing=lambda: None)

    running = f'echo \'{{"vertices": [{{"status": "RUNNING"}}]}}\' > {answers}/job; exec sleep 600'
    parts = {
        "jobmanager": shell("jobmanager", sys.executable, "-c", JOBMANAGER, str(answers), str(config.flink_port)),
        "taskmanager-1": shell("taskmanager-1", "sh", "-c", running),
        "job": lambda: flink_job.component(config),
    }
    monkeypatch.setattr(flink_job, "component", job)
    monkeypatch.setattr(stack, "builders", lambda _config: parts)
    made = Stack(config)
    for name in parts:
        made.records.write(name, GONE)
    yield made
    for name in ("jobmanager", "taskmanager-1"):
        process.kill(made.records.read(name))


def test_a_job_comes_back_when_jobmanager_and_taskmanager_died_and_its_first_submission_failed(cluster, monkeypatch):
    """The job waits for the TaskManager: waiting for the job before the TaskManager is started again has no end."""
    monkeypatch.setattr(supervisor.signal, "signal", lambda *_: None)
    cluster.records.write(SUPERVISOR, ProcessRecord(os.getpid(), 0))
    job = flink_job.component(cluster.config)
    done = []

    def watch():
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and not done:
            if job.missing() is None:
                done.append(True)
            time.sleep(0.1)
        # It ends when another one has taken over.
        cluster.records.write(SUPERVISOR, GONE)

    watcher = threading.Thread(target=watch)
    watcher.start()
    supervisor.supervise(cluster.config)
    watcher.join()
    assert done
    assert cluster.records.read(JOB) is not None
