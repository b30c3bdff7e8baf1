"""Paths for training: the channels of journeys that went the same way, and how those journeys ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class PathCount(NamedTuple):
    """Journeys over one sequence of channels. The same sequence may come in several of these; they add up."""

    channels: Sequence[str]
    """In the order of (time, touchpoint id). Journeys without a touch are skipped: they say nothing about channels."""
    conversions: float
    """Journeys that converted here, one for each conversion."""
    value: float
    """Value of those conversions, in one unit and currency (micros)."""
    nulls: float
    """Journeys that ended without a conversion."""


def checked(paths: Iterable[PathCount]) -> Iterable[PathCount]:
    """Yield the paths that have channels and journeys.

    Raises:
        ValueError: a count is negative, or value stands where nothing converted.
    """
    for path in paths:
        if not (path.conversions >= 0 and path.nulls >= 0 and path.value >= 0) or (path.value and not path.conversions):
            raise ValueError(
                f"a path has conversions {path.conversions}, value {path.value}, nulls {path.nulls}; "
                "allowed: none negative, and value only with conversions"
            )
        if path.channels and path.conversions + path.nulls > 0:
            yield path
