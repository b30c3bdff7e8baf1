"""The compiled reader against the Avro specification, against fastavro, and against hostile bytes."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.avro_reader import MALFORMED, compile_reader
from connectors.kafka.codec import without_logical_types
from connectors.schema_registry import InvalidSchemaError
from tests.unit.events.sample_events import REGISTRY, values

SCHEMAS = {schema.schema_id: schema.definition for schema in REGISTRY.schemas()}
READERS = {schema_id: compile_reader(definition) for schema_id, definition in SCHEMAS.items()}
PLAIN = {
    schema_id: fastavro.parse_schema(without_logical_types(definition)) for schema_id, definition in SCHEMAS.items()
}


def record(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}


def read(kind: Any, body: str) -> Any:
    return compile_reader(record(("a", kind)))(bytes.fromhex(body), 0)["a"]


def written(schema_id: int, value: Any) -> bytes:
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, PLAIN[schema_id], value)
    return buffer.getvalue()


any_record = st.sampled_from(sorted(SCHEMAS)).flatmap(
    lambda schema_id: st.tuples(st.just(schema_id), values(SCHEMAS[schema_id]))
)


# The examples are those of the Avro specification 1.11.1, "Binary Encoding".
@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        *[("long", body, number) for body, number in (("00", 0), ("01", -1), ("02", 1), ("03", -2), ("04", 2))],
        *[("long", "7f", -64), ("long", "8001", 64), ("string", "06666f6f", "foo")],
        *[(["null", "string"], "00", None), (["null", "string"], "020261", "a")],
        ({"type": "array", "items": "long"}, "04063600", [3, 27]),
        ({"type": "enum", "name": "Foo", "symbols": ["A", "B", "C", "D"]}, "06", "D"),
        *[("boolean", "00", False), ("boolean", "01", True)],
        # Not in the specification, by its rules: the ends of the range, IEEE 754, UTF-8, blocks.
        ("long", "feffffffffffffffff01", 2**63 - 1),
        ("long", "ffffffffffffffffff01", -(2**63)),
        ("int", "feffffff0f", 2**31 - 1),
        ("int", "ffffffff0f", -(2**31)),
        ("double", "000000000000f83f", 1.5),
        ("float", "0000c03f", 1.5),
        ("string", "06e282ac", "€"),
        ({"type": "array", "items": "long"}, "02060236" + "00", [3, 27]),
        ({"type": "array", "items": "long"}, "0304063600", [3, 27]),
        ({"type": "map", "values": "string"}, "0202610262" + "010602630264" + "00", {"a": "b", "c": "d"}),
    ],
)
def test_reads_what_the_specification_says(kind: Any, body: str, value: Any) -> None:
    assert read(kind, body) == value


def test_reads_fields_in_the_order_of_the_schema() -> None:
    reader = compile_reader(record(("a", "long"), ("b", "string")))
    assert reader(bytes.fromhex("3606666f6f"), 0) == {"a": 27, "b": "foo"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("long", ""),
        ("long", "80"),
        ("long", "ffffffffffffffffff03"),
        ("long", "8080808080808080808000"),
        ("int", "8080808010"),
        ("string", "0666"),
        ("string", "05666f6f"),
        ("string", "02ff"),
        ("string", "04c0af"),
        ("string", "06eda080"),
        ("boolean", "02"),
        ("double", "00000000"),
        (["null", "string"], "04"),
        (["null", "string"], "01"),
        ({"type": "enum", "name": "Foo", "symbols": ["A", "B"]}, "04"),
        ({"type": "enum", "name": "Foo", "symbols": ["A", "B"]}, "01"),
        ({"type": "array", "items": "long"}, "0406"),
        ({"type": "array", "items": "long"}, "0406" + "36"),
        ("long", "0200"),
    ],
    ids=[
        *("nothing", "cut off", "65 bits", "11 bytes", "33 bits"),
        *("text cut off", "negative length", "not UTF-8", "overlong UTF-8", "surrogate"),
        *("boolean of 2", "double cut off", "no such branch", "negative branch", "no such symbol", "negative symbol"),
        *("array cut off", "array without end", "trailing byte"),
    ],
)
def test_refuses_what_is_no_record(kind: Any, body: str) -> None:
    with pytest.raises(MALFORMED):
        read(kind, body)


@given(any_record)
def test_reads_back_any_record_and_nothing_shorter_or_longer(drawn: tuple[int, Any]) -> None:
    schema_id, value = drawn
    body = written(schema_id, value)
    reader = READERS[schema_id]
    assert reader(b"\0\0\0\0\0" + body, 5) == value
    for broken in (body[:-1], body + b"\0", body[: len(body) // 2]):
        with pytest.raises(MALFORMED):
            reader(broken, 0)


@given(any_record, st.data())
def test_damaged_bytes_give_what_fastavro_gives_or_an_error(drawn: tuple[int, Any], data: st.DataObject) -> None:
    schema_id, value = drawn
    body = bytearray(written(schema_id, value))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    try:
        found = READERS[schema_id](bytes(body), 0)
    except MALFORMED:
        return
    # What is accepted must mean the same to everybody. repr, because a damaged double may be NaN.
    assert repr(found) == repr(fastavro.schemaless_reader(BytesIO(bytes(body)), PLAIN[schema_id], None))


@given(st.sampled_from(sorted(SCHEMAS)), st.binary(max_size=200))
def test_random_bytes_raise_nothing_unexpected(schema_id: int, body: bytes) -> None:
    with contextlib.suppress(*MALFORMED):
        READERS[schema_id](body, 0)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=30))
def test_times_are_read_whatever_was_read_before(times: list[int]) -> None:
    kind = {"type": "long", "logicalType": "timestamp-millis"}
    reader = compile_reader(record(("a", {"type": "array", "items": kind})))
    schema = fastavro.parse_schema(record(("a", {"type": "array", "items": "long"})))
    # Times of our days share upper bytes; the others must not profit from what is remembered of them.
    value = {"a": [*times, *(1_790_000_000_000 + time % 100_000 for time in times), *(-time for time in times)]}
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, schema, value)
    for _ in range(2):
        assert reader(buffer.getvalue(), 0) == value


def test_a_short_number_before_remembered_bytes_stays_a_short_number() -> None:
    reader = compile_reader(record(("a", {"type": "long", "logicalType": "timestamp-millis"}), ("b", "double")))
    time_bytes = bytes.fromhex("80b083c59868")
    assert reader(time_bytes + bytes(8), 0) == {"a": 1_790_000_000_000, "b": 0.0}
    # The double repeats the upper four bytes where those of the time were.
    one_byte = b"\x02" + b"\xff" + time_bytes[2:] + bytes(3)
    two_bytes = b"\x80\x01" + time_bytes[2:] + bytes(4)
    assert reader(one_byte, 0)["a"] == 1
    assert reader(two_bytes, 0)["a"] == 64


def test_more_times_than_are_remembered_are_read_all_the_same() -> None:
    reader: Any = compile_reader(record(("a", {"type": "long", "logicalType": "timestamp-millis"})))
    schema = fastavro.parse_schema(record(("a", "long")))
    remembered = reader.__globals__["read_time"].args[0]
    for number in range(10_000):
        value = {"a": 1_700_000_000_000 + number * 8_192}
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, schema, value)
        assert reader(buffer.getvalue(), 0) == value
        assert 0 < len(remembered) <= 4096


HUGE = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # 2^63 - 1
HUGE_NEGATIVE = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # -2^63, for a block: its size follows


@pytest.mark.parametrize("size", [b"", b"\0" * 100, b"\0" * (1 << 20)], ids=["bare", "short", "a megabyte"])
@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("string", HUGE),
        ({"type": "map", "values": "string"}, HUGE),
        ({"type": "map", "values": "string"}, HUGE_NEGATIVE + b"\0"),
        ({"type": "array", "items": "string"}, HUGE),
        ({"type": "array", "items": ["null", "string"]}, HUGE),
        ({"type": "array", "items": {"type": "record", "name": "I", "fields": [{"name": "x", "type": "long"}]}}, HUGE),
    ],
    ids=["string", "map", "map by size", "array", "array of nulls in a union", "array of records"],
)
def test_enormous_lengths_cost_no_more_than_the_message(kind: Any, claim: bytes, size: bytes) -> None:
    reader = compile_reader(record(("a", kind)))
    message = claim + size
    began = time.process_time()
    with pytest.raises(MALFORMED):
        reader(message, 0)
    # Linear in the message: a megabyte takes about a tenth of a second here.
    assert time.process_time() - began < 5
    tracemalloc.start()
    try:
        with pytest.raises(MALFORMED):
            reader(claim + size[:1000], 0)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "items",
    ["null", {"type": "record", "name": "Empty", "fields": []}],
    ids=["null", "empty record"],
)
def test_items_that_take_no_bytes_are_not_supported(items: Any) -> None:
    with pytest.raises(InvalidSchemaError, match="no bytes"):
        compile_reader(record(("a", {"type": "array", "items": items})))


@pytest.mark.parametrize(
    "schema",
    [
        record(("a", "bytes")),
        record(("a", {"type": "fixed", "name": "F", "size": 4})),
        record(("a", "Unknown")),
        record(("a", ["null", "R"])),
        record(("a", {"type": "enum", "name": "F", "symbols": [f"S{number}" for number in range(65)]})),
        {"type": "record", "name": "R"},
    ],
    ids=["bytes", "fixed", "unknown name", "recursive", "enum of two bytes", "no fields"],
)
def test_schemas_that_are_not_supported_are_refused(schema: Any) -> None:
    with pytest.raises(InvalidSchemaError):
        compile_reader(schema)


def test_names_of_a_schema_are_never_code() -> None:
    # A reader is compiled from source: what a schema says must stay text in it.
    name = "x'] = 1; raise SystemExit #"
    schema = record(("a", {"type": "enum", "name": "F", "symbols": ["A"]}))
    schema["fields"][0]["name"] = name
    try:
        reader = compile_reader(schema)
    except InvalidSchemaError:
        return
    assert reader(b"\0", 0) == {name: "A"}
