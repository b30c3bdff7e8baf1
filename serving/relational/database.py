"""The relational database: SQLite in a file, or PostgreSQL. Bound statements in short transactions, with time limits,
bounded retries and a circuit breaker."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from tenacity import (
    AsyncRetrying,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random,
    wait_random_exponential,
)

from serving.queries.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy.engine import Connection, Engine

T = TypeVar("T")
log = logging.getLogger(__name__)

DEFAULT_URL = "sqlite:///tributary.sqlite"
"""A file in the folder that a process is started in."""
ATTEMPTS = 3
# The switch takes milliseconds; a file that cannot be switched for so long is held by something else.
WAL_SECONDS = 5.0
# Transactions that run at the same time. Each takes a millisecond or two; what waits longer meets the time limit.
CONNECTIONS = 4
# Lost or refused connections, statements that took too long, a file that another process holds.
PASSING_FAULTS = (OperationalError, InterfaceError, PoolTimeoutError)
DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
# The number by which processes that start together agree who migrates; any number that nothing else uses.
MIGRATION_LOCK = 7_413_902_155


class RelationalStoreUnavailable(Exception):  # noqa: N818 - a state that callers answer to, not an error of theirs
    """The database did not answer in time; the message says no more than the kind of fault."""


class Database:
    """One database. `run` is for the event loop, `transaction` for command lines; `close` at the end."""

    def __init__(self, url: str, password: str | None = None, *, timeout_seconds: float = 3.0) -> None:
        """Prepare the pool; the first transaction connects.

        `url` is `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://user@host:port/database`.

        Raises:
            ValueError: the URL is neither.
        """
        self._timeout = timeout_seconds
        self._engine = _engine(url, password, timeout_seconds)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="relational")
        self.breaker = CircuitBreaker()

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns; it runs in a transaction in another thread, again if a fault may have passed.

        Raises:
            RelationalStoreUnavailable: no answer in time, or the circuit is open.
            SQLAlchemyError: the database refuses the statement, such as IntegrityError.
        """
        if not self.breaker.allows():
            raise RelationalStoreUnavailable("the circuit is open")
        try:
            async with asyncio.timeout(self._timeout):
                result = await self._with_retries(work)
        except (*PASSING_FAULTS, TimeoutError) as error:
            self.breaker.failed()
            # The text of the error may hold the statement and its values.
            raise RelationalStoreUnavailable(type(error).__name__) from None
        except SQLAlchemyError:
            # The database answered: what it refuses is for the caller to know.
            self.breaker.succeeded()
            raise
        except BaseException:
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        return result

    @contextmanager
    def transaction(self) -> Generator[Connection, None, None]:
        """Give a connection whose transaction is committed at the end. Raises SQLAlchemyError."""
        with self._engine.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the schema to the newest migration, unless it is there. Processes may do so at the same time.

        Raises:
            SQLAlchemyError: the database does not answer, or its user may not change the schema.
            alembic.util.CommandError: the schema is newer than this program.
        """
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.transaction() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            newest = ScriptDirectory.from_config(config).get_current_head()
            if MigrationContext.configure(connection).get_current_revision() == newest:
                return
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        log.info("the relational schema is at migration %s", newest)

    def close(self) -> None:
        """Close the connections, without waiting for a statement that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    async def _with_retries(self, work: Callable[[Connection], T]) -> T:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(PASSING_FAULTS),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.05, max=0.5),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_transaction, work)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)


def _engine(url: str, password: str | None, timeout_seconds: float) -> Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError("not a database URL") from None
    driver = DIALECTS.get(parsed.drivername)
    if driver is None or not parsed.database:
        raise ValueError("allowed: sqlite:///file or postgresql://user@host:port/database")
    parsed = parsed.set(drivername=driver)
    options: dict[str, Any] = {"pool_timeout": timeout_seconds}
    if driver == "sqlite":
        options["connect_args"] = {"timeout": timeout_seconds}
    else:
        parsed = parsed.set(password=password or None)
        milliseconds = round(timeout_seconds * 1000)
        options |= {
            "pool_size": CONNECTIONS,
            "max_overflow": 0,
            # A connection that the server has closed is found before it is used.
            "pool_pre_ping": True,
            "connect_args": {
                "connect_timeout": max(2, round(timeout_seconds)),
                "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
            },
        }
    engine = sa.create_engine(parsed, **options)
    if driver == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun below: the driver's own way leaves DDL and reads outside of them.
    connection.isolation_level = None
    # Turning a new file to write-ahead logging fails at once, and does not wait, while another process does the same.
    for attempt in Retrying(
        retry=retry_if_exception_type(sqlite3.OperationalError),
        stop=stop_after_delay(WAL_SECONDS),
        wait=wait_random(0.01, 0.1),
        reraise=True,
    ):
        with attempt:
            connection.execute("PRAGMA journal_mode=WAL")
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # At once the writer: a reader that becomes one would fail, not wait, when another has written meanwhile.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
