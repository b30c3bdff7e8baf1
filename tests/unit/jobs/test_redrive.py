"""What is re-driven is what the pipeline would accept, and stays with its tenant."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.kafka.codec import EventDecoder
from connectors.schema_registry import FileRegistry
from jobs.redrive import RedriveError, encoded
from tests.unit.events.sample_events import event
from udfs.events.envelope import EventType

REGISTRY = FileRegistry(Path(__file__).resolve().parents[3] / "avro")


def repaired(tenant_id: str) -> tuple[dict, int]:
    record = event(EventType.CONVERSION_EVENT)
    record["envelope"]["tenant_id"] = tenant_id
    return record, record["envelope"]["event_time"] + 1_000


def test_a_sound_event_is_encoded_as_it_is():
    record, now_ms = repaired("tenant-a")
    read = EventDecoder(REGISTRY).decode(encoded(record, REGISTRY, now_ms))
    assert read.record["envelope"]["tenant_id"] == "tenant-a"


def test_an_event_that_named_another_tenant_stays_with_its_own():
    record, now_ms = repaired("tenant-a")
    with pytest.raises(RedriveError, match="tenant_mismatch"):
        encoded(record, REGISTRY, now_ms, "tenant-b")
    record["envelope"]["tenant_id"] = "tenant-b"
    assert encoded(record, REGISTRY, now_ms, "tenant-b")


def test_what_would_be_refused_again_is_not_sent():
    record, now_ms = repaired("tenant-a")
    record["conversion"]["value_micros"] = -1
    with pytest.raises(RedriveError, match="negative_value"):
        encoded(record, REGISTRY, now_ms)
