"""AttributionService: credit by channel and campaign equals a plain sum over the stored touches; one conversion
explained."""

from __future__ import annotations

import random
import time
from collections import defaultdict

import grpc
import pytest
import pytest_asyncio
from tributary.v1 import attribution_pb2 as pb

from tests.serving.running_server import details, next_message, options, refusal, running
from tests.serving.stored_rows import insert_credits

pytestmark = pytest.mark.asyncio

HOUR = 3_600_000


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


def credit_rows(rng, tenant, now, count=60):
    """Conversions with random paths, two models, two currencies; some without a touch, some refunded in part."""
    rows = []
    for number in range(count):
        at = now - rng.randrange(48 * HOUR)
        touches = [
            (
                f"t{number}-{i}",
                rng.choice(["email", "search", "direct"]),
                rng.choice(["c1", "c2", ""]),
                at - HOUR * (i + 1),
            )
            for i in range(rng.randrange(4))
        ] or [("", "unattributed", "", at)]
        value, refund = rng.randrange(10**9), rng.choice([0, 0, 10**6])
        for model in ("linear", "last_touch"):
            shares = [1 / len(touches)] * len(touches) if model == "linear" else [0.0] * (len(touches) - 1) + [1.0]
            micros = [value // len(touches)] * len(touches) if model == "linear" else [0] * len(touches)
            micros[-1] += value - sum(micros)
            rows.append(
                {
                    "tenant_id": tenant,
                    "conversion_id": f"v{number:03}",
                    "model": model,
                    "conversion_type": "purchase" if number % 3 else "signup",
                    "customer_id": f"u{number}",
                    "journey_id": f"j{number}",
                    "currency": "USD" if number % 4 == 0 else "EUR",
                    "conversion_time": at,
                    "gross": value + refund,
                    "touches": [
                        (*touch, share, micro) for touch, share, micro in zip(touches, shares, micros, strict=True)
                    ],
                }
            )
    return rows


def plain_summary(rows, group):
    credited = defaultdict(lambda: [0.0, 0, set()])
    for row in rows:
        for touch in row["touches"]:
            entry = credited[group(row, touch)]
            entry[0] += touch[4]
            entry[1] += touch[5]
            entry[2].add(row["conversion_id"])
    return {name: (pytest.approx(weight), micros, len(ids)) for name, (weight, micros, ids) in credited.items()}


async def test_summary_equals_a_plain_sum(server, tenant, history_address, seed):
    rng = random.Random(seed)
    now = int(time.time() * 1000)
    rows = credit_rows(rng, tenant, now)
    insert_credits(history_address, rows)
    for group_by, group in (
        ([], lambda r, t: (t[1], "", r["currency"])),
        ([pb.CREDIT_DIMENSION_CAMPAIGN], lambda r, t: ("", t[2], r["currency"])),
        ([pb.CREDIT_DIMENSION_CHANNEL, pb.CREDIT_DIMENSION_CAMPAIGN], lambda r, t: (t[1], t[2], r["currency"])),
    ):
        for model in ("linear", "last_touch"):
            request = pb.GetAttributionSummaryRequest(
                tenant_id=tenant, model=model, group_by=group_by, conversion_types=["purchase"]
            )
            start = now - 30 * HOUR
            request.range.start_time.FromMilliseconds(start)
            counted = [
                r
                for r in rows
                if r["model"] == model and r["conversion_type"] == "purchase" and r["conversion_time"] >= start
            ]
            answer = await server.attribution.GetAttributionSummary(request)
            got = {
                (c.channel, c.campaign_id, c.currency): (c.credited_conversions, c.credited_micros, c.conversions)
                for c in answer.credits
            }
            assert got == plain_summary(counted, group)
            for total in answer.totals:
                mine = [r for r in counted if r["currency"] == total.currency]
                assert total.conversions == len(mine)
                assert total.value_micros == sum(t[5] for r in mine for t in r["touches"])
                assert total.gross_value_micros == sum(r["gross"] for r in mine)
                assert total.unattributed_conversions == sum(r["touches"][0][1] == "unattributed" for r in mine)
                # Every conversion is fully credited.
                assert total.value_micros == sum(
                    c.credited_micros for c in answer.credits if c.currency == total.currency
                )


async def test_pages_and_revisions(server, tenant, history_address, seed):
    rng = random.Random(seed)
    now = int(time.time() * 1000)
    rows = credit_rows(rng, tenant, now, 20)
    insert_credits(history_address, rows)
    newer = [row | {"revision": 2, "touches": [("tx", "video", "c9", now, 1.0, 5)]} for row in rows[:6]]
    insert_credits(history_address, newer)
    current = {(row["conversion_id"], row["model"]): row for row in (*rows, *newer)}
    request = pb.GetAttributionSummaryRequest(tenant_id=tenant, model="linear", page_size=2)
    request.group_by.extend([pb.CREDIT_DIMENSION_CHANNEL, pb.CREDIT_DIMENSION_CAMPAIGN])
    request.range.last.FromSeconds(50 * 3600)
    got = {}
    while True:
        answer = await server.attribution.GetAttributionSummary(request)
        got |= {
            (c.channel, c.campaign_id, c.currency): (c.credited_conversions, c.credited_micros, c.conversions)
            for c in answer.credits
        }
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    counted = [row for row in current.values() if row["model"] == "linear"]
    assert got == plain_summary(counted, lambda r, t: (t[1], t[2], r["currency"]))
    assert answer.freshness.revision == 2


async def test_explain_conversion(server, tenant, history_address, seed):
    rows = credit_rows(random.Random(seed), tenant, int(time.time() * 1000), 5)
    insert_credits(history_address, rows)
    for row in rows:
        request = pb.ExplainConversionRequest(tenant_id=tenant, conversion_id=row["conversion_id"])
        answer = (await server.attribution.ExplainConversion(request)).conversion
        assert [m.model for m in answer.models] == ["last_touch", "linear"]
        request.model = row["model"]
        request.conversion_time.FromMilliseconds(row["conversion_time"])
        answer = (await server.attribution.ExplainConversion(request)).conversion
        assert [m.model for m in answer.models] == [row["model"]]
        touches = [
            (t.touchpoint_id, t.channel, t.campaign_id, t.time.ToMilliseconds(), t.weight, t.credited_micros)
            for t in answer.models[0].touches
        ]
        assert touches == row["touches"]
        assert answer.value_micros == sum(t[5] for t in row["touches"])
        assert answer.gross_value_micros == row["gross"]
        assert answer.conversion_time.ToMilliseconds() == row["conversion_time"]


async def test_unknown_conversion_and_wrong_fields(server, tenant):
    error = await refusal(
        server.attribution.ExplainConversion(pb.ExplainConversionRequest(tenant_id=tenant, conversion_id="nope"))
    )
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert details(error)[0] == "CONVERSION_NOT_FOUND"
    for request, field in (
        (pb.ExplainConversionRequest(tenant_id=tenant), "conversion_id"),
        (pb.ExplainConversionRequest(tenant_id=tenant, conversion_id="v", model="gut_feeling"), "model"),
    ):
        assert list(details(await refusal(server.attribution.ExplainConversion(request)))[1]) == [field]
    request = pb.GetAttributionSummaryRequest(tenant_id=tenant)
    request.range.last.FromSeconds(60)
    assert list(details(await refusal(server.attribution.GetAttributionSummary(request)))[1]) == ["model"]


async def test_snapshot_holds_the_newest_conversions(server, tenant, history_address, seed):
    now = int(time.time() * 1000)
    rows = credit_rows(random.Random(seed), tenant, now, 150)
    insert_credits(history_address, rows)
    wanted = sorted(
        {(r["conversion_time"], r["conversion_id"]) for r in rows if r["conversion_time"] >= now - 24 * HOUR}
    )[-100:]
    for model in ("", "linear"):
        first = await next_message(
            server.attribution.WatchAttribution(pb.WatchAttributionRequest(tenant_id=tenant, model=model))
        )
        got = [c.conversion_time.ToMilliseconds() for c in first.snapshot.conversions]
        assert got == sorted(got)
        assert got == [at for at, _ in wanted]
        assert all(len(c.models) == (1 if model else 2) for c in first.snapshot.conversions)
