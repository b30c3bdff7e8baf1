"""Credit of the same conversions in several views, by every dimension, against the models themselves."""

from __future__ import annotations

import random
import time
from collections import defaultdict

import pytest
import pytest_asyncio
from tributary.v1 import attribution_pb2 as pb

from tests.serving.running_server import details, options, refusal, running
from tests.serving.stored_rows import insert_credits, insert_journey_events
from udfs.attribution import heuristics
from udfs.attribution.apportion import apportion

pytestmark = pytest.mark.asyncio

HOUR, DAY = 3_600_000, 86_400_000
MODELS = ("first_touch", "last_touch", "last_non_direct", "linear", "time_decay")


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


def weights(model, touches):
    """The model's weights of touches, as the pipeline computes them."""
    if model == "last_non_direct":
        return heuristics.last_non_direct([touch[1] for touch in touches])
    if model == "time_decay":
        return heuristics.time_decay([touch[3] for touch in touches])
    return getattr(heuristics, model)(len(touches))


def credited(model, conversion, lookback_ms=None):
    """(touch, weight, micros) of a conversion, with touches at most `lookback_ms` before it."""
    at, value = conversion["at"], conversion["value"]
    left = [t for t in conversion["touches"] if lookback_ms is None or t[3] >= at - lookback_ms]
    left = left or [("", "unattributed", "", at)]
    shares = [1.0] if left[0][1] == "unattributed" else weights(model, left)
    return list(zip(left, shares, apportion(value, shares), strict=True))


@pytest.fixture
def conversions(tenant, history_address, seed):
    """Conversions with their paths; the last one was credited by one model only."""
    rng = random.Random(seed)
    now = int(time.time() * 1000)
    made = []
    for number in range(40):
        at = now - rng.randrange(3 * DAY)
        touches = sorted(
            (
                (
                    f"t{number}-{i}",
                    rng.choice(["email", "search", "direct"]),
                    rng.choice(["c1", "c2", ""]),
                    at - rng.randrange(10 * DAY),
                )
                for i in range(rng.randrange(5))
            ),
            key=lambda touch: touch[3],
        )
        made.append(
            {
                "id": f"v{number:03}",
                "at": at,
                "value": rng.randrange(10**10),
                "currency": rng.choice(["EUR", "USD"]),
                "touches": touches,
            }
        )
    rows = [
        {
            "tenant_id": tenant,
            "conversion_id": one["id"],
            "model": model,
            "conversion_type": "purchase",
            "customer_id": "u1" if one["value"] % 2 else "u2",
            "journey_id": "j",
            "currency": one["currency"],
            "conversion_time": one["at"],
            "gross": one["value"],
            "touches": [(*touch, share, micros) for touch, share, micros in credited(model, one)],
        }
        for one in made
        for model in (MODELS if one is not made[-1] else MODELS[:1])
    ]
    insert_credits(history_address, rows)
    insert_journey_events(
        history_address,
        [
            {
                "tenant_id": tenant,
                "event_id": touch[0],
                "event_type": "touchpoint_interaction",
                "event_time": touch[3],
                "payload": {
                    "touchpoint": {"source": f"s{touch[0][-1]}", "creative_id": None if touch[1] == "direct" else "k1"}
                },
            }
            for one in made
            for touch in one["touches"]
        ],
    )
    return made


def request_of(tenant, *views, **fields):
    request = pb.CompareAttributionRequest(**({"tenant_id": tenant, "page_size": 1000} | fields))
    request.range.last.FromSeconds(4 * 24 * 3600)
    for model, lookback_ms in views:
        view = request.views.add(model=model)
        if lookback_ms is not None:
            view.lookback.FromMilliseconds(lookback_ms)
    return request


def plain(conversions, views, group):
    """The answer by plain sums: group to [(weight, micros, conversions)] in the order of the views."""
    sums = defaultdict(lambda: [[0.0, 0, set()] for _ in views])
    for one in conversions:
        for place, (model, lookback_ms) in enumerate(views):
            for touch, share, micros in credited(model, one, lookback_ms):
                entry = sums[group(one, touch)][place]
                entry[0] += share
                entry[1] += micros
                entry[2].add(one["id"])
    return {name: [(pytest.approx(w, abs=1e-9), m, len(ids)) for w, m, ids in entry] for name, entry in sums.items()}


async def read(server, request):
    """Group to credits over all pages, and the last answer."""
    found = {}
    while True:
        answer = await server.attribution.CompareAttribution(request)
        for c in answer.credits:
            day = c.day.ToMilliseconds() if c.HasField("day") else 0
            name = (c.channel, c.campaign_id, c.source, c.creative_id, day, c.currency)
            assert name not in found
            found[name] = [(v.credited_conversions, v.credited_micros, v.conversions) for v in c.views]
        request.page_token = answer.next_page_token
        if not request.page_token:
            return found, answer


