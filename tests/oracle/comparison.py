"""What the pipeline has stored against what it should have stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from tests.oracle.answer import Answer
from tests.oracle.credits import compare_credits
from tests.oracle.stored_tables import CREDITS_QUERY, STORED_TABLES, StoredTable, milliseconds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.oracle.identity import Withdrawn
    from tests.oracle.settings import TenantRules

# Rows of each table that a difference shows.
SHOWN = 20
# Scores are compared as floats; everything else is compared exactly.
SCORE_TOLERANCE = 1e-9


class ClickHouse(Protocol):
    """What is used of a clickhouse-connect client."""

    def query_arrow_stream(
        self, query: str, parameters: dict[str, Any] | None = None, settings: dict[str, Any] | None = None
    ) -> Any:
        """Record batches of a query's answer, in a context manager."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How one table differs. `missing`, `unexpected` and `wrong` count rows by their key; `shown` has the first of
    each.
    """

    table: str
    expected: int
    found: int
    missing: int = 0
    unexpected: int = 0
    wrong: int = 0
    shown: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in a few lines."""
        head = (
            f"{self.table}: {self.found} rows, expected {self.expected}; "
            f"{self.missing} missing, {self.unexpected} unexpected, {self.wrong} wrong"
        )
        return "\n  ".join([head, *self.shown])


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is compared with what; no `tenants` means all."""

    client: ClickHouse
    database: str
    tenants: tuple[str, ...]
    answer: Answer
    identity: bool
    withdrawn: Collection[Withdrawn] = ()
    settings: Mapping[str, TenantRules] | None = None

    def condition(self) -> str:
        """The tenants as a condition that both databases understand."""
        names = ", ".join("'" + name.replace("\\", "\\\\").replace("'", "''") + "'" for name in self.tenants)
        return f"tenant_id IN ({names})" if names else "true"

    def stored(self, query: str, table: str) -> Iterator[pa.Table]:
        """A table's rows in parts, strings as text."""
        settings = {"output_format_arrow_string_as_string": 1, "output_format_arrow_low_cardinality_as_dictionary": 0}
        rows = f"(SELECT * FROM {self.database}.{table} FINAL WHERE {self.condition()})"
        with self.client.query_arrow_stream(query.format(rows), settings=settings) as stream:
            for batch in stream:
                yield batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])

    def load(self, query: str, table: str, like: str) -> None:
        """Make the DuckDB table `stored` of a table's rows, with the columns of the DuckDB query `like`."""
        connection = self.answer.connection
        connection.execute(f"CREATE OR REPLACE TEMP TABLE stored AS FROM ({like}) LIMIT 0")
        columns = ", ".join(row[0] for row in connection.execute("DESCRIBE stored").fetchall())
        for batch in self.stored(query, table):
            connection.register("batch", batch)
            connection.execute(f"INSERT INTO stored SELECT {columns} FROM batch")
            connection.unregister("batch")


TABLES = (*(table.name for table in STORED_TABLES), "attribution_credits", "late_events")


def compare(
    client: ClickHouse,
    database: str,
    *record_files: Path | str,
    tables: Sequence[str] = TABLES,
    tenants: Sequence[str] = (),
    late_after_ms: int = 1_000,
    identity: bool = False,
    withdrawn: Collection[Withdrawn] = (),
    settings: Mapping[str, TenantRules] | None = None,
) -> list[Difference]:
    """The differences between what a database holds and what the record files say, one per table that differs.

    Give all files of the topic in the order in which they were produced. Every table is read with FINAL. `tenants`
    leaves out the rows of all others on both sides, for a database that several runs share. `late_events` must hold
    every accepted event that was sent `late_after_ms` after it happened, and may hold others that were appended so
    late. `identity` says whether the job had the stage of that name, `withdrawn` are the links that
    commands took out, `settings` are the tenants' own attribution settings.
    Raises ValueError for a table that is not one of TABLES, RecordFileError for files that cannot be judged, and
    what the client raises.
    """
    unknown = set(tables) - set(TABLES)
    if unknown:
        raise ValueError(f"tables {sorted(unknown)} cannot be compared; known: {', '.join(TABLES)}")
    found: list[Difference | None] = []
    with Answer(*record_files) as answer:
        scope = _Scope(client, database, tuple(tenants), answer, identity, withdrawn, settings)
        found += [_compare_table(scope, table) for table in STORED_TABLES if table.name in tables]
        if "attribution_credits" in tables:
            found.append(_compare_credits(scope))
        if "late_events" in tables:
            found.append(_compare_late(scope, late_after_ms))
    return [difference for difference in found if difference]


