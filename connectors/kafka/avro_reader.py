"""Avro bodies to records: a reader compiled for one schema.

This is the hottest Python of the system. A general reader asks at every value what its type is; here that is asked
once, when the reader is made, and what remains is written out as the source of one function and compiled (as the
standard library does for data classes). It is also stricter than fastavro, which takes enum and union positions from
the end when they are negative. `bench/decode.py` compares the two.

Only what events need is supported: records, maps, arrays, unions, enums, string, boolean, int, long, float, double,
null. Logical types are read as the integers that they are.
"""

import struct
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from connectors.schema_registry import InvalidSchemaError
from connectors.schema_registry.registry import Definition

ReadRecord = Callable[[bytes, int], dict[str, Any]]

MALFORMED = (LookupError, ValueError, struct.error)
"""What a reader raises for bytes that are no record of its schema."""

_MOST_POSITIONS = 64  # of symbols or branches; positions below this take one byte
_INT_RANGE = 1 << 31
_LONG_BITS = 64


def compile_reader(schema: Definition) -> ReadRecord:
    """A function from a message and the place where its Avro body starts to the record.

    The body must reach to the end of the message. The function raises one of MALFORMED for anything else than exactly
    one record, strings that are not UTF-8 included, after at most a few steps per byte of the message whatever lengths
    the bytes claim. Raises InvalidSchemaError for a schema with a type that is not supported.
    """
    source = _Source()
    try:
        fastavro.parse_schema(schema)
        result = source.value(schema, indent=1)
        code = compile(_FUNCTION.format(body="\n".join(source.lines), result=result), "<avro reader>", "exec")
    except (SchemaParseException, UnknownType, KeyError, SyntaxError, RecursionError) as error:
        # The last two: nested deeper than Python's compiler allows, which is far deeper than any event.
        raise InvalidSchemaError(f"not a usable Avro schema: {type(error).__name__}: {error}") from error
    names = dict(source.names)
    exec(code, names)  # noqa: S102 - the code is put together here, see _Source
    read: ReadRecord = names["read"]
    return read


_FUNCTION = """\
def read(raw, i):
{body}
    if i != len(raw):
        raise ValueError("the record ends before or after the message")
    return {result}
"""


