"""Sums of any range equal the plain sum of the events that are stored, to the last micro."""

from __future__ import annotations

import random
import time

import pytest
import pytest_asyncio

from serving.metrics import ServingMetrics
from serving.queries.campaign_metrics import CampaignMetricsQueries, Page, Selection, Split
from serving.queries.history import History
from serving.queries.tiling import Figures, ceiling, floor, round_outwards
from tests.serving.pipeline_model import MINUTE, WEEK, CampaignEvent, add_up, bucket, rollups, visible, windows
from tests.serving.stored_rows import insert_rollups, insert_windows

pytestmark = pytest.mark.asyncio

EVERYTHING = Page(100_000)
FULL = Split(campaign=True, channel=True)
SEEDS = [11, 12, 13, 14]


def world(seed: int, tenant: str):
    """Events of a few campaigns over three weeks, dense in the last twenty minutes; the stream's clock; minutes
    still being written."""
    rng = random.Random(seed)
    watermark = int(time.time() * 1000) - rng.randrange(60_000)
    keys = [(tenant, f"c{i % 4}", rng.choice(["email", "search"]), rng.choice(["EUR", "USD"])) for i in range(7)]
    keys.append((f"{tenant}-other", "c0", "email", "EUR"))

    def event(age_ms: int) -> CampaignEvent:
        key = rng.choice(keys)
        return CampaignEvent(
            key,
            watermark - age_ms,
            (*(rng.randrange(1000) for _ in range(3)), *(rng.randrange(10**13) for _ in range(2)), 1),
        )

    events = [event(rng.randrange(3 * WEEK)) for _ in range(2500)]
    events += [event(rng.randrange(20 * MINUTE)) for _ in range(1500)]
    recent = {(e.key, bucket(e.time_ms, "minute")) for e in events if e.time_ms > watermark - 4 * MINUTE}
    unwritten = frozenset(entry for entry in recent if rng.random() < 0.5)
    return rng, watermark, events, unwritten


@pytest_asyncio.fixture
async def queries(history_address):
    history = History(history_address, ServingMetrics(), connections=4, timeout_seconds=30.0)
    yield CampaignMetricsQueries(history)
    await history.close()


def store(address, events, watermark, unwritten) -> None:
    insert_windows(address, windows(events, watermark))
    insert_rollups(address, rollups(events, watermark, unwritten))


def expected(events, watermark, tenant, start, end, name):
    inside = [e for e in visible(events, watermark) if e.key[0] == tenant and start <= e.time_ms < end]
    return add_up(inside, name)


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


def ranges(rng, watermark, count):
    """Random ranges of every length, many with an end at or after the stream's clock."""
    for _ in range(count):
        length = int(10 ** rng.uniform(3, 9.3))
        end = rng.choice([watermark + rng.randrange(30_000), watermark - int(10 ** rng.uniform(2, 9))])
        yield end - length, end
    # Borders that coincide with buckets, and whole open buckets.
    for grain in (Figures.MINUTE, Figures.HOUR, Figures.DAY, Figures.WEEK):
        yield floor(watermark, grain), ceiling(watermark, grain)
        yield floor(floor(watermark, grain) - 1, grain), floor(watermark, grain)


@pytest.mark.parametrize("seed", SEEDS)
async def test_sums_equal_the_events(seed, tenant, history_address, queries):
    rng, watermark, events, unwritten = world(seed, tenant)
    store(history_address, events, watermark, unwritten)
    compared = 0
    for start, end in ranges(rng, watermark, 25):
        start, end = round_outwards(start, end, watermark)  # noqa: PLW2901 - what the handler asks for
        groups = await queries.sums(tenant, start, end, Selection(), FULL, EVERYTHING, 30)
        wanted = expected(events, watermark, tenant, start, end, lambda e: (0, *e.key[1:]))
        assert answered(groups) == wanted, f"seed {seed}, range {start}..{end}"
        compared += len(wanted)
    assert compared > 50


@pytest.mark.parametrize("seed", SEEDS[:2])
@pytest.mark.parametrize("grain", [Figures.MINUTE, Figures.HOUR, Figures.DAY, Figures.WEEK])
async def test_series_equal_the_events(seed, grain, tenant, history_address, queries):
    rng, watermark, events, unwritten = world(seed, tenant)
    store(history_address, events, watermark, unwritten)
    for split in (FULL, Split(campaign=False, channel=True)):
        start = floor(watermark - rng.randrange(3 * WEEK), grain)
        end = ceiling(watermark + 5000, grain)
        groups = await queries.series(tenant, start, end, grain, Selection(), split, EVERYTHING, 30)
        wanted = expected(
            events,
            watermark,
            tenant,
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


async def test_selection_and_pages(tenant, history_address, queries):
    _, watermark, events, unwritten = world(15, tenant)
    store(history_address, events, watermark, unwritten)
    start, end = round_outwards(watermark - WEEK, watermark, watermark)
    selection = Selection(campaign_ids=("c1", "c2"), currencies=("EUR",))
    wanted = expected(
        events, watermark, tenant, start, end, lambda e: (0, *e.key[1:]) if selection.matches(*e.key[1:]) else None
    )
    assert wanted
    got, after = [], None
    while True:
        page = await queries.sums(tenant, start, end, selection, FULL, Page(1, after), 30)
        if not page:
            break
        got += page
        after = page[-1].position
    assert answered(got) == wanted
    assert len(got) == len(wanted)


async def test_revised_rows_replace_the_first_ones(tenant, history_address, queries):
    _, watermark, events, _ = world(16, tenant)
    early, late = events[::2], events[1::2]
    store(history_address, early, watermark, frozenset())
    start, end = round_outwards(watermark - 2 * WEEK, watermark, watermark)
    first = await queries.sums(tenant, start, end, Selection(), FULL, EVERYTHING, 30)
    assert answered(first) == expected(early, watermark, tenant, start, end, lambda e: (0, *e.key[1:]))
    insert_windows(history_address, windows(events, watermark), revision=5)
    insert_rollups(history_address, rollups(events, watermark), revision=5)
    second = await queries.sums(tenant, start, end, Selection(), FULL, EVERYTHING, 30)
    assert answered(second) == expected(early + late, watermark, tenant, start, end, lambda e: (0, *e.key[1:]))
    assert max(group.revision for group in second) == 5
