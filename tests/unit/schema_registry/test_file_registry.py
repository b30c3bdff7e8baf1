"""The registry in files: look-ups, references by name, and every way the files can be wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from connectors.schema_registry import FileRegistry, InvalidSchemaError, UnknownSchemaError

if TYPE_CHECKING:
    from pathlib import Path

UNIT = {"type": "enum", "name": "Unit", "namespace": "a", "doc": "A unit.", "symbols": ["M", "KM"]}
THING = {
    "type": "record",
    "name": "Thing",
    "namespace": "a",
    "fields": [
        {"name": "unit", "type": "Unit"},
        {"name": "units", "type": {"type": "array", "items": ["null", "a.Unit"]}},
        {"name": "by_name", "type": {"type": "map", "values": "Unit"}},
    ],
}
ENTRY = {"id": 7, "subject": "t-a.Thing", "version": 1, "file": "thing.avsc"}


def write(folder: Path, *entries: dict[str, Any], **files: Any) -> Path:
    contents = {"unit": UNIT, "thing": THING} | files
    for name, content in contents.items():
        (folder / f"{name}.avsc").write_text(content if isinstance(content, str) else json.dumps(content))
    index = {"shared": {"a.Unit": "unit.avsc"}, "schemas": list(entries)}
    (folder / "registry.json").write_text(json.dumps(index))
    return folder


def test_named_types_are_expanded_where_they_come_first(tmp_path: Path) -> None:
    registry = FileRegistry(write(tmp_path, ENTRY))
    expanded_unit = {"type": "enum", "name": "a.Unit", "doc": "A unit.", "symbols": ["M", "KM"]}
    assert registry.schema(7).definition == {
        "type": "record",
        "name": "a.Thing",
        "fields": [
            {"name": "unit", "type": expanded_unit},
            {"name": "units", "type": {"type": "array", "items": ["null", "a.Unit"]}},
            {"name": "by_name", "type": {"type": "map", "values": "a.Unit"}},
        ],
    }


def test_versions_and_the_latest(tmp_path: Path) -> None:
    second = ENTRY | {"id": 9, "version": 2, "file": "thing2.avsc"}
    registry = FileRegistry(write(tmp_path, second, ENTRY, thing2=THING | {"doc": "two"}))
    assert registry.version("t-a.Thing", 1).schema_id == 7
    assert registry.version("t-a.Thing", 2).schema_id == 9
    assert registry.latest("t-a.Thing").schema_id == 9
    assert [schema.schema_id for schema in registry.schemas()] == [7, 9]
    assert list(registry.subjects()["t-a.Thing"]) == [1, 2]


def test_an_entry_may_use_another_file_for_a_shared_type(tmp_path: Path) -> None:
    second = ENTRY | {"id": 9, "version": 2, "shared": {"a.Unit": "unit2.avsc"}}
    registry = FileRegistry(write(tmp_path, ENTRY, second, unit2=UNIT | {"symbols": ["M", "KM", "MI"]}))
    symbols = [registry.schema(number).definition["fields"][0]["type"]["symbols"] for number in (7, 9)]
    assert symbols == [["M", "KM"], ["M", "KM", "MI"]]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda registry: registry.schema(8), "no schema with id 8"),
        (lambda registry: registry.version("t-a.Thing", 3), r"'t-a.Thing' has versions \[1\], not 3"),
        (lambda registry: registry.latest("x"), "no subject 'x'"),
        (lambda registry: registry.version("x", 1), "no subject 'x'"),
    ],
)
def test_what_is_not_there_is_unknown(tmp_path: Path, ask: Any, message: str) -> None:
    registry = FileRegistry(write(tmp_path, ENTRY))
    with pytest.raises(UnknownSchemaError, match=message):
        ask(registry)


@pytest.mark.parametrize(
    ("entries", "files", "message"),
    [
        ([ENTRY, ENTRY | {"version": 2}], {}, "id 7 or t-a.Thing version 2 appears twice"),
        ([ENTRY, ENTRY | {"id": 8}], {}, "id 8 or t-a.Thing version 1 appears twice"),
        ([ENTRY | {"subject": "t-a.Other"}], {}, "subject 't-a.Other' is not for record 'a.Thing'"),
        ([ENTRY | {"file": "gone.avsc"}], {}, "gone.avsc"),
        ([{"id": 7}], {}, "registry.json: KeyError: 'subject'"),
        ([ENTRY | {"id": "x"}], {}, "registry.json: ValueError"),
        (["x"], {}, "registry.json: TypeError"),
        ([ENTRY], {"thing": "{"}, "thing.avsc"),
        ([ENTRY], {"thing": json.dumps(THING).replace("a.Unit", "Gone")}, "type 'a.Gone' is used but defined nowhere"),
        ([ENTRY], {"unit": '"Unit"'}, "type 'a.Unit' is defined as nothing but a name"),
        ([ENTRY], {"thing": {"type": "enum", "symbols": []}}, "needs a name"),
        ([ENTRY], {"thing": ["null", "string"]}, "is a record"),
        ([ENTRY], {"thing": {"name": "x"}}, "not an Avro schema"),
        (
            [ENTRY],
            {
                "thing": {
                    "type": "record",
                    "name": "a.Thing",
                    "fields": [{"name": "a", "type": UNIT}, {"name": "b", "type": UNIT}],
                }
            },
            "'a.Unit' is defined twice",
        ),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, entries: list[Any], files: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSchemaError, match=message):
        FileRegistry(write(tmp_path, *entries, **files))


def test_a_folder_without_an_index_is_no_registry(tmp_path: Path) -> None:
    with pytest.raises(InvalidSchemaError, match=r"registry\.json"):
        FileRegistry(tmp_path)
