"""QualityService: how many records came in and what became of them, and how fresh the figures are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tributary.v1 import freshness_pb2
from tributary.v1 import quality_pb2 as quality_pb

from serving.handlers.answers import LIVE, until_changed
from serving.handlers.requests import now_ms, read_range
from serving.handlers.responses import duration, freshness, time_range, timestamp
from serving.live.settled_changes import Subject
from serving.queries.credit_views import CreditFilter, CreditView
from serving.queries.quality import TALLY_MS
from udfs.attribution.settings import Model
from udfs.kpi import ratio

if TYPE_CHECKING:
    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.live.hub import LiveHub
    from serving.queries.credit_sums import CreditSumQueries
    from serving.queries.quality import QualityQueries


# Which conversions have a touch is the same in every model.
COVERAGE_VIEW = CreditView(Model.LAST_TOUCH.value)


class QualityHandlers:
    """Handlers of the service's methods."""

    def __init__(self, queries: QualityQueries, credit_sums: CreditSumQueries, answers: Answers, hub: LiveHub) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._credits = credit_sums
        self._answers = answers
        self._hub = hub

    async def get_counts(self, request: quality_pb.GetCountsRequest, call: Call) -> quality_pb.GetCountsResponse:
        """Counts of a range of append time."""
        start, end = read_range(request.range)
        start, end = start - start % TALLY_MS, -(-end // TALLY_MS) * TALLY_MS

        async def compute() -> quality_pb.GetCountsResponse:
            counts = await self._queries.counts(call.tenant_id, start, end, call.query_seconds)
            return quality_pb.GetCountsResponse(
                received=counts.received,
                valid=counts.valid,
                accepted=counts.accepted,
                duplicates=counts.duplicates,
                quarantined=counts.quarantined,
                late=counts.late,
                quarantined_by_reason=[
                    quality_pb.ReasonCount(reason=reason, events=events)
                    for reason, events in counts.quarantined_by_reason
                ],
                covered_range=time_range(start, end),
                freshness=freshness(freshness_pb2.SOURCE_HISTORY, through_ms=counts.through_ms),
            )

        return await self._answers.answer(request, call, quality_pb.GetCountsResponse, compute, LIVE)

    async def get_quality(self, request: quality_pb.GetQualityRequest, call: Call) -> quality_pb.GetQualityResponse:
        """Shares of what came in, and how much is attributed."""
        start, end = read_range(request.range)
        start, end = start - start % TALLY_MS, -(-end // TALLY_MS) * TALLY_MS

        async def compute() -> quality_pb.GetQualityResponse:
            counts, totals = await asyncio.gather(
                self._queries.counts(call.tenant_id, start, end, call.query_seconds),
                self._credits.totals(call.tenant_id, CreditFilter(start, end), (COVERAGE_VIEW,), call.query_seconds),
            )
            conversions = sum(total.conversions for total in totals)
            unattributed = sum(total.unattributed for total in totals)
            newest = max((total.newest_ms for total in totals), default=0)
            return quality_pb.GetQualityResponse(
                received=counts.received,
                accepted=counts.accepted,
                valid_share=ratio(counts.valid, counts.received),
                quarantined_share=ratio(counts.quarantined, counts.received),
                duplicate_share=ratio(counts.duplicates, counts.valid),
                late_share=ratio(counts.late, counts.accepted),
                conversions=conversions,
                unattributed_conversions=unattributed,
                attribution_coverage=ratio(conversions - unattributed, conversions),
                unattributed_values=[
                    quality_pb.UnattributedValue(
                        currency=total.currency,
                        value_micros=total.value_micros,
                        unattributed_micros=total.unattributed_micros,
                        unattributed_share=ratio(total.unattributed_micros, total.value_micros),
                    )
                    for total in totals
                ],
                covered_range=time_range(start, end),
                freshness=freshness(
                    freshness_pb2.SOURCE_HISTORY,
                    through_ms=max(counts.through_ms, newest),
                    revision=max((total.revision for total in totals), default=0),
                ),
            )

        return await self._answers.answer(
            request, call, quality_pb.GetQualityResponse, compute, until_changed(end, Subject.ATTRIBUTION)
        )

    async def get_freshness(
        self, request: quality_pb.GetFreshnessRequest, call: Call
    ) -> quality_pb.GetFreshnessResponse:
        """How old the newest figures of each stage are."""

        async def compute() -> quality_pb.GetFreshnessResponse:
            newest = await self._queries.newest(call.tenant_id, call.query_seconds)
            known = self._hub.known(call.tenant_id)
            live = max((window.end_ms for window in known.windows.values()), default=0) if known else 0
            now = now_ms()
            return quality_pb.GetFreshnessResponse(
                stages=[
                    quality_pb.StageFreshness(
                        stage=stage,
                        newest=timestamp(at) if at else None,
                        age=duration((now - at) / 1000) if at else None,
                    )
                    for stage, at in (
                        (quality_pb.STAGE_INGEST, newest.ingest_ms),
                        (quality_pb.STAGE_WINDOWS, newest.window_ms),
                        (quality_pb.STAGE_ROLLUPS, newest.minute_ms),
                        (quality_pb.STAGE_ATTRIBUTION, newest.conversion_ms),
                        (quality_pb.STAGE_LIVE, live),
                    )
                ],
                freshness=freshness(freshness_pb2.SOURCE_HISTORY, through_ms=newest.window_ms),
            )

        return await self._answers.answer(request, call, quality_pb.GetFreshnessResponse, compute, LIVE)
