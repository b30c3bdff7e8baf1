"""What must hold after all faults: nothing lost, nothing doubled, no wrong sum, and serving says the same."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import clickhouse_connect
import grpc

import serving  # noqa: F401 - puts the generated messages on the path
from connectors.kafka.topics import Topics
from tests.faults.rig import FaultError
from tests.oracle import compare
from tests.oracle.answer import Answer
from tests.oracle.published import compare_signals
from tests.oracle.settling import staying
from tests.oracle.topic import read_topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

    from tests.faults.rig import Rig

# An event that came late is in its minute once the watermark has passed that minute, and a machine may be busy.
SETTLED_SECONDS = 300.0
_POLL_SECONDS = 2.0
_SIGNALS = Topics().signals
_ASK_SECONDS = 30.0
# Serving may have been killed a moment ago.
_ANSWER_SECONDS = 120.0
_SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "events")
# Every event that validation accepts is younger than 90 days, and finer figures are kept for 89.
_HISTORY_SECONDS = 88 * 86_400


def _client(rig: Rig) -> Client:
    at = urlsplit(str(rig.stack.endpoints()["clickhouse"]))
    return clickhouse_connect.get_client(
        host=at.hostname, port=at.port, database=rig.stack.config.clickhouse_database, autogenerate_session_id=False
    )


def stored_is_right(rig: Rig, tenants: Sequence[str] = (), seconds: float = SETTLED_SECONDS) -> None:
    """Wait until every table holds exactly what the oracle computes from all that was sent.

    `tenants` leaves out all others.

    Raises:
        FaultError: with the differences that stay.
    """
    database = rig.stack.config.clickhouse_database
    with closing(_client(rig)) as client:
        if stay := staying(lambda: compare(client, database, *rig.files, tenants=tenants), seconds):
            raise FaultError(stay)


def published_is_right(rig: Rig, tenants: Sequence[str], seconds: float = SETTLED_SECONDS) -> None:
    """Wait until the newest signal of every window, minute and conversion of the tenants is what the oracle computes.

    A signal may come more than once after a fault, and must come.

    Raises:
        FaultError: with the differences that stay.
    """
    broker = str(rig.stack.endpoints()["kafka"])
    with Answer(*rig.files) as answer:
        if stay := staying(lambda: compare_signals(answer, read_topic(broker, _SIGNALS), tenants), seconds):
            raise FaultError(stay)


def counts_reconcile(rig: Rig) -> str:
    """Check produced = accepted + duplicates + quarantined over the whole database; return the equation.

    Only for a stack that saw no other events than those of the rig.

    Raises:
        FaultError: it does not hold.
    """
    client = _client(rig)
    try:
        query = "SELECT toString(outcome), sum(events) FROM ingest_counts FINAL GROUP BY 1"
        counted = {outcome: int(number) for outcome, number in client.query(query).result_rows}
    finally:
        client.close()
    accepted, valid, quarantined = (counted.get(name, 0) for name in ("accepted", "valid", "quarantined"))
    text = f"produced {rig.produced} = accepted {accepted} + duplicates {valid - accepted} + quarantined {quarantined}"
    if rig.produced != valid + quarantined:
        raise FaultError(f"{text} does not hold")
    return text


def answers_are_right(rig: Rig, tenants: Sequence[str]) -> int:
    """Check that serving's sums of each tenant's campaigns are the oracle's; return how many tenants were asked for.

    Raises:
        FaultError: naming the tenant, what serving says and what is right.
    """
    with Answer(*rig.files) as answer:
        rows = answer.rows(
            f"SELECT tenant_id, campaign_id, channel, currency, {', '.join(f'sum({name})::BIGINT' for name in _SUMS)} "
            "FROM campaign_rollups WHERE grain = 'minute' GROUP BY ALL"
        )
    right: dict[str, dict[tuple[object, ...], tuple[object, ...]]] = {tenant: {} for tenant in tenants}
    for tenant, *rest in rows:
        if str(tenant) in right:
            right[str(tenant)][tuple(rest[:3])] = tuple(rest[3:])
    for tenant in tenants:
        _same_answer(rig, tenant, right[tenant])
    return len(tenants)


def _same_answer(rig: Rig, tenant: str, right: dict[tuple[object, ...], tuple[object, ...]]) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while (said := _ask(rig, tenant)) != right:
        if time.monotonic() > deadline:
            unlike = {
                key: (said.get(key), right.get(key)) for key in {*said, *right} if said.get(key) != right.get(key)
            }
            raise FaultError(f"serving's sums of {tenant} (said, right): {unlike}")
        time.sleep(_POLL_SECONDS)


def _ask(rig: Rig, tenant: str) -> dict[tuple[object, ...], tuple[object, ...]]:
    from tributary.v1 import campaign_metrics_pb2 as messages
    from tributary.v1 import campaign_metrics_pb2_grpc as services

    request = messages.GetCampaignMetricsRequest(tenant_id=tenant, page_size=1000)
    request.group_by.extend([messages.DIMENSION_CAMPAIGN, messages.DIMENSION_CHANNEL])
    request.range.start_time.FromSeconds(int(time.time()) - _HISTORY_SECONDS)
    with grpc.insecure_channel(str(rig.stack.endpoints()["grpc"])) as channel:
        stub = services.CampaignMetricsServiceStub(channel)
        try:
            groups = stub.GetCampaignMetrics(request, timeout=_ASK_SECONDS).metrics
        except grpc.RpcError as error:
            return {(str(error),): ()}
    return {
        (group.campaign_id, group.channel, group.currency): tuple(getattr(group.sums, name) for name in _SUMS)
        for group in groups
    }
