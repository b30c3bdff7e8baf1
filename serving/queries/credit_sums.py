"""Credit summed by channel, campaign, source, creative and day, in one view or in several beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.credit_views import UNATTRIBUTED, view_rows
from serving.queries.tiling import DAY_MS
from serving.queries.time_predicates import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.queries.credit_views import CreditFilter, CreditSplit, CreditView
    from serving.queries.history import History

Position = tuple[str, str, str, str, int, str]
"""Where a group stands in the order of an answer: channel, campaign, source, creative, day (ms), currency."""
_GROUP = ("group_channel", "group_campaign", "group_source", "group_creative", "group_day", "group_currency")
_GROUP_TYPES = ("String", "String", "String", "String", "Int64", "String")


@dataclass(frozen=True, slots=True)
class Credit:
    """Credit of a group in one view: sum of weights, micros net of refunds, and the conversions with a touch in it."""

    credited_conversions: float
    credited_micros: int
    conversions: int


@dataclass(frozen=True, slots=True)
class CreditGroup:
    """A group with its credit in each view; what it is not split by is empty, or 0."""

    position: Position
    credits: tuple[Credit, ...]


@dataclass(frozen=True, slots=True)
class CreditTotals:
    """Conversions of one currency. `unattributed` are those without a touch in the first view, `newest_ms` is the time
    of the newest one."""

    currency: str
    conversions: int
    value_micros: int
    gross_value_micros: int
    unattributed: int
    unattributed_micros: int
    revision: int
    newest_ms: int


class CreditSumQueries:
    """Reads of summed credit. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History) -> None:
        """Keep the history to ask."""
        self._history = history

    async def groups(
        self,
        tenant_id: str,
        chosen: CreditFilter,
        views: Sequence[CreditView],
        split: CreditSplit,
        size: int,
        after: Position | None,
        seconds: float,
    ) -> list[CreditGroup]:
        """Return at most `size` groups that come after the position `after`, in order. Conversions that lack a credit
        of one of the views' models count in none."""
        parameters: dict[str, Any] = {}
        conditions = chosen.sql(tenant_id, parameters)
        in_all = _in_all(views, conditions, parameters)
        touches = " UNION ALL ".join(
            f"""
            SELECT {number} AS view, conversion_id, toUnixTimestamp64Milli(conversion_time) AS time_ms, currency,
                   arrayJoin(credited) AS touch
            FROM ({view_rows(view, conditions + in_all, parameters, number)})
            """  # noqa: S608 - built from constants; values are bound
            for number, view in enumerate(views)
        )
        if split.of_events:
            touches = _with_events(touches, conditions)
        having = ""
        if after is not None:
            parameters.update(zip((f"after_{name}" for name in _GROUP), after, strict=True))
            values = ", ".join(f"{{after_{name}:{kind}}}" for name, kind in zip(_GROUP, _GROUP_TYPES, strict=True))
            having = f"HAVING ({', '.join(_GROUP)}) > ({values})"
        sums = ", ".join(
            f"sumIf(touch.4, view = {number}), sumIf(touch.5, view = {number}), "
            f"uniqExactIf(conversion_id, view = {number})"
            for number in range(len(views))
        )
        rows = await self._history.rows(
            f"""
            SELECT {"touch.2" if split.channel else "''"} AS group_channel,
                   {"touch.3" if split.campaign else "''"} AS group_campaign,
                   {"source" if split.source else "''"} AS group_source,
                   {"creative" if split.creative else "''"} AS group_creative,
                   toInt64({f"intDiv(time_ms, {DAY_MS}) * {DAY_MS}" if split.day else "0"}) AS group_day,
                   toString(currency) AS group_currency, {sums}
            FROM ({touches})
            GROUP BY {", ".join(_GROUP)}
            {having}
            ORDER BY {", ".join(_GROUP)}
            LIMIT {size}
            """,  # noqa: S608 - built from constants and integers; values are bound
            parameters,
            name="credit_groups",
            seconds=seconds,
        )
        return [_group(row, len(views)) for row in rows]

    async def totals(
        self, tenant_id: str, chosen: CreditFilter, views: Sequence[CreditView], seconds: float
    ) -> list[CreditTotals]:
        """Return the conversions that count in every view by currency, in order of currency."""
        parameters: dict[str, Any] = {}
        conditions = chosen.sql(tenant_id, parameters)
        in_all = _in_all(views, conditions, parameters)
        rows = await self._history.rows(
            f"""
            SELECT toString(currency) AS group_currency, count(), sum(value_micros), sum(gross_value_micros),
                   countIf(credited.2 = ['{UNATTRIBUTED}']), sumIf(value_micros, credited.2 = ['{UNATTRIBUTED}']),
                   max(revision), toUnixTimestamp64Milli(max(conversion_time))
            FROM ({view_rows(views[0], conditions + in_all, parameters, 0)})
            GROUP BY group_currency
            ORDER BY group_currency
            """,  # noqa: S608 - built from constants; values are bound
            parameters,
            name="credit_totals",
            seconds=seconds,
        )
        return [CreditTotals(*row) for row in rows]


def _in_all(views: Sequence[CreditView], conditions: str, parameters: dict[str, Any]) -> str:
    """Return the predicate, beginning with AND, that a conversion has a credit of every model; empty for one model."""
    models = sorted({view.model for view in views})
    if len(models) == 1:
        return ""
    parameters["models"] = models
    return f""" AND conversion_id IN
    (
        SELECT conversion_id FROM attribution_credits FINAL WHERE {conditions} AND model IN {{models:Array(String)}}
        GROUP BY conversion_id HAVING count() = {len(models)}
    )"""  # noqa: S608 - built from constants; values are bound


def _with_events(touches: str, conditions: str) -> str:
    """Return the SQL of touches with what their events tell of them: source and creative, empty where they do not."""
    return f"""
    SELECT t.*, e.source AS source, e.creative AS creative
    FROM ({touches}) AS t
    LEFT ANY JOIN
    (
        SELECT event_id, JSONExtractString(payload, 'touchpoint', 'source') AS source,
               JSONExtractString(payload, 'touchpoint', 'creative_id') AS creative
        FROM events FINAL
        WHERE tenant_id = {{tenant:String}} AND event_type = 'touchpoint_interaction'
          AND event_time >= (SELECT min(arrayMin(`touches.time`)) FROM attribution_credits FINAL WHERE {conditions})
          AND event_time < {moment("{end:Int64}")}
          AND event_id IN
              (SELECT arrayJoin(`touches.touchpoint_id`) FROM attribution_credits FINAL WHERE {conditions})
    ) AS e ON e.event_id = t.touch.1
    """  # noqa: S608 - built from constants; values are bound


def _group(row: Sequence[Any], views: int) -> CreditGroup:
    channel, campaign, source, creative, day, currency, *figures = row
    credits_of = tuple(Credit(*figures[3 * view : 3 * view + 3]) for view in range(views))
    return CreditGroup((channel, campaign, source, creative, day, currency), credits_of)
