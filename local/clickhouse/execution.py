"""From a request to its answer: read the statement, run it on a handle of its own, send the result."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from local.clickhouse.engine import STREAMABLE_FORMATS
from local.clickhouse.errors import ClickHouseError, ErrorCode
from local.clickhouse.response import HELD_BYTES, HELD_BYTES_ON_WAIT
from local.clickhouse.statement import Kind, Statement, first_word, read_statement, split_insert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.clickhouse.engine import Engine, Handle
    from local.clickhouse.request import Request
    from local.clickhouse.response import Response

# How much of a body is searched for the FORMAT clause of an INSERT at first; doubled while it is not found.
_HEAD_BYTES = 64 * 1024
# Statements are text. One larger than this is data in the wrong place (the data of INSERT … FORMAT does not count).
MAX_STATEMENT_BYTES = 256 << 20


def execute(engine: Engine, request: Request, body: Iterator[bytes], response: Response) -> None:
    """Run the statement of a request and send its result.

    Raises:
        ClickHouseError: the statement was refused or failed.
        OSError: the client has gone.
    """
    statement, data = _read(request.query, body)
    if statement.kill_query_id is not None:
        response.send([engine.kill(statement.kill_query_id)], hold_bytes=HELD_BYTES)
        return
    with engine.open({"log_comment": request.query_id}) as handle:
        _prepare(handle, request)
        if statement.kind is Kind.INSERT_DATA:
            handle.insert(
                statement.text.decode("utf-8", errors="surrogateescape"),
                statement.format or "",
                data,
                request.parameters,
                response.progress,
            )
            response.send([], hold_bytes=HELD_BYTES)
            return
        _run(handle, request, statement, response)


def _read(query: bytes, body: Iterator[bytes]) -> tuple[Statement, Iterator[bytes]]:
    """Read the statement from the address and the body, and the data that follows it."""
    # The server reads the two as one text with a line end between.
    head = query + b"\n" if query.strip() else b""
    wanted = len(head)
    whole = False
    while True:
        while len(head) < wanted and not whole:
            chunk = next(body, None)
            if chunk is None:
                whole = True
            else:
                head += chunk
        if head and first_word(head) == b"INSERT":
            statement = split_insert(head, whole=whole)
            if statement is not None:
                return statement, chain([head[statement.data_start :]], body)
        if whole:
            return read_statement(head.rstrip() if query.strip() else head), iter(())
        if len(head) > MAX_STATEMENT_BYTES:
            raise ClickHouseError.of(
                ErrorCode.QUERY_IS_TOO_LARGE, f"A statement may have {MAX_STATEMENT_BYTES} bytes at most"
            )
        wanted = max(_HEAD_BYTES, 2 * len(head))


def _prepare(handle: Handle, request: Request) -> None:
    if request.database:
        handle.use(request.database)
    handle.set(request.settings)
    if request.read_only:
        # As the server: a GET may not change anything. 2 allows settings in the statement itself.
        handle.set({"readonly": "2"})


def _run(handle: Handle, request: Request, statement: Statement, response: Response) -> None:
    format_name = statement.format or request.default_format
    if statement.kind in {Kind.SELECT, Kind.ROWS}:
        response.headers["X-ClickHouse-Format"] = format_name
    response.headers["Content-Type"] = "text/plain; charset=UTF-8"
    hold_bytes = HELD_BYTES_ON_WAIT if request.wait_end else HELD_BYTES
    if statement.kind is Kind.SELECT and format_name in STREAMABLE_FORMATS:
        chunks = handle.stream(statement.text, format_name, request.parameters, response.progress)
        try:
            response.send(chunks, hold_bytes=hold_bytes)
        finally:
            chunks.close()
        return
    response.send(
        [handle.run(statement.text, format_name, request.parameters, response.progress)], hold_bytes=hold_bytes
    )
