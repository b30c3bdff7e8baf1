"""Journeys move with the persons that customers are linked to: merged, split, and never across tenants."""

from __future__ import annotations

import time

import grpc
import pytest
import pytest_asyncio
from tributary.v1 import journeys_pb2 as pb
from tributary.v1 import journeys_pb2_grpc

from connectors.clickhouse.arrow_sink import ArrowSink
from connectors.clickhouse.identity import Customer, write_persons
from tests.serving.running_server import options, refusal, running
from tests.serving.stored_rows import insert_journey_events, insert_journeys

pytestmark = pytest.mark.asyncio
FRESH = (("cache-control", "no-cache"),)


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        started.journeys = journeys_pb2_grpc.JourneyServiceStub(started.channel)
        yield started


def row(tenant, customer, journey, start, end, stage="intent", **more):
    figures = {"touchpoints": 2, "conversions": 0, "value_micros": 0, "currency": "", "revision": 3}
    names = {"tenant_id": tenant, "customer_id": customer, "journey_id": journey, "stage": stage}
    return names | {"started_at": start, "last_event_at": end} | figures | more


async def listed(server, tenant, text=""):
    request = pb.ListJourneysRequest(tenant_id=tenant, filter=text)
    request.range.last.FromSeconds(3600)
    answer = await server.journeys.ListJourneys(request, metadata=FRESH)
    return [
        (j.person_id, j.customer_id, j.journey_id, j.touchpoints, j.conversions, j.value_micros, j.currency, j.revision)
        for j in answer.journeys
    ]


async def test_journeys_follow_a_merge_and_a_split(server, tenant, history_address):
    now = int(time.time() * 1000)
    sale = {"conversions": 1, "value_micros": 7, "currency": "EUR"}
    other_sale = {"conversions": 2, "value_micros": 5, "currency": "EUR"}
    insert_journeys(
        history_address,
        [
            row(tenant, "ann", "j1", now - 9000, now - 4000, "purchase", **sale),
            row(tenant, "phone", "j1", now - 9500, now - 5000, "intent", **other_sale),
            row(tenant, "phone", "j2", now - 7000, now - 6000),
            row(tenant, "zoe", "j1", now - 8000, now - 7000),
        ],
    )
    insert_journey_events(
        history_address,
        [
            {
                "tenant_id": tenant,
                "customer_id": customer,
                "journey_id": "j1",
                "event_id": f"e-{customer}",
                "event_type": "journey_start",
                "event_time": at,
                "payload": {},
            }
            for customer, at in (("ann", now - 9000), ("phone", now - 9500), ("zoe", now - 8000))
        ],
    )
    apart = [
        ("ann", "ann", "j1", 2, 1, 7, "EUR", 3),
        ("phone", "phone", "j1", 2, 2, 5, "EUR", 3),
        ("phone", "phone", "j2", 2, 0, 0, "", 3),
        ("zoe", "zoe", "j1", 2, 0, 0, "", 3),
    ]
    sink = ArrowSink(history_address)
    # Another tenant's persons of the same names are nobody's business here.
    write_persons(sink, [(Customer(f"{tenant}-2", "zoe"), "ann")], 1)
    assert await listed(server, tenant) == apart

    write_persons(sink, [(Customer(tenant, "phone"), "ann")], 1)
    together = [
        ("ann", "ann", "j1", 4, 3, 12, "EUR", 6),
        ("ann", "phone", "j2", 2, 0, 0, "", 3),
        ("zoe", "zoe", "j1", 2, 0, 0, "", 3),
    ]
    assert await listed(server, tenant) == together
    assert await listed(server, tenant, 'person = "ann" AND touchpoints > 2') == together[:1]
    funnel = pb.GetFunnelRequest(tenant_id=tenant)
    funnel.range.last.FromSeconds(3600)
    stages = (await server.journeys.GetFunnel(funnel, metadata=FRESH)).stages
    assert [stage.journeys for stage in stages] == [0, 0, 2, 1, 0, 0]
    for customer in ("ann", "phone"):
        request = pb.GetJourneyRequest(tenant_id=tenant, customer_id=customer, journey_id="j1")
        found = await server.journeys.GetJourney(request, metadata=FRESH)
        assert (found.journey.person_id, found.journey.started_at.ToMilliseconds()) == ("ann", now - 9500)
        assert [event.event_id for event in found.events] == ["e-phone", "e-ann"]

    write_persons(sink, [(Customer(tenant, "phone"), "phone")], 2)
    assert await listed(server, tenant) == apart
    request = pb.GetJourneyRequest(tenant_id=tenant, customer_id="ann", journey_id="j2")
    error = await refusal(server.journeys.GetJourney(request, metadata=FRESH))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_pages_go_through_merged_journeys_once(server, tenant, history_address):
    now = int(time.time() * 1000)
    rows = [row(tenant, f"c{n % 4}", f"j{n % 3}", now - 9000, now - 1000 * (n % 5)) for n in range(12)]
    insert_journeys(history_address, rows)
    write_persons(ArrowSink(history_address), [(Customer(tenant, f"c{n}"), "c0") for n in (1, 2)], 1)
    request = pb.ListJourneysRequest(tenant_id=tenant, page_size=2)
    request.range.last.FromSeconds(3600)
    found = []
    while True:
        answer = await server.journeys.ListJourneys(request, metadata=FRESH)
        found += [(journey.person_id, journey.journey_id) for journey in answer.journeys]
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    wanted = {("c0" if one["customer_id"] != "c3" else "c3", one["journey_id"]) for one in rows}
    assert (len(found), set(found)) == (len(wanted), wanted)
