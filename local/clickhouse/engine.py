"""The ClickHouse engine of this process: one data directory, any number of handles."""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import chdb

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from types import TracebackType

LOCK_FILE = "front.lock"
_MIB = 1 << 20
# The engine's default of 5 GiB would not fit under the memory limit. A mark is 20 bytes per 8,192 rows and column.
_MARK_CACHE_BYTES = 256 * _MIB
# chDB takes after clickhouse-local, where a bare expression is a SELECT. On a server it is a syntax error.
_UNLIKE_A_SERVER = {"implicit_select": "0"}
_SETTINGS_FILE = Path(__file__).with_name("engine.xml")
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PIECE_BYTES = _MIB
# Each chunk of these formats stands for itself, so chunks can be joined; all others have a header or a frame per chunk.
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

    def __enter__(self) -> Self:
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
        self.run("USE {database:Identifier}", {"database": database})

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings for what follows on this handle; raises ClickHouseError for an unknown one or a bad value."""
        if settings:
            # One statement for all: each takes a fifth of a millisecond, and a query brings about seven settings.
            changes = ", ".join(f"{_checked(name)} = {{v{number}:String}}" for number, name in enumerate(settings))
            values = {f"v{number}": escaped(value) for number, value in enumerate(settings.values())}
            self.run(f"SET {changes}", values)

    def prepare(self, query_id: str, settings: Mapping[str, str]) -> None:
        """Apply settings, as `set` does, and give what runs next the id that `Engine.kill` finds it by: chDB makes its
        own query ids and takes none."""
        self.set({**settings, "log_comment": query_id})

    def reset(self, name: str) -> None:
        """Give a setting its default again."""
        self.run(f"SET {_checked(name)} = DEFAULT", {})

    def run(self, sql: str | bytes, parameters: Mapping[str, str], format_name: str = "Null") -> bytes:
        """Run a statement and return its result; raises ClickHouseError."""
        return b"".join(self.pieces(sql, parameters, format_name, Progress()))

    def pieces(
        self, sql: str | bytes, parameters: Mapping[str, str], format_name: str, progress: Progress
    ) -> Iterator[bytes]:
        """Run a statement to its end, then yield the result in pieces; raises ClickHouseError.

        The engine holds the whole result meanwhile and counts it against the statement's memory limit.
        """
        try:
            result = self._connection.query(sql, format_name, params=dict(parameters))
        except RuntimeError as error:
            raise ClickHouseError.from_engine(error) from error
        progress.add(result)
        # The view does not keep the engine's buffer alive: `memory` and copies of the pieces do what is needed.
        memory = result.get_memview()
        view = memory.view()
        for start in range(0, view.nbytes, _PIECE_BYTES):
            yield bytes(view[start : start + _PIECE_BYTES])

    def stream(
        self, sql: str | bytes, parameters: Mapping[str, str], format_name: str, progress: Progress
    ) -> Generator[bytes, None, None]:
        """Run a SELECT and yield its result as it comes, a block at a time. Close the iterator to cancel the rest.

        Raises ClickHouseError, also after some of the result.
        """
        result = None
        try:
            result = self._connection.send_query(sql, format_name, params=dict(parameters))
            while (chunk := result.fetch()) is not None:
                progress.add(chunk)
                yield chunk.bytes()
        except RuntimeError as error:
            raise ClickHouseError.from_engine(error) from error
        finally:
            if result is not None:
                result.close()

    def insert(
        self, target: bytes, parameters: Mapping[str, str], clauses: bytes, data_path: str, progress: Progress
    ) -> None:
        """Run `target FROM INFILE data_path clauses`, where `clauses` are SETTINGS and FORMAT; raises ClickHouseError.

        Returns when the parts are in place.
        """
        sql = b"%s FROM INFILE '%s' %s" % (target, data_path.encode("ascii"), clauses)
        for _ in self.pieces(sql, parameters, "Null", progress):
            pass


class Engine:
    """The engine on one data directory, held by this process alone."""

    def __init__(self, path: Path, database: str, memory_mib: int) -> None:
        """Open or create the directory, and `database` in it; one statement may take half of the memory.

        Raises:
            DirectoryInUseError: another process holds the directory.
            ClickHouseError: the engine cannot read it.
        """
        path.mkdir(parents=True, exist_ok=True)
        self._path = path.resolve()
        self._lock = _lock(self._path)
        self._arguments = _UNLIKE_A_SERVER | {"max_memory_usage": str(memory_mib * _MIB // 2)}
        # The first connection starts the engine and keeps it up; only its arguments reach the engine as a whole.
        whole = {
            "config-file": str(_SETTINGS_FILE),
            "max_server_memory_usage": str(memory_mib * _MIB),
            "mark_cache_size": str(_MARK_CACHE_BYTES),
        }
        try:
            self._first = self._connect(whole)
            self._first.run("CREATE DATABASE IF NOT EXISTS {name:Identifier}", {"name": database})
            answer = self._first.run("SELECT version(), timezone()", {}, "TabSeparated")
        except ClickHouseError:
            os.close(self._lock)
            raise
        # The engine's own folder for unfinished work: it is on the disk of the data, and emptied at each start.
        self.staging_folder = self._path / "tmp"
        self.staging_folder.mkdir(exist_ok=True)
        self.version, self.timezone = answer.decode().rstrip("\n").split("\t")

    def open(self) -> Handle:
        """Open a handle, which takes a third of a millisecond."""
        return self._connect({})

    def _connect(self, arguments: Mapping[str, str]) -> Handle:
        # chDB splits the arguments only after it has decoded them all, so no value from a client may be among them.
        try:
            return Handle(chdb.connect(f"{self._path}?{urlencode({**self._arguments, **arguments})}"))
        except RuntimeError as error:
            raise ClickHouseError.from_engine(error) from error

    def kill(self, query_id: str, mode: str = "ASYNC", format_name: str = "TabSeparated") -> bytes:
        """Cancel the statement of that id; returns KILL QUERY's answer. `mode` is ASYNC, SYNC or TEST."""
        condition = "Settings['log_comment'] = {query_id:String} OR query_id = {query_id:String}"
        with self.open() as handle:
            return handle.run(f"KILL QUERY WHERE {condition} {mode}", {"query_id": escaped(query_id)}, format_name)

    def close(self) -> None:
        """Stop the engine and let the directory go. No handle may be in use."""
        self._first.close()
        os.close(self._lock)


def escaped(value: str) -> str:
    """Write a plain value in the escaped form (as in TabSeparated) that the engine reads parameters in."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _checked(name: str) -> str:
    """Let only names through: they stand in SET statements, which take no placeholder there."""
    if not _SETTING_NAME.fullmatch(name):
        raise ClickHouseError.of(ErrorCode.UNKNOWN_SETTING, f"Unknown setting {name!r}")
    return name


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
