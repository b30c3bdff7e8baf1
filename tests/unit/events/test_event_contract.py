"""Schemas and codes say what the data contract says, and every field explains itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import avro.schema
import fastavro
import pytest

from connectors.kafka.codec import subject_of
from tests.unit.events.sample_events import REGISTRY, SCHEMAS
from udfs.events.envelope import EventType
from udfs.events.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACT = (Path(__file__).resolve().parents[3] / "docs" / "data-contract.md").read_text(encoding="utf-8")
FILES = sorted(SCHEMAS.rglob("*.avsc"))

# The ids of the contract's order; 11 is the second version of touchpoint_interaction.
IDS = {kind: position for position, kind in enumerate(EventType, 1)}


def section(title: str) -> str:
    return CONTRACT.partition(f"## {title}")[2].partition("\n## ")[0]


def documented(schema: Any, name: str) -> Iterator[tuple[str, str]]:
    """Every named type and field with its documentation."""
    if isinstance(schema, list):
        for branch in schema:
            yield from documented(branch, name)
    elif isinstance(schema, dict):
        if "name" in schema:
            yield schema["name"], schema.get("doc", "")
        for field in schema.get("fields", ()):
            yield f"{schema['name']}.{field['name']}", field.get("doc", "")
            yield from documented(field["type"], field["name"])
        for inner in ("items", "values", "type"):
            yield from documented(schema.get(inner), name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_type_and_field_is_documented(path: Path) -> None:
    entries = dict(documented(json.loads(path.read_text()), path.stem))
    assert entries
    assert {name for name, doc in entries.items() if len(doc) < 10} == set()


def test_every_schema_file_is_used() -> None:
    index = json.loads((SCHEMAS / "registry.json").read_text())
    used = {*index["shared"].values(), *(entry["file"] for entry in index["schemas"])}
    used.update(file for entry in index["schemas"] for file in entry.get("shared", {}).values())
    assert {str(path.relative_to(SCHEMAS)) for path in FILES} == used


def test_ids_and_subjects_are_those_of_the_contract() -> None:
    for kind, schema_id in IDS.items():
        record = "".join(word.capitalize() for word in kind.split("_"))
        assert subject_of(kind) == f"marketing-events-tributary.events.{record}"
        assert REGISTRY.version(subject_of(kind), 1).schema_id == schema_id
        assert REGISTRY.schema(schema_id).full_name == f"tributary.events.{record}"
    assert REGISTRY.version(subject_of(EventType.TOUCHPOINT_INTERACTION), 2).schema_id == 11


@pytest.mark.parametrize("schema_id", range(1, 12))
def test_every_schema_is_avro_to_others_too(schema_id: int) -> None:
    definition = REGISTRY.schema(schema_id).definition
    fastavro.parse_schema(definition)
    avro.schema.parse(json.dumps(definition))


@pytest.mark.parametrize("schema_id", range(1, 12))
def test_every_record_begins_with_the_envelope(schema_id: int) -> None:
    first = REGISTRY.schema(schema_id).definition["fields"][0]
    assert (first["name"], first["type"]["name"]) == ("envelope", "tributary.events.Envelope")


def test_the_event_types_are_those_of_the_contract() -> None:
    named = set(re.findall(r"\*\*(\w+)\*\*", section("Event records")))
    assert {name for name in named if "_" in name} == {kind.value for kind in EventType}


def test_the_reason_codes_are_those_of_the_contract() -> None:
    codes = list(re.findall(r"`([a-z_]+)`", section("Validation reason codes")))
    assert codes == [reason.value for reason in Reason]
