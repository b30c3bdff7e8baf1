"""Inserts in every format and compression, and what becomes of a bad one."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import socket
import uuid
import zlib
from decimal import Decimal

import lz4.frame
import pandas as pd
import pyarrow as pa
import pytest
import zstandard
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.stack.clickhouse_front.front_process import wait_until


def moment(text):
    """Read a UTC time the way the client gives it back: without a zone."""
    return dt.datetime.fromisoformat(text)


ROWS = [(number, f"name {number} ü'\"\\\t\n\0") for number in range(1000)]


@pytest.fixture
def table(client):
    client.command("CREATE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    return "t"


def stored(client, columns="a, b"):
    return [tuple(row) for row in client.query(f"SELECT {columns} FROM t ORDER BY a").result_rows]


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_native_insert(front, database, table, compress):
    client = front.client(database=database, compress=compress)
    assert client.insert(table, ROWS, column_names=["a", "b"]).written_rows == len(ROWS)
    assert stored(client) == ROWS


def test_arrow_insert(client, table):
    rows = pa.table({"a": pa.array([row[0] for row in ROWS], pa.uint32()), "b": [row[1] for row in ROWS]})
    assert client.insert_arrow(table, rows).written_rows == len(ROWS)
    assert stored(client) == ROWS


def test_data_frame_insert(client, table):
    client.insert_df(table, pd.DataFrame(ROWS, columns=["a", "b"]))
    client.insert_df_arrow(
        table,
        pd.DataFrame({"a": pd.array([5000], "uint32[pyarrow]"), "b": pd.array(["x"], pd.ArrowDtype(pa.string()))}),
    )
    assert stored(client) == [*ROWS, (5000, "x")]


def as_csv(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def as_json_lines(rows):
    return b"".join(json.dumps({"a": a, "b": b}).encode() + b"\n" for a, b in rows)


def as_arrow_stream(rows):
    sink = io.BytesIO()
    data = pa.table({"a": pa.array([row[0] for row in rows], pa.uint32()), "b": [row[1] for row in rows]})
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data)
    return sink.getvalue()


PACK = {
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


@pytest.mark.parametrize("compression", [None, *PACK])
@pytest.mark.parametrize(
    ("format_name", "data"),
    [("CSV", as_csv(ROWS)), ("JSONEachRow", as_json_lines(ROWS)), ("ArrowStream", as_arrow_stream(ROWS))],
    ids=["CSV", "JSONEachRow", "ArrowStream"],
)
def test_raw_insert(client, table, format_name, data, compression):
    block = PACK[compression](data) if compression else data
    client.raw_insert(table, ["a", "b"], block, fmt=format_name, compression=compression)
    assert stored(client) == ROWS


def test_raw_insert_from_a_generator(client, table):
    lines = as_json_lines(ROWS).splitlines(keepends=True)
    client.raw_insert(table, insert_block=iter(lines), fmt="JSONEachRow")
    assert stored(client) == ROWS


def test_statement_with_data_after_it(front, client, table):
    target = f"/?database={client.database}"
    for statement in (
        b"INSERT INTO t FORMAT CSV\n1,x\n",
        b"insert into t (b, a) SETTINGS input_format_allow_errors_num = 1 FORMAT CSV\r\ny,2\n",
        b'INSERT INTO t FORMAT JSONEachRow {"a": 3, "b": "FORMAT CSV"}',
        b"/* FORMAT CSV */ INSERT INTO `t` (`a`, b) -- FORMAT JSON\n FORMAT Values (4, 'z;'), (5, '(')",
        b"INSERT INTO t VALUES (6, 'FORMAT CSV'), (7, '\\'')",
        b"INSERT INTO t SELECT 8, 'q' FORMAT CSV",
    ):
        status, _, body = front.request("POST", target, statement)
        assert (status, body) == (200, b""), statement
    expected = ["x", "y", "FORMAT CSV", "z;", "(", "FORMAT CSV", "'", "q"]
    assert stored(client) == list(enumerate(expected, start=1))


def test_insert_into_names_that_are_keywords(front, client):
    client.command("CREATE TABLE format (`values` UInt8) ENGINE = Memory")
    target = f"/?database={client.database}"
    assert front.request("POST", target, b"INSERT INTO format FORMAT CSV\n5\n")[0] == 200
    assert front.request("POST", target, b"INSERT INTO format (values) FORMAT CSV\n6\n")[0] == 200
    assert client.query("SELECT groupArray(values) FROM format").result_rows == [([5, 6],)]


def test_statement_in_the_address_and_chunked_data(front, client, table):
    lines = [b"%d,x\n" % number for number in range(20_000)]
    target = f"/?database={client.database}&query=INSERT+INTO+t+FORMAT+CSV"
    answer = front.request("POST", target, iter(lines), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert answer[::2] == (200, b"")
    assert json.loads(answer[1]["X-ClickHouse-Summary"])["written_rows"] == "20000"
    assert client.query("SELECT count(), uniq(a) FROM t").result_rows == [(20_000, 20_000)]


def test_long_statement_before_the_data(front, client, table):
    comment = b"/* " + b"x" * 200_000 + b" */"
    answer = front.request("POST", f"/?database={client.database}", b"INSERT INTO t " + comment + b" FORMAT CSV\n1,x\n")
    assert answer[::2] == (200, b"")
    assert stored(client) == [(1, "x")]


def test_large_arrow_insert_is_one_part(client, table):
    rows = pa.table({"a": pa.array(range(100_000), pa.uint32()), "b": ["x"] * 100_000})
    client.insert_arrow(table, rows)
    parts = client.query(
        "SELECT sum(rows), count() FROM system.parts WHERE active AND table = 't' AND database = currentDatabase()"
    )
    assert parts.result_rows == [(100_000, 1)]


def test_defaults_and_column_order(client):
    client.command(
        "CREATE TABLE t (a UInt32, b String DEFAULT concat('d', toString(a)), c LowCardinality(String)) ENGINE = Memory"
    )
    client.insert_arrow("t", pa.table({"c": ["z"], "a": pa.array([1], pa.uint32())}))
    assert stored(client, "a, b, c") == [(1, "d1", "z")]


@pytest.mark.parametrize(
    ("statement", "data", "code"),
    [
        ("INSERT INTO nothing FORMAT CSV", b"1,x\n", "60"),
        ("INSERT INTO t (nothing) FORMAT CSV", b"1\n", "16"),
        ("INSERT INTO t FORMAT CSV", b"1,x\nnot a number,y\n", "27"),
        ("INSERT INTO t FORMAT JSONEachRow", b'{"a": "x"}', "27"),
        ("INSERT INTO t FORMAT Native", b"\x01\x01\x01a\x06UInt32\x01", "33"),
        ("INSERT INTO t FORMAT Arrow", b"this is not arrow", "117"),
        ("INSERT INTO t FORMAT Nothing", b"", "73"),
        ("INSERT INTO t FORMAT", b"1,x\n", "62"),
        ("INSERT INTO t (a, FORMAT CSV", b"1,x\n", "62"),
        ("INSERT t t FORMAT CSV", b"1,x\n", "62"),
    ],
)
def test_bad_inserts(front, client, table, statement, data, code):
    target = f"/?database={client.database}"
    for body in (statement.encode() + b"\n" + data, iter([statement.encode(), b"\n", data])):
        status, headers, answer = front.request("POST", target, body)
        assert (headers.get("X-ClickHouse-Exception-Code"), status >= 400) == (code, True), answer
        assert answer.startswith(f"Code: {code}. DB::Exception:".encode())
    assert stored(client) == []


@pytest.mark.parametrize(
    ("columns", "data", "code"),
    [
        ("(a UInt8, CONSTRAINT small CHECK a < 5) ENGINE = MergeTree ORDER BY a", b'{"a": 7}', "469"),
        (
            "(a UInt64) ENGINE = MergeTree PARTITION BY a ORDER BY a",
            b"".join(b'{"a": %d}\n' % a for a in range(150)),
            "252",
        ),
        (
            "(a UInt8, n Nested(x UInt8, y UInt8)) ENGINE = MergeTree ORDER BY a",
            b'{"a": 1, "n.x": [1, 2], "n.y": [1]}',
            "190",
        ),
    ],
)
def test_failure_after_the_data_was_parsed_is_not_acknowledged(front, client, columns, data, code):
    """chDB's streaming insert says in these cases that all rows were written, and stores none."""
    client.command(f"CREATE TABLE t {columns}")
    _, headers, body = front.request(
        "POST", f"/?database={client.database}", b"INSERT INTO t FORMAT JSONEachRow\n" + data
    )
    assert headers["X-ClickHouse-Exception-Code"] == code, body
    assert client.query("SELECT count() FROM t").result_rows == [(0,)]


