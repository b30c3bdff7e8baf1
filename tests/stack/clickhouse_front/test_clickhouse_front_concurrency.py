"""Many clients at once: no waiting behind long statements, nothing lost, parts merged, who has gone is cancelled."""

from __future__ import annotations

import http.client
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.stack.clickhouse_front.front_process import wait_until

# Hours of work: it ends by being cancelled.
ENDLESS = "SELECT count() FROM numbers(1e14) WHERE NOT ignore(sipHash64(number))"


def running(client, query_id):
    return client.command(
        "SELECT count() FROM system.processes WHERE Settings['log_comment'] = {q:String}", {"q": query_id}
    )


def test_fifty_clients_at_once(front, database):
    rows_per_insert, inserts = 200, 4
    front.client(database=database).command(
        "CREATE TABLE t (client UInt16, a UInt32, b String) ENGINE = MergeTree ORDER BY (client, a)"
    )

    def work(number):
        client = front.client(database=database, compress=number % 2 == 0, autogenerate_session_id=number % 3 == 0)
        for turn in range(inserts):
            first = turn * rows_per_insert
            ids = pa.array(range(first, first + rows_per_insert), pa.uint32())
            data = {
                "client": pa.array([number] * rows_per_insert, pa.uint16()),
                "a": ids,
                "b": [f"{number}-{turn}"] * rows_per_insert,
            }
            client.insert_arrow("t", pa.table(data))
            answer = client.query(
                "SELECT count(), uniqExact(a), max(b) FROM t WHERE client = {c:UInt16}", parameters={"c": number}
            ).result_rows
            assert answer == [(first + rows_per_insert, first + rows_per_insert, f"{number}-{turn}")]
            with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
                client.query("SELECT * FROM nothing")

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(work, range(50)))
    client = front.client(database=database)
    assert client.query("SELECT count(), uniqExact(client, a) FROM t").result_rows == [(40_000, 40_000)]


def test_two_hundred_connections_that_stay_open(front):
    connections = [http.client.HTTPConnection("127.0.0.1", front.port, timeout=180) for _ in range(200)]
    try:
        for turn in range(3):
            for number, connection in enumerate(connections):
                connection.request("POST", "/", f"SELECT {number} + {turn}")
            for number, connection in enumerate(connections):
                assert connection.getresponse().read() == b"%d\n" % (number + turn)
        assert len({connection.sock.getsockname() for connection in connections}) == 200
    finally:
        for connection in connections:
            connection.close()


def test_small_reads_do_not_wait_behind_long_ones(front):
    client = front.client()
    long_ones = [threading.Thread(target=_endless, args=(front, f"long-{number}")) for number in range(4)]
    for thread in long_ones:
        thread.start()
    try:
        wait_until(lambda: all(running(client, f"long-{number}") for number in range(4)), "the long statements run")
        for number in range(50):
            assert client.command("SELECT {n:UInt32} + 1", {"n": number}) == number + 1
        assert all(running(client, f"long-{number}") for number in range(4))
    finally:
        for number in range(4):
            client.command(f"KILL QUERY WHERE query_id = 'long-{number}' SYNC")
        for thread in long_ones:
            thread.join()


def _endless(front, query_id, failures=None):
    # A time-out, so that a test that fails leaves nothing running.
    try:
        front.client().query(ENDLESS, settings={"query_id": query_id, "max_execution_time": 300})
    except DatabaseError as error:
        if failures is not None:
            failures.append(error)


@pytest.mark.parametrize("query_id", ["a+b c&d%20e=f;g", "it's", '"\\\\ü?#/', "日本"])
def test_any_query_id(front, query_id):
    answer = front.client().query("SELECT getSetting('log_comment')", settings={"query_id": query_id})
    assert answer.result_rows == [(query_id,)]
    # Headers carry bytes; the client's HTTP library reads each as one character.
    assert answer.summary["query_id"].encode("latin-1").decode("utf-8") == query_id


