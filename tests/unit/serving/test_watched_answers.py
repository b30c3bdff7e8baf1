"""Live streams of answers: a snapshot, then what changed, heartbeats, resume, slow readers, draining."""

from __future__ import annotations

import asyncio
import math
import time

import pytest
from tributary.v1 import campaign_metrics_pb2 as campaign_pb
from tributary.v1 import live_answers_pb2 as live_pb

from serving.access.principal import Kind, Principal
from serving.errors import Reason, ServingError
from serving.handlers import watched_shapes
from serving.handlers.call import Call
from serving.handlers.watch import Pace
from serving.handlers.watched_answers import ROWS_KEPT, STATES_KEPT, KnownStates, Shape, State, WatchedAnswers
from serving.handlers.watched_shapes import BREAKDOWN, SERIES
from serving.live.hub import LiveHub
from serving.metrics import ServingMetrics

pytestmark = pytest.mark.asyncio

CALL = Call("acme", Principal(kind=Kind.DEMO, id="demo"))


class Answer:
    """The unary method: rows by campaign, each with its clicks."""

    def __init__(self):
        self.rows = {}
        self.reads = 0
        self.degraded = False
        self.next_page_token = ""
        self.asked = None

    async def __call__(self, request, call):
        self.reads += 1
        self.asked = request
        made = campaign_pb.GetBreakdownResponse(next_page_token=self.next_page_token)
        for name, clicks in self.rows.items():
            row = made.rows.add()
            row.metrics.campaign_id = name
            row.metrics.sums.clicks = clicks
        made.totals.add().sums.clicks = sum(self.rows.values())
        # What moves with the clock is no change.
        made.covered_range.end_time.seconds = self.reads
        made.freshness.answered_at.seconds = self.reads
        made.freshness.degraded = self.degraded
        return made


class World:
    """A hub, an answer, and streams of it."""

    def __init__(self, **pace):
        self.hub = LiveHub(ServingMetrics())
        self.answer = Answer()
        self.watched = WatchedAnswers(self.hub, Pace(**({"interval": 0.0, "heartbeat": 60.0, "reread": 0.005} | pace)))

    def stream(self, cursor="", **fields):
        request = live_pb.WatchBreakdownRequest(**({"tenant_id": "acme", "resume_cursor": cursor} | fields))
        return self.watched.handler(BREAKDOWN, self.answer)(request, CALL)


async def following(stream):
    async with asyncio.timeout(60):
        return await anext(stream)


def clicks(update):
    return {row.metrics.campaign_id: row.metrics.sums.clicks for row in update.rows}


def gone(message):
    return [row.metrics.campaign_id for row in message.removed]


async def test_a_snapshot_then_only_what_changed():
    world = World()
    world.answer.rows = {"a": 1, "b": 2}
    stream = world.stream()
    first = await following(stream)
    assert first.WhichOneof("update") == "snapshot"
    assert clicks(first.snapshot) == {"a": 1, "b": 2}
    assert not first.snapshot.HasField("freshness")
    assert first.freshness.HasField("answered_at")
    assert first.snapshot.HasField("covered_range")
    world.answer.rows = {"b": 3, "c": 4}
    second = await following(stream)
    assert second.WhichOneof("update") == "changes"
    assert (clicks(second.changes), gone(second)) == ({"b": 3, "c": 4}, ["a"])
    # What is no row is complete.
    assert second.changes.totals[0].sums.clicks == 7
    world.answer.rows = {"c": 4}
    third = await following(stream)
    assert (clicks(third.changes), gone(third)) == ({}, ["b"])
    assert len({first.resume_cursor, second.resume_cursor, third.resume_cursor}) == 3


async def test_nothing_is_sent_while_nothing_changes_but_heartbeats():
    world = World(heartbeat=0.05)
    world.answer.rows = {"a": 1}
    stream = world.stream()
    first = await following(stream)
    reads = world.answer.reads
    beat = await following(stream)
    assert beat.WhichOneof("update") == "heartbeat"
    assert beat.heartbeat.sent_at.seconds > 0
    assert beat.resume_cursor == first.resume_cursor
    assert world.answer.reads > reads


async def test_resume_goes_on_with_what_changed():
    world = World()
    world.answer.rows = {"a": 1, "b": 2}
    seen = await following(world.stream())
    world.answer.rows = {"a": 1, "b": 5}
    again = await following(world.stream(seen.resume_cursor))
    assert again.WhichOneof("update") == "changes"
    assert clicks(again.changes) == {"b": 5}
    # Of the same state there is nothing to tell.
    same = await following(world.stream(again.resume_cursor))
    assert (same.WhichOneof("update"), same.resume_cursor) == ("heartbeat", again.resume_cursor)