async def test_models_side_by_side(server, tenant, conversions):
    views = [(model, None) for model in MODELS]
    found, answer = await read(server, request_of(tenant, *views))
    in_all = conversions[:-1]
    wanted = plain(in_all, views, lambda one, touch: (touch[1], "", "", "", 0, one["currency"]))
    assert found == wanted
    assert sum(total.conversions for total in answer.totals) == len(in_all)
    for total in answer.totals:
        for place in range(len(views)):
            micros = sum(entry[place][1] for name, entry in found.items() if name[5] == total.currency)
            assert micros == total.value_micros


@pytest.mark.parametrize("model", MODELS)
async def test_lookbacks_side_by_side(server, tenant, conversions, model):
    views = [(model, None), (model, 6 * DAY), (model, DAY), (model, 60_000)]
    found, _ = await read(server, request_of(tenant, *views, page_size=3))
    counted = conversions if model == MODELS[0] else conversions[:-1]
    assert found == plain(counted, views, lambda one, touch: (touch[1], "", "", "", 0, one["currency"]))


async def test_every_dimension(server, tenant, conversions):
    views = [("linear", None), ("last_touch", 5 * DAY)]
    dimensions = {
        pb.CREDIT_DIMENSION_CAMPAIGN: lambda one, t: ("", t[2], "", "", 0, one["currency"]),
        pb.CREDIT_DIMENSION_SOURCE: lambda one, t: ("", "", f"s{t[0][-1]}" if t[0] else "", "", 0, one["currency"]),
        pb.CREDIT_DIMENSION_CREATIVE: lambda one, t: (
            "",
            "",
            "",
            "k1" if t[1] in ("email", "search") else "",
            0,
            one["currency"],
        ),
        pb.CREDIT_DIMENSION_DAY: lambda one, _: ("", "", "", "", one["at"] // DAY * DAY, one["currency"]),
    }
    for dimension, group in dimensions.items():
        found, _ = await read(server, request_of(tenant, *views, group_by=[dimension]))
        assert found == plain(conversions[:-1], views, group)
        summary = pb.GetAttributionSummaryRequest(
            tenant_id=tenant, model="linear", group_by=[dimension], page_size=1000
        )
        summary.range.last.FromSeconds(4 * 24 * 3600)
        summed = (await server.attribution.GetAttributionSummary(summary)).credits
        assert [(c.credited_micros, c.conversions) for c in summed] == [
            found[name][0][1:] for name in sorted(found) if found[name][0][2]
        ]


async def test_filter_and_list(server, tenant, conversions):
    text = 'currency = "EUR" AND customer != "u2" AND value_micros >= 5000000000'
    kept = [one for one in conversions if one["currency"] == "EUR" and one["value"] % 2 and one["value"] >= 5 * 10**9]
    request = pb.ListConversionsRequest(tenant_id=tenant, filter=text, page_size=2)
    request.range.last.FromSeconds(4 * 24 * 3600)
    found = []
    while True:
        answer = await server.attribution.ListConversions(request)
        found += answer.conversions
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert [one.conversion_id for one in found] == [
        one["id"] for one in sorted(kept, key=lambda one: (-one["at"], one["id"]))
    ]
    views = [("linear", None), ("last_touch", None)]
    filtered, _ = await read(server, request_of(tenant, *views, filter=text))
    in_all = [one for one in kept if one is not conversions[-1]]
    assert filtered == plain(in_all, views, lambda one, touch: (touch[1], "", "", "", 0, one["currency"]))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda r: r.views.pop(), "views"),
        (lambda r: r.views.extend(list(r.views) * 3), "views"),
        (lambda r: setattr(r.views[1], "model", "magic"), "views[1].model"),
        (lambda r: r.views[0].lookback.FromSeconds(5), "views[0].lookback"),
        (lambda r: setattr(r.views[0].lookback, "seconds", 2**62), "views[0].lookback"),
        (
            lambda r: (r.views[0].lookback.FromSeconds(3600), setattr(r.views[0], "model", "position_based")),
            "views[0].lookback",
        ),
        (lambda r: r.group_by.append(99), "group_by"),
        (lambda r: setattr(r, "filter", "channel = email"), "filter"),
        (lambda r: setattr(r, "page_token", "AAAA"), "page_token"),
    ],
)
async def test_malformed_requests_name_the_field(server, tenant, change, field):
    request = request_of(tenant, ("linear", None), ("last_touch", None))
    change(request)
    assert list(details(await refusal(server.attribution.CompareAttribution(request)))[1]) == [field]
