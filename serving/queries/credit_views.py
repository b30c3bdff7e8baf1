"""Credits of conversions as a model, or a model with a shorter look-back, gives them: the rows that summaries and
comparisons add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.filters import Kind, Name
from serving.queries.time_predicates import within

if TYPE_CHECKING:
    from serving.queries.filters import Condition

UNATTRIBUTED = "unattributed"
"""Channel of the one entry of a conversion that has no touch."""
FILTER_NAMES = {
    "conversion_type": Name("conversion_type"),
    "currency": Name("currency"),
    "customer": Name("customer_id"),
    "value_micros": Name("value_micros", Kind.WHOLE),
}
"""What a filter of conversions may name."""

# For these the weights of the touches that are left, made to add up to 1 again, are what the model gives to the shorter
# path: each touch's weight depends on itself alone, or on being the first or the last.
PROPORTIONAL = ("linear", "time_decay")
LOOKBACK_MODELS = (*PROPORTIONAL, "first_touch", "last_touch", "last_non_direct")
"""Models whose credit under a shorter look-back follows from what is stored."""


@dataclass(frozen=True, slots=True)
class CreditFilter:
    """Which conversions count: those in [start_ms, end_ms), of some types (empty: all), that meet the condition."""

    start_ms: int
    end_ms: int
    conversion_types: tuple[str, ...] = ()
    condition: Condition | None = None

    def sql(self, tenant_id: str, parameters: dict[str, Any]) -> str:
        """Return the predicate with the tenant's; binds all values."""
        parameters |= {"tenant": tenant_id, "start": self.start_ms, "end": self.end_ms}
        parts = ["tenant_id = {tenant:String}", within("conversion_time")]
        if self.conversion_types:
            parameters["types"] = list(self.conversion_types)
            parts.append("conversion_type IN {types:Array(String)}")
        if self.condition is not None:
            parts.append(self.condition.sql(parameters))
        return " AND ".join(parts)


@dataclass(frozen=True, slots=True)
class CreditView:
    """A model, and how long before a conversion a touch may lie (None: as long as the pipeline lets it)."""

    model: str
    lookback_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CreditSplit:
    """What credit is split by, beside currency."""

    channel: bool = False
    campaign: bool = False
    source: bool = False
    creative: bool = False
    day: bool = False

    @property
    def of_events(self) -> bool:
        """True when it needs what only the touchpoints' events tell."""
        return self.source or self.creative


def view_rows(view: CreditView, conditions: str, parameters: dict[str, Any], number: int) -> str:
    """Return the SQL of the conversions in a view: conversion_id, conversion_time, currency, revision, value_micros,
    gross_value_micros, and the touches as an array `credited` of (touchpoint id, channel, campaign id, weight, micros).

    `conditions` are those of `CreditFilter.sql`; `number` tells the views of a statement apart.
    """
    parameters[f"model{number}"] = view.model
    stored = f"""
    SELECT conversion_id, conversion_time, currency, revision, value_micros, gross_value_micros,
           arrayZip(`touches.touchpoint_id`, arrayMap(name -> toString(name), `touches.channel`),
                    `touches.campaign_id`, `touches.weight`, `touches.credited_micros`) AS credited,
           `touches.time` AS times
    FROM attribution_credits FINAL
    WHERE {conditions} AND model = {{model{number}:String}}
    """  # noqa: S608 - built from constants; values are bound
    if view.lookback_ms is None:
        return stored
    parameters[f"lookback{number}"] = view.lookback_ms
    in_time = f"toUnixTimestamp64Milli(time) >= toUnixTimestamp64Milli(conversion_time) - {{lookback{number}:Int64}}"
    return f"""
    SELECT conversion_id, conversion_time, currency, revision, value_micros, gross_value_micros,
           arrayFilter((touch, time) -> {in_time}, stored.credited, times) AS in_time,
           if(empty(in_time), [('', '{UNATTRIBUTED}', '', toFloat64(1), value_micros)], in_time) AS kept,
           {_weights(view.model)} AS weights,
           {_APPORTIONED} AS micros,
           arrayZip(kept.1, kept.2, kept.3, weights, micros) AS credited
    FROM ({stored}) AS stored
    """  # noqa: S608 - built from constants; values are bound


# Shares value_micros by the weights so that the parts sum to it, as `udfs.attribution.apportion` does: rounded down,
# and the rest one micro each to the largest remainders. Weights are floats here: what rounding leaves goes to the last.
_APPORTIONED = """
arrayMap(w -> value_micros * w, weights) AS quotas,
arrayMap(q -> toInt64(floor(q)), quotas) AS floors,
arraySort(i -> (floors[i] - quotas[i], i), arrayEnumerate(quotas)) AS by_remainder,
arrayMap((f, i) -> f + toInt64(indexOf(by_remainder, i) <= value_micros - arraySum(floors)), floors,
         arrayEnumerate(floors)) AS shared,
arrayMap((s, i) -> s + if(i = length(shared), value_micros - arraySum(shared), 0), shared, arrayEnumerate(shared))
"""


def _weights(model: str) -> str:
    """Return the SQL of the weights of the touches `kept`, which are ordered by time."""
    if model in PROPORTIONAL:
        # A weight can be too small for a float; then the newest touch, the heaviest one, has it all.
        total = "arraySum(kept.4)"
        place = "length(kept)"
        return (
            f"if({total} > 0, arrayMap(w -> w / {total}, kept.4), "
            f"arrayMap(i -> toFloat64(i = {place}), arrayEnumerate(kept)))"
        )
    place = {
        "first_touch": "1",
        "last_touch": "length(kept)",
        # 0 when there is none.
        "last_non_direct": "if(arrayLastIndex(c -> c != 'direct', kept.2) = 0, length(kept), "
        "arrayLastIndex(c -> c != 'direct', kept.2))",
    }[model]
    return f"arrayMap(i -> toFloat64(i = {place}), arrayEnumerate(kept))"
