"""Sums of any range equal the plain sum of the events that are stored, to the last micro."""

from __future__ import annotations

import random
import time

import pytest
import pytest_asyncio

from serving.metrics import ServingMetrics
from serving.queries.campaign_metrics import CampaignMetricsQueries, Page, Split, Wanted
from serving.queries.campaign_rows import Selection
from serving.queries.history import History
from serving.queries.tiling import Figures, ceiling, floor, round_outwards
from tests.serving.pipeline_model import MINUTE, WEEK, CampaignEvent, add_up, bucket, rollups, windows
from tests.serving.stored_rows import insert_events, insert_rollups, insert_windows

pytestmark = pytest.mark.asyncio

EVERYTHING = Page(100_000)
FULL = Split(campaign=True, channel=True)
SEEDS = [11, 12, 13, 14]


class World:
    """Events of a few campaigns over three weeks, and what is stored of them at the stream time `watermark`.

    Dense in the last twenty minutes. What the pipeline writes last is partly on its way: some windows of the last ten
    seconds and some minutes of the last four. Events are stored up to now, two seconds after the clock.
    """

    def __init__(self, seed: int, tenant: str) -> None:
        self.rng = rng = random.Random(seed)
        self.tenant = tenant
        self.watermark = int(time.time() * 1000) - 2_000 - rng.randrange(60_000)
        keys = [(tenant, f"c{i % 4}", rng.choice(["email", "search"]), rng.choice(["EUR", "USD"])) for i in range(7)]
        keys.append((f"{tenant}-other", "c0", "email", "EUR"))
        ages = [rng.randrange(3 * WEEK) for _ in range(2500)]
        ages += [rng.randrange(20 * MINUTE) for _ in range(1500)]
        ages += [-rng.randrange(2_000) for _ in range(50)]
        self.events = [
            CampaignEvent(
                f"e{number}",
                rng.choice(keys),
                self.watermark - age,
                (*(rng.randrange(1000) for _ in range(3)), *(rng.randrange(10**13) for _ in range(2)), 1),
            )
            for number, age in enumerate(ages)
        ]

    def store(self, address) -> None:
        insert_events(address, self.events)
        rows = windows(self.events, self.watermark)
        insert_windows(address, [r for r in rows if r[5] < self.watermark - 10_000 or self.rng.random() < 0.5])
        recent = {(e.key, bucket(e.time_ms, "minute")) for e in self.events if e.time_ms > self.watermark - 4 * MINUTE}
        unwritten = {entry for entry in sorted(recent) if self.rng.random() < 0.5}
        insert_rollups(address, rollups(self.events, self.watermark, unwritten))

    def expected(self, start: int, end: int, name):
        return add_up([e for e in self.events if e.key[0] == self.tenant and start <= e.time_ms < end], name)


@pytest_asyncio.fixture
async def history(history_address):
    made = History(history_address, ServingMetrics(), connections=4, timeout_seconds=60.0)
    yield made
    await made.close()


def queries_of(history, world, *, heard: bool):
    """The queries of a process that has heard the tenant's signals, or of one that was just started."""
    return CampaignMetricsQueries(history, lambda _: world.watermark if heard else None)


def answered(groups):
    return {
        (g.start_ms, g.campaign_id, g.channel, g.currency): (
            g.sums.impressions,
            g.sums.clicks,
            g.sums.conversions,
            g.sums.cost_micros,
            g.sums.revenue_micros,
            g.sums.events,
        )
        for g in groups
    }


def ranges(world, count):
    """Random ranges of every length, many with an end at or after the stream's clock."""
    rng = world.rng
    for _ in range(count):
        length = int(10 ** rng.uniform(3, 9.3))
        end = world.watermark + rng.choice([rng.randrange(30_000), -int(10 ** rng.uniform(2, 9))])
        yield end - length, end
    # Borders that coincide with buckets, and whole open buckets.
    for grain in (Figures.MINUTE, Figures.HOUR, Figures.DAY, Figures.WEEK):
        yield floor(world.watermark, grain), ceiling(world.watermark, grain)
        yield floor(floor(world.watermark, grain) - 1, grain), floor(world.watermark, grain)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("heard", [True, False])
async def test_sums_equal_the_events(seed, heard, tenant, history_address, history):
    world = World(seed, tenant)
    world.store(history_address)
    queries = queries_of(history, world, heard=heard)
    compared = 0
    for start, end in ranges(world, 12):
        start, end = round_outwards(start, end, world.watermark)  # noqa: PLW2901 - what the handler asks for
        groups = await queries.sums(tenant, Wanted(start, end), Selection(), FULL, EVERYTHING, 60)
        wanted = world.expected(start, end, lambda e: (0, *e.key[1:]))
        assert answered(groups) == wanted, f"seed {seed}, range {start}..{end}"
        compared += len(wanted)
    assert compared > 20


@pytest.mark.parametrize("seed", SEEDS[:1])
@pytest.mark.parametrize("grain", [Figures.MINUTE, Figures.HOUR, Figures.DAY, Figures.WEEK])
async def test_series_equal_the_events(seed, grain, tenant, history_address, history):
    world = World(seed, tenant)
    world.store(history_address)
    queries = queries_of(history, world, heard=True)
    for split in (FULL, Split(campaign=False, channel=True)):
        start = floor(world.watermark - world.rng.randrange(3 * WEEK), grain)
        end = ceiling(world.watermark + 5000, grain)
        groups = await queries.series(tenant, Wanted(start, end), grain, Selection(), split, EVERYTHING, 60)
        wanted = world.expected(
            start,
            end,
            lambda e, split=split: (
                bucket(e.time_ms, grain.value),
                e.key[1] if split.campaign else "",
                e.key[2],
                e.key[3],
            ),
        )
        assert wanted
        assert answered(groups) == wanted
        assert [g.position for g in groups] == sorted(g.position for g in groups)


async def test_selection_and_pages(tenant, history_address, history):
    world = World(15, tenant)
    world.store(history_address)
    queries = queries_of(history, world, heard=True)
    start, end = round_outwards(world.watermark - WEEK, world.watermark, world.watermark)
    selection = Selection(campaign_ids=("c1", "c2"), currencies=("EUR",))
    wanted = world.expected(start, end, lambda e: (0, *e.key[1:]) if selection.matches(*e.key[1:]) else None)
    assert wanted
    got, after = [], None
    while True:
        page = await queries.sums(tenant, Wanted(start, end), selection, FULL, Page(1, after), 60)
        if not page:
            break
        got += page
        after = page[-1].position
    assert answered(got) == wanted
    assert len(got) == len(wanted)


async def test_revised_rows_replace_the_first_ones(tenant, history_address, history):
    """Half of the events come late: windows and roll-ups are stored without them, and again with them."""
    world = World(16, tenant)
    queries = queries_of(history, world, heard=True)
    early = [event for event in world.events if event.time_ms < world.watermark - MINUTE][::2]
    everything = world.events
    start, end = round_outwards(world.watermark - 2 * WEEK, world.watermark - MINUTE, world.watermark)
    for events, revision in ((early, 0), (everything, 5)):
        insert_windows(history_address, windows(events, world.watermark), revision)
        insert_rollups(history_address, rollups(events, world.watermark), revision)
        world.events = events
        groups = await queries.sums(tenant, Wanted(start, end), Selection(), FULL, EVERYTHING, 60)
        assert answered(groups) == world.expected(start, end, lambda e: (0, *e.key[1:]))
        assert max(group.revision for group in groups) == revision
