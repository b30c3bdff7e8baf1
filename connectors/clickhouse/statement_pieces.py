"""Keys cut into as many as one statement takes: parameters travel in its URL, whose length servers limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")


def pieces(keys: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Return the keys in order, `most` or fewer at a time."""
    for first in range(0, len(keys), most):
        yield keys[first : first + most]
