"""Predicates over time columns, in the one form that ClickHouse can prune partitions and granules by."""

from __future__ import annotations


def moment(time_ms: int | str) -> str:
    """Return the SQL of a time in UTC milliseconds: an integer, or a bound parameter such as {since:Int64}."""
    return f"fromUnixTimestamp64Milli({time_ms}, 'UTC')"


def within(column: str) -> str:
    """Return the predicate that a column lies in [start, end), which are bound as milliseconds."""
    return f"{column} >= {moment('{start:Int64}')} AND {column} < {moment('{end:Int64}')}"


def since(column: str, time_ms: int | str) -> str:
    """Return the predicate that a column is not before a time."""
    return f"{column} >= {moment(time_ms)}"