def test_failing_materialized_view_fails_the_insert(front, client):
    client.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.command("CREATE TABLE target (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.command("CREATE MATERIALIZED VIEW v TO target AS SELECT throwIf(a = 3) AS a FROM t")
    answer = front.request("POST", f"/?database={client.database}", b"INSERT INTO t FORMAT CSV\n3\n")
    assert answer[1]["X-ClickHouse-Exception-Code"] == "395", answer[2]


def test_data_with_blank_lines_and_semicolons_is_kept_whole(front, client, table):
    """chDB cuts the inline data of a statement at such places."""
    text = "x\n\n;\n\ny;\n"
    target = f"/?database={client.database}"
    assert front.request("POST", target, f'INSERT INTO t FORMAT CSV\n1,"{text}"\n2,z\n')[0] == 200
    assert front.request("POST", target, f"INSERT INTO t VALUES (3, '{text}'), (4, ';')")[0] == 200
    assert stored(client) == [(1, text), (2, "z"), (3, text), (4, ";")]


def test_insert_larger_than_what_is_kept_in_memory(front, client, table):
    from local.clickhouse.staging import IN_MEMORY_BYTES

    line = b'{"a": 1, "b": "' + b"x" * 1_000_000 + b'"}\n'
    lines = IN_MEMORY_BYTES // len(line) + 20
    answer = front.request("POST", f"/?database={client.database}&query=INSERT+INTO+t+FORMAT+JSONEachRow", line * lines)
    assert answer[::2] == (200, b"")
    assert client.query("SELECT count(), min(length(b)) FROM t").result_rows == [(lines, 1_000_000)]


def test_insert_select_from_input_is_refused(front):
    statement = b"INSERT INTO t SELECT a FROM input('a UInt8') FORMAT CSV\n1\n\n2\n"
    assert front.request("POST", "/", statement)[1]["X-ClickHouse-Exception-Code"] == "48"


def test_type_mismatch_through_the_client(client, table):
    with pytest.raises(DatabaseError) as error:
        client.insert_arrow(table, pa.table({"a": ["x"], "b": ["y"]}))
    assert "Code: " in str(error.value)
    assert stored(client) == []


@pytest.mark.parametrize(
    ("encoding", "data", "code"),
    [
        ("lz4", b"rubbish", "271"),
        ("zstd", b"rubbish", "271"),
        ("gzip", b"rubbish", "271"),
        ("gzip", gzip.compress(b"1,x\n" * 1000)[:-20], "271"),
        ("lz4", lz4.frame.compress(b"1,x\n" * 1000)[:-4], "271"),
        ("snappy", b"rubbish", "89"),
    ],
)
def test_damaged_compression(front, client, table, encoding, data, code):
    target = f"/?database={client.database}&query=INSERT+INTO+t+FORMAT+CSV"
    _, headers, body = front.request("POST", target, data, {"Content-Encoding": encoding})
    assert headers["X-ClickHouse-Exception-Code"] == code, body
    assert stored(client) == []


def test_joined_frames_are_one_body(front, client, table):
    for pack, name in (
        (lz4.frame.compress, "lz4"),
        (gzip.compress, "gzip"),
        (zstandard.ZstdCompressor().compress, "zstd"),
    ):
        target = f"/?database={client.database}&query=INSERT+INTO+t+FORMAT+CSV"
        data = pack(b"1," + name.encode() + b"\n2,") + pack(b"two\n")
        assert front.request("POST", target, data, {"Content-Encoding": name})[::2] == (200, b"")
    assert client.query("SELECT count(), sum(a) FROM t").result_rows == [(6, 9)]


def test_body_that_breaks_off_stores_nothing(front, client, table):
    """The client dies after it has announced more than it sent."""
    head = f"POST /?database={client.database}&query=INSERT+INTO+t+FORMAT+CSV HTTP/1.1\r\nHost: x\r\n"
    for framing, data in (
        ("Content-Length: 100000", b"1,x\n" * 100),
        ("Transfer-Encoding: chunked", b"4\r\n1,x\n\r\n"),
    ):
        with socket.create_connection(("127.0.0.1", front.port), timeout=180) as connection:
            connection.sendall(f"{head}{framing}\r\n\r\n".encode() + data)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
        assert b"X-ClickHouse-Exception-Code: 210" in answer
    assert stored(client) == []


@pytest.mark.parametrize("size", [b"zz\r\n", b"-5\r\n", b"5\r\n1,x\n!bad\r\n0\r\n\r\n"])
def test_bad_chunks(front, size):
    with socket.create_connection(("127.0.0.1", front.port), timeout=180) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + size)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"X-ClickHouse-Exception-Code: " in answer
    assert b"Connection: close" in answer


