"""Money as integer micros (millionths) of one ISO 4217 currency: exact sums, no floating point.

Amounts of different currencies are never added; the currency travels beside the micros.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException

MICROS_PER_UNIT = 1_000_000

# 64-bit columns hold the micros: 9.2 * 10^12 units of a currency.
MAX_MICROS = 2**63 - 1

# An amount below MAX_MICROS with six decimals has at most 19 digits; the rest is room for what is rounded away.
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def to_micros(amount: Decimal | int | str) -> int:
    """Return `amount` (units of a currency, such as "12.34") in micros, rounded half to even at the sixth decimal.

    Floats are not taken: 0.1 as a float is no amount of money. Pass their text.

    Raises:
        ValueError: not a finite number, or beyond 64 bits of micros.
    """
    try:
        value = int(_CONTEXT.scaleb(_CONTEXT.create_decimal(amount), 6).quantize(Decimal(1), context=_CONTEXT))
    except (DecimalException, ValueError, OverflowError) as error:
        raise ValueError(
            f"amount is {amount!r}; allowed: a finite decimal number of at most 64 bits of micros"
        ) from error
    if abs(value) > MAX_MICROS:
        raise ValueError(f"amount is {amount!r}; allowed: at most {MAX_MICROS} micros")
    return value


def to_units(micros: int) -> Decimal:
    """Return `micros` as an exact decimal number of currency units, with six decimals."""
    return Decimal(micros).scaleb(-6, context=_CONTEXT)
