"""Content-Encoding of request and response bodies: lz4 (frames), zstd, gzip, deflate."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Protocol

import lz4.frame  # type: ignore[import-untyped]
import zstandard

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

# In the order of preference when a client takes several: the fastest first.
ENCODINGS = ("lz4", "zstd", "gzip", "deflate")
# Both ends are on one machine: the cheapest level.
_ZSTD_LEVEL = 1
_ZLIB_LEVEL = 1
_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15


class Compressor(Protocol):
    """Compresses a body piece by piece."""

    def compress(self, data: bytes) -> bytes:
        """Take a piece; return what is ready to be sent."""

    def flush(self) -> bytes:
        """Return the rest."""


class _Lz4Compressor:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._started = False

    def compress(self, data: bytes) -> bytes:
        start = b"" if self._started else bytes(self._frame.begin())
        self._started = True
        return start + bytes(self._frame.compress(data))

    def flush(self) -> bytes:
        start = b"" if self._started else bytes(self._frame.begin())
        return start + bytes(self._frame.flush())


def compressor(encoding: str) -> Compressor:
    """Make a compressor for one of ENCODINGS."""
    made: Any
    if encoding == "lz4":
        made = _Lz4Compressor()
    elif encoding == "zstd":
        made = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    else:
        made = zlib.compressobj(_ZLIB_LEVEL, wbits=_GZIP_WINDOW if encoding == "gzip" else _ZLIB_WINDOW)
    return made  # type: ignore[no-any-return]


def accepted_encoding(header: str) -> str | None:
    """Choose the encoding for a response from an Accept-Encoding header; None when none of ours is taken."""
    offered = {item.split(";")[0].strip().lower() for item in header.split(",")}
    return next((name for name in ENCODINGS if name in offered), None)


def decompressed(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Undo the Content-Encoding of a request body; bodies made of several frames are joined.

    Raises:
        ClickHouseError: an unknown encoding, damaged data, or a body that ends inside a frame.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        for chunk in chunks:
            yield chunk
        return
    if name not in ENCODINGS:
        raise ClickHouseError.of(
            ErrorCode.UNKNOWN_COMPRESSION_METHOD,
            f"Unknown compression method: {encoding!r}; known: {', '.join(ENCODINGS)}",
        )
    frame: Any = None
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                frame = frame or _frame(name)
                piece = frame.decompress(rest)
                if piece:
                    yield piece
                rest = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = None
    except (RuntimeError, zlib.error, zstandard.ZstdError) as error:
        raise ClickHouseError.of(ErrorCode.CANNOT_DECOMPRESS, f"Cannot decompress {name} body: {error}") from error
    if frame is not None:
        raise ClickHouseError.of(ErrorCode.CANNOT_DECOMPRESS, f"Cannot decompress {name} body: it ends inside a frame")


def _frame(name: str) -> Any:
    if name == "lz4":
        return lz4.frame.LZ4FrameDecompressor()
    if name == "zstd":
        return zstandard.ZstdDecompressor().decompressobj()
    return zlib.decompressobj(wbits=_GZIP_WINDOW if name == "gzip" else _ZLIB_WINDOW)
