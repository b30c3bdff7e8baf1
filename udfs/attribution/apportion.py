"""Largest-remainder apportionment (Hamilton's method): an integer total shared by weights, exact to the last micro."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Weights become integers with this many bits for the largest one. More than a float's 53, so that weights
# that differ by a factor below 2^10 keep every bit; what is cut off the smaller ones is below 2^-63 of the total.
_BITS = 63


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Share `total` (micros, any sign) by `weights` (not negative, any scale) so that the parts sum to it exactly.

    Each part is its quota total·w/Σw rounded towards zero; the units left over go one each to the largest remainders,
    and among equal remainders to the earlier entries. All arithmetic is on integers, so the answer is the same on
    every machine, and a negative total gives exactly the mirror image of the positive one. A part is never of the
    other sign than the total, a weight of 0 gets 0, and each part lies within one micro of its quota.

    Source: Hamilton's method, see Balinski and Young, Fair Representation (1982), chapter 3.

    Raises:
        ValueError: a weight is negative or not finite, or none is positive while there is something to share.
    """
    largest = max(weights, default=0.0)
    if not (0.0 < largest < math.inf and all(weight >= 0.0 for weight in weights)):
        if total == 0 and not any(weights):
            return [0] * len(weights)
        raise ValueError(
            f"cannot share {total} by weights {list(weights)!r}; allowed: finite, not negative, one positive"
        )
    shift = _BITS - math.frexp(largest)[1]
    shares = [int(math.ldexp(weight, shift)) if weight else 0 for weight in weights]
    amount = abs(total)
    denominator = sum(shares)
    parts = [amount * share // denominator if share else 0 for share in shares]
    left = amount - sum(parts)
    if left:
        remainders = [amount * share % denominator for share in shares]
        # Sorting is stable, also in reverse: equal remainders stay in the order of their entries.
        for index in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:left]:
            parts[index] += 1
    return [-part for part in parts] if total < 0 else parts
