"""What the job resumes from, and what the user is told when it cannot."""

from __future__ import annotations

import json
import os

import pytest

from local import flink_job
from local.config import REPOSITORY, StackConfig

# As Flink's REST interface returns it.
STACK_TRACE = """\
org.apache.flink.runtime.checkpoint.CheckpointException: Could not finalize.
\tat org.apache.flink.runtime.jobmaster.JobMaster.lambda$triggerSavepoint$18(JobMaster.java:851)
Caused by: java.util.concurrent.CompletionException: pemja.core.PythonException: <class 'TypeError'>
\tat java.base/java.util.concurrent.CompletableFuture.encodeRelay(CompletableFuture.java:368)
Caused by: pemja.core.PythonException: <class 'TypeError'>: 'NoneType' object is not iterable
\tat jobs.counts.open(counts.py:47)
\t... 13 more
"""


@pytest.fixture
def config(tmp_path):
    return StackConfig(run_dir=tmp_path)


def snapshot(config, path, age, *, complete=True):
    folder = config.run_dir / "flink" / path
    folder.mkdir(parents=True)
    if complete:
        (folder / "_metadata").touch()
        os.utime(folder / "_metadata", (1_700_000_000 - age, 1_700_000_000 - age))
    return folder


def own_jobs(config, *job_ids):
    (config.run_dir / "flink" / "measurement-jobs.json").write_text(json.dumps(job_ids))


def test_the_first_start_has_no_snapshot(config):
    assert flink_job.newest_snapshot(config) is None
    assert "-s" not in flink_job.component(config).command()


def test_the_newest_complete_snapshot_of_the_job_is_taken(config):
    snapshot(config, "savepoints/savepoint-aa", age=30)
    newest = snapshot(config, "checkpoints/own2/chk-7", age=20)
    snapshot(config, "checkpoints/own1/chk-9", age=40)
    snapshot(config, "checkpoints/own2/chk-8", age=0, complete=False)
    snapshot(config, "checkpoints/another/chk-1", age=10)
    own_jobs(config, "own1", "own2")
    assert flink_job.newest_snapshot(config) == newest
    command = flink_job.component(config).command()
    assert command[command.index("-s") + 1] == newest.as_uri()


def test_a_savepoint_at_the_stop_wins_over_the_checkpoints_before_it(config):
    snapshot(config, "checkpoints/own/chk-3", age=5)
    savepoint = snapshot(config, "savepoints/savepoint-bb", age=1)
    own_jobs(config, "own")
    assert flink_job.newest_snapshot(config) == savepoint


def test_fresh_ignores_every_snapshot_and_reads_from_the_start(config):
    snapshot(config, "savepoints/savepoint-aa", age=1)
    command = flink_job.component(config, fresh=True).command()
    assert "-s" not in command
    assert command[command.index("--start") + 1] == "earliest"


def test_options_of_the_user_reach_the_job_and_win(tmp_path):
    config = StackConfig(run_dir=tmp_path, job_options=("--clock-tick-ms", "0"))
    command = flink_job.component(config).command()
    assert command[-2:] == ("--clock-tick-ms", "0")
    assert command.index(str(REPOSITORY / "jobs" / "measurement.py")) < command.index("--kafka-bootstrap")


def test_the_innermost_cause_is_told():
    assert (
        flink_job.innermost_cause(STACK_TRACE)
        == "pemja.core.PythonException: <class 'TypeError'>: 'NoneType' object is not iterable"
    )
    assert flink_job.innermost_cause("plain\n\tat a.b(C.java:1)") == "plain"
    assert flink_job.innermost_cause("") == ""


def test_stopping_says_so_when_no_jobmanager_answers(tmp_path):
    from tests.conftest import free_port_base

    told = flink_job.stop(StackConfig(run_dir=tmp_path, port_base=free_port_base()))
    assert "JobManager does not answer" in told
