"""From a request to its answer: read the statement, run it on a handle, send the result."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from local.clickhouse.compression import decompressed
from local.clickhouse.engine import STREAMABLE_FORMATS
from local.clickhouse.errors import ClickHouseError, ErrorCode
from local.clickhouse.form import read_parts
from local.clickhouse.request import DEFAULT_FORMAT, PARAMETER, Request, parameter_value
from local.clickhouse.response import HELD_BYTES, HELD_BYTES_ON_WAIT
from local.clickhouse.staging import staged
from local.clickhouse.statement import Kind, Statement, first_word, read_statement, split_insert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.clickhouse.engine import Engine, Handle
    from local.clickhouse.response import Response
    from local.clickhouse.running import Running
    from local.clickhouse.sessions import Sessions

# How much of a body is searched for the FORMAT clause of an INSERT at first; doubled while it is not found.
_HEAD_BYTES = 64 * 1024
# The engine takes statements up to 256 KiB (max_query_size), but for the rows of INSERT … VALUES. The data of
# INSERT … FORMAT does not count.
MAX_STATEMENT_BYTES = 16 << 20


class ExternalTable(NamedTuple):
    """A table that comes with a request and lives as long as it."""

    name: str
    structure: str
    format_name: str
    data: bytes


def execute(
    engine: Engine, sessions: Sessions, running: Running, request: Request, body: Iterator[bytes], response: Response
) -> None:
    """Run the statement of a request and send its result.

    Raises:
        ClickHouseError: the statement was refused or failed.
        OSError: the client has gone.
    """
    chunks = decompressed(body, request.content_encoding)
    tables: list[ExternalTable] = []
    if request.boundary is not None:
        request, tables = _with_form(request, _whole(chunks))
        chunks = iter(())
    statement, data = _read(request.query, chunks)
    if request.reads_only and statement.changes:
        reason = (
            "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
            "You should use method POST for modifying queries."
        )
        raise ClickHouseError.of(ErrorCode.READONLY, reason)
    if statement.kill is not None:
        response.send([engine.kill(*statement.kill, statement.format or request.default_format)], hold_bytes=HELD_BYTES)
        return
    running.cancel_on_disconnect = request.cancel_on_disconnect and statement.kind is Kind.SELECT
    with _handle(engine, sessions, request, statement) as handle:
        if request.database:
            handle.use(request.database)
        handle.prepare(request.query_id, request.settings)
        for table in tables:
            _load(engine, handle, table, response)
        _run(engine, handle, request, statement, data, response)
    if request.session_id and request.close_session:
        sessions.end(request.session_id)


def _read(query: bytes, chunks: Iterator[bytes]) -> tuple[Statement, Iterator[bytes]]:
    """Read the statement from the address and the body, and the data that follows it."""
    # The server reads the two as one text with a line end between.
    head = query + b"\n" if query.strip() else b""
    wanted = len(head)
    whole = False
    while True:
        pieces = [head]
        size = len(head)
        while size < wanted and not whole:
            chunk = next(chunks, None)
            whole = chunk is None
            pieces.append(chunk or b"")
            size += len(pieces[-1])
        head = b"".join(pieces)
        if head and first_word(head) == b"INSERT":
            statement, start = split_insert(head, whole=whole)
            if statement is not None:
                return statement, chain([head[start:]], chunks)
        if whole:
            return read_statement(head), iter(())
        _check_size(size)
        wanted = max(_HEAD_BYTES, 2 * size)


def _whole(chunks: Iterator[bytes]) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        _check_size(size)
    return b"".join(pieces)


def _check_size(size: int) -> None:
    if size > MAX_STATEMENT_BYTES:
        reason = f"A statement, and a form, may have {MAX_STATEMENT_BYTES} bytes at most"
        raise ClickHouseError.of(ErrorCode.QUERY_IS_TOO_LARGE, reason)


def _with_form(request: Request, body: bytes) -> tuple[Request, list[ExternalTable]]:
    """Merge the fields of a form into the request. Its files are external tables."""
    settings = dict(request.settings)
    parameters = dict(request.parameters)
    query = request.query
    tables = []
    for part in read_parts(body, request.boundary or ""):
        if part.is_file:
            structure = settings.pop(f"{part.name}_structure", "")
            types = settings.pop(f"{part.name}_types", "")
            if not structure:
                structure = ", ".join(
                    f"_{number} {name}" for number, name in enumerate(types.split(","), start=1) if name
                )
            format_name = settings.pop(f"{part.name}_format", DEFAULT_FORMAT)
            tables.append(ExternalTable(part.name, structure, format_name, part.content))
        elif part.name.startswith(PARAMETER):
            parameters[part.name.removeprefix(PARAMETER)] = parameter_value(part.content)
        elif part.name == "query":
            query += part.content
        else:
            settings[part.name] = part.content.decode("utf-8", errors="replace")
    return replace(request, query=query, settings=settings, parameters=parameters), tables


@contextmanager
def _handle(engine: Engine, sessions: Sessions, request: Request, statement: Statement) -> Iterator[Handle]:
    """Lend the handle of the request's session, or a new one when it has no session that is kept."""
    if request.session_id is None:
        with engine.open() as handle:
            yield handle
        return
    with sessions.taken(request.session_id, request.session_timeout_seconds, make=statement.leaves_state) as session:
        if session is None:
            with engine.open() as handle:
                yield handle
            return
        try:
            yield session.handle
            if statement.sets:
                session.remember(statement.text, request.parameters)
        finally:
            session.restore(request.settings)


def _load(engine: Engine, handle: Handle, table: ExternalTable, response: Response) -> None:
    # The structure is the client's own SQL, as the statement is; only the name has a placeholder.
    handle.run(f"CREATE TEMPORARY TABLE {{name:Identifier}} ({table.structure})", {"name": table.name})
    clauses = b"FORMAT " + table.format_name.encode()
    with staged(iter([table.data]), engine.staging_folder) as path:
        handle.insert(b"INSERT INTO {table:Identifier}", {"table": table.name}, clauses, path, response.progress)


def _run(
    engine: Engine,
    handle: Handle,
    request: Request,
    statement: Statement,
    data: Iterator[bytes],
    response: Response,
) -> None:
    if statement.kind is Kind.INSERT_DATA:
        with staged(data, engine.staging_folder) as path:
            handle.insert(statement.text, request.parameters, statement.clauses, path, response.progress)
        response.send([], hold_bytes=HELD_BYTES)
        return
    format_name = statement.format or request.default_format
    if statement.kind is not Kind.COMMAND:
        response.headers["X-ClickHouse-Format"] = format_name
    hold_bytes = HELD_BYTES_ON_WAIT if request.wait_end else HELD_BYTES
    if statement.kind is Kind.SELECT and format_name in STREAMABLE_FORMATS:
        with closing(handle.stream(statement.text, request.parameters, format_name, response.progress)) as chunks:
            response.send(chunks, hold_bytes=hold_bytes)
        return
    response.send(
        handle.pieces(statement.text, request.parameters, format_name, response.progress), hold_bytes=hold_bytes
    )
