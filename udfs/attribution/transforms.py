"""Path transforms: which touches of a path a model sees, and under which channel name.

A transform takes the channels of a path in the order of (time, touchpoint id) and returns the touches that remain, as
(position in that path, channel). What it removes earns nothing; a path with a touch always keeps one. Transforms can
follow each other (`transformed`).

Definitions are those of Google's fractribution (README, "path_transform"), whose `unique` is the identity.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from udfs.attribution.heuristics import DIRECT

Touches = list[tuple[int, str]]
Transform = Callable[[Sequence[str]], Touches]


class TransformError(ValueError):
    """A transform has a name that is not known; the message says what is allowed."""


def identity(channels: Sequence[str]) -> Touches:
    """Keep every touch: D A B B C D C C stays as it is."""
    return list(enumerate(channels))


def exposure(channels: Sequence[str]) -> Touches:
    """Keep the first touch of each run of one channel: D A B B C D C C becomes D A B C D C."""
    return [(index, channel) for index, channel in enumerate(channels) if not index or channel != channels[index - 1]]


def first(channels: Sequence[str]) -> Touches:
    """Keep the first touch of each channel: D A B B C D C C becomes D A B C."""
    positions: dict[str, int] = {}
    for index, channel in enumerate(channels):
        positions.setdefault(channel, index)
    return [(index, channel) for channel, index in positions.items()]


def frequency(channels: Sequence[str]) -> Touches:
    """Keep the first touch of each channel, named with the number of its touches: D A B B C becomes D(1) A(1) B(2)
    C(1).
    """
    counts = Counter(channels)
    return [(index, f"{channel}({counts[channel]})") for index, channel in first(channels)]


def channel_of(name: str) -> str:
    """Return the channel of a name that `frequency` made: B(2) is B."""
    return name[: name.rindex("(")]


def remove_direct_if_not_all(channels: Sequence[str]) -> Touches:
    """Remove every direct touch, unless all are direct: D A D B D becomes A B."""
    return [touch for touch in enumerate(channels) if touch[1] != DIRECT] or identity(channels)


def remove_direct_if_last_and_not_all(channels: Sequence[str]) -> Touches:
    """Remove the direct touches at the end, unless all are direct: D A D D becomes D A."""
    end = len(channels)
    while end and channels[end - 1] == DIRECT:
        end -= 1
    return list(enumerate(channels[:end])) or identity(channels)


def trim(longest: int) -> Transform:
    """Return a transform that keeps the newest `longest` touches.

    Raises:
        ValueError: `longest` is below 1.
    """
    if longest < 1:
        raise ValueError(f"longest is {longest}; allowed: 1 or more")

    def trimmed(channels: Sequence[str]) -> Touches:
        return identity(channels)[-longest:]

    return trimmed


def transformed(channels: Sequence[str], transforms: Sequence[Transform]) -> Touches:
    """Apply transforms one after the other; positions are those of the original path."""
    touches = identity(channels)
    for transform in transforms:
        touches = [(touches[index][0], name) for index, name in transform([channel for _, channel in touches])]
    return touches


_BY_NAME: dict[str, Transform] = {
    transform.__name__: transform
    for transform in (
        identity,
        exposure,
        first,
        frequency,
        remove_direct_if_not_all,
        remove_direct_if_last_and_not_all,
    )
}
_TRIM = re.compile(r"trim\(([1-9]\d{0,3})\)")


@lru_cache(maxsize=1_000)  # tenants and conversion types have few chains, and each is asked for with every conversion
def chain(names: tuple[str, ...]) -> tuple[Transform, ...]:
    """Return the transforms with these names: those of the functions of this module, and `trim(20)`.

    Raises:
        TransformError: a name is unknown, or `frequency` is not the last: what follows it would not know the channels.
    """
    allowed = f"{', '.join(_BY_NAME)}, trim(1) to trim(9999); frequency last"
    found = []
    for name in names:
        trimmed = _TRIM.fullmatch(name)
        if not trimmed and name not in _BY_NAME:
            raise TransformError(allowed)
        found.append(trim(int(trimmed[1])) if trimmed else _BY_NAME[name])
    if frequency in found[:-1]:
        raise TransformError(allowed)
    return tuple(found)
