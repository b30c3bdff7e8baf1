"""Errors as a ClickHouse server gives them: codes, statuses, limits, time-outs, errors in the middle of an answer."""

from __future__ import annotations

import http.client
import time

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

# Codes and statuses as ClickHouse documents them (ErrorCodes.cpp, exceptionCodeToHTTPStatus.cpp).
FAILING = [
    ("selec 1", 62, 400),
    ("SELECT * FROM", 62, 400),
    ("", 62, 400),
    ("  -- nothing\n", 62, 400),
    ("SELECT 1; SELECT 2", 62, 400),
    ("'unfinished", 62, 400),
    ("SELECT 'unfinished", 62, 400),
    ("SELECT * FROM nothing", 60, 404),
    ("SELECT * FROM nowhere.nothing", 81, 404),
    ("SELECT nothing FROM system.one", 47, 404),
    ("SELECT nosuchfunction(1)", 46, 404),
    ("SELECT CAST(1 AS Nothing8)", 50, 404),
    ("SELECT 1 FORMAT Nothing", 73, 404),
    ("SELECT 1 SETTINGS nothing = 1", 115, 404),
    ("CREATE TABLE t (a Int8) ENGINE = Nothing", 56, 404),
    ("SELECT toUInt8('x')", 6, 400),
    ("SELECT 1 + 'x'", 43, 500),
    ("SELECT intDiv(1, 0)", 153, 500),
    ("SELECT throwIf(1)", 395, 500),
    ("SELECT count() FROM numbers(1000) WHERE number > 2 SETTINGS max_rows_to_read = 10", 158, 500),
    ("SELECT number FROM numbers(1000) SETTINGS max_result_rows = 10", 396, 500),
    ("SELECT count() FROM numbers(1e12) SETTINGS max_execution_time = 0.3", 159, 408),
    ("SELECT sleep(2) SETTINGS max_execution_time = 0.3", 159, 408),
    ("SELECT groupArray(number) FROM numbers(1e9) SETTINGS max_memory_usage = 100000000", 241, 500),
    ("SELECT 1 INTO OUTFILE 'x'", 48, 501),
    ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", 48, 501),
]


@pytest.mark.parametrize(("statement", "code", "status"), FAILING, ids=[item[0][:40] for item in FAILING])
def test_codes(front, statement, code, status):
    got, headers, body = front.request("POST", "/", statement)
    assert (headers.get("X-ClickHouse-Exception-Code"), got) == (str(code), status), body
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert b"\n" not in headers["X-ClickHouse-Summary"].encode()


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ("nothing=1", "115", 404),
        ("bad%20name=1", "115", 404),
        ("max_threads=many", "27", 400),
        ("database=nowhere", "81", 404),
        ("default_format=Nothing", "73", 404),
        ("compress=1", "48", 501),
        ("decompress=1", "48", 501),
        ("max_execution_time=0.3&query=SELECT+count()+FROM+numbers(1e12)", "159", 408),
    ],
)
def test_codes_of_arguments(front, arguments, code, status):
    got, headers, body = front.request("POST", f"/?{arguments}", b"" if "query" in arguments else b"SELECT 1")
    assert (headers.get("X-ClickHouse-Exception-Code"), got) == (code, status), body


def test_client_raises_with_the_code(client):
    for statement, code in (("selec 1", 62), ("SELECT * FROM nothing", 60), ("SELECT nothing FROM system.one", 47)):
        with pytest.raises(DatabaseError) as error:
            client.query(statement)
        assert error.value.code == code
    with pytest.raises(DatabaseError) as error:
        client.query("SELECT count() FROM numbers(1e12)", settings={"max_execution_time": 1})
    assert error.value.code == 159