def test_connection_is_reused_after_an_error(front, client, table):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=180)
    connection.request("POST", "/?query=INSERT+INTO+nothing+FORMAT+CSV", b"1,x\n" * 500_000)
    first = connection.getresponse()
    assert (first.status, b"Code: 60." in first.read()) == (404, True)
    used = connection.sock
    connection.request("POST", "/", b"SELECT 1")
    assert connection.getresponse().read() == b"1\n"
    assert connection.sock is used
    connection.close()


def test_async_insert_settings_are_taken(client, table):
    client.insert(table, ROWS, column_names=["a", "b"], settings={"async_insert": 1, "wait_for_async_insert": 1})
    wait_until(lambda: stored(client) == ROWS, "the rows are stored")


TYPES = [
    ("UInt64", [0, 2**64 - 1]),
    ("Int128", [-(2**127), 2**127 - 1]),
    ("Float64", [0.1, -1e300]),
    ("Decimal(38, 9)", [Decimal("-1.000000001"), Decimal("5.000000000")]),
    ("String", ["", "ü\0\t"]),
    ("FixedString(3)", [b"abc", b"\xff\x00\xfe"]),
    ("LowCardinality(String)", ["a", "b"]),
    ("LowCardinality(Nullable(String))", [None, "b"]),
    ("Nullable(Int8)", [None, -1]),
    ("Date32", [dt.date(1900, 1, 1), dt.date(2299, 12, 31)]),
    ("DateTime('UTC')", [moment("1970-01-01T00:00:00"), moment("2106-02-07T06:28:15")]),
    ("DateTime64(3, 'UTC')", [moment("1970-01-01T00:00:00"), moment("2024-02-29T01:02:03.456000")]),
    ("DateTime64(6, 'UTC')", [moment("2024-02-29T01:02:03.456789"), moment("1950-01-01T00:00:00")]),
    ("Enum8('minute' = 1, 'hour' = 2)", ["hour", "minute"]),
    ("UUID", [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)]),
    ("Bool", [True, False]),
    ("Array(LowCardinality(String))", [[], ["a", "ü"]]),
    ("Array(Array(Nullable(Int32)))", [[[1, None], []], []]),
    ("Array(DateTime64(3, 'UTC'))", [[moment("2024-01-01T00:00:00")], []]),
    ("Map(String, UInt64)", [{}, {"k'": 1, "": 2}]),
    ("Map(LowCardinality(String), Array(Float64))", [{"a": [0.5]}, {}]),
    ("Tuple(a UInt8, b String)", [{"a": 1, "b": "x"}, {"a": 0, "b": ""}]),
    ("IPv4", ["1.2.3.4", "0.0.0.0"]),
]


