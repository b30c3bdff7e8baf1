"""The newest windows of a tenant: from the hot store first, with the history behind it, and the live signals beside
both.

The hot store cannot be asked which campaigns a tenant has, and what it lacks may be a campaign at rest or an entry
that was lost. Both questions are answered by the history's newest windows, read at most every few seconds for each
tenant that is asked about.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from serving.errors import Reason, unavailable
from serving.queries.history import HistoryUnavailable, too_large
from serving.queries.hot_store import HotStoreUnavailable
from serving.queries.memo import Memo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving.live.hub import LiveHub
    from serving.queries.campaign_metrics import CampaignMetricsQueries, Window
    from serving.queries.campaign_rows import Selection
    from serving.queries.hot_store import HotStore

log = logging.getLogger(__name__)

MOST_WINDOWS = 5_000
# Windows of all campaigns of one tenant; beyond that, calls must name campaigns.
MOST_KNOWN_WINDOWS = 20_000
TENANTS_KEPT = 2_000
# With the hot store at hand the history only tells which campaigns there are: a new one is seen after this time at
# the latest.
REFRESH_SECONDS = 5.0
# Without the hot store the history gives the figures: once a second is as often as they change.
REFRESH_WITHOUT_HOT_STORE_SECONDS = 1.0
# A list of campaigns this old may lack some: an answer that rests on it is degraded.
OLDEST_LIST_SECONDS = 60.0
# A first list is waited for only so long, when the hot store could answer without it.
FIRST_LIST_SECONDS = 2.0

# What a client should wait when nothing is known: about as long as a circuit stays open.
RETRY_SECONDS = 1.0


class Origin(StrEnum):
    """Where current windows were read."""

    HOT_STORE = "hot_store"
    HISTORY = "history"
    LIVE = "live"
    LAST_KNOWN = "last_known"


@dataclass(frozen=True, slots=True)
class Current:
    """The newest windows, in order of campaign, channel, currency. `degraded_reason` is empty when nothing is amiss."""

    windows: list[Window]
    origin: Origin
    age_seconds: float = 0.0
    degraded_reason: str = ""


class CurrentWindows:
    """Reads the newest windows. `read` may be called from many tasks."""

    def __init__(self, queries: CampaignMetricsQueries, hot_store: HotStore, hub: LiveHub) -> None:
        """Keep where to read."""
        self._queries = queries
        self._hot_store = hot_store
        self._hub = hub
        self._history: Memo[list[Window]] = Memo(TENANTS_KEPT)

    async def read(self, tenant_id: str, selection: Selection, seconds: float) -> Current:
        """Return a tenant's newest windows that are selected, within about `seconds`.

        Raises:
            ServingError: nothing is known because neither store answers, or the answer would be too large.
        """
        # Without a campaign to ask the hot store about, the list is all that there is to wait for.
        named = selection.campaign_ids or self._live(tenant_id)
        listed, list_age = await self._listed(tenant_id, min(seconds, FIRST_LIST_SECONDS) if named else seconds)
        live = self._live(tenant_id)
        campaign_ids = selection.campaign_ids or sorted({window.campaign_id for window in (*listed, *live)})
        if not campaign_ids and list_age is None:
            raise unavailable(
                Reason.HISTORY_UNAVAILABLE,
                "which campaigns there are is not known now, name some or try again",
                RETRY_SECONDS,
            )
        try:
            hot = await self._hot_store.newest_windows(tenant_id, campaign_ids)
        except HotStoreUnavailable as error:
            log.info("hot store unavailable (%s), reading the history", error)
            return await self._without_hot_store(tenant_id, selection, seconds)
        # An old list still names campaigns, but its figures are not current any more.
        stale = list_age is None or list_age > OLDEST_LIST_SECONDS
        found = _newest(selection, (hot, live, () if stale else listed))
        missing = not selection.campaign_ids or not {window.campaign_id for window in found}.issuperset(
            selection.campaign_ids
        )
        return Current(found, Origin.HOT_STORE, degraded_reason=Reason.HISTORY_UNAVAILABLE if missing and stale else "")

    async def _without_hot_store(self, tenant_id: str, selection: Selection, seconds: float) -> Current:
        try:
            async with asyncio.timeout(seconds):
                listed, age = await self._history.get(
                    tenant_id, REFRESH_WITHOUT_HOT_STORE_SECONDS, lambda: self._read_history(tenant_id)
                )
            return Current(_newest(selection, (listed, self._live(tenant_id))), Origin.HISTORY, age_seconds=age)
        except (HistoryUnavailable, TimeoutError):
            pass
        held = self._history.last(tenant_id)
        live = self._live(tenant_id)
        if held is None and not live:
            raise unavailable(Reason.STORES_UNAVAILABLE, "no store of figures answers, try again", RETRY_SECONDS)
        found = _newest(selection, (held[0] if held else (), live))
        if live:
            return Current(found, Origin.LIVE, degraded_reason=Reason.STORES_UNAVAILABLE)
        return Current(
            found, Origin.LAST_KNOWN, age_seconds=held[1] if held else 0.0, degraded_reason=Reason.STORES_UNAVAILABLE
        )

    async def _listed(self, tenant_id: str, seconds: float) -> tuple[list[Window], float | None]:
        """Return the history's newest windows and their age: those at hand, or the first ones; the age is None when
        there are none."""
        held = self._history.last(tenant_id)
        if held is None:
            try:
                async with asyncio.timeout(seconds):
                    return await self._history.get(tenant_id, 0.0, lambda: self._read_history(tenant_id))
            except (HistoryUnavailable, TimeoutError):
                return [], None
        if held[1] > REFRESH_SECONDS:
            # Whoever asks next gets the new list; its failure shows by the list growing old.
            self._history.refresh(tenant_id, lambda: self._read_history(tenant_id))
        return held

    async def _read_history(self, tenant_id: str) -> list[Window]:
        # Shared by callers with different deadlines, so it has the history's own time limit.
        return await self._queries.newest_windows(tenant_id, MOST_KNOWN_WINDOWS)

    def _live(self, tenant_id: str) -> list[Window]:
        known = self._hub.known(tenant_id)
        return known.windows.values() if known else []


def _newest(selection: Selection, sources: Iterable[Iterable[Window]]) -> list[Window]:
    """Return the newest window of each key that is selected, in order; raises ServingError when they are too many."""
    found: dict[tuple[str, str, str], Window] = {}
    for windows in sources:
        for window in windows:
            held = found.get(window.key)
            if (held is None or held.version < window.version) and selection.matches(*window.key):
                found[window.key] = window
    if len(found) > MOST_WINDOWS:
        raise too_large()
    return [found[key] for key in sorted(found)]
