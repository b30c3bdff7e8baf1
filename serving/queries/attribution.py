"""Credits from the history: summed by channel and campaign, and the conversions behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.time_predicates import moment, since, within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.queries.history import History


@dataclass(frozen=True, slots=True)
class CreditFilter:
    """Which conversions count: those of one model in [start_ms, end_ms), of the given types (empty: all)."""

    model: str
    start_ms: int
    end_ms: int
    conversion_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreditSplit:
    """What credit is split by, beside currency."""

    channel: bool
    campaign: bool


@dataclass(frozen=True, slots=True)
class CreditGroup:
    """Credit of one group; fields that it is not split by are empty. Micros are net of refunds."""

    channel: str
    campaign_id: str
    currency: str
    credited_conversions: float
    credited_micros: int
    conversions: int
    revision: int

    @property
    def position(self) -> tuple[str, str, str]:
        """Where the group stands in the order of an answer."""
        return (self.channel, self.campaign_id, self.currency)


@dataclass(frozen=True, slots=True)
class CreditTotals:
    """Conversions of one currency. `newest_ms` is the time of the newest one."""

    currency: str
    conversions: int
    value_micros: int
    gross_value_micros: int
    unattributed: int
    revision: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Touch:
    """One touch and its share of a conversion."""

    touchpoint_id: str
    channel: str
    campaign_id: str
    time_ms: int
    weight: float
    credited_micros: int


@dataclass(frozen=True, slots=True)
class ModelCredit:
    """What one model credits to the touches of a conversion, ordered by time."""

    model: str
    model_version: str
    touches: tuple[Touch, ...]


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


UNATTRIBUTED = "unattributed"
"""Channel of the one entry of a conversion that has no touch."""

_COUNTED = f"tenant_id = {{tenant:String}} AND model = {{model:String}} AND {within('conversion_time')}"
_CONVERSION = """
SELECT conversion_id, toString(conversion_type), toUnixTimestamp64Milli(conversion_time), customer_id, journey_id,
       toString(currency), value_micros, gross_value_micros, revision, toString(model), toString(model_version),
       `touches.touchpoint_id`, arrayMap(name -> toString(name), `touches.channel`), `touches.campaign_id`,
       arrayMap(moment -> toUnixTimestamp64Milli(moment), `touches.time`), `touches.weight`, `touches.credited_micros`
FROM attribution_credits FINAL
WHERE tenant_id = {tenant:String}
"""


def _conditions(tenant_id: str, chosen: CreditFilter) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "model": chosen.model,
        "start": chosen.start_ms,
        "end": chosen.end_ms,
    }
    if not chosen.conversion_types:
        return _COUNTED, parameters
    parameters["types"] = list(chosen.conversion_types)
    return f"{_COUNTED} AND conversion_type IN {{types:Array(String)}}", parameters


def _conversions(rows: Sequence[Sequence[Any]]) -> list[Conversion]:
    """Join rows of one conversion and model each, which come one conversion after the other."""
    found: dict[str, Conversion] = {}
    for row in rows:
        touches = tuple(Touch(*parts) for parts in zip(*row[11:17], strict=True))
        credit = ModelCredit(row[9], row[10], touches)
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

    async def summary(
        self,
        tenant_id: str,
        chosen: CreditFilter,
        split: CreditSplit,
        size: int,
        after: tuple[str, str, str] | None,
        seconds: float,
    ) -> list[CreditGroup]:
        """Return at most `size` groups that come after the position `after`, in order."""
        conditions, parameters = _conditions(tenant_id, chosen)
        having = ""
        if after is not None:
            parameters.update(zip(("after_channel", "after_campaign", "after_currency"), after, strict=True))
            having = (
                "HAVING (group_channel, group_campaign, group_currency) > "
                "({after_channel:String}, {after_campaign:String}, {after_currency:String})"
            )
        rows = await self._history.rows(
            f"""
            SELECT {"toString(touch.1)" if split.channel else "''"} AS group_channel,
                   {"touch.2" if split.campaign else "''"} AS group_campaign,
                   toString(currency) AS group_currency,
                   sum(touch.3), sum(touch.4), uniqExact(conversion_id), max(revision)
            FROM
            (
                SELECT conversion_id, currency, revision,
                       arrayJoin(arrayZip(`touches.channel`, `touches.campaign_id`, `touches.weight`,
                                          `touches.credited_micros`)) AS touch
                FROM attribution_credits FINAL
                WHERE {conditions}
            )
            GROUP BY group_channel, group_campaign, group_currency
            {having}
            ORDER BY group_channel, group_campaign, group_currency
            LIMIT {size}
            """,  # noqa: S608 - built from constants and integers; values are bound
            parameters,
            name="attribution_summary",
            seconds=seconds,
        )
        return [CreditGroup(*row) for row in rows]

    async def totals(self, tenant_id: str, chosen: CreditFilter, seconds: float) -> list[CreditTotals]:
        """Return the conversions counted by currency, in order of currency."""
        conditions, parameters = _conditions(tenant_id, chosen)
        rows = await self._history.rows(
            f"""
            SELECT toString(currency) AS group_currency, count(), sum(value_micros), sum(gross_value_micros),
                   countIf(`touches.channel` = ['{UNATTRIBUTED}']), max(revision),
                   toUnixTimestamp64Milli(max(conversion_time))
            FROM attribution_credits FINAL
            WHERE {conditions}
            GROUP BY group_currency
            ORDER BY group_currency
            """,  # noqa: S608 - built from constants; values are bound
            parameters,
            name="attribution_totals",
            seconds=seconds,
        )
        return [CreditTotals(*row) for row in rows]

    async def conversion(
        self, tenant_id: str, conversion_id: str, model: str, time_ms: int | None, seconds: float
    ) -> Conversion | None:
        """Return a conversion with the credits of one model (empty: of all), None when there is no such conversion."""
        parameters: dict[str, Any] = {"tenant": tenant_id, "conversion": conversion_id}
        conditions = " AND conversion_id = {conversion:String}"
        if model:
            parameters["model"] = model
            conditions += " AND model = {model:String}"
        if time_ms is not None:
            parameters["time"] = time_ms
            conditions += f" AND conversion_time = {moment('{time:Int64}')}"
        sql = f"{_CONVERSION} {conditions} ORDER BY model"
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
