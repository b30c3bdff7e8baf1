"""The ClickHouse engine of this process: one data directory, any number of handles."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import chdb

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

LOCK_FILE = "front.lock"
_GIB = 1 << 30
# The machine is shared with a broker, a Flink cluster and a test suite; the engine's own default is 90 % of its memory.
SERVER_MEMORY_BYTES = 6 * _GIB
# One query may not take the memory of all others.
QUERY_MEMORY_BYTES = 3 * _GIB
# The default of 5 GiB would not fit under the limit above.
MARK_CACHE_BYTES = 256 << 20
# Two cores: more threads per query gain nothing and make small reads wait.
_SERVER_ARGUMENTS = {
    "max_server_memory_usage": SERVER_MEMORY_BYTES,
    "mark_cache_size": MARK_CACHE_BYTES,
}
# What clickhouse-local, and so chDB, sets unlike a server: a bare expression is a syntax error there, not a SELECT.
_HANDLE_ARGUMENTS = {
    "implicit_select": 0,
    "max_memory_usage": QUERY_MEMORY_BYTES,
}
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Each chunk of these formats stands for itself, so chunks can be joined; all other formats have a header or a frame.
STREAMABLE_FORMATS = frozenset(
    {
        "Native",
        "TabSeparated",
        "TSV",
        "TabSeparatedRaw",
        "TSVRaw",
        "CSV",
        "RowBinary",
        "JSONEachRow",
        "JSONLines",
        "NDJSON",
    }
)


class DirectoryInUseError(Exception):
    """Another process has the data directory open."""


@dataclass(slots=True)
class Progress:
    """What a statement has read and written so far; grows while its result is read."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, result: Any) -> None:
        """Add the figures of one chunk of a result."""
        self.read_rows += result.storage_rows_read()
        self.read_bytes += result.storage_bytes_read()
        self.written_rows += result.rows_written()
        self.written_bytes += result.bytes_written()
        self.result_rows += result.rows_read()
        self.result_bytes += result.size()


class Handle:
    """One connection to the engine, with its own settings and current database. For one thread at a time."""

    def __init__(self, connection: Any) -> None:
        """Take an open chDB connection."""
        self._connection = connection

    def __enter__(self) -> Handle:
        """Return the handle itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the handle."""
        self.close()

    def close(self) -> None:
        """Give the connection back; temporary tables of the handle end with it."""
        self._connection.close()

    def use(self, database: str) -> None:
        """Make `database` the current one; raises ClickHouseError when there is none of that name."""
        self.run("USE {database:Identifier}", "Null", {"database": database}, Progress())

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings for what follows on this handle; raises ClickHouseError for an unknown one or a bad value."""
        for name, value in settings.items():
            if not _SETTING_NAME.fullmatch(name):
                raise ClickHouseError.of(ErrorCode.UNKNOWN_SETTING, f"Unknown setting {name!r}")
            self.run(f"SET {name} = {{value:String}}", "Null", {"value": escaped(value)}, Progress())

    def run(self, sql: str | bytes, format_name: str, parameters: Mapping[str, str], progress: Progress) -> bytes:
        """Run a statement and return its whole result; raises ClickHouseError."""
        try:
            result = self._connection.query(sql, format_name, params=dict(parameters))
        except RuntimeError as error:
            raise ClickHouseError.from_engine(error) from error
        progress.add(result)
        return bytes(result.bytes())

    def stream(
        self, sql: str | bytes, format_name: str, parameters: Mapping[str, str], progress: Progress
    ) -> Iterator[bytes]:
        """Run a SELECT and yield its result in chunks; raises ClickHouseError, also between chunks. Close the iterator to cancel."""
        result = None
        try:
            result = self._connection.send_query(sql, format_name, params=dict(parameters))
            while (chunk := result.fetch()) is not None:
                progress.add(chunk)
                yield bytes(chunk.bytes())
        except RuntimeError as error:
            raise ClickHouseError.from_engine(error) from error
        finally:
            if result is not None:
                result.close()

    def insert(
        self, sql: str, format_name: str, chunks: Iterator[bytes], parameters: Mapping[str, str], progress: Progress
    ) -> None:
        """Feed `chunks` to an INSERT; `sql` has no FORMAT clause. Nothing is acknowledged before the parts are in place.

        Raises ClickHouseError, and whatever `chunks` raises; either way the insert is given up.
        """
        try:
            for name, value in parameters.items():
                if not _SETTING_NAME.fullmatch(name):
                    raise ClickHouseError.of(ErrorCode.BAD_ARGUMENTS, f"Bad name of a query parameter: {name!r}")
                self._connection.query(f"SET param_{name} = {{value:String}}", "Null", params={"value": escaped(value)})
            with self._connection.send_insert(sql, format_name) as inserter:
                for chunk in chunks:
                    inserter.append(chunk)
                written = inserter.finish()
        except RuntimeError as error:
            raise ClickHouseError.from_engine(error) from error
        progress.written_rows += written.rows_written
        progress.written_bytes += written.bytes_written


def escaped(value: str) -> str:
    """Write a plain value in the escaped form (as in TabSeparated) that the engine reads parameters in."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\0", "\\0")