def test_query_id_cannot_add_a_header(front):
    status, headers, _ = front.request(
        "POST", "/?query_id=a%0d%0aX-Added:%201&default_format=CSV%0d%0aX-Added:%201", b"SELECT 1"
    )
    assert "X-Added" not in headers
    assert (status, headers["X-ClickHouse-Query-Id"]) == (404, "a??X-Added: 1")


def test_kill_query(front):
    client = front.client()
    failures = []
    thread = threading.Thread(target=_endless, args=(front, "it's mine", failures))
    thread.start()
    wait_until(lambda: running(client, "it's mine"), "the statement runs")
    with pytest.raises(DatabaseError, match="216"):
        client.query("SELECT 1", settings={"query_id": "it's mine"})
    # Another id touches nothing.
    assert front.request("POST", "/", b"KILL QUERY WHERE query_id = 'not mine' SYNC")[::2] == (200, b"")
    assert running(client, "it's mine")
    client.command("KILL QUERY WHERE query_id = 'it\\'s mine' SYNC")
    thread.join(180)
    assert not thread.is_alive()
    assert [error.code for error in failures] == [394]


def sent(front, target, headers=""):
    """Send the endless statement and leave the answer unread; returns the connection."""
    connection = socket.create_connection(("127.0.0.1", front.port), timeout=180)
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(ENDLESS)}\r\n\r\n"
    connection.sendall((head + ENDLESS).encode())
    return connection


def test_client_that_goes_away_cancels_its_statement(front):
    client = front.client()
    for query_id, head in (("gone-1", ""), ("gone-2", "Connection: close\r\n")):
        connection = sent(front, f"/?query_id={query_id}&max_execution_time=300", head)
        wait_until(lambda q=query_id: running(client, q), "the statement runs")
        connection.close()
        wait_until(lambda q=query_id: not running(client, q), "the statement is cancelled")


def test_client_that_goes_away_in_the_middle_of_a_stream(front):
    client = front.client()
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=180)
    connection.request("POST", "/?query_id=stream&max_execution_time=300", "SELECT number FROM numbers(1e12)")
    assert connection.getresponse().read(1_000_000)
    assert running(client, "stream")
    connection.close()
    wait_until(lambda: not running(client, "stream"), "the statement is cancelled")


def test_statement_goes_on_when_the_client_asked_for_that(front):
    client = front.client()
    connection = sent(front, "/?query_id=stays&cancel_http_readonly_queries_on_client_close=0&max_execution_time=300")
    wait_until(lambda: running(client, "stays"), "the statement runs")
    connection.close()
    # Three rounds of the watch, measured on a statement that it does cancel.
    for number in range(3):
        other = sent(front, f"/?query_id=other-{number}&max_execution_time=300")
        wait_until(lambda n=number: running(client, f"other-{n}"), "the other statement runs")
        other.close()
        wait_until(lambda n=number: not running(client, f"other-{n}"), "the other statement is cancelled")
    assert running(client, "stays")
    client.command("KILL QUERY WHERE query_id = 'stays' SYNC")


def test_parts_of_many_small_inserts_are_merged(front, database):
    client = front.client(database=database)
    client.command("CREATE TABLE t (a UInt32, v UInt64) ENGINE = ReplacingMergeTree(v) ORDER BY a")

    def insert(first):
        own = front.client(database=database)
        for number in range(first, 300, 4):
            own.insert_arrow(
                "t", pa.table({"a": pa.array([number % 100], pa.uint32()), "v": pa.array([number], pa.uint64())})
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(insert, range(4)))
    parts = "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 't'"
    # 300 inserts made 300 parts; the merges run by themselves.
    wait_until(lambda: client.command(parts) < 30, "the parts are merged")
    assert client.query("SELECT count(), min(v), max(v) FROM t FINAL").result_rows == [(100, 200, 299)]


def test_more_statements_than_places_wait_for_one(front):
    def work(number):
        return front.request("POST", "/", f"SELECT {number}, sleep(0.05)")[2]

    with ThreadPoolExecutor(150) as pool:
        assert list(pool.map(work, range(150))) == [b"%d\t0\n" % number for number in range(150)]
