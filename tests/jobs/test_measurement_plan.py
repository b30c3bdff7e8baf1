"""The job as Flink plans it: nothing planned twice, every operator with a stable uid, every stage on its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ADDRESSES = ["--kafka-bootstrap", "h:1", "--clickhouse-url", "http://h:1", "--redis-url", "redis://h:1/0"]
SCRIPT = Path(__file__).with_name("plan_job.py")
REPOSITORY = SCRIPT.parents[2]


def plan(*options: str) -> list[dict[str, str | None]]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *ADDRESSES, *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "JAVA_HOME": ""} | _java(),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    nodes: list[dict[str, str | None]] = json.loads(done.stdout.strip().splitlines()[-1])
    return nodes


def _java() -> dict[str, str]:
    import os

    return {name: os.environ[name] for name in ("JAVA_HOME", "PATH", "HOME") if name in os.environ}


@pytest.fixture(scope="module")
def whole() -> list[dict[str, str | None]]:
    return plan()


def names(nodes: list[dict[str, str | None]]) -> list[str]:
    return [str(node["name"]) for node in nodes]


def test_the_stream_is_read_decoded_and_deduplicated_once(whole: list[dict[str, str | None]]) -> None:
    planned = names(whole)
    assert sum(name.startswith("Source: marketing_events") for name in planned) == 1
    assert sum(name.startswith("Deduplicate") for name in planned) == 1
    assert planned.count("Attribute conversions to touchpoints") == 1


def test_operators_have_uids_and_two_plans_agree_on_them(whole: list[dict[str, str | None]]) -> None:
    assert plan() == whole
    own = {node["uid"] for node in whole}
    assert {"attribute-persons", "request-revisions", "sum-tallies", "watch-rules", "clock"} <= own
    stateful = ("Deduplicate", "GlobalWindowAggregate", "WindowAggregate", "Source: marketing_events")
    assert all(node["uid"] for node in whole if str(node["name"]).startswith(stateful))
    uids = [node["uid"] for node in whole if node["uid"]]
    assert len(uids) == len(set(uids))


@pytest.mark.parametrize(
    ("stages", "has", "lacks"),
    [
        ("events", "Sum up tallies", "Attribute conversions to touchpoints"),
        ("campaign_metrics", "Request revisions of late windows", "Sum up tallies"),
        ("journeys", "Attribute conversions to touchpoints", "Request revisions of late windows"),
        ("campaign_metrics,alerts", "Watch alert rules and baselines", "Attribute conversions to touchpoints"),
    ],
)
def test_a_stage_can_be_a_job_of_its_own(stages: str, has: str, lacks: str) -> None:
    planned = names(plan("--stages", stages))
    assert has in planned
    assert lacks not in planned


def test_a_wrong_option_ends_the_submission_with_its_name() -> None:
    with pytest.raises(AssertionError, match="--stages is 'nope'"):
        plan("--stages", "nope")
