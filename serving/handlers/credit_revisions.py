"""AttributionService: the revisions of one conversion's credits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from tributary.v1 import attribution_pb2 as attribution_pb
from tributary.v1 import freshness_pb2

from serving.errors import Reason, ServingError
from serving.handlers.answers import LIVE_MS, Keep
from serving.handlers.attribution import model_credit, read_model
from serving.handlers.requests import milliseconds, page_size, read_name
from serving.handlers.responses import freshness, timestamp
from serving.handlers.tokens import make_token, read_token
from serving.live.settled_changes import Subject
from serving.queries.credit_revisions import IN_FORCE

if TYPE_CHECKING:
    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.queries.credit_revisions import CreditRevision, CreditRevisionQueries

DEFAULT_REVISIONS, MOST_REVISIONS = 50, 200
PAGING = ("page_token", "page_size")


def _revision(revision: CreditRevision) -> attribution_pb.CreditRevision:
    return attribution_pb.CreditRevision(
        revision=revision.revision,
        settings_version=revision.settings_version,
        replaced_at=None if revision.replaced_ms == IN_FORCE else timestamp(revision.replaced_ms),
        value_micros=revision.value_micros,
        models=map(model_credit, revision.models),
    )


class CreditRevisionHandlers:
    """Handler of the method."""

    def __init__(self, queries: CreditRevisionQueries, answers: Answers) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._answers = answers

    async def list_credit_revisions(
        self, request: attribution_pb.ListCreditRevisionsRequest, call: Call
    ) -> attribution_pb.ListCreditRevisionsResponse:
        """The revisions of one conversion, oldest first."""
        conversion_id = read_name(request.conversion_id, "conversion_id")
        model = read_model(request.model, required=False)
        known = request.HasField("conversion_time")
        time_ms = milliseconds(request.conversion_time, "conversion_time") if known else None
        size = page_size(request.page_size, DEFAULT_REVISIONS, MOST_REVISIONS)
        after = 0
        if request.page_token:
            (after,) = read_token(request.page_token, "page_token", request, PAGING, (int,))

        async def compute() -> attribution_pb.ListCreditRevisionsResponse:
            found = await self._queries.revisions(
                call.tenant_id, conversion_id, model, time_ms, size + 1, after, call.query_seconds
            )
            if not found:
                raise ServingError(
                    grpc.StatusCode.NOT_FOUND, Reason.CONVERSION_NOT_FOUND, "no attributed conversion has this id"
                )
            shown = found[:size]
            return attribution_pb.ListCreditRevisionsResponse(
                revisions=map(_revision, shown),
                freshness=freshness(freshness_pb2.SOURCE_HISTORY, revision=shown[-1].revision),
                next_page_token=make_token(request, PAGING, [shown[-1].revision]) if len(found) > size else "",
            )

        return await self._answers.answer(
            request, call, attribution_pb.ListCreditRevisionsResponse, compute, Keep(LIVE_MS, Subject.ATTRIBUTION)
        )
