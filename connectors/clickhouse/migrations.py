"""Bring a database to the schema in `schema/*.sql`, each file once and in order."""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.clickhouse.client import ClickHouseAddress, connect, with_retries

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SCHEMA_FOLDER = Path(__file__).parent / "schema"
OWN_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (name String, checksum String, applied_at DateTime64(3, 'UTC'))
ENGINE = ReplacingMergeTree ORDER BY name
"""
DATABASE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
log = logging.getLogger(__name__)


class MigrationError(Exception):
    """A schema file that was applied has changed since, or the database is of a newer version than this code."""


def statements(sql: str) -> list[str]:
    """Split a schema file at semicolons that end a line; comment-only pieces are left out."""
    pieces = re.split(r";\s*(?:\n|$)", sql)
    return [piece.strip() for piece in pieces if re.sub(r"--[^\n]*", "", piece).strip()]


def migrate(client: Client, database: str) -> list[str]:
    """Apply the schema files that `database` does not have yet; return their names.

    Safe to run again, also after an attempt that was interrupted. A file that makes a table anew must not be applied
    from two places at once: one of them may fail; no row is lost.

    Raises:
        ValueError: the database name is not an identifier.
        MigrationError: an applied file was edited, or the database knows a file that this code does not.
    """
    if not DATABASE_NAME.fullmatch(database):
        msg = f"clickhouse-database is {database!r}; allowed: a letter or underscore, then letters, digits, underscores"
        raise ValueError(msg)
    client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    client.database = database
    client.command(OWN_TABLE)
    rows = client.query("SELECT name, checksum FROM schema_migrations FINAL").result_rows
    applied: dict[str, str] = dict(tuple(row) for row in rows)
    files = sorted(SCHEMA_FOLDER.glob("*.sql"))
    unknown = set(applied) - {file.name for file in files}
    if unknown:
        msg = f"{database} has migrations that this version does not know: {sorted(unknown)}; use a newer version"
        raise MigrationError(msg)
    done = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        if file.name in applied:
            if applied[file.name] != checksum:
                msg = f"{file.name} was changed after it was applied to {database}; put the change into a new file"
                raise MigrationError(msg)
            continue
        for statement in statements(text):
            client.command(statement)
        client.command(
            "INSERT INTO schema_migrations SELECT {name:String}, {checksum:String}, now64(3)",
            parameters={"name": file.name, "checksum": checksum},
        )
        done.append(file.name)
    return done


def main(arguments: list[str] | None = None) -> int:
    """Command line: `python -m connectors.clickhouse.migrations --url URL --database NAME`."""
    parser = argparse.ArgumentParser(description="Create or update the ClickHouse schema.")
    parser.add_argument("--url", required=True, help="http(s)://[user:password@]host:port of ClickHouse")
    parser.add_argument("--database", default="tributary", help="database to bring up to date (default: tributary)")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    address = ClickHouseAddress.parse(chosen.url, chosen.database)
    # A password belongs into the environment, where no list of processes shows it.
    address = replace(address, password=os.environ.get("TRIBUTARY_CLICKHOUSE_PASSWORD", address.password))
    client = with_retries(lambda: connect(address, database="default"), "connection")
    done = migrate(client, chosen.database)
    log.info("schema of %s is up to date (%s)", chosen.database, ", ".join(done) if done else "nothing to apply")
    return 0


if __name__ == "__main__":
    sys.exit(main())
