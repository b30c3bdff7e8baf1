"""No call of one tenant can reach another's figures: every method of every service is tried."""

from __future__ import annotations

import time

import grpc
import orjson
import pytest
import pytest_asyncio
from google.protobuf import message_factory
from tributary.v1 import alerts_pb2, attribution_pb2, campaign_metrics_pb2, quality_pb2

from connectors.redis.cache import Cache, campaign_key
from serving.access.tenancy import METADATA_KEY
from serving.live.hub import Topic
from tests.serving.pipeline_model import CampaignEvent
from tests.serving.running_server import details, next_message, options, refusal, running
from tests.serving.signals import alert_record, attribution_signal, window_signal
from tests.serving.stored_rows import (
    insert_alerts,
    insert_counts,
    insert_credits,
    insert_events,
    insert_late,
    insert_rollups,
    insert_windows,
)

pytestmark = pytest.mark.asyncio

# In every name of the other tenant's rows.
MARK = "forbidden"
FILES = (campaign_metrics_pb2, attribution_pb2, alerts_pb2, quality_pb2)
METHODS = [
    method for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
]


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port, heartbeat_ms=300)) as started:
        yield started


def request_of(method, tenant):
    """A request that asks for as much as the method can give."""
    request = message_factory.GetMessageClass(method.input_type)(tenant_id=tenant)
    fields = method.input_type.fields_by_name
    if "range" in fields:
        request.range.last.FromSeconds(24 * 3600)
    if "grain" in fields:
        request.grain = campaign_metrics_pb2.GRAIN_MINUTE
    if "model" in fields:
        request.model = "linear"
    if "conversion_id" in fields:
        request.conversion_id = f"v-{MARK}"
    if "group_by" in fields:
        request.group_by.extend([1, 2])
    return request


def call(server, method, request, **kwargs):
    path = f"/{method.containing_service.full_name}/{method.name}"
    kind = server.channel.unary_stream if method.server_streaming else server.channel.unary_unary
    response = message_factory.GetMessageClass(method.output_type)
    return kind(path, type(request).SerializeToString, response.FromString)(request, **kwargs)


def fill(tenant, history_address, redis_process, name):
    """Rows in every table, an entry in Redis; every name holds `name`."""
    now = int(time.time() * 1000)
    end = now // 1000 * 1000
    key = (tenant, f"c-{name}", "email", "EUR")
    insert_windows(history_address, [(*key, end - 5000, end, 1, 1, 1, 1, 1, 1)])
    insert_rollups(
        history_address, [(*key, grain, now // 60_000 * 60_000 - 60_000, 1, 1, 1, 1, 1, 1) for grain in ("minute",)]
    )
    insert_events(history_address, [CampaignEvent(f"e-{name}", key, now, (1, 1, 1, 1, 1, 1))])
    credit = {
        "tenant_id": tenant,
        "conversion_id": f"v-{name}",
        "model": "linear",
        "conversion_type": f"type-{name}",
        "customer_id": f"u-{name}",
        "journey_id": f"j-{name}",
        "currency": "EUR",
        "conversion_time": now - 60_000,
        "gross": 5,
        "touches": [(f"t-{name}", f"channel-{name}", f"c-{name}", now - 70_000, 1.0, 5)],
    }
    insert_credits(history_address, [credit])
    insert_alerts(
        history_address, [alert_record(tenant, f"a-{name}", updated_ms=now, campaign=f"c-{name}") | {"message": name}]
    )
    insert_counts(
        history_address,
        [
            (tenant, now // 10_000 * 10_000, "quarantined", f"reason_{name}", 7),
            (tenant, now // 10_000 * 10_000, "valid", "", 9),
        ],
    )
    insert_late(history_address, [(tenant, now, f"e-{name}", now - 1000)])
    signal = window_signal(tenant, f"c-{name}", end)
    Cache(f"redis://127.0.0.1:{redis_process.port}/0").put_campaign_fields(
        [(campaign_key(tenant, f"c-{name}"), "email|EUR", end, orjson.dumps(signal).decode())]
    )


async def first_messages(server, method, request):
    """All of a unary answer; of a stream what comes until it is quiet."""
    if not method.server_streaming:
        return [await call(server, method, request)]
    stream = call(server, method, request)
    return [await next_message(stream, "snapshot"), await next_message(stream)]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
async def test_answers_hold_nothing_of_another_tenant(server, tenant, history_address, redis_process, method):
    other = f"{tenant}-{MARK}"
    fill(other, history_address, redis_process, MARK)
    # The other tenant's own answer shows that there is something to leak.
    shown = await first_messages(server, method, request_of(method, other))
    assert MARK in repr(shown[0]) or method.name == "GetFreshness"
    if method.name == "ExplainConversion":
        error = await refusal(call(server, method, request_of(method, tenant)))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert MARK not in repr(error)
        return
    answers = await first_messages(server, method, request_of(method, tenant))
    assert MARK not in repr(answers)
    if method.name == "GetCounts":
        assert (answers[0].received, answers[0].late) == (0, 0)
    if method.name == "GetFreshness":
        assert all(not stage.HasField("newest") for stage in answers[0].stages)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
async def test_the_callers_tenant_must_be_the_one_asked_for(server, tenant, method):
    error = await refusal(call(server, method, request_of(method, tenant), metadata=((METADATA_KEY, "somebody-else"),)))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert details(error)[0] == "TENANT_MISMATCH"
    error = await refusal(call(server, method, request_of(method, "")))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert list(details(error)[1]) == ["tenant_id"]
    error = await refusal(call(server, method, request_of(method, "*")))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", [m for m in METHODS if m.server_streaming], ids=lambda m: m.name)
async def test_live_changes_reach_their_own_tenant_only(server, tenant, method):
    other = f"{tenant}-{MARK}"
    mine, theirs = (call(server, method, request_of(method, name)) for name in (tenant, other))
    for stream in (mine, theirs):
        await next_message(stream, "snapshot")
    now = int(time.time()) * 1000
    server.feed.publish(window_signal(other, f"c-{MARK}", now), attribution_signal(other, f"v-{MARK}", now))
    server.feed.publish(alert_record(other, f"a-{MARK}", updated_ms=now), topic=Topic.ALERTS)
    assert MARK in repr(await next_message(theirs, "changes"))
    assert (await next_message(mine)).WhichOneof("update") == "heartbeat"
    assert (await next_message(mine)).WhichOneof("update") == "heartbeat"


async def test_every_method_is_tried():
    assert len(METHODS) == 11
