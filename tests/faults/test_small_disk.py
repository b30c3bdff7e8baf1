"""A full disk takes nothing more, until it is emptied; without the right to mount, the fault says so."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from tests.faults.small_disk import NoSmallDiskError, may_mount, small_disk

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_disk_takes_nothing_until_it_is_emptied(tmp_path: Path) -> None:
    if not may_mount():
        pytest.skip("needs the right to mount a file system")
    folder = tmp_path / "disk"
    with small_disk(folder, megabytes=4) as disk:
        assert disk.fill() > 1 << 20
        with pytest.raises(OSError, match="No space left") as refused:
            (folder / "more").write_bytes(b"x")
        assert refused.value.errno == errno.ENOSPC
        disk.empty()
        assert (folder / "more").write_bytes(b"x") == 1
    # It is gone with all that was on it.
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_mounted_over_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoSmallDiskError, match=str(tmp_path)), small_disk(tmp_path / "disk"):
        pytest.fail("it was mounted")