async def test_resume_on_another_server_begins_with_a_snapshot():
    world, other = World(), World()
    world.answer.rows = other.answer.rows = {"a": 1}
    seen = await following(world.stream())
    assert (await following(other.stream(seen.resume_cursor))).WhichOneof("update") == "snapshot"


@pytest.mark.parametrize("changed", [{"tenant_id": "other"}, {"page_size": 7}, {"resume_cursor": "AAAA"}])
async def test_a_cursor_of_another_request_is_refused(changed):
    world = World()
    seen = await following(world.stream())
    with pytest.raises(ServingError) as refused:
        await following(world.stream(**({"resume_cursor": seen.resume_cursor} | changed)))
    assert refused.value.reason is Reason.INVALID_RESUME_CURSOR


async def test_a_slow_reader_gets_the_newest_state_once():
    world = World()
    world.answer.rows = {"a": 1}
    stream = world.stream()
    await following(stream)
    reads = world.answer.reads
    for step in range(2, 1000):
        world.answer.rows = {"a": step, f"c{step}": step}
        world.hub.file("acme").heard.wake()
        await asyncio.sleep(0)
    # Nothing is read for a client that takes nothing.
    assert world.answer.reads == reads
    message = await following(stream)
    assert (clicks(message.changes), gone(message)) == ({"a": 999, "c999": 999}, [])


async def test_what_is_heard_ends_the_wait():
    """An hour has passed since the answer was read, and when nothing is heard it is read in another hour."""
    world = World(heartbeat=1e6, reread=3600.0)
    heard = asyncio.Event()
    read_at = time.monotonic() - 3600
    waiting = asyncio.ensure_future(world.watched._until_due(read_at, math.inf, heard))
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert not done
    heard.set()
    async with asyncio.timeout(60):
        await waiting


async def test_degraded_answers_are_told_and_their_end_too():
    world = World()
    world.answer.rows = {"a": 1}
    stream = world.stream()
    await following(stream)
    for degraded in (True, False):
        world.answer.degraded = degraded
        message = await following(stream)
        assert message.WhichOneof("update") == "changes"
        assert (clicks(message.changes), message.freshness.degraded) == ({}, degraded)


async def test_a_draining_server_ends_the_stream_with_a_reason():
    world = World(reread=60.0)
    stream = world.stream()
    await following(stream)
    reading = asyncio.ensure_future(following(stream))
    await asyncio.sleep(0)
    world.hub.close()
    with pytest.raises(ServingError) as refused:
        await reading
    assert (refused.value.reason, refused.value.retry_after_seconds is not None) == (Reason.DRAINING, True)
    assert world.hub.file("acme").idle


async def test_fields_reach_the_method_and_what_must_be_whole_is_refused_in_parts():
    world = World()
    await following(world.stream(page_size=7, order_by="clicks desc", selection={"campaign_ids": ["a"]}))
    assert (world.answer.asked.page_size, world.answer.asked.order_by) == (7, "clicks desc")
    assert list(world.answer.asked.selection.campaign_ids) == ["a"]

    async def too_many(request, call):
        assert request.page_size == 10_000
        return campaign_pb.ListTimeSeriesResponse(next_page_token="more")

    request = live_pb.WatchTimeSeriesRequest(tenant_id="acme")
    with pytest.raises(ServingError) as refused:
        await following(world.watched.handler(SERIES, too_many)(request, CALL))
    assert refused.value.reason is Reason.ANSWER_TOO_LARGE


async def test_a_stream_can_be_asked_all_that_its_answer_can():
    shapes = [shape for shape in vars(watched_shapes).values() if isinstance(shape, Shape)]
    assert {shape.watched.DESCRIPTOR.name for shape in shapes} == {
        method.output_type.name for method in live_pb.DESCRIPTOR.services_by_name["LiveAnswerService"].methods
    }
    for shape in shapes:
        request = live_pb.DESCRIPTOR.message_types_by_name[shape.watched.DESCRIPTOR.name.replace("Response", "Request")]
        pages = {"page_token"} | ({"page_size"} if shape.whole_page_size else set())
        assert {*shape.asked.DESCRIPTOR.fields_by_name} - pages == {*request.fields_by_name} - {"resume_cursor"}


async def test_states_are_kept_within_bounds():
    states = KnownStates()
    for number in range(STATES_KEPT + 5):
        states.keep(b"r", str(number), State({}, b"", degraded=False))
    assert states.find(b"r", "4") is None
    assert states.find(b"r", "5") is not None
    assert states.find(b"other", "5") is None
    large = State({bytes([n % 256, n // 256, 1]): b"" for n in range(60_000)}, b"", degraded=False)
    assert 2 * len(large.rows) > ROWS_KEPT
    states.keep(b"r", "first", large)
    states.keep(b"r", "first", large)
    assert states.find(b"r", "first") is not None
    states.keep(b"r", "second", large)
    assert (states.find(b"r", "first"), states.find(b"r", "second")) == (None, large)
