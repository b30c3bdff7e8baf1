"""Comparisons with a system that may still be at work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.oracle.comparison import Difference

_POLL_SECONDS = 1.0


def staying(differences: Callable[[], list[Difference]], seconds: float) -> str:
    """Compare until nothing differs, for so many seconds; return the differences that stay, a line each."""
    deadline = time.monotonic() + seconds
    while found := differences():
        if time.monotonic() > deadline:
            return "\n".join(str(difference) for difference in found)
        time.sleep(_POLL_SECONDS)
    return ""
