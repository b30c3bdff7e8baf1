"""Sending a result: held back while it is small, streamed when it is not, compressed as the client asked."""

from __future__ import annotations

import json
import secrets
import time
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from local.clickhouse.compression import accepted_encoding, compressor
from local.clickhouse.engine import Progress
from local.clickhouse.errors import ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Results up to this size have their length and the whole summary in the headers, and an error in them has its status.
HELD_BYTES = 1 << 20
# With wait_end_of_query the client asks for that whatever the size. The server writes such results to a file; here
# memory is the limit, and a larger result is streamed after all, with a late error inside the body.
HELD_BYTES_ON_WAIT = 16 << 20
_TAG_BYTES = 8


class Sender(Protocol):
    """The part of the HTTP handler that a response needs; both calls raise OSError when the client has gone."""

    def head(self, status: HTTPStatus, headers: dict[str, str], length: int | None) -> None:
        """Send the status line and the headers; `length` is None when the body's length is not known yet."""

    def write(self, data: bytes) -> None:
        """Send bytes of the body."""

    def end(self) -> None:
        """Say that the body is whole."""


class Response:
    """The answer to one statement."""

    def __init__(self, sender: Sender) -> None:
        """Make an answer that has nothing in it yet."""
        self._sender = sender
        self._encoding: str | None = None
        self._started_at = time.monotonic()
        self.headers: dict[str, str] = {"Content-Type": "text/plain; charset=UTF-8"}
        self.progress = Progress()
        self._rest = b""
        self.started = False
        """True once the status has been sent: an error can no longer have its own."""

    def describe(self, query_id: str, accept_encoding: str) -> None:
        """Say which statement this answers, and what the client can decompress."""
        self._encoding = accepted_encoding(accept_encoding)
        self.headers["X-ClickHouse-Query-Id"] = query_id

    def fail(self, error: ClickHouseError) -> None:
        """Send an error in place of a result; only before `started`. Raises OSError when the client has gone."""
        body = (error.text + "\n").encode("utf-8", errors="replace")
        self.started = True
        headers = self._result_headers() | {"X-ClickHouse-Exception-Code": str(error.code)}
        self._sender.head(error.status, headers, len(body))
        self._rest = body
        self.finish()

    def finish(self) -> None:
        """Send what makes the answer whole; raises OSError when the client has gone.

        To be called when the statement's session and query id are free again: a client that has the whole answer may
        use them at once.
        """
        self._sender.write(self._rest)
        self._sender.end()

    def send(self, chunks: Iterable[bytes], *, hold_bytes: int) -> None:
        """Send a result, up to what `finish` sends.

        Raises:
            ClickHouseError: from `chunks`; when `started` is True, the client has been told inside the body.
            OSError: the client has gone.
        """
        source = iter(chunks)
        held: list[bytes] = []
        size = 0
        for chunk in source:
            held.append(chunk)
            size += len(chunk)
            if size > hold_bytes:
                self._stream(_emptying(held), source)
                return
        self._send_whole(b"".join(held))

    def _send_whole(self, body: bytes) -> None:
        headers = self._result_headers()
        if self._encoding and body:
            packer = compressor(self._encoding)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = self._encoding
        self.started = True
        self._sender.head(HTTPStatus.OK, headers, len(body))
        self._rest = body

    def _stream(self, held: Iterator[bytes], source: Iterator[bytes]) -> None:
        tag = secrets.token_hex(_TAG_BYTES)
        headers = self._result_headers() | {"X-ClickHouse-Exception-Tag": tag}
        packer = compressor(self._encoding) if self._encoding else None
        if self._encoding:
            headers["Content-Encoding"] = self._encoding
        self.started = True
        self._sender.head(HTTPStatus.OK, headers, None)

        def write(data: bytes) -> None:
            self._sender.write(packer.compress(data) if packer else data)

        failure: ClickHouseError | None = None
        try:
            for chunk in chain(held, source):
                write(chunk)
        except ClickHouseError as error:
            failure = error
            write(_late_error(error, tag))
        rest = packer.flush() if packer else b""
        if failure is not None:
            # The body is not ended: a client that knows nothing of the tag cannot take it for a whole result either.
            self._sender.write(rest)
            raise failure
        self._rest = rest

    def _result_headers(self) -> dict[str, str]:
        return self.headers | {"X-ClickHouse-Summary": summary(self.progress, time.monotonic() - self._started_at)}


def summary(progress: Progress, seconds: float) -> str:
    """Write X-ClickHouse-Summary: the figures as text, as the server does."""
    figures = {
        "read_rows": progress.read_rows,
        "read_bytes": progress.read_bytes,
        "written_rows": progress.written_rows,
        "written_bytes": progress.written_bytes,
        "total_rows_to_read": progress.read_rows,
        "result_rows": progress.result_rows or progress.written_rows,
        "result_bytes": progress.result_bytes or progress.written_bytes,
        "elapsed_ns": int(seconds * 1e9),
    }
    return json.dumps({name: str(value) for name, value in figures.items()}, separators=(",", ":"))


def _emptying(held: list[bytes]) -> Iterator[bytes]:
    """Yield the held chunks and let each go once it was sent."""
    held.reverse()
    while held:
        yield held.pop()


def _late_error(error: ClickHouseError, tag: str) -> bytes:
    """Write an error into a body, between marks that carry the tag of the headers, as the server does."""
    message = error.text.encode("utf-8", errors="replace") + b"\n"
    mark = tag.encode()
    return b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (mark, message, len(message), mark)
