"""The comparison finds nothing in a right database, and every kind of fault in a wrong one."""

from __future__ import annotations

import pytest

from tests.oracle import compare
from tests.oracle.comparison import TABLES


def test_a_right_database_does_not_differ(filled, record_file):
    client, database = filled
    assert [str(difference) for difference in compare(client, database, record_file)] == []


def test_every_table_is_seen_to_be_empty(front, record_file):
    from connectors.clickhouse.migrations import migrate

    migrate(front.client(), "nothing")
    differences = compare(front.client(database="nothing"), "nothing", record_file)
    assert {difference.table for difference in differences} == set(TABLES)
    for difference in differences:
        assert difference.found == 0
        assert difference.missing == difference.expected > 0
        assert len(difference.shown) <= 20


# One row of each table is changed, in a column that counts.
FORGERIES = {
    "events": "SELECT * REPLACE (cost_micros + 1 AS cost_micros, version + 1 AS version)",
    "campaign_metrics": "SELECT * REPLACE (events + 1 AS events, revision + 1 AS revision)",
    "campaign_rollups": "SELECT * REPLACE (clicks - 1 AS clicks, revision + 1 AS revision)",
    "campaigns": "SELECT * REPLACE ('forged' AS name, version + 1 AS version)",
    "journeys": "SELECT * REPLACE (touchpoints + 1 AS touchpoints, revision + 1 AS revision)",
    "ingest_counts": "SELECT * REPLACE (events + 1 AS events)",
    "attribution_credits": "SELECT * REPLACE (arrayMap(w -> w + 1e-6, `touches.weight`) AS `touches.weight`, "
    "revision + 1 AS revision)",
}


def test_a_changed_value_is_wrong(filled, record_file):
    client, database = filled
    for table, forgery in FORGERIES.items():
        client.command(f"INSERT INTO {table} {forgery} FROM {table} FINAL ORDER BY ALL LIMIT 1")
    differences = {difference.table: difference for difference in compare(client, database, record_file)}
    assert set(differences) == set(FORGERIES)
    for difference in differences.values():
        assert (difference.missing, difference.unexpected, difference.wrong) == (0, 0, 1)
        assert difference.shown[0].startswith("wrong: ")
        assert "expected" in difference.shown[0]


def test_a_changed_score_is_wrong(filled, record_file):
    client, database = filled
    client.command(
        "INSERT INTO campaign_metrics SELECT * REPLACE (performance_score + 1e-6 AS performance_score, 1 AS revision) "
        "FROM campaign_metrics FINAL WHERE performance_score IS NOT NULL ORDER BY ALL LIMIT 1"
    )
    (difference,) = compare(client, database, record_file)
    assert "performance_score" in difference.shown[0]


def test_a_micro_credited_to_another_touch_is_wrong(filled, record_file):
    client, database = filled
    client.command(
        "INSERT INTO attribution_credits SELECT * REPLACE (arrayMap((m, i) -> m + multiIf(i = 1, -1, i = 2, 1, 0), "
        "`touches.credited_micros`, arrayEnumerate(`touches.credited_micros`)) AS `touches.credited_micros`, "
        "2 AS revision) FROM attribution_credits FINAL "
        "WHERE model = 'linear' AND length(`touches.weight`) > 1 AND value_micros > 9 ORDER BY ALL LIMIT 1"
    )
    (difference,) = compare(client, database, record_file)
    assert (difference.table, difference.wrong) == ("attribution_credits", 1)
    assert "credited micros" in difference.shown[0]


def test_an_event_called_late_that_was_not_is_wrong(filled, record_file):
    client, database = filled
    client.command(
        "INSERT INTO late_events SELECT tenant_id, event_time, event_id, event_type, "
        "event_time + INTERVAL 999 MILLISECOND AS received_at, 999 AS lateness_ms FROM events FINAL "
        "WHERE (tenant_id, event_id) NOT IN (SELECT tenant_id, event_id FROM late_events) ORDER BY ALL LIMIT 1"
    )
    (difference,) = compare(client, database, record_file)
    assert (difference.table, difference.wrong, difference.unexpected) == ("late_events", 1, 0)


def test_a_lost_row_is_missing(filled, record_file):
    client, database = filled
    for table in TABLES:
        client.command(f"ALTER TABLE {table} DELETE WHERE tenant_id = 'tenant-03'", settings={"mutations_sync": 2})
    differences = compare(client, database, record_file)
    assert {difference.table for difference in differences} == set(TABLES)
    for difference in differences:
        # Of what is appended later than it is sent, more may be late than the file can tell.
        assert difference.missing >= difference.expected - difference.found > 0
        assert (difference.unexpected, difference.wrong) == (0, 0)


def test_rows_too_many_are_unexpected(filled, record_file):
    client, database = filled
    for table, changes in {
        "events": "concat(event_id, 'x') AS event_id",
        "quarantine": "source_offset + 1000000 AS source_offset, ['empty'] AS reasons",
        "attribution_credits": "concat(conversion_id, 'x') AS conversion_id",
        "late_events": "concat(event_id, 'x') AS event_id",
    }.items():
        client.command(f"INSERT INTO {table} SELECT * REPLACE ({changes}) FROM {table} FINAL ORDER BY ALL LIMIT 1")
    found = {difference.table: difference.unexpected for difference in compare(client, database, record_file)}
    assert found == {"events": 1, "quarantine": 1, "attribution_credits": 1, "late_events": 1}


def test_other_tenants_can_be_left_out(filled, record_file):
    client, database = filled
    client.command("INSERT INTO events SELECT * REPLACE ('stranger' AS tenant_id) FROM events FINAL LIMIT 5")
    assert [difference.table for difference in compare(client, database, record_file)] == ["events"]
    tenants = ["tenant-01", "tenant-02", "o'hara\\"]
    assert compare(client, database, record_file, tenants=tenants) == []


def test_an_unknown_table_is_refused(filled, record_file):
    client, database = filled
    with pytest.raises(ValueError, match="payments"):
        compare(client, database, record_file, tables=["payments"])
