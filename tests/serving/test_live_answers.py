"""Live streams of answers against real stores: the unary answer, then what changes in it, over every transport."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from google.protobuf import message_factory
from google.protobuf.json_format import ParseDict
from tributary.v1 import live_answers_pb2 as pb

from serving.transports.charts import CHARTS, LIVE
from serving.transports.query_parameters import parameters_of
from tests.serving.browser_clients import PROTOCOLS, browser_client, http_url, updates
from tests.serving.pipeline_model import CampaignEvent
from tests.serving.running_server import next_message, options, running
from tests.serving.signals import window_signal
from tests.serving.stored_rows import insert_counts, insert_credits, insert_events, insert_journeys

pytestmark = pytest.mark.asyncio

METHODS = pb.DESCRIPTOR.services_by_name["LiveAnswerService"].methods
# What each stream is asked, as REST has it, and the chart whose answer it gives.
ASKED = {
    "time-series": ("time-series", {"last": "1h", "grain": "minute", "group_by": "campaign"}),
    "breakdown": ("breakdown", {"last": "1h", "dimensions": "campaign", "order_by": "clicks desc"}),
    "attribution-summary": ("attribution", {"last": "1h", "model": "linear", "group_by": "campaign"}),
    "funnel": ("funnel", {"last": "1h"}),
    "journeys": ("journeys", {"last": "1h"}),
    "quality": ("quality", {"last": "1h"}),
    "freshness": ("freshness", {}),
}


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    chosen = options(clickhouse_process.port, redis_process.port, heartbeat_ms=500)
    async with (
        running(chosen) as started,
        aiohttp.ClientSession(http_url(started)) as started.session,
    ):
        yield started


def store(tenant, address, name):
    """One campaign event, one conversion, one journey and one count, of which `name` is a part."""
    now = int(time.time() * 1000)
    key = (tenant, f"c-{name}", "email", "EUR")
    insert_events(address, [CampaignEvent(f"e-{name}", key, now - 2000, (9, 8, 7, 6, 5, 1))])
    names = {"tenant_id": tenant, "customer_id": f"u-{name}", "journey_id": f"j-{name}", "currency": "EUR"}
    credit = {"conversion_id": f"v-{name}", "model": "linear", "conversion_type": "purchase", "gross": 5}
    touch = (f"t-{name}", "email", f"c-{name}", now - 9000, 1.0, 5)
    insert_credits(address, [names | credit | {"conversion_time": now - 2000, "touches": [touch]}])
    figures = {"touchpoints": 1, "conversions": 1, "value_micros": 5, "revision": 1, "stage": "purchase"}
    insert_journeys(address, [names | figures | {"started_at": now - 9000, "last_event_at": now - 2000}])
    insert_counts(address, [(tenant, now // 10_000 * 10_000, outcome, name, 1) for outcome in ("valid", "accepted")])


def hear_of(server, tenant):
    """What the pipeline tells when it has stored something."""
    server.feed.publish(window_signal(tenant, "c-other", int(time.time()) * 1000))


def request_of(stream, tenant):
    request = message_factory.GetMessageClass(LIVE[stream].input_type)(tenant_id=tenant)
    parameters = ASKED[stream][1]
    if "last" in parameters:
        request.range.last.FromSeconds(3600)
    fields = {
        "grain": "GRAIN_MINUTE",
        "order_by": "clicks desc",
        "model": "linear",
        "dimensions": ["DIMENSION_CAMPAIGN"],
    }
    kind = "CREDIT_DIMENSION_CAMPAIGN" if stream == "attribution-summary" else "DIMENSION_CAMPAIGN"
    fields["group_by"] = [kind]
    known = LIVE[stream].input_type.fields_by_name
    return ParseDict({name: value for name, value in fields.items() if name in parameters and name in known}, request)


def call(server, stream, request):
    method = LIVE[stream]
    path = f"/{method.containing_service.full_name}/{method.name}"
    response = message_factory.GetMessageClass(method.output_type)
    return server.channel.unary_stream(path, type(request).SerializeToString, response.FromString)(request)


async def unary(server, stream, tenant):
    chart, parameters = ASKED[stream]
    async with server.session.get(
        f"/api/v1/dashboard/charts/{chart}", params={"tenant_id": tenant, **parameters}
    ) as response:
        assert response.status == 200, await response.text()
        return ParseDict(await response.json(), message_factory.GetMessageClass(CHARTS[chart].output_type)())


def figures(answer):
    """An answer without what moves with the clock."""
    same = type(answer)()
    same.CopyFrom(answer)
    for name in ("freshness", "covered_range", "covered_comparison_range"):
        if name in same.DESCRIPTOR.fields_by_name:
            same.ClearField(name)
    for stage in same.stages if hasattr(same, "stages") else ():
        if hasattr(stage, "age"):
            stage.ClearField("age")
    return same


async def test_every_stream_of_answers_is_tried():
    assert {LIVE[stream].full_name for stream in ASKED} == {method.full_name for method in METHODS}


@pytest.mark.parametrize("stream", ASKED)
async def test_the_snapshot_is_the_answer_and_changes_keep_it_so(server, tenant, history_address, stream):
    store(tenant, history_address, "first")
    reading = call(server, stream, request_of(stream, tenant))
    first = await next_message(reading, "snapshot")
    assert figures(first.snapshot) == figures(await unary(server, stream, tenant))
    store(tenant, history_address, "second")
    hear_of(server, tenant)
    # Rows are stored one table after the other, so what is new may come in several changes.
    rows = next((field.name for field in first.snapshot.DESCRIPTOR.fields if field.is_repeated), "")
    state = {}
    take(state, first.snapshot, rows)
    wanted = figures(await unary(server, stream, tenant))
    changed = 0
    # An answer made before the second rows may be given for a moment yet: equal to the snapshot, it says nothing.
    while not changed or held(state) != {row.SerializeToString(deterministic=True) for row in of(wanted, rows)}:
        message = await next_message(reading, "changes")
        changed += 1
        take(state, message.changes, rows)
        wanted = figures(await unary(server, stream, tenant))
    reading.cancel()


def of(answer, rows):
    """The rows of an answer; one that has none that change each for itself is its own row."""
    return [answer] if rows in ("", "unattributed_values") else getattr(answer, rows)


def take(state, update, rows):
    for row in of(figures(update), rows):
        state[name_of(row)] = row.SerializeToString(deterministic=True)


def held(state):
    return set(state.values())


def name_of(row):
    metrics = getattr(row, "metrics", row)
    names = ("campaign_id", "journey_id", "stage")
    moment = row.start_time.seconds if hasattr(row, "start_time") else 0
    return moment, *(getattr(metrics, name, None) for name in names)


@asynccontextmanager
async def opened(server, transport, tenant, cursor=""):
    """A stream of journeys over a transport: a reader of (kind, ids of journeys, cursor)."""
    path, parameters = f"/api/v1/dashboard/realtime/{tenant}", {"stream": "journeys", "last": "1h"}

    def told(message):
        kind = next(kind for kind in ("snapshot", "changes", "heartbeat") if kind in message)
        return kind, [one["journey_id"] for one in message[kind].get("journeys", ())], message["resume_cursor"]

    if transport in PROTOCOLS:
        request = pb.WatchJourneysRequest(tenant_id=tenant, resume_cursor=cursor)
        request.range.last.FromSeconds(3600)
        async with browser_client(server, transport) as client:
            stream = updates(client, LIVE["journeys"], request)

            async def read():
                message = await anext(stream)
                kind = message.WhichOneof("update")
                return (
                    kind,
                    [j.journey_id for j in getattr(getattr(message, kind), "journeys", ())],
                    message.resume_cursor,
                )

            yield read
            await stream.aclose()
    elif transport == "websocket":
        asked = parameters | ({"resume_cursor": cursor} if cursor else {})
        async with server.session.ws_connect(path, params=asked) as socket:

            async def read():
                return told(await socket.receive_json(timeout=60))

            yield read
    else:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": cursor} if cursor else {})
        async with server.session.get(path, params=parameters, headers=headers) as response:
            assert response.status == 200, await response.text()

            async def read():
                while not (line := (await response.content.readline()).decode()).startswith("data: "):
                    pass
                return told(json.loads(line.removeprefix("data: ")))

            yield read


@pytest.mark.parametrize("transport", [*PROTOCOLS, "events", "websocket"])
async def test_every_transport_carries_changes_and_goes_on_from_a_cursor(server, tenant, history_address, transport):
    store(tenant, history_address, "first")
    async with asyncio.timeout(120):
        async with opened(server, transport, tenant) as read:
            kind, journeys, _ = await read()
            assert (kind, journeys) == ("snapshot", ["j-first"])
            store(tenant, history_address, "second")
            hear_of(server, tenant)
            seen = ("heartbeat", [], "")
            while not seen[1]:
                seen = await read()
            assert seen[:2] == ("changes", ["j-second"])
        store(tenant, history_address, "third")
        async with opened(server, transport, tenant, seen[2]) as read:
            assert (await read())[:2] == ("changes", ["j-third"])


async def test_openapi_says_what_each_stream_is_asked(server):
    async with server.session.get("/api/openapi.json") as response:
        said = (await response.json())["paths"]["/api/v1/dashboard/realtime/{tenant_id}"]["get"]["description"]
    for stream, method in LIVE.items():
        parameters = sorted({*parameters_of(method.input_type)} - {"tenant_id", "resume_cursor"})
        assert f"`{stream}` ({', '.join(parameters)})".replace(" ()", "") in said
