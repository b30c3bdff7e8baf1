"""The revisions of a conversion's credits: what was replaced, in order, and what is in force."""

from __future__ import annotations

import time

import grpc
import pytest
import pytest_asyncio
from tributary.v1 import attribution_pb2 as pb

from connectors.clickhouse.arrow_sink import ArrowSink
from connectors.clickhouse.credit_revisions import keep_replaced
from connectors.clickhouse.credits import credit_columns
from tests.serving.running_server import details, options, refusal, running
from udfs.attribution.person import apply_facts
from udfs.attribution.settings import AttributionSettings

pytestmark = pytest.mark.asyncio
SETTINGS = AttributionSettings(models=("linear", "last_touch"))
CHANNELS = ("email", "search", "video", "social")


@pytest_asyncio.fixture
async def server(clickhouse_process, redis_process, history_address):
    async with running(options(clickhouse_process.port, redis_process.port)) as started:
        yield started


def linear(found):
    return [(one.value_micros, sums(one)["linear"]) for one in found]


def touch(tenant, number, at):
    place = (CHANNELS[number], "", "", "", "click")
    return ["t", tenant, "ann", "j1", "intent", f"t{number}", at + number, at, 7, *place]


def stored_journey(tenant, address, at):
    """A conversion of 100 micros over one touch, three late touches, a refund: each in a batch of its own, and after
    each the credits are stored when the clock says one second more."""
    facts = [
        touch(tenant, 0, at),
        ["c", tenant, "ann", "j1", "purchase", "v1", at + 10, at, 7, "purchase", 100, "EUR", None],
        *(touch(tenant, number, at) for number in (1, 2, 3)),
        ["r", tenant, "ann", "j1", "purchase", "r1", at + 20, at, 7, "v1", 40],
    ]
    state = None
    for second, fact in enumerate(facts):
        update = apply_facts(state, [fact], SETTINGS)
        state = update.state
        ArrowSink(address).write("attribution_credits", credit_columns(update.attributions, at + second * 1000))


def sums(revision):
    return {model.model: [touch.credited_micros for touch in model.touches] for model in revision.models}


async def test_each_revision_with_its_sums(server, tenant, history_address):
    at = int(time.time() * 1000) - 3_600_000
    stored_journey(tenant, history_address, at)
    request = pb.ListCreditRevisionsRequest(tenant_id=tenant, conversion_id="v1")
    found = (await server.attribution.ListCreditRevisions(request)).revisions
    assert [(one.revision, one.value_micros, sums(one)) for one in found] == [
        (2, 100, {"last_touch": [100], "linear": [100]}),
        (3, 100, {"last_touch": [0, 100], "linear": [50, 50]}),
        (4, 100, {"last_touch": [0, 0, 100], "linear": [34, 33, 33]}),
        (5, 100, {"last_touch": [0, 0, 0, 100], "linear": [25, 25, 25, 25]}),
        (6, 60, {"last_touch": [0, 0, 0, 60], "linear": [15, 15, 15, 15]}),
    ]
    # Each ends when the next one was written; the last one is in force.
    assert [one.replaced_at.ToMilliseconds() for one in found[:-1]] == [at + second * 1000 for second in (2, 3, 4, 5)]
    assert not found[-1].HasField("replaced_at")
    assert [touch.channel for touch in found[-1].models[0].touches] == list(CHANNELS)
    explained = await server.attribution.ExplainConversion(
        pb.ExplainConversionRequest(tenant_id=tenant, conversion_id="v1")
    )
    assert list(explained.conversion.models) == list(found[-1].models)
    # A replay stores the same revisions again, later: the answer stays.
    stored_journey(tenant, history_address, at)
    request.conversion_time.FromMilliseconds(at + 10)
    assert list((await server.attribution.ListCreditRevisions(request)).revisions) == list(found)


async def test_what_a_derivation_outranked_is_not_told(server, tenant, history_address):
    """The stream goes on crediting a person who is derived by now; no reader sees that."""
    sink, at = ArrowSink(history_address), int(time.time() * 1000) - 3_600_000
    facts = [
        touch(tenant, 0, at),
        ["c", tenant, "ann", "j1", "purchase", "v1", at + 10, at, 7, "purchase", 100, "EUR", None],
        touch(tenant, 1, at),
        touch(tenant, 2, at),
    ]
    state = None
    for second, fact in enumerate(facts):
        update = apply_facts(state, [fact], SETTINGS)
        state = update.state
        sink.write("attribution_credits", credit_columns(update.attributions, at + second * 1000))
        if second == 1:
            revision = (at + 1500) * 1000
            derived = update.attributions[0] | {"revision": revision, "value_micros": 90}
            derived["models"] = {"linear": {"weights": [1.0], "credited_micros": [90]}}
            keep_replaced(sink, [derived], revision // 1000)
            sink.write("attribution_credits", credit_columns([derived], revision // 1000))
    request = pb.ListCreditRevisionsRequest(tenant_id=tenant, conversion_id="v1", model="linear")
    found = (await server.attribution.ListCreditRevisions(request)).revisions
    assert linear(found) == [(100, [100]), (90, [90])]
    assert found[0].replaced_at.ToMilliseconds() == at + 1500


async def test_pages_and_one_model(server, tenant, history_address):
    at = int(time.time() * 1000) - 3_600_000
    stored_journey(tenant, history_address, at)
    request = pb.ListCreditRevisionsRequest(tenant_id=tenant, conversion_id="v1", model="linear", page_size=2)
    pages = []
    while True:
        answer = await server.attribution.ListCreditRevisions(request)
        pages.append([one.revision for one in answer.revisions])
        assert all(list(sums(one)) == ["linear"] for one in answer.revisions)
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert pages == [[2, 3], [4, 5], [6]]


async def test_what_is_refused(server, tenant):
    for request, field in (
        (pb.ListCreditRevisionsRequest(tenant_id=tenant), "conversion_id"),
        (pb.ListCreditRevisionsRequest(tenant_id=tenant, conversion_id="v", model="?"), "model"),
        (pb.ListCreditRevisionsRequest(tenant_id=tenant, conversion_id="v", page_size=-1), "page_size"),
        (pb.ListCreditRevisionsRequest(tenant_id=tenant, conversion_id="v", page_token="A"), "page_token"),
    ):
        error = await refusal(server.attribution.ListCreditRevisions(request))
        assert list(details(error)[1]) == [field]
    request = pb.ListCreditRevisionsRequest(tenant_id=tenant, conversion_id="nope")
    error = await refusal(server.attribution.ListCreditRevisions(request))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert details(error)[0] == "CONVERSION_NOT_FOUND"
