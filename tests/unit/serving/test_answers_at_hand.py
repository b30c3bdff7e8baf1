"""Answers that are given to many: each to its own question and tenant, no older than it may be, encoded once."""

from __future__ import annotations

import asyncio

import pytest
from tributary.v1 import campaign_metrics_pb2 as pb

from serving.errors import ServingError
from serving.handlers import answers as answers_module
from serving.handlers import answers_at_hand
from serving.handlers.answers import LIVE_MS, LONGEST_LIVE_MS, UNASKED_MS, Answers, Keep, Subject
from serving.handlers.answers_at_hand import SAME_MS, AnswersAtHand, Life
from serving.handlers.call import Call
from serving.handlers.watch import UPDATES_KEPT, SharedUpdates
from serving.live.latest_values import LatestValues, Position
from serving.live.settled_changes import SettledChanges
from serving.metrics import ServingMetrics
from serving.queries.history import HistoryUnavailable
from serving.transports.encoded_once import REMEMBERED, EncodedOnce

ANSWER = pb.GetCampaignMetricsResponse
START_MS = 1_800_000_000_000
LIVE = Keep(LIVE_MS, Subject.CAMPAIGNS)
SETTLED = Keep(900_000, Subject.CAMPAIGNS)


def answer(name):
    return ANSWER(metrics=[pb.CampaignMetrics(campaign_id=name)])


