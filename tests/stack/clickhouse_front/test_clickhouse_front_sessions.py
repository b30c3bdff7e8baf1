"""Sessions: what one request leaves for the next."""

from __future__ import annotations

import threading

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.stack.clickhouse_front.front_process import wait_until


def test_session_keeps_settings_database_and_temporary_tables(front, database):
    client = front.client(session_id="kept", database="default")
    client.command("SET max_threads = 7")
    client.command("CREATE TEMPORARY TABLE mine (a Int8)")
    client.insert("mine", [[1], [2]], column_names=["a"], column_type_names=["Int8"])
    assert client.query("SELECT sum(a), getSetting('max_threads') FROM mine").result_rows == [(3, 7)]
    # A setting of one request covers the session's own for that request only.
    assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 2}).result_rows == [(2,)]
    assert client.query("SELECT getSetting('max_threads')").result_rows == [(7,)]
    client.command(f"USE {database}", use_database=False)
    assert client.command("SELECT currentDatabase()", use_database=False) == database


def test_session_survives_an_error(front):
    client = front.client(session_id="errors")
    client.command("SET max_threads = 6")
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM nothing", settings={"max_threads": 2})
    assert client.query("SELECT getSetting('max_threads')").result_rows == [(6,)]


def test_session_and_query_id_are_free_when_the_answer_is_whole(front):
    front.request("POST", "/?session_id=quick", b"SET max_threads = 6")
    for statement in (b"SELECT 1", b"SELECT number FROM numbers(300000)", b"SELECT nothing", b"SET max_threads = 6"):
        for _ in range(50):
            _, headers, _ = front.request("POST", "/?session_id=quick&query_id=quick", statement)
            assert headers.get("X-ClickHouse-Exception-Code") in {None, "47"}


def test_session_survives_an_unknown_setting(front, database):
    front.request("POST", "/?session_id=unknown", b"SET max_threads = 6")
    bad = f"/?session_id=unknown&database={database}&max_block_size=5&nothing=1"
    assert front.request("POST", bad, b"SELECT 1")[1]["X-ClickHouse-Exception-Code"] == "115"
    state = b"SELECT currentDatabase(), getSetting('max_threads'), getSetting('max_block_size') = 5"
    assert front.request("POST", "/?session_id=unknown", state)[2] == b"default\t6\t0\n"


def test_other_sessions_see_nothing(front):
    client = front.client(session_id="one")
    client.command("SET max_threads = 5")
    client.command("CREATE TEMPORARY TABLE hidden (a Int8)")
    for other in (front.client(session_id="two"), front.client()):
        assert other.query("SELECT getSetting('max_threads')").result_rows != [(5,)]
        with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
            other.query("SELECT * FROM hidden")


def test_without_a_session_a_set_is_forgotten(front):
    front.request("POST", "/", b"SET max_threads = 5")
    assert front.request("POST", "/", b"SELECT getSetting('max_threads') = 5")[2] == b"0\n"


def test_closed_session_is_forgotten(front):
    front.request("POST", "/?session_id=ends", b"SET max_threads = 5")
    assert front.request("POST", "/?session_id=ends&close_session=1", b"SELECT getSetting('max_threads')")[2] == b"5\n"
    assert front.request("POST", "/?session_id=ends", b"SELECT getSetting('max_threads') = 5")[2] == b"0\n"


def test_session_expires(front):
    front.request("POST", "/?session_id=short&session_timeout=0", b"SET max_threads = 5")
    wait_until(
        lambda: (
            front.request("POST", "/?session_id=short&session_timeout=0", b"SELECT getSetting('max_threads') = 5")[2]
            == b"0\n"
        ),
        "the session is forgotten",
        5,
    )


def test_session_is_for_one_statement_at_a_time(front):
    front.request("POST", "/?session_id=busy", b"SET max_threads = 5")
    slow = threading.Thread(
        target=front.request,
        args=(
            "POST",
            "/?session_id=busy&query_id=busy-one",
            b"SELECT count() FROM numbers(1e12) SETTINGS max_execution_time = 300",
        ),
    )
    slow.start()
    try:
        wait_until(
            lambda: (
                b"busy-one" in front.request("POST", "/", b"SELECT Settings['log_comment'] FROM system.processes")[2]
            ),
            "the statement runs",
        )
        status, headers, _ = front.request("POST", "/?session_id=busy", b"SELECT 1")
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "373")
    finally:
        wait_until(
            lambda: front.request("POST", "/", b"KILL QUERY WHERE query_id = 'busy-one' SYNC")[2],
            "the statement is killed",
        )
        slow.join()
    assert front.request("POST", "/?session_id=busy", b"SELECT getSetting('max_threads')")[2] == b"5\n"


@pytest.mark.parametrize("seconds", ["3601", "-1", "x"])
def test_bad_session_timeout(front, seconds):
    _, headers, body = front.request("POST", f"/?session_id=a&session_timeout={seconds}", b"SELECT 1")
    assert headers["X-ClickHouse-Exception-Code"] == "374", body


def test_sessions_that_clients_make_by_themselves(front):
    client = front.client(autogenerate_session_id=True)
    assert client.get_client_setting("session_id")
    assert client.query("SELECT 1").result_rows == [(1,)]
    client.command("SET max_block_size = 77")
    assert client.query("SELECT getSetting('max_block_size')").result_rows == [(77,)]
