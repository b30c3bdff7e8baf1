"""The body of an HTTP request as a stream of chunks, of known length or chunked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from io import BufferedIOBase

_CHUNK_BYTES = 1 << 20
# A chunk's size line is a hexadecimal number and, rarely, an extension.
_MAX_LINE_BYTES = 1024
# A client that is still sending does not read an answer. More than this is not worth waiting for.
_MAX_DRAINED_BYTES = 1 << 30


class RequestBody:
    """Reads the body once. After an error inside it the connection cannot be used again: see `whole`."""

    def __init__(self, stream: BufferedIOBase, headers: Message) -> None:
        """Read the headers about length.

        Raises:
            ClickHouseError: a length that is not a number, or an unknown transfer encoding.
        """
        self._stream = stream
        coding = headers.get("Transfer-Encoding", "").strip().lower()
        length = headers.get("Content-Length", "0")
        if coding not in {"", "chunked"}:
            raise ClickHouseError.of(ErrorCode.NOT_IMPLEMENTED, f"Unsupported transfer encoding: {coding!r}")
        if not (length.isascii() and length.isdigit()):
            raise ClickHouseError.of(ErrorCode.BAD_ARGUMENTS, f"Bad Content-Length: {length!r}")
        # One generator for all readers: `drain` goes on where an insert stopped.
        self._source = self._chunked() if coding else self._sized(int(length))
        self._broken = False
        self.whole = False
        """True once the last byte was read."""

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of the body; raises ClickHouseError when it ends too early, OSError from the socket."""
        try:
            # `yield from` would close the shared generator together with this one.
            for chunk in self._source:  # noqa: UP028
                yield chunk
        except (ClickHouseError, OSError):
            self._broken = True
            raise
        self.whole = not self._broken

    def drain(self) -> None:
        """Read and forget what is left, so that the client gets to reading its answer."""
        left = _MAX_DRAINED_BYTES
        try:
            for chunk in self.chunks():
                left -= len(chunk)
                if left < 0:
                    return
        except (ClickHouseError, OSError):
            return

    def _sized(self, length: int) -> Iterator[bytes]:
        while length:
            chunk = self._stream.read(min(length, _CHUNK_BYTES))
            if not chunk:
                raise ClickHouseError.of(
                    ErrorCode.NETWORK_ERROR, f"Unexpected end of the request body: {length} bytes are missing"
                )
            length -= len(chunk)
            yield chunk

    def _chunked(self) -> Iterator[bytes]:
        while (size := self._chunk_size()) > 0:
            yield from self._piece(size)
        while self._line():
            pass  # trailers

    def _piece(self, size: int) -> Iterator[bytes]:
        while size:
            chunk = self._stream.read(min(size, _CHUNK_BYTES))
            if not chunk:
                raise ClickHouseError.of(ErrorCode.NETWORK_ERROR, "Unexpected end of a chunked request body")
            size -= len(chunk)
            yield chunk
        if self._line():
            raise ClickHouseError.of(
                ErrorCode.BAD_ARGUMENTS, "Bad chunked request body: a chunk is longer than its size says"
            )

    def _chunk_size(self) -> int:
        line = self._line().split(b";")[0].strip()
        try:
            return int(line, 16)
        except ValueError as error:
            raise ClickHouseError.of(ErrorCode.BAD_ARGUMENTS, f"Bad size of a chunk: {line[:32]!r}") from error

    def _line(self) -> bytes:
        line = self._stream.readline(_MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise ClickHouseError.of(ErrorCode.NETWORK_ERROR, "Unexpected end of a chunked request body")
        return line.rstrip(b"\r\n")
