"""Which changes of a schema are refused: FULL_TRANSITIVE compatibility, and what our readers need beyond it.

Every version of a subject must read what every other has written, in both directions, as PyPI's avro judges it. Beyond
that no field may go away, and no logical type may change: events are read as they were written, so a consumer that uses
a field needs it in every version, and Avro itself would read seconds as milliseconds without a word.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import RecordSchema, Schema, parse

from connectors.schema_registry.file_registry import FileRegistry
from connectors.schema_registry.registry import Definition, InvalidSchemaError


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a subject is refused. `field` is a path such as `metrics.clicks`, empty for the record itself."""

    subject: str
    field: str
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.subject}: {f'field {self.field}: ' if self.field else ''}{self.reason}"


def check_registry(registry: FileRegistry) -> list[Problem]:
    """Everything that is wrong between the versions of the registry's subjects, and with their numbers."""
    problems = []
    for subject, versions in registry.subjects().items():
        numbers = list(versions)
        if numbers != list(range(1, len(numbers) + 1)):
            problems.append(Problem(subject, "", f"versions must count from 1 without a gap, found {numbers}"))
        definitions = {f"version {number}": versions[number].definition for number in numbers}
        problems += check_versions(subject, definitions)
    return problems


def check_versions(subject: str, versions: dict[str, Definition]) -> list[Problem]:
    """Everything that keeps versions of a subject, given oldest first under the names to call them by, apart.

    Raises InvalidSchemaError for a definition that is not Avro.
    """
    schemas = {name: _parse(subject, name, definition) for name, definition in versions.items()}
    problems: list[Problem] = []
    for (old, old_schema), (new, new_schema) in combinations(schemas.items(), 2):
        problems += (
            Problem(subject, field, f"{new} cannot read {old}: {reason}")
            for field, reason in _unreadable(new_schema, old_schema, "")
        )
        problems += (
            Problem(subject, field, f"{old} cannot read {new}: {reason}")
            for field, reason in _unreadable(old_schema, new_schema, "")
        )
        problems += (
            Problem(subject, field, f"{reason} between {old} and {new}")
            for field, reason in _lost(old_schema, new_schema, "")
        )
    return problems


def check_published(registry: FileRegistry, published: FileRegistry) -> list[Problem]:
    """What has happened since to schemas that were published: they may be added to, never changed or taken away."""
    problems = []
    now = {schema.schema_id: schema.definition for schema in registry.schemas()}
    for subject, versions in published.subjects().items():
        for number, before in versions.items():
            name = f"version {number} (id {before.schema_id})"
            if before.schema_id not in now:
                problems.append(Problem(subject, "", f"{name} was published and is gone; messages with its id remain"))
            elif _meaning(now[before.schema_id]) != _meaning(before.definition):
                reason = f"{name} was published and has changed; leave it as it was and add a version"
                problems.append(Problem(subject, "", reason))
    return problems


def _parse(subject: str, name: str, definition: Definition) -> Schema:
    try:
        return parse(json.dumps(definition))
    except AvroException as error:
        raise InvalidSchemaError(f"{subject} {name}: {error}") from error


def _unreadable(reader: Schema, writer: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Fields that `reader` cannot make from what `writer` wrote, with the reason."""
    if not (isinstance(reader, RecordSchema) and isinstance(writer, RecordSchema) and reader.name == writer.name):
        checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call] # the package leaves it untyped
        result = checker.get_compatibility(reader, writer)
        if result.compatibility is not SchemaCompatibilityType.compatible:
            kinds = ", ".join(sorted({kind.value.replace("_", " ") for kind in result.incompatibilities}))
            yield path, f"{kinds}: {'; '.join(sorted(result.messages))}"
        return
    written = writer.fields_dict
    for field in reader.fields:
        inner = f"{path}.{field.name}" if path else field.name
        if field.name in written:
            yield from _unreadable(field.type, written[field.name].type, inner)
        elif not field.has_default:
            yield inner, "it is not there and has no default"


def _lost(old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Fields that are gone or are read in another unit, with the reason."""
    if getattr(old, "logical_type", None) != getattr(new, "logical_type", None):
        yield path, "its logical type changes"
    if isinstance(old, RecordSchema) and isinstance(new, RecordSchema):
        kept = new.fields_dict
        for field in old.fields:
            inner = f"{path}.{field.name}" if path else field.name
            if field.name in kept:
                yield from _lost(field.type, kept[field.name].type, inner)
            else:
                yield inner, "it is removed"


def _meaning(definition: object) -> object:
    """The definition without its documentation, which may be improved at any time."""
    if isinstance(definition, dict):
        return {key: _meaning(value) for key, value in definition.items() if key != "doc"}
    if isinstance(definition, list):
        return [_meaning(item) for item in definition]
    return definition
