"""Journey events in the event store, and a device graph that is told of them as the job tells it."""

from __future__ import annotations

import time

import orjson
import pyarrow as pa

from connectors.clickhouse.arrow_sink import times
from connectors.clickhouse.rederive import read_update, rederive, update_text
from tests.unit.identity.test_device_graph import Texts
from udfs.attribution.settings import AttributionSettings
from udfs.identity.device_graph import DeviceGraph, Observation
from udfs.identity.settings import IdentitySettings

# Yesterday: rows of links that were last seen too long ago are gone as soon as they are written.
START_MS = (int(time.time()) // 86_400 - 1) * 86_400_000
SETTINGS = AttributionSettings()


class StoredTenant:
    """One tenant: events go to the store and to the graph, and what the graph tells is derived."""

    def __init__(self, sink, tenant_id):
        self.sink = sink
        self.tenant_id = tenant_id
        self.graph = DeviceGraph(Texts(), IdentitySettings())

    def happen(self, *events):
        """Store events and take them into the graph, in one batch; returns the attributions derived."""
        insert_events(self.sink, events)
        return self.change(*(observation(event) for event in events))

    def change(self, *changes):
        update = self.graph.apply(changes)
        line = update_text(self.tenant_id, self.graph.newest_day, update)
        return rederive(self.sink, [read_update(line)], SETTINGS)[0]

    def credits(self, model="linear"):
        """{conversion: (net value, {touchpoint: micros})} as a reader sees it."""
        rows = self.sink.rows(
            "SELECT conversion_id, value_micros, touches.touchpoint_id, touches.credited_micros "
            "FROM attribution_credits FINAL WHERE tenant_id = {tenant:String} AND model = {model:String}",
            {"tenant": self.tenant_id, "model": model},
            "credits",
        )
        return {row[0]: (row[1], dict(zip(row[2], row[3], strict=True))) for row in rows}

    def revisions(self, model="linear"):
        """[(conversion, net value, {touchpoint: micros})] of what was replaced, oldest first."""
        rows = self.sink.rows(
            "SELECT conversion_id, value_micros, touches.touchpoint_id, touches.credited_micros FROM credit_revisions "
            "FINAL WHERE tenant_id = {tenant:String} AND model = {model:String} ORDER BY conversion_id, revision",
            {"tenant": self.tenant_id, "model": model},
            "revisions",
        )
        return [(row[0], row[1], dict(zip(row[2], row[3], strict=True))) for row in rows]

    def event(self, kind, customer, event_id, minute, consented=True, **more):
        record = {
            "envelope": {
                "event_id": event_id,
                "tenant_id": self.tenant_id,
                "event_type": kind,
                "event_time": START_MS + minute * 60_000,
                "created_at": START_MS + minute * 60_000,
                "source_platform": "shop",
                "consent": {"marketing": True, "analytics": consented, "personalization": True},
                "identifiers": more.pop("identifiers", {}),
                "metadata": {},
            },
            "journey": {"customer_id": customer, "journey_id": "j1", "stage": "intent"},
        }
        return record | more

    def touch(self, customer, event_id, minute, channel="email", **more):
        touchpoint = {
            "channel": channel,
            "interaction_type": "click",
            "interaction_time": START_MS + minute * 60_000,
            "campaign_id": "spring",
            "creative_id": None,
            "source": None,
            "metadata": {},
        }
        return self.event("touchpoint_interaction", customer, event_id, minute, touchpoint=touchpoint, **more)

    def conversion(self, customer, event_id, minute, micros, kind="conversion", original=None, **more):
        value = {
            "conversion_type": "purchase",
            "kind": kind,
            "value_micros": micros,
            "currency": "EUR",
            "weight": None,
            "original_event_id": original,
        }
        return self.event("conversion_event", customer, event_id, minute, conversion=value, **more)


def observation(event):
    envelope = event["envelope"]
    return Observation(
        event["journey"]["customer_id"],
        envelope["event_time"],
        envelope["consent"]["analytics"],
        envelope["identifiers"],
    )


def insert_events(sink, events):
    envelopes = [event["envelope"] for event in events]
    sink.write(
        "events",
        {
            **{name: [envelope[name] for envelope in envelopes] for name in ("tenant_id", "event_id", "event_type")},
            "event_time": times([envelope["event_time"] for envelope in envelopes]),
            "customer_id": [event["journey"]["customer_id"] for event in events],
            "journey_id": [event["journey"]["journey_id"] for event in events],
            "payload": [orjson.dumps(event).decode() for event in events],
            "version": pa.array([1 << 63] * len(events), type=pa.uint64()),
        },
    )
