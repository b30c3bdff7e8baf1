"""Records that do not fit their schema: what fastavro would write wrongly without a word, and what to say about the
rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastavro.validation import validate

_INTEGERS = ("int", "long", {"type": "int"}, {"type": "long"})
_INTS = ("int", {"type": "int"})
_INT_RANGE = range(-(1 << 31), 1 << 31)


@dataclass(frozen=True, slots=True)
class IntegerFields:
    """The integer fields of a record, those of 32 bits, and of the records in it: single ones and lists of them."""

    integers: tuple[str, ...]
    ints: tuple[str, ...]
    records: tuple[tuple[str, "IntegerFields"], ...]
    lists: tuple[tuple[str, "IntegerFields"], ...]


def integer_fields(schema: Mapping[str, Any]) -> IntegerFields | None:
    """The integer fields of a parsed record schema; None if it has none at any depth."""
    integers, ints, records, lists = [], [], [], []
    for field in schema["fields"]:
        name, kind = field["name"], field["type"]
        if kind in _INTEGERS:
            integers.append(name)
            if kind in _INTS:
                ints.append(name)
        elif _is_record(kind) and (inner := integer_fields(kind)):
            records.append((name, inner))
        elif _is_list_of_records(kind) and (inner := integer_fields(kind["items"])):
            lists.append((name, inner))
    if not (integers or records or lists):
        return None
    return IntegerFields(tuple(integers), tuple(ints), tuple(records), tuple(lists))


def check_integers(record: Mapping[str, Any], fields: IntegerFields) -> None:
    """Raise TypeError or OverflowError for what fastavro would cut to an integer, or write into too few bits.

    1.7 clicks would become 1 click, and a cost given in units instead of micros would lose its cents.
    """
    for name in fields.integers:
        if type(record.get(name, 0)) is not int:
            raise TypeError(name)
    for name in fields.ints:
        if record.get(name, 0) not in _INT_RANGE:
            raise OverflowError(name)
    for name, inner in fields.records:
        if name in record:
            check_integers(record[name], inner)
    for name, inner in fields.lists:
        for item in record.get(name, ()):
            check_integers(item, inner)


def misfit(record: Any, schema: Mapping[str, Any]) -> str:
    """What is wrong with a record that could not be written, by field and without values; empty if nothing is.

    Slow: for the message of an error only.
    """
    return _misfit(record, schema, "", schema.get("__named_schemas", {}))


def _misfit(record: Any, schema: Mapping[str, Any], path: str, named: Mapping[str, Any]) -> str:
    if not isinstance(record, Mapping):
        return f"{path.rstrip('.') or 'the event'} must be a record"
    fields = {field["name"]: field for field in schema["fields"]}
    for name in record:
        if name not in fields:
            return f"{path}{name!s:.80} is not a field of {schema['name']}"
    found = (_field_misfit(field, record, path + name, named) for name, field in fields.items())
    return next(filter(None, found), "")


def _field_misfit(field: Mapping[str, Any], record: Mapping[str, Any], path: str, named: Mapping[str, Any]) -> str:
    if field["name"] not in record:
        return "" if "default" in field else f"{path} is missing"
    kind, value = _by_definition(field["type"], named), record[field["name"]]
    if _is_record(kind):
        return _misfit(value, kind, path + ".", named)
    if _is_list_of_records(kind) and isinstance(value, list):
        found = (_misfit(item, kind["items"], f"{path}.{number}.", named) for number, item in enumerate(value))
        return next(filter(None, found), "")
    integer_expected = kind in _INTEGERS and type(value) is not int
    if integer_expected or not validate(value, kind, raise_errors=False):
        return f"{path} must be {_type_name(kind)}"
    return ""


def _by_definition(kind: Any, named: Mapping[str, Any]) -> Any:
    """The type with names replaced by what they stand for, as far as fields of events use names."""
    if isinstance(kind, list):
        return [_by_definition(branch, named) for branch in kind]
    return named.get(kind, kind) if isinstance(kind, str) else kind


def _is_record(kind: Any) -> bool:
    return isinstance(kind, dict) and kind["type"] == "record"


def _is_list_of_records(kind: Any) -> bool:
    return isinstance(kind, dict) and kind["type"] == "array" and _is_record(kind["items"])


def _type_name(kind: Any) -> str:
    if isinstance(kind, list):
        return " or ".join(map(_type_name, kind))
    return str(kind.get("name", kind["type"])) if isinstance(kind, dict) else str(kind)
