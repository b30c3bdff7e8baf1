"""The way of one event: what each stage stored of it, from the producer to the figures."""

from __future__ import annotations

import time

import grpc
import pyarrow as pa
import pytest
import pytest_asyncio
from tributary.v1 import quality_pb2

from connectors.clickhouse.arrow_sink import ArrowSink, times
from connectors.kafka.event_traces import event_trace
from tests.serving.pipeline_model import CampaignEvent, windows
from tests.serving.running_server import details, options, refusal, running
from tests.serving.stored_rows import insert_credits, insert_events, insert_journey_events, insert_windows

pytestmark = pytest.mark.asyncio

OWN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


def insert_refused(address, tenant, event_id, at, offset, reasons):
    ArrowSink(address).write(
        "quarantine",
        {
            "tenant_id": [tenant],
            "source_topic": ["marketing-events"],
            "source_partition": pa.array([2], type=pa.int32()),
            "source_offset": [offset],
            "received_at": times([at]),
            "reasons": pa.array([reasons], type=pa.list_(pa.string())),
            "event_id": [event_id],
            "event_type": ["conversion_event"],
            "schema_id": pa.array([1], type=pa.uint32()),
            "raw": [b""],
            "status": ["redriven"],
            "status_at": times([at]),
            "version": pa.array([1], type=pa.uint64()),
        },
    )


def asked(tenant, event_id="e-1"):
    request = quality_pb2.GetEventTraceRequest(tenant_id=tenant, event_id=event_id)
    request.range.last.FromSeconds(3600)
    return request


def seen(step):
    moments = (("start_time", step.start_time), ("end_time", step.end_time))
    return (step.name, *(moment.ToMilliseconds() if step.HasField(name) else None for name, moment in moments))


async def test_a_campaign_event_is_followed_into_its_windows(server, tenant, history_address):
    now = int(time.time() * 1000) - 60_000
    event = CampaignEvent("e-1", (tenant, "c1", "email", "EUR"), now, (9, 8, 7, 6, 5, 1))
    other = CampaignEvent("e-2", (tenant, "c1", "email", "EUR"), now + 20_000, (9, 8, 7, 6, 5, 1))
    insert_events(history_address, [event, other])
    answer = await server.quality.GetEventTrace(asked(tenant))
    assert [step.name for step in answer.steps] == ["produced", "accepted"]
    insert_windows(history_address, windows([event, other], now + 60_000))
    answer = await server.quality.GetEventTrace(asked(tenant))
    second = now - now % 1000
    # When it was made is not known, nor when it was stored.
    assert [seen(step) for step in answer.steps] == [
        ("produced", None, now),
        ("accepted", now, None),
        ("counted", second + 1000, second + 5000),
    ]
    assert answer.steps[2].detail.startswith("5 windows of c1")
    trace_id, span_id = event_trace(tenant, "e-1")
    assert (int(answer.trace_id, 16), int(answer.producer_span_id, 16)) == (trace_id, span_id)
    assert answer.producer_traceparent == ""
    assert answer.freshness.data_through.ToMilliseconds() == now


async def test_a_conversion_is_followed_from_its_producer_to_its_credits(server, tenant, history_address):
    now = int(time.time() * 1000) - 60_000
    refused_at = now - 30_000
    insert_refused(history_address, tenant, "e-1", refused_at, 7, ["invalid_currency", "negative_value"])
    columns = {"tenant_id": tenant, "event_id": "e-1", "event_type": "conversion_event", "event_time": now}
    payload = {"envelope": {"metadata": {"traceparent": OWN}}}
    insert_journey_events(history_address, [columns | {"payload": payload, "source_offset": 12}])
    names = {"tenant_id": tenant, "conversion_id": "e-1", "customer_id": "u", "journey_id": "j", "currency": "EUR"}
    touch = ("t", "email", "c1", now - 9000, 1.0, 5)
    credit = names | {"conversion_type": "purchase", "gross": 5, "conversion_time": now, "touches": [touch]}
    insert_credits(history_address, [credit | {"model": model, "revision": 3} for model in ("linear", "last_touch")])
    answer = await server.quality.GetEventTrace(asked(tenant))
    assert [seen(step) for step in answer.steps] == [
        ("quarantined", refused_at, None),
        ("produced", now, now),
        ("accepted", now, None),
        ("attributed", now, now),
    ]
    assert [step.detail for step in answer.steps[:1]] == [
        "partition 2, offset 7: invalid_currency, negative_value; redriven"
    ]
    assert answer.steps[2].detail == "partition 0, offset 12: conversion_event"
    assert answer.steps[3].detail == "2 models, revision 3"
    assert answer.producer_traceparent == OWN


@pytest.mark.parametrize("written", ["nonsense", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "", 7, OWN + "\nx: y"])
async def test_what_is_no_traceparent_is_left_out(server, tenant, history_address, written):
    now = int(time.time() * 1000) - 60_000
    columns = {"tenant_id": tenant, "event_id": "e-1", "event_type": "segment_update", "event_time": now}
    payload = {"envelope": {"metadata": {"traceparent": written}}}
    insert_journey_events(history_address, [columns | {"payload": payload}])
    assert (await server.quality.GetEventTrace(asked(tenant))).producer_traceparent == ""


async def test_an_event_that_is_not_known(server, tenant):
    error = await refusal(server.quality.GetEventTrace(asked(tenant)))
    assert (error.code(), details(error)[0]) == (grpc.StatusCode.NOT_FOUND, "EVENT_NOT_FOUND")
    error = await refusal(server.quality.GetEventTrace(asked(tenant, "")))
    assert list(details(error)[1]) == ["event_id"]
    wrong = quality_pb2.GetEventTraceRequest(tenant_id=tenant, event_id="e-1")
    assert list(details(await refusal(server.quality.GetEventTrace(wrong)))[1]) == ["range.start_time"]