def _compare_table(scope: _Scope, table: StoredTable) -> Difference | None:
    connection = scope.answer.connection
    columns = ", ".join((*table.key, *table.values, *table.floats))
    expected = f"SELECT {columns} FROM ({table.expected}) WHERE {scope.condition()}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW expected AS {expected}")
    scope.load(table.stored, table.name, "FROM expected")
    wrong = " OR ".join(
        [f"e.{name} IS DISTINCT FROM s.{name}" for name in table.values]
        + [
            f"(e.{name} IS NULL) <> (s.{name} IS NULL) OR abs(e.{name} - s.{name}) > {SCORE_TOLERANCE}"
            for name in table.floats
        ]
    )
    join = " AND ".join(f"e.{name} = s.{name}" for name in table.key)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE differences AS
        SELECT CASE WHEN s.{table.key[0]} IS NULL THEN 'missing' WHEN e.{table.key[0]} IS NULL THEN 'unexpected'
                    ELSE 'wrong' END AS verdict, e, s
        FROM expected e FULL OUTER JOIN stored s ON {join}
        WHERE s.{table.key[0]} IS NULL OR e.{table.key[0]} IS NULL OR {wrong}
        """
    )
    verdicts = dict(connection.execute("SELECT verdict, count(*) FROM differences GROUP BY ALL").fetchall())
    if not verdicts:
        return None
    shown = []
    for verdict in sorted(verdicts):
        rows = connection.execute(f"SELECT e, s FROM differences WHERE verdict = '{verdict}' LIMIT {SHOWN}").fetchall()
        shown += [_line(verdict, table.key, expected, stored) for expected, stored in rows]
    return Difference(
        table.name,
        _number(scope.answer, "expected"),
        _number(scope.answer, "stored"),
        verdicts.get("missing", 0),
        verdicts.get("unexpected", 0),
        verdicts.get("wrong", 0),
        shown,
    )


def _line(verdict: str, key: Sequence[str], expected: dict[str, Any] | None, stored: dict[str, Any] | None) -> str:
    row = expected or stored or {}
    name = " ".join(f"{column}={row.get(column)!r}" for column in key)
    if verdict != "wrong" or not expected or not stored:
        rest = {column: value for column, value in row.items() if column not in key}
        return f"{verdict}: {name} {rest}"
    unlike = [
        f"{column} is {stored.get(column)!r}, expected {value!r}"
        for column, value in expected.items()
        if stored.get(column) != value
    ]
    return f"wrong: {name}: {'; '.join(unlike)}"


def _compare_credits(scope: _Scope) -> Difference | None:
    expected = (
        conversion
        for conversion in scope.answer.conversions(
            identity=scope.identity, withdrawn=scope.withdrawn, settings=scope.settings
        )
        if not scope.tenants or conversion.tenant_id in scope.tenants
    )
    result = compare_credits(expected, scope.stored(CREDITS_QUERY, "attribution_credits"))
    if not (result.missing or result.unexpected or result.wrong):
        return None
    return Difference(
        "attribution_credits",
        result.expected,
        result.found,
        len(result.missing),
        len(result.unexpected),
        len(result.wrong),
        [*result.missing[:SHOWN], *result.unexpected[:SHOWN], *result.wrong[:SHOWN]],
    )


def _compare_late(scope: _Scope, late_after_ms: int) -> Difference | None:
    key = "tenant_id, event_id, event_time"
    # The append time is not in the file, but it cannot come before the sending.
    expected = f"SELECT {key} FROM accepted WHERE event_time <= produced_at - {late_after_ms} AND {scope.condition()}"
    query = f"SELECT tenant_id, event_id, {milliseconds('event_time')}, {milliseconds('received_at')} FROM {{}}"
    scope.load(query, "late_events", f"SELECT {key}, produced_at AS received_at FROM accepted")
    verdicts = {
        "missing": f"SELECT {key} FROM ({expected}) ANTI JOIN stored USING ({key})",
        "unexpected": f"SELECT {key} FROM stored ANTI JOIN accepted USING ({key})",
        "wrong": f"SELECT {key} FROM stored WHERE event_time > received_at - {late_after_ms}",
    }
    rows = {verdict: scope.answer.rows(query) for verdict, query in verdicts.items()}
    if not any(rows.values()):
        return None
    return Difference(
        "late_events",
        len(scope.answer.rows(expected)),
        _number(scope.answer, "stored"),
        len(rows["missing"]),
        len(rows["unexpected"]),
        len(rows["wrong"]),
        [f"{verdict}: {row}" for verdict, found in rows.items() for row in found[:SHOWN]],
    )


def _number(answer: Answer, table: str) -> int:
    return int(answer.connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
