"""The measurement job keeps its state over a stop of the whole stack and over the death of its JobManager."""

from __future__ import annotations

import time

from local import flink_job
from local.http_probe import HttpProbeError, get_json

# Planning and starting the job takes minutes on a machine whose cores are busy.
START_SECONDS = 300


def wait_for(condition, seconds=START_SECONDS):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.5)
    return found


def running(stack):
    try:
        return flink_job.running_job(stack.config)
    except HttpProbeError:  # the JobManager is not there
        return None


def checkpoints(stack, job):
    def answer():
        try:
            return get_json(stack.config.flink_port, f"/jobs/{job.job_id}/checkpoints", seconds=30)
        except HttpProbeError:  # the JobManager does not answer for a job that it still initializes
            return None

    return wait_for(answer)


def restored_from(stack, job):
    """Return the snapshot that the job began with; the JobManager names it once the job has begun."""
    return wait_for(lambda: checkpoints(stack, job)["latest"]["restored"])["external_path"]


def test_down_takes_a_savepoint_and_up_resumes_from_it(stack):
    before = running(stack)
    stack.down()
    savepoint = flink_job.newest_snapshot(stack.config)
    assert savepoint.parent.name == "savepoints"
    stack.up(without=["prometheus"])
    after = running(stack)
    assert after.job_id != before.job_id
    assert restored_from(stack, after).endswith(savepoint.name)


def test_a_job_whose_jobmanager_was_killed_resumes_from_its_newest_checkpoint(stack):
    before = running(stack)
    wait_for(lambda: checkpoints(stack, before)["counts"]["completed"] > 0)
    pid = stack.kill("jobmanager")
    stack.wait_ready("jobmanager", START_SECONDS, not_pid=pid)
    after = wait_for(lambda: (job := running(stack)) and job.job_id != before.job_id and job)
    stack.wait_ready("job", START_SECONDS)
    assert f"/{before.job_id}/chk-" in restored_from(stack, after)
