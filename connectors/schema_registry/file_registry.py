"""The registry in files: schemas in git, ids in `registry.json`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.schema_registry.references import expand
from connectors.schema_registry.registry import InvalidSchemaError, RegisteredSchema, UnknownSchemaError

INDEX = "registry.json"


ReadText = Callable[[str], str]
"""Takes a path relative to the folder; raises OSError or ValueError when there is no such text."""


class FileRegistry:
    """Schemas read from a folder, all at once when constructed; lookups never block afterwards.

    `registry.json` holds `schemas`, a list of {id, subject, version, file}, and `shared`, the files of types referenced
    by name. An entry may carry its own `shared` map where it needs other files than the common ones. Files are relative
    to the folder. Raises InvalidSchemaError naming the file when something is missing, malformed or numbered twice.
    """

    def __init__(self, path: str | Path, read_text: ReadText | None = None) -> None:
        """Read every schema below `path`, through `read_text` when the files are elsewhere than on disk."""
        self._folder = Path(path)
        self._read_text = read_text or self._read_file
        self._by_id: dict[int, RegisteredSchema] = {}
        self._by_subject: dict[str, dict[int, RegisteredSchema]] = {}
        index = self._read(INDEX)
        try:
            shared = dict(index["shared"])
            for entry in index["schemas"]:
                self._add(entry, shared)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidSchemaError(f"{self._folder / INDEX}: {type(error).__name__}: {error}") from error

    def schema(self, schema_id: int) -> RegisteredSchema:
        """The schema with this id."""
        try:
            return self._by_id[schema_id]
        except KeyError:
            raise UnknownSchemaError(f"no schema with id {schema_id}") from None

    def version(self, subject: str, version: int) -> RegisteredSchema:
        """One version of a subject."""
        versions = self._versions(subject)
        if version not in versions:
            raise UnknownSchemaError(f"subject {subject!r} has versions {sorted(versions)}, not {version}")
        return versions[version]

    def latest(self, subject: str) -> RegisteredSchema:
        """The newest version of a subject."""
        versions = self._versions(subject)
        return versions[max(versions)]

    def schemas(self) -> list[RegisteredSchema]:
        """Every schema, by id."""
        return [self._by_id[schema_id] for schema_id in sorted(self._by_id)]

    def subjects(self) -> dict[str, dict[int, RegisteredSchema]]:
        """Every subject with its versions by number, oldest first."""
        return {subject: dict(sorted(versions.items())) for subject, versions in self._by_subject.items()}

    def _versions(self, subject: str) -> dict[int, RegisteredSchema]:
        try:
            return self._by_subject[subject]
        except KeyError:
            raise UnknownSchemaError(f"no subject {subject!r}") from None

    def _add(self, entry: dict[str, Any], shared: dict[str, str]) -> None:
        schema_id, subject, version = int(entry["id"]), str(entry["subject"]), int(entry["version"])
        files = shared | entry.get("shared", {})
        registered = RegisteredSchema(
            schema_id, expand(self._read(entry["file"]), lambda name: self._read(files[name]))
        )
        versions = self._by_subject.setdefault(subject, {})
        if schema_id in self._by_id or version in versions:
            raise InvalidSchemaError(
                f"{self._folder / INDEX}: id {schema_id} or {subject} version {version} appears twice"
            )
        if not subject.endswith(f"-{registered.full_name}"):
            raise InvalidSchemaError(f"{entry['file']}: subject {subject!r} is not for record {registered.full_name!r}")
        self._by_id[schema_id] = versions[version] = registered

    def _read(self, file: str) -> Any:
        try:
            return json.loads(self._read_text(file))
        except (OSError, ValueError) as error:
            raise InvalidSchemaError(f"{self._folder / file}: {error}") from error

    def _read_file(self, file: str) -> str:
        return (self._folder / file).read_text(encoding="utf-8")
