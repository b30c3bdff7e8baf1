"""JourneyService: funnel, list and one journey; anomalies and quality shares beside them, all against plain counts."""

from __future__ import annotations

import random
import time

import grpc
import pytest
import pytest_asyncio
from tributary.v1 import alerts_pb2, journeys_pb2_grpc, quality_pb2
from tributary.v1 import journeys_pb2 as pb

from tests.serving.running_server import details, options, refusal, running
from tests.serving.stored_rows import (
    insert_anomalies,
    insert_counts,
    insert_credits,
    insert_journey_events,
    insert_journeys,
    insert_late,
)

pytestmark = pytest.mark.asyncio

STAGES = ("awareness", "consideration", "intent", "purchase", "retention", "advocacy")


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        started.journeys = journeys_pb2_grpc.JourneyServiceStub(started.channel)
        yield started


@pytest.fixture
def journeys(tenant, history_address, seed):
    rng = random.Random(seed)
    now = int(time.time() * 1000)
    rows = [
        {
            "tenant_id": tenant,
            "journey_id": f"j{number % 7}",
            "customer_id": f"u{number}",
            # Nobody is in the last stage, and one stage is jumped over.
            "stage": rng.choice(("awareness", "consideration", "purchase", "retention")),
            "started_at": now - 60_000 - rng.randrange(3_000_000),
            "last_event_at": now - rng.randrange(60) * 1000,
            "touchpoints": rng.randrange(9),
            "conversions": rng.randrange(3),
            "value_micros": rng.randrange(10**9),
            "currency": "EUR",
            "revision": rng.randrange(1, 20),
        }
        for number in range(40)
    ]
    insert_journeys(history_address, rows)
    return rows


def hour(request):
    request.range.last.FromSeconds(3600)
    return request


@pytest.mark.parametrize(("text", "kept"), [("", lambda r: True), ("touchpoints > 3", lambda r: r["touchpoints"] > 3)])
async def test_funnel(server, tenant, journeys, text, kept):
    answer = await server.journeys.GetFunnel(hour(pb.GetFunnelRequest(tenant_id=tenant, filter=text)))
    rows = [row for row in journeys if kept(row)]
    assert [pb.JourneyStage.Name(s.stage) for s in answer.stages] == [f"JOURNEY_STAGE_{s.upper()}" for s in STAGES]
    before = None
    for place, stage in enumerate(answer.stages):
        here = [row for row in rows if row["stage"] == STAGES[place]]
        reached = sum(STAGES.index(row["stage"]) >= place for row in rows)
        assert (stage.journeys, stage.reached) == (len(here), reached)
        assert stage.touchpoints == sum(row["touchpoints"] for row in here)
        assert stage.conversions == sum(row["conversions"] for row in here)
        assert stage.HasField("conversion_rate") == bool(before)
        if before:
            assert stage.conversion_rate == reached / before
        assert stage.overall_rate == reached / len(rows)
        before = reached


async def test_the_funnel_of_nothing(server, tenant):
    answer = await server.journeys.GetFunnel(hour(pb.GetFunnelRequest(tenant_id=tenant)))
    assert [stage.reached for stage in answer.stages] == [0] * len(STAGES)
    assert not any(s.HasField("conversion_rate") or s.HasField("overall_rate") for s in answer.stages)


async def test_places(server, tenant, journeys, history_address, seed):
    rng = random.Random(f"places/{seed}")
    now = int(time.time() * 1000)
    begun = {}
    for number, row in enumerate(journeys):
        # Some begin before the range, some name no place, and one of three begins twice.
        at = now - (rng.randrange(60_000, 3_000_000) if number % 5 else 5_000_000)
        place = rng.choice(("DE-BE", "US", 'somewhere " else', None))
        begun[row["customer_id"]] = (at, place)
        starts = [(at, place)] if number % 3 else [(at, place), (at + 1_000, "FR")]
        insert_journey_events(
            history_address,
            [
                {
                    "tenant_id": tenant,
                    "event_id": f"start-{number}-{copy}",
                    "event_type": "journey_start",
                    "event_time": time_ms,
                    "customer_id": row["customer_id"],
                    "journey_id": row["journey_id"],
                    "payload": {"context": {"location": where}},
                }
                for copy, (time_ms, where) in enumerate(starts)
            ],
        )
    wanted: dict[str, list[int]] = {}
    for row in journeys:
        at, place = begun[row["customer_id"]]
        if at >= now - 3_600_000:
            counts = wanted.setdefault(place or "", [0, 0])
            counts[0] += 1
            counts[1] += row["conversions"] > 0
    in_order = sorted(((place, *counts) for place, counts in wanted.items()), key=lambda one: (-one[1], one[0]))
    answer = await server.journeys.ListPlaces(hour(pb.ListPlacesRequest(tenant_id=tenant)))
    assert [(one.location, one.journeys, one.converted) for one in answer.places] == in_order
    totals = (sum(one[1] for one in in_order), sum(one[2] for one in in_order))
    assert (answer.journeys, answer.converted) == totals
    answer = await server.journeys.ListPlaces(hour(pb.ListPlacesRequest(tenant_id=tenant, page_size=1)))
    assert [one.location for one in answer.places] == [in_order[0][0]]
    assert (answer.journeys, answer.converted) == totals


