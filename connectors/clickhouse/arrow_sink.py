"""Write whole Arrow batches to ClickHouse, synchronously.

A batch is written when `write` returns. Flink's vectorised functions finish their batch before a checkpoint barrier
passes, so
nothing that a checkpoint covers can be missing; a batch written twice is the same rows again, which the tables replace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.clickhouse.client import ClickHouseAddress, connect, with_retries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

TIME = pa.timestamp("ms", tz="UTC")

# Lines are of rows with different keys: looking for rows to replace within the insert would find none.
_AS_GIVEN = {"optimize_on_insert": 0}


def times(milliseconds: Any) -> pa.Array:
    """Return UTC milliseconds (a sequence or numpy array of int64) as an Arrow time column."""
    return pa.array(milliseconds, type=pa.int64()).cast(TIME)


class ArrowSink:
    """Inserts batches into the tables of one database; opened lazily, one per thread."""

    def __init__(self, address: ClickHouseAddress) -> None:
        """Keep the address; nothing is connected yet."""
        self._address = address
        self._client: Client | None = None

    def client(self) -> Client:
        """Return the open client, connecting if need be.

        May block for the connection time-out and raise a ClickHouseError.
        """
        if self._client is None:
            self._client = connect(self._address)
        return self._client

    def write(self, table: str, columns: Mapping[str, Any]) -> int:
        """Insert the columns (Arrow arrays, or sequences of Python values) and return the number of rows.

        Blocks until ClickHouse has acknowledged them; transient faults are tried again, and the last error is raised.
        """
        batch = pa.table(
            {name: column if isinstance(column, pa.Array) else pa.array(column) for name, column in columns.items()}
        )
        if batch.num_rows:
            with_retries(lambda: self.client().insert_arrow(table, batch), f"insert into {table}")
        return int(batch.num_rows)

    def write_lines(self, table: str, columns: Sequence[str], lines: Sequence[str], line_format: str) -> int:
        """Insert rows that are already text in a ClickHouse format with one row a line; returns and blocks as `write`.

        ClickHouse parses the lines, which costs less than columns of Python values where rows are wide.
        """
        if lines:
            block = "\n".join(lines).encode()
            with_retries(
                lambda: self.client().raw_insert(table, columns, block, _AS_GIVEN, fmt=line_format),
                f"insert into {table}",
            )
        return len(lines)

    def command(self, sql: str, parameters: Mapping[str, Any], what: str) -> None:
        """Run a statement with bound parameters; it must be idempotent. Blocks and raises as `write` does."""
        with_retries(lambda: self.client().command(sql, parameters=dict(parameters)), what)

    def rows(self, sql: str, parameters: Mapping[str, Any], what: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a query with bound parameters. Blocks and raises as `write` does."""
        return with_retries(lambda: self.client().query(sql, parameters=dict(parameters)).result_rows, what)
