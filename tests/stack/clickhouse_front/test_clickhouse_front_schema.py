"""The schema of the data contract on this engine: every statement is taken, every table keeps what Arrow brings."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from connectors.clickhouse.client import ClickHouseAddress
from connectors.clickhouse.migrations import SCHEMA_FOLDER, migrate, statements

NOW = dt.datetime.now(dt.UTC).replace(microsecond=123_000)
FILES = sorted(SCHEMA_FOLDER.glob("*.sql"))


@pytest.fixture(scope="module")
def schema(front):
    client = front.client(database="default")
    client.command("CREATE DATABASE contract")
    client.database = "contract"
    for file in FILES:
        for statement in statements(file.read_text(encoding="utf-8")):
            client.command(statement)
    return client


def tables(client):
    answer = client.query(
        "SELECT table, name, type FROM system.columns WHERE database = 'contract' ORDER BY table, position"
    )
    found = {}
    for table, name, type_name in answer.result_rows:
        found.setdefault(table, []).append((name, type_name))
    return found


def arrow_type(type_name):
    """What a pipeline would send for a column."""
    if type_name.startswith(("LowCardinality(", "Nullable(")):
        return arrow_type(type_name[type_name.index("(") + 1 : -1])
    if type_name.startswith("Array("):
        return pa.list_(arrow_type(type_name[6:-1]))
    if type_name == "Map(String, Float64)":
        return pa.map_(pa.string(), pa.float64())
    if type_name.startswith("Tuple("):
        fields = (field.split(" ") for field in type_name[6:-1].split(", "))
        return pa.struct([(name, arrow_type(kind)) for name, kind in fields])
    if type_name.startswith("DateTime64(3"):
        return pa.timestamp("ms", tz="UTC")
    if type_name.startswith(("Enum8", "String")):
        return pa.string()
    return {
        "UInt8": pa.uint8(),
        "Int32": pa.int32(),
        "Int64": pa.int64(),
        "UInt32": pa.uint32(),
        "UInt64": pa.uint64(),
        "Float64": pa.float64(),
        "Date": pa.date32(),
    }[type_name]


def value(name, type_name, row):
    kind = arrow_type(type_name)
    if name == "grain":
        return ["minute", "hour", "day", "week"][row % 4]
    if name == "removed":  # FINAL leaves such rows out
        return 0
    if pa.types.is_map(kind):
        return [(f"{name} {step}", step / 4) for step in range(row % 3)]
    if pa.types.is_struct(kind):
        return {field.name: row / 4 for field in kind}
    if pa.types.is_list(kind):
        return [value(name, type_name[6:-1], row + step) for step in range(row % 3)]
    if pa.types.is_date(kind):
        return NOW.date() - dt.timedelta(days=row)
    if pa.types.is_timestamp(kind):
        return NOW - dt.timedelta(minutes=row)
    if pa.types.is_string(kind):
        return f"{name} {row} ü'"
    if name == "superseded":
        return 0  # with 1 a credit is a row of credit_revisions too
    return float(row) / 4 if pa.types.is_floating(kind) else row


def test_there_are_tables(schema):
    assert {
        "events",
        "campaign_metrics",
        "campaign_rollups",
        "attribution_credits",
        "journeys",
        "quarantine",
        "alerts",
    } <= set(tables(schema))


def test_every_table_keeps_what_arrow_brings(schema):
    for table, columns in tables(schema).items():
        rows = [{name: value(name, type_name, row) for name, type_name in columns} for row in range(10)]
        data = pa.table(
            {name: pa.array([row[name] for row in rows], arrow_type(type_name)) for name, type_name in columns}
        )
        assert schema.insert_arrow(table, data).written_rows == 10, table
        # Written again, as a replay does: the keys keep it from being counted twice.
        schema.insert_arrow(table, data)
        # Arrow carries an Enum as its number.
        names = ", ".join(
            f"`{name}`{'::String' if kind.startswith('Enum') else ''} AS `{name}`" for name, kind in columns
        )
        stored = (
            schema.query_arrow(f"SELECT {names} FROM {table} FINAL", use_strings=True).cast(data.schema).to_pylist()
        )
        assert sorted(stored, key=repr) == sorted(rows, key=repr), table
        assert schema.query(f"SELECT count() FROM {table} FINAL").result_rows == [(10,)], table


def test_the_higher_version_wins(schema):
    for version in (2, 3, 1):
        schema.command(
            "INSERT INTO campaigns (tenant_id, campaign_id, name, version) VALUES ('t', 'c', {n:String}, {v:UInt64})",
            parameters={"n": f"v{version}", "v": version},
        )
    query = "SELECT name FROM campaigns FINAL WHERE tenant_id = 't'"
    assert schema.query(query).result_rows == [("v3",)]
    schema.command("OPTIMIZE TABLE campaigns FINAL")
    assert schema.query(query.replace(" FINAL", "")).result_rows == [("v3",)]


def test_time_to_live_deletes_old_rows(schema):
    schema.command("CREATE TABLE short (a UInt8, at DateTime) ENGINE = MergeTree ORDER BY a TTL at + INTERVAL 1 DAY")
    schema.command("INSERT INTO short VALUES (1, now()), (2, now() - INTERVAL 2 DAY)")
    schema.command("OPTIMIZE TABLE short FINAL")
    assert schema.query("SELECT a FROM short").result_rows == [(1,)]
    schema.command("DROP TABLE short SYNC")


def test_raw_bytes_of_the_quarantine(schema):
    raw = b"\x00\x00\x00\x00\x07" + bytes(range(256))
    data = pa.table(
        {
            "tenant_id": ["bytes"],
            "source_offset": pa.array([1], pa.int64()),
            "received_at": pa.array([NOW], pa.timestamp("ms", tz="UTC")),
            "reasons": pa.array([["undecodable"]], pa.list_(pa.string())),
            "raw": pa.array([raw], pa.binary()),
        }
    )
    schema.insert_arrow("quarantine", data)
    answer = schema.query(
        "SELECT raw, reasons FROM quarantine WHERE tenant_id = 'bytes'", column_formats={"raw": "bytes"}
    )
    assert answer.result_rows == [(raw, ["undecodable"])]


def test_migrations_run_against_the_front(front):
    assert ClickHouseAddress.parse(f"http://127.0.0.1:{front.port}", "migrated").port == front.port
    assert migrate(front.client(database="default"), "migrated") == [file.name for file in FILES]
    assert migrate(front.client(database="default"), "migrated") == []


def test_two_databases_are_two_worlds(front):
    one, two = (front.client(database="default") for _ in range(2))
    for client, name in ((one, "world_a"), (two, "world_b")):
        migrate(client, name)
        client.command(
            "INSERT INTO campaigns (tenant_id, campaign_id, name) VALUES ('t', 'c', {n:String})", parameters={"n": name}
        )
    assert one.query("SELECT name FROM campaigns").result_rows == [("world_a",)]
    assert two.query("SELECT name FROM campaigns").result_rows == [("world_b",)]


@pytest.mark.parametrize("interrupted", [False, True])
def test_tables_that_get_another_key_keep_their_rows(front, tmp_path, monkeypatch, interrupted):
    """`interrupted`: an attempt before had changed the tables' places and was killed."""
    database = f"older_{int(interrupted)}"
    client = front.client(database="default")
    folder = tmp_path / "schema"
    folder.mkdir()
    for file in FILES[:8]:
        (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    with monkeypatch.context() as older:
        older.setattr("connectors.clickhouse.migrations.SCHEMA_FOLDER", folder)
        assert len(migrate(client, database)) == 8
    client.command(
        "INSERT INTO campaign_metrics (tenant_id, window_start, clicks) SELECT 't', now64(3) - number, number "
        "FROM numbers(200)"
    )
    client.command(
        "INSERT INTO campaign_rollups (tenant_id, grain, bucket_start, clicks) SELECT 't', 'day', "
        "now64(3) - INTERVAL number DAY, number FROM numbers(300)"
    )
    if interrupted:
        for statement in statements(FILES[8].read_text(encoding="utf-8"))[:4]:
            client.command(statement)
    assert FILES[8].name in migrate(client, database)
    for table, rows in (("campaign_metrics", 200), ("campaign_rollups", 300)):
        found = client.query(f"SELECT count(), sum(clicks) FROM {table} FINAL").result_rows
        assert found == [(rows, rows * (rows - 1) // 2)], table
    keys = client.query(
        "SELECT name, sorting_key FROM system.tables WHERE database = {d:String} AND startsWith(name, 'campaign_') "
        "ORDER BY name",
        parameters={"d": database},
    ).result_rows
    assert keys == [
        ("campaign_metrics", "tenant_id, window_start, campaign_id, channel, currency"),
        ("campaign_rollups", "tenant_id, grain, bucket_start, campaign_id, channel, currency"),
    ]