async def test_places_of_nothing(server, tenant):
    answer = await server.journeys.ListPlaces(hour(pb.ListPlacesRequest(tenant_id=tenant)))
    assert not answer.places
    assert answer.journeys == 0
    error = await refusal(server.journeys.ListPlaces(hour(pb.ListPlacesRequest(tenant_id=tenant, page_size=1_001))))
    assert list(details(error)[1]) == ["page_size"]


async def test_list_in_pages(server, tenant, journeys):
    request = hour(pb.ListJourneysRequest(tenant_id=tenant, page_size=7, filter='stage != "awareness"'))
    found = []
    while True:
        answer = await server.journeys.ListJourneys(request)
        found += answer.journeys
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    wanted = sorted(
        (row for row in journeys if row["stage"] != "awareness"),
        key=lambda row: (-row["last_event_at"], row["customer_id"], row["journey_id"]),
    )
    assert [
        (j.customer_id, j.journey_id, j.last_event_at.ToMilliseconds(), j.touchpoints, j.value_micros, j.revision)
        for j in found
    ] == [
        tuple(row[n] for n in ("customer_id", "journey_id", "last_event_at", "touchpoints", "value_micros", "revision"))
        for row in wanted
    ]


async def test_one_journey_in_its_order(server, tenant, history_address):
    now = int(time.time() * 1000)
    start = now - 600_000
    shared = {"tenant_id": tenant, "customer_id": "u1", "journey_id": "j1"}
    touchpoint = {"interaction_type": "click", "source": "news", "creative_id": "k1"}
    stored = [
        {
            "event_id": "e1",
            "event_type": "journey_start",
            "event_time": start,
            "payload": {"journey": {"stage": "awareness"}, "entry_point": {"source": "search"}},
        },
        {
            "event_id": "e3",
            "event_type": "touchpoint_interaction",
            "event_time": start + 1000,
            "channel": "email",
            "campaign_id": "c1",
            "payload": {"journey": {"stage": "intent"}, "touchpoint": touchpoint},
        },
        {
            "event_id": "e2",
            "event_type": "touchpoint_interaction",
            "event_time": start + 1000,
            "channel": "direct",
            "payload": {"journey": {"stage": "intent"}, "touchpoint": {"interaction_type": "visit", "source": None}},
        },
        {
            "event_id": "e4",
            "event_type": "conversion_event",
            "event_time": now,
            "kind": "conversion",
            "value_micros": 7,
            "currency": "EUR",
            "payload": {"journey": {"stage": "purchase"}},
        },
        {"event_id": "e5", "event_type": "segment_update", "event_time": now, "payload": {}},
    ]
    other = [{"event_id": "e9", "event_type": "journey_start", "event_time": start, "payload": {}, "customer_id": "u2"}]
    insert_journey_events(history_address, [shared | row for row in (*stored, *other)])
    insert_journeys(
        history_address,
        [
            shared
            | {
                "stage": "purchase",
                "started_at": start,
                "last_event_at": now,
                "touchpoints": 2,
                "conversions": 1,
                "value_micros": 7,
                "currency": "EUR",
                "revision": 4,
            }
        ],
    )
    request = pb.GetJourneyRequest(tenant_id=tenant, customer_id="u1", journey_id="j1", page_size=3)
    first = await server.journeys.GetJourney(request)
    request.page_token = first.next_page_token
    second = await server.journeys.GetJourney(request)
    assert second.next_page_token == ""
    assert first.journey.stage == pb.JOURNEY_STAGE_PURCHASE
    events = [*first.events, *second.events]
    assert [(e.event_id, e.channel, e.campaign_id, e.interaction_type, e.source, e.creative_id) for e in events] == [
        ("e1", "", "", "", "search", ""),
        ("e2", "direct", "", "visit", "", ""),
        ("e3", "email", "c1", "click", "news", "k1"),
        ("e4", "", "", "", "", ""),
    ]
    assert [pb.JourneyStage.Name(e.stage) for e in events] == [
        f"JOURNEY_STAGE_{s}" for s in ("AWARENESS", "INTENT", "INTENT", "PURCHASE")
    ]
    assert (events[3].kind, events[3].value_micros, events[3].currency) == ("conversion", 7, "EUR")
    request.customer_id = "u2"
    request.page_token = ""
    error = await refusal(server.journeys.GetJourney(request))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert details(error)[0] == "JOURNEY_NOT_FOUND"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"customer_id": ""}, "customer_id"),
        ({"journey_id": "x" * 300}, "journey_id"),
        ({"page_token": "A"}, "page_token"),
    ],
)
async def test_malformed_requests_name_the_field(server, tenant, fields, field):
    request = pb.GetJourneyRequest(**({"tenant_id": tenant, "customer_id": "u", "journey_id": "j"} | fields))
    assert list(details(await refusal(server.journeys.GetJourney(request)))[1]) == [field]