class _Source:
    """The source of a reader. In it, `raw` is the message and `i` the position of the next byte.

    Texts from the schema (field names, symbols) enter as literals or through `names`, never as code.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        upper_parts: dict[bytes, int] = {}
        self.names: dict[str, Any] = {
            "rest_of_long": _rest_of_long,
            "block_size": _block_size,
            "to_end": _TO_END,
            "long_text": _long_text,
            "upper_part": upper_parts.get,
            "read_time": partial(_read_time, upper_parts),
            "boolean": {0: False, 1: True},
            "float": struct.Struct("<f").unpack_from,
            "double": struct.Struct("<d").unpack_from,
        }
        self._named: dict[str, Any] = {}
        self._open: set[str] = set()
        self._numbers = count()

    def value(self, schema: Any, indent: int) -> str:
        """Write the code that reads a value, and return the expression that holds it."""
        if isinstance(schema, list):
            return self._union(schema, indent)
        kind = schema["type"] if isinstance(schema, dict) else schema
        if not isinstance(kind, str):
            return self.value(kind, indent)
        if kind in self._named:
            return self.value(self._named[kind], indent)
        if kind == "null":
            return "None"
        write = {
            "string": self._string,
            "int": self._int,
            "long": self._long,
            "boolean": self._boolean,
            "float": self._float,
            "double": self._float,
            "enum": self._enum,
            "record": self._record,
            "map": self._map,
            "array": self._array,
        }.get(kind)
        if write is None:
            raise InvalidSchemaError(f"type {kind!r} is not supported in events")
        return write(schema, indent)

    def _write(self, indent: int, *lines: str) -> None:
        self.lines.extend("    " * indent + line for line in lines)

    def _name(self, stem: str) -> str:
        return f"{stem}{next(self._numbers)}"

    def _unsigned(self, indent: int, name: str) -> None:
        """A variable-length number, still zigzag: even is positive, odd is negative."""
        self._write(
            indent, f"{name} = raw[i]", "i += 1", f"if {name} > 127:", f"    {name}, i = rest_of_long(raw, i, {name})"
        )

    def _string(self, _schema: Any, indent: int) -> str:
        text = self._name("text")
        self._write(
            indent,
            "n = to_end[raw[i]]",
            "if not n:",
            "    n, i = long_text(raw, i)",
            "j = i + n",
            # A length beyond the end gives a shorter slice; the position then lies outside and the next step fails.
            f"{text} = raw[i + 1 : j].decode()",
            "i = j",
        )
        return text

    def _long(self, schema: Any, indent: int) -> str:
        if isinstance(schema, dict) and schema.get("logicalType") == "timestamp-millis":
            return self._time(indent)
        number = self._name("number")
        self._unsigned(indent, "n")
        self._write(indent, f"{number} = (n >> 1) ^ -(n & 1)")
        return number

    def _time(self, indent: int) -> str:
        """A long that is a time of our days takes six bytes, the upper four being those of most other recent times."""
        time = self._name("time")
        self._write(
            indent,
            "n = upper_part(raw[i + 2 : i + 6])",
            "a = raw[i]",
            "b = raw[i + 1]",
            "if n is not None and a > 127 and b > 127:",
            "    n += a + (b << 7)",
            "    i += 6",
            "else:",
            "    n, i = read_time(raw, i)",
            f"{time} = (n >> 1) ^ -(n & 1)",
        )
        return time

    def _int(self, schema: Any, indent: int) -> str:
        number = self._long(schema, indent)
        self._write(indent, f"if not {-_INT_RANGE} <= {number} < {_INT_RANGE}:", "    raise ValueError('not an int')")
        return number

    def _boolean(self, _schema: Any, indent: int) -> str:
        flag = self._name("flag")
        self._write(indent, f"{flag} = boolean[raw[i]]", "i += 1")
        return flag

    def _float(self, schema: Any, indent: int) -> str:
        number = self._name("number")
        kind = schema if isinstance(schema, str) else schema["type"]
        self._write(indent, f"({number},) = {kind}(raw, i)", f"i += {8 if kind == 'double' else 4}")
        return number

    def _enum(self, schema: Any, indent: int) -> str:
        self._define(schema)
        symbols = schema["symbols"]
        if len(symbols) > _MOST_POSITIONS:
            raise InvalidSchemaError(f"enum {schema['name']!r} has more than {_MOST_POSITIONS} symbols")
        table, symbol = self._name("symbols"), self._name("symbol")
        # By the zigzag byte of the position, so that a position that does not exist is a KeyError.
        self.names[table] = {position * 2: name for position, name in enumerate(symbols)}
        self._write(indent, f"{symbol} = {table}[raw[i]]", "i += 1")
        return symbol

    def _record(self, schema: Any, indent: int) -> str:
        name = self._define(schema)
        if name in self._open:
            raise InvalidSchemaError(f"record {name!r} contains itself")
        self._open.add(name)
        parts = [f"{str(field['name'])!r}: {self.value(field['type'], indent)}" for field in schema["fields"]]
        self._open.remove(name)
        return "{" + ", ".join(parts) + "}"

    def _map(self, schema: Any, indent: int) -> str:
        result = self._name("map")
        self._write(indent, f"{result} = {{}}")

        def entry(inner: int) -> None:
            key = self._string("string", inner)
            value = self.value(schema["values"], inner)
            self._write(inner, f"{result}[{key}] = {value}")

        self._blocks(indent, entry)
        return result

    def _array(self, schema: Any, indent: int) -> str:
        result = self._name("array")
        self._write(indent, f"{result} = []")

        def item(inner: int) -> None:
            lines_before = len(self.lines)
            value = self.value(schema["items"], inner)
            if len(self.lines) == lines_before:
                # Nothing is read for such an item: a few bytes could claim any number of them and never run out.
                raise InvalidSchemaError("an array of items that take no bytes is not supported in events")
            self._write(inner, f"{result}.append({value})")

        self._blocks(indent, item)
        return result

    def _blocks(self, indent: int, write_item: Callable[[int], None]) -> None:
        """Blocks of items, each with its count in front, ended by a count of 0. Claimed counts reserve nothing."""
        size = self._name("count")
        self._unsigned(indent, size)
        self._write(
            indent,
            f"while {size}:",
            f"    if {size} & 1:",
            f"        {size}, i = block_size(raw, i, {size})",
            f"    for _ in range({size} >> 1):",
        )
        write_item(indent + 2)
        self._unsigned(indent + 1, size)

    def _union(self, branches: list[Any], indent: int) -> str:
        if not 0 < len(branches) <= _MOST_POSITIONS:
            raise InvalidSchemaError(f"a union has 1 to {_MOST_POSITIONS} branches, found {len(branches)}")
        result = self._name("union")
        self._write(indent, "n = raw[i]", "i += 1")
        for position, branch in enumerate(branches):
            self._write(indent, f"{'if' if position == 0 else 'elif'} n == {position * 2}:")
            value = self.value(branch, indent + 1)
            self._write(indent + 1, f"{result} = {value}")
        self._write(indent, "else:", "    raise ValueError('no such branch of a union')")
        return result

    def _define(self, schema: Any) -> str:
        name = str(schema["name"])
        self._named[name] = schema
        return name


# For the byte in front of a text: the way from it to the text's end, 0 where one byte does not tell.
_TO_END = tuple(1 + (first >> 1) if first < 128 and not first & 1 else 0 for first in range(256))


def _long_text(raw: bytes, i: int) -> tuple[int, int]:
    """For a text whose length is written at `i`: the way from that length's last byte to the end, and its place."""
    length, after = _rest_of_long(raw, i + 1, raw[i])
    if length & 1:
        raise ValueError("negative length")
    return 1 + (length >> 1), after - 1


