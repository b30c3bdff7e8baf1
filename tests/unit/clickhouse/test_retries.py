"""What ClickHouse may be asked again: what passes by itself."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from connectors.clickhouse.client import with_retries

FULL = "Received ClickHouse exception, code: 243, server response: Code: 243. DB::Exception: Cannot reserve 1.00 MiB"
WRONG = "Received ClickHouse exception, code: 62, server response: Code: 62. DB::Exception: Syntax error"


def test_an_insert_is_tried_again_until_the_disk_has_space():
    errors = [DatabaseError(FULL), DatabaseError(FULL)]

    def insert():
        if errors:
            raise errors.pop()
        return "stored"

    assert with_retries(insert, "insert") == "stored"


def test_a_wrong_statement_is_not_tried_again():
    tried = []

    def insert():
        tried.append(1)
        raise DatabaseError(WRONG)

    with pytest.raises(DatabaseError, match="Syntax"):
        with_retries(insert, "insert")
    assert tried == [1]