async def test_anomalies(server, tenant, history_address):
    now = int(time.time()) * 1000
    rows = [(tenant, f"c{n % 2}", "email", "EUR", "clicks", now - n * 1000, 10.0 + n, 5.0, float(n)) for n in range(6)]
    insert_anomalies(history_address, rows)
    request = hour(alerts_pb2.ListAnomaliesRequest(tenant_id=tenant, page_size=2, filter="deviations >= 1.5"))
    found = []
    while True:
        answer = await server.alerts.ListAnomalies(request)
        found += answer.anomalies
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert [(a.campaign_id, a.bucket_start.ToMilliseconds(), a.value, a.expected, a.deviations) for a in found] == [
        (row[1], row[5], row[6], row[7], row[8]) for row in rows[2:]
    ]


async def test_quality_shares(server, tenant, history_address):
    empty = await server.quality.GetQuality(hour(quality_pb2.GetQualityRequest(tenant_id=tenant)))
    assert not any(
        empty.HasField(name)
        for name in ("valid_share", "quarantined_share", "duplicate_share", "late_share", "attribution_coverage")
    )
    now = int(time.time() * 1000)
    bucket = now // 10_000 * 10_000 - 60_000
    insert_counts(
        history_address,
        [
            (tenant, bucket, "valid", "", 90),
            (tenant, bucket, "accepted", "", 60),
            (tenant, bucket, "quarantined", "r", 10),
        ],
    )
    insert_late(history_address, [(tenant, now - 1000, f"e{n}", now - 60_000) for n in range(3)])
    insert_credits(
        history_address,
        [
            {
                "tenant_id": tenant,
                "conversion_id": f"v{n}",
                "model": model,
                "conversion_type": "p",
                "customer_id": "u",
                "journey_id": "j",
                "currency": "EUR",
                "conversion_time": now - 60_000,
                "gross": 10,
                "touches": [("", "unattributed", "", now, 1.0, 10) if n == 0 else ("t", "email", "c", now, 1.0, 10)],
            }
            for n in range(4)
            for model in ("last_touch", "linear")
        ],
    )
    request = hour(quality_pb2.GetQualityRequest(tenant_id=tenant))
    answer = await server.quality.GetQuality(request)
    assert (answer.received, answer.accepted) == (100, 60)
    assert (answer.valid_share, answer.quarantined_share) == (0.9, 0.1)
    assert answer.duplicate_share == pytest.approx(30 / 90)
    assert answer.late_share == pytest.approx(3 / 60)
    assert (answer.conversions, answer.unattributed_conversions, answer.attribution_coverage) == (4, 1, 0.75)
    (value,) = answer.unattributed_values
    assert (value.currency, value.value_micros, value.unattributed_micros, value.unattributed_share) == (
        "EUR",
        40,
        10,
        0.25,
    )