@pytest.mark.parametrize(("type_name", "values"), TYPES, ids=[item[0] for item in TYPES])
def test_types_come_back_as_they_went(client, type_name, values):
    client.command(f"CREATE TABLE t (a UInt8, v {type_name}) ENGINE = MergeTree ORDER BY a")
    client.insert("t", list(enumerate(values)), column_names=["a", "v"])
    answer = [row[1] for row in client.query("SELECT * FROM t ORDER BY a").result_rows]
    assert [str(value) if type_name == "IPv4" else value for value in answer] == values


def test_bytes_that_are_not_text(front, client):
    """A String holds any bytes: the quarantine keeps messages as they came."""
    client.command("CREATE TABLE t (a UInt32, raw String) ENGINE = MergeTree ORDER BY a")
    raw = [bytes(range(256)), b"\xff\xfe\x00", b""]
    client.insert("t", list(enumerate(raw)), column_names=["a", "raw"])
    client.insert_arrow("t", pa.table({"a": pa.array([3], pa.uint32()), "raw": pa.array([raw[0]], pa.binary())}))
    answer = client.query("SELECT raw FROM t ORDER BY a", column_formats={"raw": "bytes"})
    assert [row[0] for row in answer.result_rows] == [*raw, raw[0]]


def test_nested_columns_keep_equal_lengths(client):
    client.command("CREATE TABLE t (a UInt8, n Nested(x String, y Int64)) ENGINE = MergeTree ORDER BY a")
    client.insert("t", [[1, ["p", "q"], [5, 6]]], column_names=["a", "n.x", "n.y"])
    assert client.query("SELECT n.x, n.y FROM t").result_rows == [(["p", "q"], [5, 6])]
    with pytest.raises(DatabaseError, match="190"):
        client.insert("t", [[1, ["p", "q"], [5]]], column_names=["a", "n.x", "n.y"])
