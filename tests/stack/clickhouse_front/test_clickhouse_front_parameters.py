"""Bound parameters: values stay values."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def moment(text):
    """Read a UTC time the way the client gives it back: without a zone."""
    return dt.datetime.fromisoformat(text)


HOSTILE = [
    "it's",
    "'; DROP TABLE t; --",
    "') OR 1 = 1 --",
    "\\",
    "\\'",
    "\\\\'",
    "'",
    "''",
    '"',
    "`",
    "{a:String}",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\x01",
    "\\N",
    "\\x41",
    "/* */",
    "--",
    "%s",
    "%27",
    "${x}",
    "NULL",
    "",
    " ",
    "ü",
    "日本語",
    "🦜",
    "\u202e",
    "a" * 10_000,
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_strings_come_back_as_they_are(client, value):
    assert client.query("SELECT {a:String} AS a, length({a:String})", parameters={"a": value}).result_rows == [
        (value, len(value.encode()))
    ]


def test_hostile_strings_in_a_filter_and_an_insert(client):
    client.command("CREATE TABLE t (a String) ENGINE = MergeTree ORDER BY a")
    for value in HOSTILE:
        client.command("INSERT INTO t SELECT {a:String}", parameters={"a": value})
    for value in HOSTILE:
        assert client.query("SELECT count() FROM t WHERE a = {a:String}", parameters={"a": value}).result_rows == [(1,)]
    assert client.query("SELECT count() FROM t").result_rows == [(len(HOSTILE),)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(), other=st.lists(st.text(max_size=20), max_size=5))
def test_any_text(client, value, other):
    answer = client.query("SELECT {a:String} AS a, {b:Array(String)} AS b", parameters={"a": value, "b": other})
    assert answer.result_rows == [(value, other)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.binary(max_size=64))
def test_any_bytes(front, value):
    # The escaped form of a parameter: backslashes and control characters as \xNN, all other bytes as they are.
    escaped = b"".join(b"\\x%02X" % byte if byte < 32 or byte == 0x5C else bytes([byte]) for byte in value)
    body = front.request("POST", f"/?param_a={quote(escaped)}", b"SELECT hex({a:String})")[2]
    assert body.decode() == value.hex().upper() + "\n"


def test_types(client):
    at = moment("2024-02-29T12:34:56.789000")
    parameters = {
        "u": 18446744073709551615,
        "i": -5,
        "f": 0.1,
        "d": Decimal("1.23"),
        "t": at,
        "day": at.date(),
        "n": None,
        "l": ["a'b", "c"],
        "tu": (1, "x"),
        "b": True,
    }
    answer = client.query(
        "SELECT {u:UInt64}, {i:Int8}, {f:Float64}, {d:Decimal(9, 2)}, {t:DateTime64(3)}, {day:Date},"
        " {n:Nullable(String)}, {l:Array(String)}, {tu:Tuple(UInt8, String)}, {b:Bool}",
        parameters=parameters,
    )
    assert list(answer.result_rows[0]) == list(parameters.values())


def test_map_as_the_engine_writes_it(front):
    target = "/?param_m=" + quote("{'k\\'x': 1}")
    assert front.request("POST", target, b"SELECT {m:Map(String, UInt8)}['k\\'x']")[2] == b"1\n"


def test_identifiers(client):
    client.command("CREATE TABLE `odd name` (a Int8) ENGINE = Memory")
    client.command("INSERT INTO {t:Identifier} VALUES (7)", parameters={"t": "odd name"})
    assert client.query("SELECT a FROM {t:Identifier}", parameters={"t": "odd name"}).result_rows == [(7,)]


def test_parameters_of_an_insert_with_data(front, client):
    client.command("CREATE TABLE t (a String) ENGINE = Memory")
    status, _, body = front.request(
        "POST", f"/?database={client.database}&param_t=t", b"INSERT INTO {t:Identifier} FORMAT CSV\nx\ny\n"
    )
    assert (status, body) == (200, b"")
    assert client.query("SELECT groupArray(a) FROM t").result_rows == [(["x", "y"],)]


@pytest.mark.parametrize(
    ("statement", "arguments", "code"),
    [
        ("SELECT {a:UInt8}", "param_a=x", "457"),
        ("SELECT {a:UInt8}", "", "456"),
        ("SELECT {a:UInt8}", "param_b=1", "456"),
        ("INSERT INTO {t:Identifier} FORMAT CSV\n1", "param_t=nothing", "60"),
    ],
)
def test_bad_parameters(front, statement, arguments, code):
    status, headers, body = front.request("POST", f"/?{arguments}", statement)
    assert headers["X-ClickHouse-Exception-Code"] == code, body
    assert status >= 400
