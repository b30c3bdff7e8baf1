"""Stored credits against the exact ones, conversion by conversion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.oracle.attribution import Conversion, flaw

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

# Weights are stored as 64-bit floats.
WEIGHT_TOLERANCE = 1e-9


@dataclass(slots=True)
class CreditResult:
    """Rows (one a conversion and model) expected and found, and what is wrong with them in words."""

    expected: int = 0
    found: int = 0
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def compare_credits(conversions: Iterable[Conversion], stored: Iterable[pa.Table]) -> CreditResult:
    """Compare. `stored` has the columns of comparison.CREDITS_QUERY."""
    result = CreditResult()
    known = {(conversion.tenant_id, conversion.conversion_id): conversion for conversion in conversions}
    left = {(*key, model) for key, conversion in known.items() for model in conversion.models}
    result.expected = len(left)
    for batch in stored:
        for row in batch.to_pylist():
            result.found += 1
            key = (row["tenant_id"], row["conversion_id"], row["model"])
            conversion = known.get(key[:2])
            if conversion and conversion.rules is not None and key[2] not in conversion.models:
                continue  # a model that is no longer chosen keeps its last credits
            if key not in left:
                twice = " again" if key[:2] in known and key[2] in known[key[:2]].models else ""
                result.unexpected.append(f"unexpected{twice}: {_name(*key)}")
                continue
            left.remove(key)
            fault = credit_flaw(known[key[:2]], row)
            if fault:
                result.wrong.append(f"wrong: {_name(*key)}: {fault}")
    result.missing = [f"missing: {_name(*key)}" for key in sorted(left)]
    return result


def credit_flaw(conversion: Conversion, row: dict[str, Any]) -> str | None:
    """What is wrong with a stored row, None when nothing is."""
    plain = {
        "conversion_time": conversion.time,
        "conversion_type": conversion.conversion_type,
        "customer_id": conversion.customer_id,
        "journey_id": conversion.journey_id,
        "currency": conversion.currency,
        "gross_value_micros": conversion.gross,
        "value_micros": conversion.net,
        "touchpoint_ids": [entry.touchpoint_id for entry in conversion.entries],
        "channels": [entry.channel for entry in conversion.entries],
        "campaign_ids": [entry.campaign_id for entry in conversion.entries],
        "times": [entry.time for entry in conversion.entries],
    }
    for name, expected in plain.items():
        if row[name] != expected:
            return f"{name} is {row[name]!r}, expected {expected!r}"
    weights = conversion.weights(row["model"])
    if len(row["weights"]) != len(weights) or any(
        abs(found - float(weight)) > WEIGHT_TOLERANCE for found, weight in zip(row["weights"], weights, strict=True)
    ):
        return f"weights are {row['weights']!r}, expected {[float(weight) for weight in weights]!r}"
    fault = flaw(conversion.net, weights, row["micros"])
    return f"credited micros are {row['micros']!r}: {fault}" if fault else None


def _name(tenant_id: str, conversion_id: str, model: str) -> str:
    return f"tenant_id={tenant_id!r} conversion_id={conversion_id!r} model={model!r}"
