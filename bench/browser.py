"""The browser in which pages are measured: the machine's Chromium."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium without a window; exits with a message when it is not installed."""
    found = shutil.which("chromium")
    if found is None:
        raise SystemExit("chromium is not installed: run `make toolchain`")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found, args=["--headless", "--no-sandbox"]) as browser,
    ):
        yield browser