_TIME_BYTES = 6
_MOST_UPPER_PARTS = (
    4096  # each stands for 8 s; more than nine hours of times at once is a backfill, which may be slower
)


def _read_time(upper_parts: dict[bytes, int], raw: bytes, i: int) -> tuple[int, int]:
    """The number at `i`, still zigzag, and the position after it. Remembers the upper four of six bytes.

    What is remembered is less by the high bits of the lower two bytes, so that these can be added as they are.
    """
    number, after = _rest_of_long(raw, i + 1, raw[i])
    if after == i + _TIME_BYTES:
        if len(upper_parts) >= _MOST_UPPER_PARTS:
            upper_parts.clear()
        upper_parts[raw[i + 2 : after]] = (number >> 14 << 14) - 128 - (128 << 7)
    return number, after


def _rest_of_long(raw: bytes, i: int, first: int) -> tuple[int, int]:
    """The number that starts with the byte `first` and goes on at `i`, and the position after it."""
    number = first & 127
    shift = 7
    byte = first
    while byte > 127:  # the high bit says that another byte follows
        byte = raw[i]
        i += 1
        number |= (byte & 127) << shift
        shift += 7
        if shift > _LONG_BITS + 6:
            raise ValueError("number of more than ten bytes")
    if number >> _LONG_BITS:
        raise ValueError("number of more than 64 bits")
    return number, i


def _block_size(raw: bytes, i: int, count: int) -> tuple[int, int]:
    """The positive form of a negative block count, and the position after the block's size in bytes (not needed)."""
    first = raw[i]
    i += 1
    if first > 127:
        _, i = _rest_of_long(raw, i, first)
    return count + 1, i