class Engine:
    """The engine on one data directory, held by this process alone."""

    def __init__(self, path: Path, database: str) -> None:
        """Open or create the directory, and `database` in it.

        Raises:
            DirectoryInUseError: another process holds the directory.
            ClickHouseError: the engine cannot read it.
        """
        path.mkdir(parents=True, exist_ok=True)
        self._path = path.resolve()
        self._lock = _lock(self._path)
        arguments = urlencode(_SERVER_ARGUMENTS | _HANDLE_ARGUMENTS)
        try:
            # The first connection starts the engine and keeps it up; it also carries the settings of the whole process.
            self._first = chdb.connect(f"{self._path}?{arguments}")
            with self.open({}) as handle:
                handle.run("CREATE DATABASE IF NOT EXISTS {name:Identifier}", "Null", {"name": database}, Progress())
                answer = handle.run("SELECT version(), timezone()", "TabSeparated", {}, Progress())
        except RuntimeError as error:
            os.close(self._lock)
            raise ClickHouseError.from_engine(error) from error
        self.version, self.timezone = answer.decode().rstrip("\n").split("\t")

    @contextmanager
    def open(self, arguments: Mapping[str, str]) -> Iterator[Handle]:
        """Open a handle for one statement; `arguments` are settings that hold from its first moment."""
        handle = self.handle(arguments)
        try:
            yield handle
        finally:
            handle.close()

    def handle(self, arguments: Mapping[str, str]) -> Handle:
        """Open a handle that the caller closes; takes a third of a millisecond."""
        joined = urlencode({**_HANDLE_ARGUMENTS, **arguments})
        try:
            return Handle(chdb.connect(f"{self._path}?{joined}"))
        except RuntimeError as error:
            raise ClickHouseError.from_engine(error) from error

    def kill(self, query_id: str) -> bytes:
        """Cancel the statement that runs under `query_id`; returns KILL QUERY's own answer (TabSeparated)."""
        with self.open({}) as handle:
            return handle.run(
                "KILL QUERY WHERE Settings['log_comment'] = {query_id:String} ASYNC",
                "TabSeparated",
                {"query_id": escaped(query_id)},
                Progress(),
            )

    def close(self) -> None:
        """Stop the engine and let the directory go. No handle may be in use."""
        self._first.close()
        os.close(self._lock)


def _lock(path: Path) -> int:
    """Take the directory's lock, which ends with this process however it ends."""
    file = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(file, 32).decode("ascii", errors="replace").strip()
        os.close(file)
        who = f"process {holder}" if holder else "another process"
        msg = f"the data directory {path} is in use by {who}; stop it, or choose another --path"
        raise DirectoryInUseError(msg) from error
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())
    return file
