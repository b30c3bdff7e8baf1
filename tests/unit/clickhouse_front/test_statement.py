"""Reading statements: their kind, their format, and where data begins."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.clickhouse.errors import ClickHouseError, ErrorCode
from local.clickhouse.statement import Kind, read_statement, split_insert, tokens


@pytest.mark.parametrize(
    ("sql", "kind", "format_name"),
    [
        (b"SELECT 1", Kind.SELECT, None),
        (b"select 1 format CSV", Kind.SELECT, "CSV"),
        (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1;", Kind.SELECT, "JSON"),
        (b"SELECT (SELECT 1 FORMAT CSV) FORMAT TSV", Kind.SELECT, "TSV"),
        (b"SELECT 'FORMAT CSV', `FORMAT CSV`, $$ FORMAT CSV $$ -- FORMAT CSV", Kind.SELECT, None),
        (b"((SELECT 1))", Kind.SELECT, None),
        (b"WITH 1 AS x SELECT x", Kind.SELECT, None),
        (b"FROM t SELECT a", Kind.SELECT, None),
        (b"SHOW TABLES FORMAT CSV", Kind.ROWS, "CSV"),
        (b"EXPLAIN SELECT 1", Kind.ROWS, None),
        (b"DESC t", Kind.ROWS, None),
        (b"CREATE TABLE t (a Int8)", Kind.COMMAND, None),
        (b"INSERT INTO t SELECT 1", Kind.COMMAND, None),
        (b"/* SELECT */ DROP TABLE t", Kind.COMMAND, None),
    ],
)
def test_kind_and_format(sql, kind, format_name):
    statement = read_statement(sql)
    assert (statement.kind, statement.format, statement.text) == (kind, format_name, sql)


@pytest.mark.parametrize(
    ("head", "target", "clauses", "data"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2\n", b"INSERT INTO t ", b"FORMAT CSV", b"1,2\n"),
        (b"INSERT INTO t FORMAT CSV\r\n\n1", b"INSERT INTO t ", b"FORMAT CSV", b"\n1"),
        (b"INSERT INTO t FORMAT Values (1)", b"INSERT INTO t ", b"FORMAT Values", b"(1)"),
        (
            b"insert into t (a, format) settings x = 'FORMAT y' format Native\n\0",
            b"insert into t (a, format) ",
            b"settings x = 'FORMAT y' format Native",
            b"\0",
        ),
        (b"INSERT INTO db.format FORMAT CSV ", b"INSERT INTO db.format ", b"FORMAT CSV", b""),
        (
            b"INSERT INTO TABLE FUNCTION format('a') FORMAT CSV\n",
            b"INSERT INTO TABLE FUNCTION format('a') ",
            b"FORMAT CSV",
            b"",
        ),
        (
            b"INSERT INTO t -- SELECT\n /* VALUES */ FORMAT CSV\n1",
            b"INSERT INTO t -- SELECT\n /* VALUES */ ",
            b"FORMAT CSV",
            b"1",
        ),
    ],
)
def test_split_insert(head, target, clauses, data):
    statement, start = split_insert(head, whole=True)
    assert (statement.kind, statement.text, statement.clauses, head[start:]) == (
        Kind.INSERT_DATA,
        target,
        clauses,
        data,
    )


@pytest.mark.parametrize(
    "head",
    [
        b"INSERT INTO t VALUES (1) FORMAT CSV",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t (a) WITH 1 AS x SELECT x FORMAT CSV",
        b"INSERT INTO t (a, FORMAT CSV\n",
        b"INSERT INTO 't FORMAT CSV\n",
        b"INSERT INTO t FORMAT",
    ],
)
def test_no_data_follows(head):
    assert split_insert(head, whole=True) == (None, 0)


@given(cut=st.integers(0, 80))
def test_cut_head_is_never_split_in_the_wrong_place(cut):
    head = b"INSERT INTO `t` (a, b) /* FORMAT X */ SETTINGS c = 'FORMAT Y' FORMAT JSONEachRow\n{}"
    statement, start = split_insert(head[:cut], whole=False)
    if statement is not None:
        assert (statement.format, head[:start].rstrip()) == ("JSONEachRow", head[:-2].rstrip())


@given(data=st.binary(max_size=200))
def test_data_of_an_insert_is_never_looked_at(data):
    head = b"INSERT INTO t FORMAT Native\n"
    statement, start = split_insert(head + data, whole=True)
    assert (statement.format, (head + data)[start:]) == ("Native", data)


@given(sql=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(sql):
    for token in tokens(sql):
        assert token.text
    with contextlib.suppress(ClickHouseError):
        assert read_statement(sql).text == sql


@given(text=st.text(max_size=50))
def test_a_literal_is_one_token(text):
    literal = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    found = list(tokens(f"SELECT {literal} FORMAT CSV".encode()))
    assert [token.kind for token in found] == ["word", "string", "word", "word"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (b"KILL QUERY WHERE query_id = 'a'", ("a", "ASYNC")),
        (b"kill query where query_id='it\\'s' sync", ("it's", "SYNC")),
        (b"KILL QUERY WHERE query_id = 'a''b' TEST FORMAT CSV", ("a'b", "TEST")),
        (b"KILL QUERY WHERE query_id = 'a' OR 1", None),
        (b"KILL QUERY WHERE user = 'a'", None),
        (b"SELECT 1", None),
    ],
)
def test_kill(sql, expected):
    assert read_statement(sql).kill == expected


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (b"", ErrorCode.SYNTAX_ERROR),
        (b"SELECT 1; DROP TABLE t", ErrorCode.SYNTAX_ERROR),
        (b"SELECT 1 INTO OUTFILE 'x'", ErrorCode.NOT_IMPLEMENTED),
        (b"INSERT INTO t SELECT a FROM input('a Int8') FORMAT CSV\n1", ErrorCode.NOT_IMPLEMENTED),
        (b"CREATE TABLE t (a Int8) engine=kafka()", ErrorCode.SUPPORT_IS_DISABLED),
    ],
)
def test_refused(sql, code):
    with pytest.raises(ClickHouseError) as error:
        read_statement(sql)
    assert error.value.code == code


def test_trailing_semicolons_are_one_statement():
    assert read_statement(b"SELECT ';' ;; -- c\n;").kind is Kind.SELECT


@pytest.mark.parametrize(
    ("sql", "leaves", "changes"),
    [
        (b"SET a = 1", True, False),
        (b"USE d", True, False),
        (b"CREATE TEMPORARY TABLE t (a Int8)", True, False),
        (b"CREATE OR REPLACE TEMPORARY TABLE t (a Int8)", True, False),
        (b"CREATE TABLE temporary (a Int8)", False, True),
        (b"SELECT 1", False, False),
        (b"SHOW TABLES", False, False),
        (b"DROP TABLE t", False, True),
    ],
)
def test_what_a_statement_leaves(sql, leaves, changes):
    statement = read_statement(sql)
    assert (statement.leaves_state, statement.changes) == (leaves, changes)
