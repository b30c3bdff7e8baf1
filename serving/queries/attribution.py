"""Conversions with their credits, from the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from serving.queries.time_predicates import moment, since

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serving.queries.credit_views import CreditFilter
    from serving.queries.history import History


class Touch(NamedTuple):
    """One touch and its share of a conversion."""

    touchpoint_id: str
    channel: str
    campaign_id: str
    time_ms: int
    weight: float
    credited_micros: int


@dataclass(frozen=True, slots=True)
class ModelCredit:
    """What one model credits to the touches of a conversion.

    `columns` are those of TOUCHES, all of one length. Dozens of touches come with each conversion of a tenant, watched
    or not: they are made into values when somebody asks.
    """

    model: str
    model_version: str
    columns: Sequence[Sequence[Any]]

    @property
    def touches(self) -> Iterator[Touch]:
        """The touches, ordered by time."""
        return map(Touch._make, zip(*self.columns, strict=True))


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion with its credits by model. Micros are net of refunds, gross ones before. `created_ms` is 0 when
    unknown."""

    conversion_id: str
    conversion_type: str
    time_ms: int
    customer_id: str
    journey_id: str
    currency: str
    value_micros: int
    gross_value_micros: int
    models: tuple[ModelCredit, ...]
    revision: int
    created_ms: int = 0


TOUCHES = """
`touches.touchpoint_id`, arrayMap(name -> toString(name), `touches.channel`), `touches.campaign_id`,
arrayMap(moment -> toUnixTimestamp64Milli(moment), `touches.time`), `touches.weight`, `touches.credited_micros`
"""
"""The columns of a row of credits that are a `Touch` each, by its fields."""

_CONVERSION = f"""
SELECT conversion_id, toString(conversion_type), toUnixTimestamp64Milli(conversion_time), customer_id, journey_id,
       toString(currency), value_micros, gross_value_micros, revision, toString(model), toString(model_version),
       {TOUCHES}
FROM attribution_credits FINAL
WHERE tenant_id = {{tenant:String}}
"""  # noqa: S608 - built from constants; values are bound


def of_conversion(tenant_id: str, conversion_id: str, model: str, time_ms: int | None) -> tuple[str, dict[str, Any]]:
    """Return the condition, with its parameters, for the credits of a conversion by one model (empty: by all).

    `time_ms`: when the conversion happened, if known (UTC ms); it is part of the tables' key.
    """
    parameters: dict[str, Any] = {"tenant": tenant_id, "conversion": conversion_id}
    condition = "tenant_id = {tenant:String} AND conversion_id = {conversion:String}"
    if model:
        parameters["model"] = model
        condition += " AND model = {model:String}"
    if time_ms is not None:
        parameters["time"] = time_ms
        condition += f" AND conversion_time = {moment('{time:Int64}')}"
    return condition, parameters


def _conversions(rows: Sequence[Sequence[Any]]) -> list[Conversion]:
    """Join rows of one conversion and model each, which come one conversion after the other."""
    found: dict[str, Conversion] = {}
    for row in rows:
        credit = ModelCredit(row[9], row[10], row[11:17])
        known = found.get(row[0])
        found[row[0]] = Conversion(
            conversion_id=row[0],
            conversion_type=row[1],
            time_ms=row[2],
            customer_id=row[3],
            journey_id=row[4],
            currency=row[5],
            value_micros=row[6],
            gross_value_micros=row[7],
            models=(*(known.models if known else ()), credit),
            revision=max(row[8], known.revision if known else 0),
        )
    return list(found.values())


class AttributionQueries:
    """Reads of credits. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History) -> None:
        """Keep the history to ask."""
        self._history = history

    async def conversions(
        self,
        tenant_id: str,
        chosen: CreditFilter,
        model: str,
        size: int,
        after: tuple[int, str] | None,
        seconds: float,
    ) -> list[Conversion]:
        """Return conversions with the credits of one model (empty: of all), newest first, at most `size` after (time,
        id) `after`."""
        parameters: dict[str, Any] = {"size": size}
        conditions = f" AND {chosen.sql(tenant_id, parameters)}"
        if model:
            parameters["model"] = model
            conditions += " AND model = {model:String}"
        if after is not None:
            parameters["after_time"], parameters["after_id"] = after
            conditions += (
                " AND (-toUnixTimestamp64Milli(conversion_time), conversion_id) > "
                "(-{after_time:Int64}, {after_id:String})"
            )
        # The first rows of each model are those of the newest conversions, as long as every model has them all.
        newest_first = "ORDER BY conversion_time DESC, conversion_id, model LIMIT {size:UInt32} BY tenant_id, model"
        rows = await self._history.rows(
            f"{_CONVERSION} {conditions} {newest_first}", parameters, name="conversions", seconds=seconds
        )
        return _conversions(rows)[:size]

    async def conversion(
        self, tenant_id: str, conversion_id: str, model: str, time_ms: int | None, seconds: float
    ) -> Conversion | None:
        """Return a conversion with the credits of one model (empty: of all), None when there is no such conversion."""
        condition, parameters = of_conversion(tenant_id, conversion_id, model, time_ms)
        sql = f"{_CONVERSION} AND {condition} ORDER BY model"
        found = _conversions(await self._history.rows(sql, parameters, name="conversion", seconds=seconds))
        return found[0] if found else None

    async def newest_conversions(
        self, tenant_id: str, model: str, since_ms: int, size: int, seconds: float
    ) -> list[Conversion]:
        """Return the newest conversions since `since_ms`, at most `size`, newest first, with one model (empty: all)."""
        parameters: dict[str, Any] = {"tenant": tenant_id, "since": since_ms}
        conditions = f" AND {since('conversion_time', '{since:Int64}')}"
        if model:
            parameters["model"] = model
            conditions += " AND model = {model:String}"
        newest_first = "ORDER BY conversion_time DESC, conversion_id, model LIMIT {size:UInt32} BY tenant_id, model"
        sql = f"{_CONVERSION} {conditions} {newest_first}"
        rows = await self._history.rows(sql, parameters | {"size": size}, name="newest_conversions", seconds=seconds)
        return _conversions(rows)[:size]