def name_of(message):
    return message.metrics[0].campaign_id


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is told."""

    class Clock:
        now = START_MS

        def __call__(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(answers_at_hand, "now_ms", made)
    monkeypatch.setattr(answers_module, "now_ms", made)
    return made


class Cache:
    """Stands for the cache that servers share."""

    def __init__(self):
        self.kept = {}
        self.asked = 0

    async def get(self, tenant_id, question, not_before_ms):
        self.asked += 1
        kept = self.kept.get((tenant_id, question))
        return kept if kept and kept.made_ms > not_before_ms and kept.until_ms > answers_module.now_ms() else None

    async def put(self, tenant_id, question, kept):
        self.kept[tenant_id, question] = kept


class Server:
    """Answers of one process to a question whose figures a test sets."""

    def __init__(self, cache=None, most_bytes=1 << 20):
        self.changes = SettledChanges()
        self.changes._everything_ms = 0
        self.answers = Answers(cache or Cache(), self.changes, ServingMetrics(), most_bytes)
        self.figures = "first"
        self.computed = 0
        self.hold = None
        self.fault = None

    async def compute(self):
        self.computed += 1
        figures, hold = self.figures, self.hold
        if hold is not None:
            await hold.wait()
        if self.fault is not None:
            raise self.fault
        return answer(figures)

    async def ask(self, tenant="t", keep=LIVE, **changed):
        request, call = pb.GetCampaignMetricsRequest(tenant_id=tenant), Call(tenant, None, **changed)
        return await self.answers.answer(request, call, ANSWER, self.compute, keep)

    async def settle(self):
        """Let what is made anew come to its end."""
        while self.answers._renewals:
            await asyncio.gather(*self.answers._renewals.values())


def test_an_answer_is_given_as_old_as_it_is(clock):
    kept = AnswersAtHand(10_000)
    made = answer("c")
    made.freshness.age.FromMilliseconds(30)
    kept.put("q", made, Life(clock.now, clock.now + 400, clock.now + 500, clock.now + 2_000))
    clock.now += 200
    first = kept.get("q", 0)
    assert (first.ageing, first.old) == (False, False)
    assert first.message.freshness.age.ToMilliseconds() == 230
    assert first.message.freshness.answered_at.ToMilliseconds() == clock.now
    assert made.freshness.age.ToMilliseconds() == 30
    clock.now += SAME_MS - 1
    assert kept.get("q", 0).message is first.message
    clock.now += 1
    assert kept.get("q", 0).message.freshness.age.ToMilliseconds() == 330
    assert first.message.freshness.age.ToMilliseconds() == 230
    for passed, ageing, old in ((399, False, False), (400, True, False), (500, True, True), (1_999, True, True)):
        clock.now = START_MS + passed
        found = kept.get("q", 0)
        assert (found.ageing, found.old) == (ageing, old), passed
    for wrong in (2_000, -1):
        clock.now = START_MS + wrong
        assert kept.get("q", 0) is None
    clock.now = START_MS
    kept.put("q", answer("before"), Life(clock.now - 1, *[clock.now + 9_000] * 3))
    assert name_of(kept.get("q", 0).message) == "c"
    assert kept.get("q", START_MS) is None
    assert kept.get("another", 0) is None


def test_answers_at_hand_take_no_more_than_their_memory(clock):
    size = answer("c0").ByteSize()
    kept = AnswersAtHand(3 * size)
    for number in range(5):
        kept.put(number, answer(f"c{number}"), Life(clock.now, clock.now + 9, clock.now + 9, clock.now + 9))
        kept.put(number, answer(f"c{number}"), Life(clock.now, clock.now + 9, clock.now + 9, clock.now + 9))
    assert [kept.get(number, 0) is not None for number in range(5)] == [False, False, True, True, True]
    assert kept._bytes == 3 * size
    kept.put("large", answer("c" * 4 * size), Life(clock.now, clock.now + 9, clock.now + 9, clock.now + 9))
    assert kept.get("large", 0) is None
    clock.now += 9
    kept.put("later", answer("cx"), Life(clock.now, clock.now + 9, clock.now + 9, clock.now + 9))
    assert list(kept._kept) == ["later"]
    AnswersAtHand(0).put("q", answer("c"), Life(clock.now, clock.now + 9, clock.now + 9, clock.now + 9))


@pytest.mark.asyncio
async def test_a_signal_makes_answers_of_its_tenant_only_out_of_date(clock):
    server = Server()
    assert name_of(await server.ask("a", SETTLED)) == name_of(await server.ask("b", SETTLED)) == "first"
    server.figures = "second"
    assert name_of(await server.ask("a", SETTLED)) == name_of(await server.ask("b", SETTLED)) == "first"
    server.changes._changed["a", Subject.CAMPAIGNS] = clock.now
    clock.now += 1
    assert name_of(await server.ask("a", SETTLED)) == "second"
    assert name_of(await server.ask("b", SETTLED)) == "first"
    assert server.computed == 3


@pytest.mark.asyncio
async def test_tenants_never_share_an_answer(clock):
    server = Server()
    for tenant in ("a", "b", "a:b"):
        server.figures = tenant
        assert name_of(await server.ask(tenant)) == tenant
    for tenant in ("a", "b", "a:b"):
        assert name_of(await server.ask(tenant)) == tenant
    assert server.computed == 3
    # Nor do they when a request came to a call of another tenant, which the gate refuses.
    request = pb.GetCampaignMetricsRequest(tenant_id="a")
    other = await server.answers.answer(request, Call("b", None), ANSWER, server.compute, LIVE)
    assert name_of(other) == "a:b"


@pytest.mark.asyncio
async def test_nobody_waits_for_an_answer_that_is_made_anew(clock):
    server = Server()
    await server.ask()
    server.figures, server.hold = "second", asyncio.Event()
    clock.now += LIVE_MS - 1
    # One computation, which all of these began or found under way.
    assert [name_of(await server.ask()) for _ in range(5)] == ["first"] * 5
    while server.computed < 2:
        await asyncio.sleep(0)
    clock.now += LONGEST_LIVE_MS - LIVE_MS
    assert name_of(await server.ask()) == "first"
    assert server.computed == 2
    # Too old, whoever computes: now callers wait.
    clock.now += 1
    waiting = asyncio.create_task(server.ask())
    await asyncio.sleep(0)
    assert not waiting.done()
    server.hold.set()
    assert name_of(await waiting) == "second"
    await server.settle()
    assert server.computed == 2


@pytest.mark.asyncio
async def test_an_old_answer_is_not_given_when_nobody_makes_a_new_one(clock):
    server = Server()
    await server.ask()
    server.figures = "second"
    clock.now += LIVE_MS
    assert name_of(await server.ask()) == "second"
    server.figures = "third"
    assert name_of(await server.ask(refresh=True)) == "third"
    assert name_of(await server.ask()) == "third"


@pytest.mark.asyncio
async def test_a_fault_while_an_answer_is_made_anew_is_met_by_those_who_ask_later(clock):
    server = Server()
    await server.ask()
    server.fault = HistoryUnavailable("down", 1.0)
    clock.now += LIVE_MS - 1
    assert not (await server.ask()).freshness.degraded
    await server.settle()
    clock.now += 1
    assert (await server.ask()).freshness.degraded
    # A degraded answer is kept for nobody.
    server.fault = None
    server.figures = "second"
    assert name_of(await server.ask()) == "second"
    server.fault = HistoryUnavailable("down", 1.0)
    with pytest.raises(ServingError):
        await server.ask("another")


@pytest.mark.asyncio
async def test_what_took_long_is_kept_longer_but_not_for_long(clock):
    server = Server()

    async def slow():
        server.computed += 1
        clock.now += 120
        return answer("slow")

    request = pb.GetCampaignMetricsRequest(tenant_id="t")
    made = clock.now
    for age, computed in ((0, 1), (950, 1), (1_200, 2)):
        clock.now = max(clock.now, made + age)
        await server.answers.answer(request, Call("t", None), ANSWER, slow, LIVE)
        if age == 950:
            # Near its end it would be made anew for others.
            for task in server.answers._renewals.values():
                task.cancel()
        assert server.computed == computed, age
    assert LIVE.until(0, 10_000) == LONGEST_LIVE_MS
    assert SETTLED.until(0, 10_000) == SETTLED.milliseconds


@pytest.mark.asyncio
async def test_a_server_finds_what_another_was_asked_to_read_anew(clock):
    cache = Cache()
    one, two = Server(cache), Server(cache)
    await one.ask(keep=SETTLED)
    assert name_of(await two.ask(keep=SETTLED)) == "first"
    assert two.computed == 0
    one.figures = "second"
    clock.now += 10
    await one.ask(keep=SETTLED, refresh=True)
    clock.now += UNASKED_MS
    assert name_of(await two.ask(keep=SETTLED)) == "second"
    assert two.computed == 0
    asked = cache.asked
    assert name_of(await two.ask(keep=SETTLED)) == "second"
    assert cache.asked == asked


@pytest.mark.asyncio
async def test_current_figures_are_kept_until_something_changes(clock):
    server = Server()
    request = pb.GetCampaignMetricsRequest(tenant_id="t")

    async def ask(version, tenant="t", exact=True, **changed):
        call = Call(tenant, None, **changed)
        return name_of(await server.answers.current(request, call, version, server.compute, exact=exact))

    assert await ask(1) == "first"
    server.figures = "second"
    assert await ask(1) == "first"
    assert await ask(2) == "second"
    server.figures = "third"
    assert await ask(2, refresh=True) == "third"
    assert await ask(2, tenant="u") == "third"
    server.figures = "fourth"
    clock.now += LIVE_MS
    assert await ask(2) == "fourth"
    # Who does not need what came last is given what is at hand, and it is made anew meanwhile.
    server.figures = "fifth"
    assert await ask(3, exact=False) == "fourth"
    await server.settle()
    assert await ask(3, exact=False) == await ask(3) == "fifth"
    assert server.computed == 6
    clock.now += LIVE_MS
    server.figures = "sixth"
    assert await ask(3, exact=False) == "sixth"


@pytest.mark.asyncio
async def test_every_watcher_is_woken_also_by_what_comes_meanwhile():
    values = LatestValues(lambda _: 0, lambda value: value, size=10, seconds=1000)
    told = 20
    seen, ready = [[] for _ in range(told)], []

    async def wait(number):
        with values.waiters.waiter() as event:
            ready.append(number)
            while values.position != Position(0, 2):
                await event.wait()
                event.clear()
                seen[number].append(values.position)

    waiting = [asyncio.create_task(wait(number)) for number in range(told)]
    while len(ready) < told:
        await asyncio.sleep(0)
    values.put("k", 1, Position(0, 1))
    values.waiters.wake()
    while not any(seen):
        await asyncio.sleep(0)
    # The first have been told, the last not yet.
    values.put("k", 2, Position(0, 2))
    values.waiters.wake()
    await asyncio.wait_for(asyncio.gather(*waiting), 30)
    assert all(positions[-1] == Position(0, 2) for positions in seen)
    while values.waiters._waking:
        await asyncio.sleep(0)


def test_a_message_is_encoded_once_and_never_taken_for_another():
    encoded = []

    def encode(message):
        encoded.append(message)
        return message.SerializeToString()

    once = EncodedOnce(encode)
    one, same = answer("c"), answer("c")
    assert once(one) is once(one)
    assert once(same) == once(one)
    assert len(encoded) == 2
    # Messages that have gone leave their place in memory to others.
    for number in range(3 * REMEMBERED):
        assert once(answer(f"c{number}")) == answer(f"c{number}").SerializeToString()
    assert len(once._made) == REMEMBERED
    count = len(encoded)
    once(one)
    assert len(encoded) == count + 1


def test_shared_updates_are_told_apart_by_their_key():
    updates = SharedUpdates()
    for number in range(2 * UPDATES_KEPT):
        made = updates.get(("t", number), lambda number=number: answer(f"c{number}"))
        assert name_of(made) == f"c{number}"
        assert updates.get(("t", number), lambda: answer("another")) is made
        assert updates.get(("u", number), lambda: answer("of u")) is not made
    assert len(updates._made) == UPDATES_KEPT
