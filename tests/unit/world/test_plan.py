"""The shape of the world."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from statistics import mean, median

import pytest

from bench.world.clock import LiveClock
from bench.world.stream import Stream

START = 1_795_000_000_000


def records_of(plan, count):
    """Records of the lap in order, without the prologue."""
    stream = Stream(plan, LiveClock(START, 1_000))
    first = len(plan.prologue)
    return [json.loads(line)["record"] for line in stream.lines(first, first + count, None, 0)]


@pytest.fixture(scope="module")
def world(new_plan, seed):
    """The records of a lap without faults and edge cases."""
    return records_of(new_plan(20_000, seed=seed, edge_share=0), 20_000)


def test_the_same_seed_gives_the_same_world(new_plan):
    one, same, other = (new_plan(2_000, seed=seed, faults="dup=0.1,poison=0.1,invalid=0.1") for seed in (5, 5, 6))
    assert one.lap == same.lap
    assert one.prologue == same.prologue
    assert one.truth.statement() == same.truth.statement()
    assert one.lap != other.lap


def test_a_lap_has_the_length_asked_for(new_plan):
    for length in (1, 2, 17, 1_000):
        assert len(new_plan(length, faults="dup=0.3").lap) == length


def test_families_are_mixed_as_asked(world):
    families = Counter(
        "campaign" if "campaign" in record else "journey" if "journey" in record else "personalization"
        for record in world
    )
    # Five standard deviations of a share of 20,000.
    assert families["campaign"] / len(world) == pytest.approx(0.5, abs=0.018)
    assert families["journey"] / len(world) == pytest.approx(0.4, abs=0.018)
    assert families["personalization"] / len(world) == pytest.approx(0.1, abs=0.012)


def test_reports_have_the_share_asked_for_and_obey_the_ratios(world):
    kinds = Counter(
        record["metrics"]["kind"] for record in world if record["envelope"]["event_type"] == "campaign_optimization"
    )
    assert kinds["report"] / kinds.total() == pytest.approx(0.2, abs=0.025)
    for record in world:
        numbers = record.get("metrics", {"kind": ""})
        if numbers["kind"] == "report":
            assert 0 <= numbers["conversions"] <= numbers["clicks"] <= numbers["impressions"]
        elif numbers["kind"] == "increment":
            assert numbers["impressions"] + numbers["clicks"] + numbers["conversions"] <= 1


@pytest.mark.parametrize(("options", "share"), [({"top_share": 0.9}, 0.9), ({"zipf": 0, "tenants": 4}, 0.25)])
def test_tenants_have_the_sizes_asked_for(new_plan, seed, options, share):
    plan = new_plan(10_000, seed=seed, with_lines=False, **options)
    sizes = Counter(message.label.tenant for message in plan.lap)
    assert sizes["tenant-01"] / 10_000 == pytest.approx(share, abs=0.03)


def test_tenants_may_be_named(new_plan):
    plan = new_plan(500, tenants=("acme", "globex"), with_lines=False)
    assert {message.key for message in plan.lap} == {b"acme", b"globex"}


def test_every_campaign_is_launched_before_anything_else_of_it(new_plan, seed):
    plan = new_plan(20_000, seed=seed, faults="dup=0.01", with_lines=True)
    stream = Stream(plan, LiveClock(START, 1_000))
    launched, ended = set(), set()
    for line in stream.lines(0, len(plan.prologue) + 20_000, None, 0):
        record = json.loads(line)["record"]
        if "campaign" in record and not json.loads(line)["fault"]:
            name = record["envelope"]["tenant_id"], record["campaign"]["campaign_id"]
            kind = record["envelope"]["event_type"]
            assert (name in launched) == (kind != "campaign_launch")
            assert name not in ended
            (launched if kind == "campaign_launch" else ended if kind == "campaign_termination" else set()).add(name)
    assert len(ended) > 3


def journeys_of(records):
    found = defaultdict(list)
    for record in records:
        if "journey" in record:
            found[record["envelope"]["tenant_id"], record["journey"]["journey_id"]].append(record)
    return found.values()


def test_paths_have_realistic_lengths(world):
    lengths = [
        touches
        for journey in journeys_of(world)
        if journey[0]["envelope"]["event_type"] == "journey_start"
        and (touches := sum("touchpoint" in record for record in journey))
    ]
    assert 4 <= mean(lengths) <= 6
    assert median(lengths) <= mean(lengths)
    assert max(lengths) > 12


def test_journeys_are_whole_and_in_order(world):
    started = 0
    for journey in journeys_of(world):
        types = [record["envelope"]["event_type"] for record in journey]
        if types[0] != "journey_start":
            assert types == ["touchpoint_interaction"]  # fills the last places of the lap
            continue
        started += 1
        assert types.count("journey_start") == 1
        taken_back = [
            r["conversion"]["original_event_id"] for r in journey if r.get("conversion", {}).get("original_event_id")
        ]
        won = [r["envelope"]["event_id"] for r in journey if r.get("conversion", {}).get("kind") == "conversion"]
        assert set(taken_back) <= set(won)
        assert len({record["journey"]["customer_id"] for record in journey}) == 1
    assert started > 500


def test_first_and_last_touches_differ(world):
    firsts, lasts = Counter(), Counter()
    for journey in journeys_of(world):
        path = [record["touchpoint"]["channel"] for record in journey if "touchpoint" in record]
        if len(path) > 1:
            firsts[path[0]] += 1
            lasts[path[-1]] += 1
    shown, sought = ("display", "video", "social", "native"), ("search", "email")
    assert sum(firsts[channel] for channel in shown) > sum(lasts[channel] for channel in shown)
    assert sum(lasts[channel] for channel in sought) > 1.5 * sum(firsts[channel] for channel in sought)


def test_customers_use_several_devices_that_share_their_marks(world):
    devices, marks = defaultdict(set), defaultdict(set)
    for record in world:
        if "touchpoint" in record:
            name = record["envelope"]["tenant_id"], record["journey"]["customer_id"]
            identifiers = record["envelope"]["identifiers"]
            devices[name].add(identifiers["device_id"])
            marks[name].add(identifiers.get("hashed_email"))
            assert len(identifiers["hashed_ip"]) == 64
            assert int(identifiers["hashed_ip"], 16)
    assert sum(len(found) > 1 for found in devices.values()) > len(devices) / 5
    assert all(len(found - {None}) <= 1 for found in marks.values())


def test_anonymous_touches_carry_a_device(new_plan, seed):
    records = records_of(new_plan(3_000, seed=seed, anonymous_share=0.5, edge_share=0), 3_000)
    touches = [record for record in records if "touchpoint" in record]
    anonymous = [t for t in touches if t["journey"]["customer_id"] == t["envelope"]["identifiers"]["device_id"]]
    assert len(anonymous) / len(touches) == pytest.approx(0.5, abs=0.1)


def test_devices_that_never_sign_in_name_no_customer(new_plan, seed):
    records = records_of(new_plan(3_000, seed=seed, signed_out_share=1.0, edge_share=0), 3_000)
    touches = [record for record in records if "touchpoint" in record]
    names = defaultdict(set)
    for touch in touches:
        names[touch["envelope"]["tenant_id"], touch["envelope"]["identifiers"]["device_id"]].add(
            touch["journey"]["customer_id"]
        )
    assert all(len(found) == 1 for found in names.values())
    own = [touch["journey"]["customer_id"] == touch["envelope"]["identifiers"]["device_id"] for touch in touches]
    assert 0.1 < sum(own) / len(own) < 0.9
    assert all(record["journey"]["customer_id"].startswith("c-") for record in records if "conversion" in record)


def test_an_opt_out_is_the_last_event_of_its_journey(new_plan, seed):
    records = records_of(new_plan(3_000, seed=seed, opt_out_share=0.5, edge_share=0), 3_000)
    # Other changes of stage lead to another stage.
    said = [
        record
        for record in records
        if "previous_stage" in record and record["previous_stage"] == record["journey"]["stage"]
    ]
    assert not any(any(record["envelope"]["consent"].values()) for record in said)
    journeys = sum("entry_point" in record for record in records)
    assert len(said) / journeys == pytest.approx(0.5, abs=0.15)


def test_both_schema_versions_flow_side_by_side(new_plan, seed):
    records = records_of(new_plan(4_000, seed=seed, v2_share=0.3), 4_000)
    touches = [record for record in records if "touchpoint" in record]
    assert sum("session_id" in touch for touch in touches) / len(touches) == pytest.approx(0.3, abs=0.08)


def test_edge_cases_keep_their_times_to_the_millisecond(new_plan):
    plan = new_plan(4_000, tenants=1, mix=(0, 1, 0), edge_share=1.0)
    records = records_of(plan, 4_000)
    spans = Counter()
    for journey in journeys_of(records):
        won = [
            record["envelope"]["event_time"]
            for record in journey
            if record.get("conversion", {}).get("kind") == "conversion"
        ]
        if len(won) == 1:
            spans.update(record["envelope"]["event_time"] - won[0] for record in journey if "touchpoint" in record)
    month = 30 * 86_400_000
    assert min(spans[-month - 1], spans[-month], spans[0], spans[1], spans[-60_000]) > 10


def test_no_sound_event_is_ahead_of_its_message(new_plan, seed):
    records = records_of(new_plan(5_000, seed=seed, edge_share=0.5), 5_000)
    # One edge case has a touch a millisecond after its conversion.
    assert all(record["envelope"]["event_time"] <= record["envelope"]["created_at"] + 1 for record in records)
