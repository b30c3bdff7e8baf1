"""Campaigns as they were launched, from the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.campaign_rows import CHANNELS
from serving.queries.filters import Kind, Name

if TYPE_CHECKING:
    from serving.queries.filters import Condition
    from serving.queries.history import History

FILTER_NAMES = {
    "campaign": Name("campaign_id"),
    "name": Name("name"),
    "channel": Name("channel", words=CHANNELS),
    "currency": Name("currency"),
    "budget_micros": Name("budget_micros", Kind.WHOLE),
}
"""What a filter of campaigns may name."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as its newest launch describes it; the budget is in micros of the currency."""

    campaign_id: str
    name: str
    channel: str
    currency: str
    budget_micros: int
    launched_ms: int


class CampaignQueries:
    """Reads of campaigns. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History) -> None:
        """Keep the history to ask."""
        self._history = history

    async def campaigns(
        self, tenant_id: str, condition: Condition | None, size: int, after: str, seconds: float
    ) -> list[Campaign]:
        """Return at most `size` campaigns whose ids come after `after`, in order of their ids."""
        parameters: dict[str, Any] = {"tenant": tenant_id, "after": after}
        filtered = "" if condition is None else f"AND {condition.sql(parameters)}"
        rows = await self._history.rows(
            f"""
            SELECT campaign_id, name, toString(channel), toString(currency), budget_micros,
                   toUnixTimestamp64Milli(launched_at)
            FROM campaigns FINAL
            WHERE tenant_id = {{tenant:String}} AND campaign_id > {{after:String}} {filtered}
            ORDER BY campaign_id
            LIMIT {size}
            """,  # noqa: S608 - built from constants and integers; values are bound
            parameters,
            name="campaigns",
            seconds=seconds,
        )
        return [Campaign(*row) for row in rows]
