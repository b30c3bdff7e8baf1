"""Queries through an unmodified clickhouse-connect, and through plain HTTP."""

from __future__ import annotations

import gzip
import json
import zlib
from urllib.parse import quote, urlencode

import lz4.frame
import pyarrow as pa
import pytest
import zstandard
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData


def test_client_connects_and_knows_the_server(client):
    assert client.ping()
    assert client.server_version.split(".")[0].isdigit()
    assert str(client.server_tz) in {"UTC", "Etc/UTC"}
    assert client.get_client_setting("cancel_http_readonly_queries_on_client_close") == "1"


def test_probes(front):
    for path in ("/ping", "/replicas_status"):
        assert front.request("GET", path)[::2] == (200, b"Ok.\n")
    assert front.request("GET", "/nothing")[0] == 404
    assert front.request("POST", "/nothing", b"x")[0] == 404


def test_query_in_the_address_in_the_body_and_in_both(front):
    assert front.request("GET", "/?query=" + quote("SELECT 1"))[2] == b"1\n"
    assert front.request("POST", "/", b"SELECT 2")[2] == b"2\n"
    # The server reads both as one text.
    assert front.request("POST", "/?query=" + quote("SELECT 1"), b"+ 2")[2] == b"3\n"


def test_chunked_body(front):
    pieces = iter([b"SELECT ", b"", b"1", b" + 41"])
    answer = front.request("POST", "/", pieces, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert answer[2] == b"42\n"


def test_get_may_not_change_anything(front, database):
    target = "/?" + urlencode({"query": f"CREATE TABLE {database}.t (a Int8) ENGINE = Memory"})
    status, headers, body = front.request("GET", target)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")
    assert b"READONLY" in body
    assert front.request("POST", target)[0] == 200


@pytest.mark.parametrize(
    ("arguments", "headers", "statement", "expected"),
    [
        ("", {}, "SELECT 1 AS a, 'x' AS b", b"1\tx\n"),
        ("?default_format=CSV", {}, "SELECT 1 AS a, 'x' AS b", b'1,"x"\n'),
        ("", {"X-ClickHouse-Format": "JSONEachRow"}, "SELECT 1 AS a, 'x' AS b", b'{"a":1,"b":"x"}\n'),
        ("?default_format=CSV", {}, "SELECT 1 AS a FORMAT TabSeparatedWithNames", b"a\n1\n"),
        ("?default_format=CSV", {}, "SELECT ' FORMAT JSON' AS a -- FORMAT JSON", b'" FORMAT JSON"\n'),
        ("", {}, "SHOW DATABASES LIKE 'system'", b"system\n"),
        ("", {}, "EXISTS TABLE system.one", b"1\n"),
        ("", {}, "(SELECT 1) UNION ALL (SELECT 1)", b"1\n1\n"),
        ("", {}, "WITH 5 AS n SELECT n;", b"5\n"),
        ("", {}, "/* c */ -- d\nSELECT 1", b"1\n"),
        ("", {}, "SELECT 1 WHERE 0", b""),
    ],
)
def test_formats(front, arguments, headers, statement, expected):
    assert front.request("POST", "/" + arguments, statement, headers)[::2] == (200, expected)


def test_database_by_argument_header_and_client(front, client, database):
    client.command("CREATE TABLE here (a Int8) ENGINE = Memory")
    client.command("INSERT INTO here VALUES (1)")
    assert client.query("SELECT count() FROM here").result_rows == [(1,)]
    assert front.request("POST", f"/?database={database}", b"SELECT currentDatabase()")[2].decode() == f"{database}\n"
    assert front.request("POST", "/", b"SELECT a FROM here", {"X-ClickHouse-Database": database})[2] == b"1\n"
    assert front.request("POST", "/", b"SELECT currentDatabase()")[2] == b"default\n"


def test_default_user_only(front):
    assert front.client(username="default", password="anything").command("SELECT 1") == 1
    for headers in ({"X-ClickHouse-User": "bob"}, {"Authorization": "Basic Ym9iOng="}, {"Authorization": "Basic %%%"}):
        status, answer, body = front.request("POST", "/", b"SELECT 1", headers)
        assert (status, answer["X-ClickHouse-Exception-Code"]) == (403, "516"), body
    assert front.request("POST", "/?user=bob", b"SELECT 1")[0] == 403


def test_settings_hold_for_one_request(client, front):
    answer = client.query(
        "SELECT getSetting('max_threads'), getSetting('max_execution_time')",
        settings={"max_threads": 3, "max_execution_time": 1.5},
    )
    assert answer.result_rows == [(3, 1.5)]
    assert client.query("SELECT getSetting('max_threads')").result_rows != [(3,)]
    # A value is a value, whatever is in it.
    comment = "it's \\ a\t`\"\n;"
    filters = {
        "additional_table_filters": f"{{'{client.database}.none': 'a = 1'}}",
        "insert_deduplication_token": comment,
    }
    assert client.query("SELECT getSetting('insert_deduplication_token')", settings=filters).result_rows == [(comment,)]


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", "deflate"])
def test_compressed_answers(front, client, encoding):
    unpack = {
        "lz4": lz4.frame.decompress,
        "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
    }[encoding]
    for rows in (3, 700_000):
        statement = f"SELECT number FROM numbers({rows})".encode()
        _, headers, body = front.request(
            "POST", "/?enable_http_compression=1", statement, {"Accept-Encoding": encoding}
        )
        assert headers["Content-Encoding"] == encoding
        assert unpack(body) == b"".join(b"%d\n" % number for number in range(rows))
    # Without the setting the server does not compress.
    assert "Content-Encoding" not in front.request("POST", "/", b"SELECT 1", {"Accept-Encoding": encoding})[1]


@pytest.mark.parametrize("compress", [False, True, "lz4", "zstd", "gzip"])
def test_large_results_with_every_compression_of_the_client(front, compress):
    client = front.client(compress=compress)
    answer = client.query("SELECT number, toString(number) FROM numbers(300000)")
    assert answer.row_count == 300_000
    assert answer.result_rows[-1] == (299_999, "299999")
    assert client.query_arrow("SELECT number FROM numbers(300000)").column("number").to_pylist() == list(range(300_000))
    assert client.query_df("SELECT number AS n FROM numbers(300000)").n.sum() == sum(range(300_000))


def test_streamed_rows(client):
    with client.query_rows_stream("SELECT number FROM numbers(3000000)") as rows:
        assert sum(number for (number,) in rows) == sum(range(3_000_000))
    with client.query_arrow_stream("SELECT number FROM numbers(500000)") as batches:
        assert sum(batch.num_rows for batch in batches) == 500_000


def test_closed_stream_leaves_the_client_usable(client):
    with client.query_rows_stream("SELECT number FROM numbers(100000000)") as rows:
        assert next(iter(rows)) == (0,)
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_http_1_0_client_gets_a_whole_answer(front):
    import socket

    with socket.create_connection(("127.0.0.1", front.port), timeout=180) as connection:
        connection.sendall(b"GET /?query=SELECT+number+FROM+numbers(1000000) HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.endswith(b"\n999999\n")
    assert body.count(b"\n") == 1_000_000


def test_empty_results(client):
    assert client.query("SELECT 1 AS a WHERE 0").result_rows == []
    assert client.query("SELECT 1 AS a LIMIT 0").column_names == ("a",)
    assert client.query_arrow("SELECT 1 AS a WHERE 0").schema.names == ["a"]
    assert client.command("SELECT 1 WHERE 0") == ""


def test_summary_and_query_id(front, client):
    client.command("CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
    written = client.insert("t", [[1], [2], [3]], column_names=["a"])
    assert (written.written_rows, bool(written.written_bytes())) == (3, True)
    answer = client.query("SELECT * FROM t", settings={"query_id": "my-query"})
    assert answer.summary["query_id"] == "my-query"
    assert (answer.summary["read_rows"], answer.summary["result_rows"]) == ("3", "3")
    copied = client.command("INSERT INTO t SELECT a + 3 FROM t")
    assert copied.written_rows == 3
    _, headers, _ = front.request("POST", "/", b"SELECT 1")
    assert json.loads(headers["X-ClickHouse-Summary"])["result_rows"] == "1"
    assert headers["X-ClickHouse-Query-Id"]
    assert headers["X-ClickHouse-Format"] == "TabSeparated"
    assert headers["X-ClickHouse-Timezone"] in {"UTC", "Etc/UTC"}


def test_external_tables(client):
    data = ExternalData(
        file_name="prices.csv", data=b"1,one\n2,'t\xc3\xbc\n", fmt="CSV", structure=["id UInt8", "name String"]
    )
    data.add_file(file_name="more.tsv", data=b"5\n", fmt="TSV", types=["UInt8"])
    answer = client.query("SELECT id, name, _1 FROM prices, more ORDER BY id", external_data=data)
    assert answer.result_rows == [(1, "one", 5), (2, "'tü", 5)]
    # The table was this request's alone.
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM prices")


def test_form_encoded_queries(front):
    client = front.client(form_encode_query_params=True)
    assert client.query("SELECT {a:String} AS a", parameters={"a": "it's\r\n--boundary"}).result_rows == [
        ("it's\r\n--boundary",)
    ]
    long = "x" * 100_000
    plain = front.client()
    assert plain.query("SELECT length({a:String})", parameters={"a": long}).result_rows == [(100_000,)]


def test_json_meta_agrees_with_the_engine(front):
    body = json.loads(front.request("POST", "/", b"SELECT toDate('2024-02-29') AS d, [1, 2] AS l FORMAT JSON")[2])
    assert body["meta"] == [{"name": "d", "type": "Date"}, {"name": "l", "type": "Array(UInt8)"}]
    assert body["data"] == [{"d": "2024-02-29", "l": [1, 2]}]


def test_arrow_of_the_wire_is_read_by_pyarrow(front):
    body = front.request("POST", "/", b"SELECT number AS n FROM numbers(100) FORMAT ArrowStream")[2]
    assert pa.ipc.open_stream(body).read_all().column("n").to_pylist() == list(range(100))
