"""The planned graph of the measurement job: what a savepoint rests on, and what must not be planned twice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.measurement import too_wide
from jobs.options import USUAL_STAGES, Stage

REPOSITORY = Path(__file__).resolve().parents[2]
ADDRESSES = ["--kafka-bootstrap", "h:9092", "--clickhouse-url", "http://h:8123", "--redis-url", "redis://h:6379/0"]
# A stage that works alone, and the operator that no other stage plans. Alerts watch the windows of another stage.
OWN_OPERATOR = {
    Stage.EVENTS: "sum-tallies",
    Stage.CAMPAIGN_METRICS: "request-revisions",
    Stage.JOURNEYS: "attribute-persons",
    Stage.IDENTITY: "link-customers",
    Stage.ALERTS: "watch-rules",
}
ALONE = [stage for stage in Stage if stage is not Stage.ALERTS]
# key_by puts a map without state before the keyed operator, and PyFlink has no call to give it a uid.
KEY_BY = "_stream_key_by_map_operator"
# The plans take a minute of processor time, which has been ten minutes on a machine that others work on. Less than the
# time-out of a test, so that the processes are ended with it.
PLANNING_SECONDS = 1_100


def start(*arguments):
    # The processes hash differently, so that a plan that depends on the order of a set is noticed.
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    try:
        return process.communicate(timeout=PLANNING_SECONDS)
    finally:
        process.kill()


def start_planning(*variants):
    return start(Path(__file__).with_name("plan_job.py"), *(json.dumps([*ADDRESSES, *more]) for more in variants))


def planned(process):
    out, errors = ended(process)
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module")
def plans():
    """The usual job by `first` and `second`, each planned by a process of its own, and every stage alone by its name.

    `everything` has all stages in one job, `narrow` is the usual job with a parallelism of its own behind the store.
    """
    alone = [["--stages", stage] for stage in ALONE]
    # The usual job comes first in both: only then do the numbers in its uids begin at one. The rest is shared out.
    first = start_planning([], ["--stages", ",".join(Stage)], alone[0])
    second = start_planning([], *alone[1:], ["--derived-parallelism", "1"])
    try:
        usual, everything, *alone = planned(first)
        usual_again, *more, narrow = planned(second)
    finally:
        second.kill()
    named = {"first": usual, "second": usual_again, "everything": everything, "narrow": narrow}
    return named | dict(zip(ALONE, [*alone, *more], strict=True))


PLANS = ["first", "everything", *ALONE]


@pytest.mark.parametrize("which", PLANS)
def test_every_operator_has_a_name_and_a_uid_of_its_own(plans, which):
    assert len(plans[which]) > 10
    assert [uid for uid, name, _ in plans[which] if not name] == []
    assert [name for uid, name, _ in plans[which] if not uid and name != KEY_BY] == []
    uids = [uid for uid, _, _ in plans[which] if uid]
    assert sorted(uids) == sorted(set(uids))


def test_two_plans_of_one_program_have_equal_uids(plans):
    assert plans["first"] == plans["second"]


@pytest.mark.parametrize("stage", [stage for stage in ALONE if stage is not Stage.IDENTITY])
def test_a_stage_has_the_same_uids_whichever_others_there_are(plans, stage):
    """So a savepoint restores although an earlier stage was left out or added."""

    def of_stage(which):
        return {uid for uid, _, _ in plans[which] if uid and uid.startswith(f"{stage.value}/")}

    assert len(of_stage(stage)) > 2
    assert of_stage("first") == of_stage(stage)
    assert of_stage("first") <= of_stage("everything")


def test_no_uid_holds_a_number_of_the_planner(plans):
    """Those numbers shift with whatever is planned before."""
    numbered = re.compile(r"(.*/)?\d+_")
    assert [uid for which in PLANS for uid, _, _ in plans[which] if uid and numbered.match(uid)] == []


@pytest.mark.parametrize("which", PLANS)
def test_the_topic_is_read_and_deduplicated_once(plans, which):
    names = [name.partition("[")[0] for _, name, _ in plans[which]]
    assert names.count("Source: marketing_events") == 1
    assert names.count("Rank") == 1


def test_what_is_derived_can_run_in_fewer_parts_than_what_reads_and_stores(plans):
    def parts(which):
        return {name.partition("[")[0]: parts for _, name, parts in plans[which] if name != KEY_BY}

    derived = ("WindowAggregate", "GlobalWindowAggregate", "Attribute conversions to touchpoints", "Sum up tallies")
    for name in ("Source: marketing_events", "Rank"):
        assert parts("narrow")[name] == parts("first")[name] == 2, name
    for name in derived:
        assert (parts("narrow")[name], parts("first")[name]) == (1, 2), name
    # Where state is kept does not depend on it.
    assert {uid for uid, _, _ in plans["narrow"]} == {uid for uid, _, _ in plans["first"]}


def test_a_job_has_the_operators_of_its_stages_and_no_others(plans):
    asked = {"first": set(USUAL_STAGES), "everything": set(Stage)} | {stage: {stage} for stage in ALONE}
    assert set(OWN_OPERATOR) == set(Stage)
    for which, stages in asked.items():
        uids = {uid for uid, _, _ in plans[which]}
        assert {stage for stage, own in OWN_OPERATOR.items() if own in uids} == stages, which


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stages", "events,nope"], ["--stages is 'nope'; allowed: events, campaign_metrics, journeys"]),
        (["--dedup-hours", "0"], ["--dedup-hours is 0; allowed: 1 to 2160"]),
        (["--lookback-days", "soon"], ["--lookback-days", "'soon'", "int"]),
    ],
)
def test_a_wrong_option_ends_the_program_with_a_message(arguments, said):
    process = start(REPOSITORY / "jobs" / "measurement.py", *ADDRESSES, *arguments)
    out, errors = ended(process)
    assert process.returncode == 2
    assert out == ""
    assert "Traceback" not in errors
    assert all(part in errors for part in said), errors


@pytest.mark.parametrize(
    ("parallelism", "partitions", "refused"), [(8, 8, False), (2, 8, False), (9, 8, True), (9, 0, False)]
)
def test_a_job_wider_than_its_topic_is_refused(parallelism, partitions, refused):
    reason = too_wide(parallelism, partitions, "marketing-events")
    assert (reason is not None) is refused
    if reason:
        assert "the parallelism is 9; allowed: up to 8, the partitions of marketing-events" in reason
