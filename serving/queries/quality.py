"""Counts of what came in, from the history."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.queries.tiling import DAY_MS, MINUTE_MS, SECOND_MS
from serving.queries.time_predicates import since, within

if TYPE_CHECKING:
    from serving.queries.history import History

# The pipeline tallies records in buckets of ten seconds of their append time (`ingest_counts.window_start`).
TALLY_MS = 10 * SECOND_MS
# Newest figures are looked for this far back. Windows are many, and one that is older than its minute tells no more
# than the minute does.
LOOKBACK_MS = 2 * DAY_MS
WINDOW_LOOKBACK_MS = 10 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Counts:
    """Records of a range of append time, and what became of them. `through_ms` is the end of the newest bucket, 0
    when there is none."""

    valid: int
    accepted: int
    quarantined: int
    late: int
    quarantined_by_reason: tuple[tuple[str, int], ...]
    through_ms: int

    @property
    def received(self) -> int:
        """All records."""
        return self.valid + self.quarantined

    @property
    def duplicates(self) -> int:
        """Valid records of events that had been accepted before."""
        return self.valid - self.accepted


@dataclass(frozen=True, slots=True)
class NewestFigures:
    """Ends of the newest figures of a tenant by stage (the time of the newest conversion), in ms; 0 when there are
    none of late."""

    ingest_ms: int
    window_ms: int
    minute_ms: int
    conversion_ms: int


class QualityQueries:
    """Reads of counts. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History) -> None:
        """Keep the history to ask."""
        self._history = history

    async def counts(self, tenant_id: str, start_ms: int, end_ms: int, seconds: float) -> Counts:
        """Return the counts of [start_ms, end_ms), both multiples of TALLY_MS."""
        parameters = {"tenant": tenant_id, "start": start_ms, "end": end_ms}

        # Valid and accepted records of a bucket are written one after the other. While the second is on its way a
        # bucket may hold more accepted records than valid ones; those are valid too.
        outcomes = self._history.rows(
            f"""
            SELECT sum(greatest(valid, accepted)), sum(accepted), sum(quarantined),
                   toUnixTimestamp64Milli(max(bucket)) + {TALLY_MS}, count()
            FROM
            (
                SELECT window_start AS bucket, sumIf(events, outcome = 'valid') AS valid,
                       sumIf(events, outcome = 'accepted') AS accepted,
                       sumIf(events, outcome = 'quarantined') AS quarantined
                FROM ingest_counts FINAL
                WHERE tenant_id = {{tenant:String}} AND {within("window_start")}
                GROUP BY bucket
            )
            """,  # noqa: S608 - built from constants; values are bound
            parameters,
            name="ingest_counts",
            seconds=seconds,
        )
        reasons = self._history.rows(
            f"""
            SELECT arrayJoin(splitByChar(',', toString(reasons))) AS reason, sum(events)
            FROM ingest_counts FINAL
            WHERE tenant_id = {{tenant:String}} AND {within("window_start")} AND outcome = 'quarantined'
            GROUP BY reason
            ORDER BY reason
            """,  # noqa: S608 - built from constants; values are bound
            parameters,
            name="quarantine_reasons",
            seconds=seconds,
        )
        late = self._history.rows(
            f"SELECT count() FROM late_events FINAL WHERE tenant_id = {{tenant:String}} AND {within('received_at')}",  # noqa: S608 - bound
            parameters,
            name="late_events",
            seconds=seconds,
        )
        (totals,), by_reason, ((late_events,),) = await asyncio.gather(outcomes, reasons, late)
        valid, accepted, quarantined, through, buckets = totals
        return Counts(
            valid=valid,
            accepted=accepted,
            quarantined=quarantined,
            late=late_events,
            quarantined_by_reason=tuple((str(reason), int(events)) for reason, events in by_reason),
            through_ms=through if buckets else 0,
        )

    async def newest(self, tenant_id: str, seconds: float) -> NewestFigures:
        """Return the times of a tenant's newest figures."""
        now = int(time.time() * 1000)

        async def look(table: str, column: str, condition: str, since_ms: int) -> int:
            rows = await self._history.rows(
                f"SELECT toUnixTimestamp64Milli(max({column})) FROM {table} "  # noqa: S608 - constants and integers; the tenant is bound
                f"WHERE tenant_id = {{tenant:String}} AND {since(condition, since_ms)}",
                {"tenant": tenant_id},
                name=f"newest_{table}",
                seconds=seconds,
            )
            # The maximum of no rows is the epoch.
            return int(rows[0][0])

        ingest, window, minute, conversion = await asyncio.gather(
            look("ingest_counts", "window_start", "window_start", now - LOOKBACK_MS),
            look("campaign_metrics", "window_end", "window_start", now - WINDOW_LOOKBACK_MS),
            look("campaign_rollups", "bucket_start", "grain = 'minute' AND bucket_start", now - LOOKBACK_MS),
            look("attribution_credits", "conversion_time", "conversion_time", now - LOOKBACK_MS),
        )
        closed = minute + MINUTE_MS if minute else 0
        return NewestFigures(ingest + TALLY_MS if ingest else 0, max(window, closed), closed, conversion)
