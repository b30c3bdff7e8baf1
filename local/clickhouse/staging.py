"""The data of an INSERT, whole, where the engine can read it: in memory while small, else in a file without a name.

The engine gets the data only when its last byte has arrived, so a client that dies half-way leaves nothing behind.
chDB's own streaming insert is not used: it reports success when the write fails after the data was parsed (a violated
constraint, too many partitions), as seen with 4.4.0. Inline data in a statement is not used either: chDB cuts it at
blank lines. INSERT … FROM INFILE does neither.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# An insert of 100,000 events is some 20 MB; with many clients at once, larger ones do not belong in memory.
IN_MEMORY_BYTES = 32 << 20


@contextmanager
def staged(chunks: Iterator[bytes], folder: Path) -> Iterator[str]:
    """Collect `chunks` and give the path under which this process can read them; gone at the end, and with the process.

    `folder` is on the disk that larger data is put on.

    Raises:
        ClickHouseError: memory or disk is full. Also what `chunks` raises.
    """
    file = os.memfd_create("insert")
    try:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            # What `chunks` raises about the client must stay apart from what the disk raises.
            try:
                if size - len(chunk) <= IN_MEMORY_BYTES < size:
                    _move(file, folder)
                _write(file, chunk)
            except OSError as error:
                reason = f"Cannot hold the data of the insert: {error.strerror}"
                raise ClickHouseError.of(ErrorCode.NOT_ENOUGH_SPACE, reason) from error
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)


def _move(file: int, folder: Path) -> None:
    """Copy what is in memory to a file that has no name, and let the descriptor stand for that."""
    with tempfile.TemporaryFile(dir=folder) as made:
        size = os.lseek(file, 0, os.SEEK_END)
        copied = 0
        while copied < size:
            copied += os.sendfile(made.fileno(), file, copied, size - copied)
        os.dup2(made.fileno(), file, inheritable=False)


def _write(file: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(file, view) :]
