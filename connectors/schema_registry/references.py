"""Named types: written once in their own place, expanded where a schema stands alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.schema_registry.registry import Definition, InvalidSchemaError

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NAMED = frozenset({"record", "error", "enum", "fixed"})


def expand(schema: Any, lookup: Callable[[str], Any]) -> Definition:
    """A copy of `schema` that refers to nothing outside itself.

    `lookup` takes a full name and returns that type's schema. Each named type is written out at its first use and named
    in full afterwards, as Avro asks for. Raises InvalidSchemaError for a name that `lookup` does not know (KeyError),
    for something that is no schema, and for a top level that is no record.
    """
    try:
        expanded = _expand(schema, "", lookup, set())
    except RecursionError:
        raise InvalidSchemaError("the schema is nested too deeply") from None
    if not isinstance(expanded, dict):
        raise InvalidSchemaError(f"an event schema is a record, found {schema!r:.100}")
    return expanded


def full_name(name: str, namespace: str) -> str:
    """`name` with `namespace` in front, unless it already carries one."""
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _expand(schema: Any, namespace: str, lookup: Callable[[str], Any], defined: set[str]) -> Any:
    if isinstance(schema, str):
        return _expand_name(schema, namespace, lookup, defined)
    if isinstance(schema, Sequence):
        return [_expand(branch, namespace, lookup, defined) for branch in schema]
    if not isinstance(schema, Mapping) or "type" not in schema:
        raise InvalidSchemaError(f"not an Avro schema: {schema!r:.100}")
    kind = schema["type"]
    if isinstance(kind, str) and kind in _NAMED:
        return _expand_named(schema, namespace, lookup, defined)
    if kind == "array":
        return {**schema, "items": _expand(schema.get("items"), namespace, lookup, defined)}
    if kind == "map":
        return {**schema, "values": _expand(schema.get("values"), namespace, lookup, defined)}
    if isinstance(kind, str) and kind in PRIMITIVES:
        return dict(schema)
    return _expand(kind, namespace, lookup, defined)


def _expand_name(name: str, namespace: str, lookup: Callable[[str], Any], defined: set[str]) -> Any:
    if name in PRIMITIVES:
        return name
    full = full_name(name, namespace)
    if full in defined:
        return full
    try:
        target = lookup(full)
    except KeyError:
        raise InvalidSchemaError(f"type {full!r} is used but defined nowhere") from None
    if isinstance(target, str):
        raise InvalidSchemaError(f"type {full!r} is defined as nothing but a name")
    return _expand(target, namespace, lookup, defined)


def _expand_named(schema: Mapping[str, Any], namespace: str, lookup: Callable[[str], Any], defined: set[str]) -> Any:
    if "name" not in schema:
        raise InvalidSchemaError(f"a {schema['type']} needs a name: {schema!r:.100}")
    full = full_name(str(schema["name"]), str(schema.get("namespace", namespace)))
    if full in defined:
        raise InvalidSchemaError(f"type {full!r} is defined twice")
    defined.add(full)
    expanded = {key: value for key, value in schema.items() if key != "namespace"} | {"name": full}
    if schema["type"] in {"record", "error"}:
        inner = full.rpartition(".")[0]
        expanded["fields"] = [
            {**field, "type": _expand(field.get("type"), inner, lookup, defined)} for field in schema.get("fields", ())
        ]
    return expanded
