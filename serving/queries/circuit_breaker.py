"""Leave a store that fails alone for a moment, so that callers get their answer at once and the store gets air."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# One fault may be chance, five in a row are not.
FAILURES_TO_OPEN = 5
# Short enough that the first answer after a repair is not noticeably late, long enough that a struggling store is
# not asked all the time.
OPEN_SECONDS = 2.0


@dataclass(slots=True)
class CircuitBreaker:
    """Closed: all calls pass. Open: none for OPEN_SECONDS. Then one call at a time is let through, and its end decides.

    Every call that `allows` lets pass must end in one of `succeeded`, `failed` or `abandoned`. Not safe across threads.
    """

    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _open_until: float = 0.0
    _trying: bool = field(default=False)

    @property
    def closed(self) -> bool:
        """True as long as no run of failures was seen; the last outcome that counts was good."""
        return self._failures < FAILURES_TO_OPEN

    @property
    def retry_after_seconds(self) -> float:
        """How long until a call may pass."""
        return max(0.0, self._open_until - self.clock())

    def allows(self) -> bool:
        """Tell whether a call may be made now."""
        if self.closed:
            return True
        if self._trying or self.clock() < self._open_until:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """Note a good answer: closes the circuit."""
        self._failures = 0
        self._trying = False

    def failed(self) -> None:
        """Note a fault of the store."""
        self._failures = min(self._failures + 1, FAILURES_TO_OPEN)
        self._trying = False
        if not self.closed:
            self._open_until = self.clock() + OPEN_SECONDS

    def abandoned(self) -> None:
        """Note a call that ended without telling anything about the store, such as one cancelled by its caller."""
        self._trying = False