def test_time_out_comes_in_time(client):
    started = time.monotonic()
    with pytest.raises(DatabaseError, match="159"):
        client.query(
            "SELECT count() FROM numbers(1e13) WHERE NOT ignore(sipHash64(number))", settings={"max_execution_time": 1}
        )
    # Generous, for a machine that is busy: the statement would run for hours.
    assert time.monotonic() - started < 120


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (a Int8) ENGINE = Kafka('127.0.0.1:1', 't', 'g', 'JSONEachRow')",
        "CREATE TABLE t (a Int8) ENGINE Kafka SETTINGS kafka_broker_list = ''",
        "create table t (a Int8) engine /* = MergeTree */ = `kafka`",
        'ATTACH TABLE t (a Int8) ENGINE="Kafka"',
        "CREATE MATERIALIZED VIEW v (a Int8) ENGINE = Kafka AS SELECT 1 AS a",
        "CREATE OR REPLACE TABLE t (a Int8) -- ENGINE = Memory\nENGINE = Kafka",
    ],
)
def test_kafka_engine_is_refused(front, client, statement):
    _, headers, body = front.request("POST", f"/?database={client.database}", statement)
    assert headers["X-ClickHouse-Exception-Code"] == "344", body
    assert b"Kafka is refused" in body


def test_the_word_kafka_is_not_refused(client):
    client.command(
        "CREATE TABLE kafka (engine String COMMENT 'ENGINE = Kafka') ENGINE = Memory COMMENT 'engine = Kafka'"
    )
    client.command("INSERT INTO kafka SELECT 'ENGINE = Kafka'")
    assert client.query("SELECT engine AS kafka FROM kafka").result_rows == [("ENGINE = Kafka",)]


LATE = "SELECT throwIf(number = 1000000), number FROM numbers(3000000)"


def test_late_error_reaches_the_client(client, front):
    # With wait_end_of_query the error has its status, because the result fits into what is held back.
    with pytest.raises(DatabaseError, match="395"):
        client.query(LATE)
    # A streaming client learns it from the body.
    with pytest.raises(StreamFailureError, match="395"), client.query_rows_stream(LATE) as rows:
        for _ in rows:
            pass
    assert client.query("SELECT 1").result_rows == [(1,)]


@pytest.mark.parametrize("encoding", ["", "lz4", "gzip"])
def test_answer_with_a_late_error_has_no_end(front, encoding):
    """A client that knows nothing of ClickHouse cannot take it for a whole result."""
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=180)
    connection.request("POST", "/?enable_http_compression=1", LATE, {"Accept-Encoding": encoding})
    response = connection.getresponse()
    assert response.status == 200
    tag = response.headers["X-ClickHouse-Exception-Tag"]
    with pytest.raises(http.client.IncompleteRead) as broken:
        response.read()
    if not encoding:
        tail = broken.value.partial[-2000:]
        assert f"__exception__\r\n{tag}\r\nCode: 395. DB::Exception:".encode() in tail
        assert tail.endswith(f" {tag}\r\n__exception__\r\n".encode())
    connection.close()


def test_late_error_with_compression_of_the_client(front):
    for compress in ("lz4", "zstd", "gzip"):
        client = front.client(compress=compress)
        with pytest.raises(StreamFailureError, match="395"), client.query_rows_stream(LATE) as rows:
            for _ in rows:
                pass


def test_large_result_in_a_format_that_cannot_be_streamed_meets_the_memory_limit(front):
    statement = b"SELECT repeat('x', 1000) FROM numbers(10000000) SETTINGS max_memory_usage = 200000000 FORMAT JSON"
    _, headers, body = front.request("POST", "/", statement)
    assert headers["X-ClickHouse-Exception-Code"] == "241", body[:500]


def test_statement_that_is_too_long(front):
    statement = b"SELECT '" + b"x" * 300_000 + b"'"
    _, headers, body = front.request("POST", "/", statement)
    assert headers["X-ClickHouse-Exception-Code"] == "62", body[:300]
    assert b"Max query size exceeded" in body


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: x",
        b"Content-Length: -1",
        b"Transfer-Encoding: gzip",
        b"Content-Type: multipart/form-data\r\nContent-Length: 0",
    ],
)
def test_bad_headers(front, head):
    import socket

    with socket.create_connection(("127.0.0.1", front.port), timeout=180) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"X-ClickHouse-Exception-Code: " in answer
