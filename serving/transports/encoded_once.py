"""What many clients are sent is encoded once: answers at hand and changes of live values are the same message for all
who ask or watch the same."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

E = TypeVar("E")

# Messages that are being sent to many at one moment: a few questions of a few tenants, and the newest changes.
REMEMBERED = 64
# Larger messages are pages of exports, which are not sent twice.
LARGEST_BYTES = 256 * 1024


class EncodedOnce(Generic[E]):
    """An encoder of messages that remembers what it made of the newest ones. Used from one event loop.

    A message must not be changed once it was given to it, as handlers hold to. It is known by its identity: the message
    is kept as long as what was made of it, so that no other can take its place in memory.
    """

    def __init__(self, encode: Callable[[Any], E]) -> None:
        """Wrap an encoder."""
        self._encode = encode
        self._made: OrderedDict[int, tuple[Any, E]] = OrderedDict()

    def __call__(self, message: Any) -> E:
        """Return what the encoder makes of a message; raises what it raises."""
        held = self._made.get(id(message))
        if held is not None and held[0] is message:
            return held[1]
        made = self._encode(message)
        if message.ByteSize() <= LARGEST_BYTES:
            self._made[id(message)] = (message, made)
            if len(self._made) > REMEMBERED:
                self._made.popitem(last=False)
        return made
