"""A small disk of its own for a component's folder, which a fault can fill to the last byte."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Some hours of a run's rows, and little enough to be filled in some seconds. It is memory, taken as it is written.
_MEGABYTES = 1024
_BLOCK = bytes(1 << 20)
_BLOCK_SECONDS = 0.004
_COMMAND_SECONDS = 30


class NoSmallDiskError(Exception):
    """No disk can be mounted here; the message says why."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted file system. Only what else lies on it is short of space when it is full."""

    folder: Path

    def fill(self) -> int:
        """Write until nothing fits any more; return the bytes written."""
        filler = self._filler()
        # Unbuffered: what a buffer holds back would not fit when the file is closed.
        with filler.open("wb", buffering=0) as file:
            for size in (len(_BLOCK), 1):
                try:
                    while file.write(_BLOCK[:size]):
                        # As another program would fill it, which does not write as fast as memory.
                        time.sleep(_BLOCK_SECONDS if size > 1 else 0)
                except OSError as error:
                    if error.errno != ENOSPC:
                        raise
        return filler.stat().st_size

    def empty(self) -> None:
        """Take away what `fill` wrote."""
        self._filler().unlink(missing_ok=True)

    def _filler(self) -> Path:
        return self.folder / "filler"


def may_mount() -> bool:
    """Tell whether this process has the right to mount a file system."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder)):
                return True
        except NoSmallDiskError:
            return False


@contextmanager
def small_disk(folder: Path, megabytes: int = _MEGABYTES) -> Iterator[SmallDisk]:
    """Mount an empty file system in memory over `folder` while the context is open; needs the right to mount.

    Raises:
        NoSmallDiskError: it could not be mounted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = ("-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tributary-faults", str(folder))
    try:
        subprocess.run(("mount", *options), check=True, capture_output=True, text=True, timeout=_COMMAND_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error)
        raise NoSmallDiskError(f"no file system can be mounted in {folder}: {told.strip()}") from error
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a process that was killed may still hold a file for a moment.
        subprocess.run(("umount", "--lazy", str(folder)), check=True, timeout=_COMMAND_SECONDS)
