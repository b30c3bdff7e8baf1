"""CampaignMetricsService: sums of a range, time series, and the newest windows, once or live."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from tributary.v1 import campaign_metrics_pb2 as campaign_pb

from serving.errors import invalid
from serving.handlers.answers import until_changed
from serving.handlers.local_days import day_end, read_time_zone
from serving.handlers.questions import question_of
from serving.handlers.requests import (
    EARLIEST_MS,
    now_ms,
    page_size,
    read_range,
    read_selection,
    read_split,
    shift_of,
    with_comparison,
)
from serving.handlers.responses import (
    campaign_metrics,
    campaign_window,
    compared_range,
    current_freshness,
    history_freshness,
    time_range,
    timestamp,
)
from serving.handlers.tokens import make_token, read_token
from serving.handlers.watch import CURSOR, Pace, SharedUpdates, Step, open_watch, steps
from serving.live.settled_changes import Subject
from serving.queries.campaign_metrics import Group, Page, Wanted
from serving.queries.current_windows import Current, Origin
from serving.queries.tiling import (
    FINE_RETENTION_MS,
    HOUR_RETENTION_MS,
    SECOND_MS,
    WIDTH_MS,
    WINDOW_MS,
    Figures,
    ceiling,
    floor,
    round_outwards,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.protobuf.message import Message

    from serving.handlers.answers import Answers
    from serving.handlers.call import Call
    from serving.live.hub import LiveHub
    from serving.live.latest_values import Position
    from serving.queries.campaign_metrics import CampaignMetricsQueries, Window
    from serving.queries.campaign_rows import Selection
    from serving.queries.current_windows import CurrentWindows

DEFAULT_GROUPS, MOST_GROUPS = 100, 1_000
DEFAULT_POINTS, MOST_POINTS = 1_000, 10_000
# Steps of a range: a day of seconds, or two months of minutes. More is a mistake or an export.
MOST_STEPS = 90_000
PAGING = ("page_token", "page_size")
POSITION_KINDS = (int, int, int, str, str, str)

_STEPS = {
    campaign_pb.GRAIN_MINUTE: Figures.MINUTE,
    campaign_pb.GRAIN_HOUR: Figures.HOUR,
    campaign_pb.GRAIN_DAY: Figures.DAY,
    campaign_pb.GRAIN_WEEK: Figures.WEEK,
}


def _start(request: Message, token: str, covered: tuple[int, int]) -> tuple[int, int, tuple[int, str, str, str] | None]:
    """Return the covered range, and the position to go on after: those of the page token if there is one."""
    if not token:
        return (*covered, None)
    start, end, step, campaign, channel, currency = read_token(token, "page_token", request, PAGING, POSITION_KINDS)
    return start, end, (step, campaign, channel, currency)


def _next_token(request: Message, covered: tuple[int, int], groups: list[Group], size: int) -> str:
    """Return the token of the page after the first `size` groups, empty when there is none."""
    return make_token(request, PAGING, [*covered, *groups[size - 1].position]) if len(groups) > size else ""


def _kept_from(step: Figures) -> int:
    """Return the start of the first step of which figures are still kept."""
    now = now_ms()
    kept = {Figures.MINUTE: FINE_RETENTION_MS, Figures.HOUR: HOUR_RETENTION_MS}.get(step, now)
    return ceiling(now - kept, step)


def _series_comparison(request: campaign_pb.ListTimeSeriesRequest, start: int, end: int) -> Wanted:
    """Return the steps [start, end) with those that they are compared with; raises ServingError."""
    step = _STEPS[request.grain]
    shift = shift_of(request.comparison, end - start)
    if not shift:
        return Wanted(start, end)
    if shift % WIDTH_MS[step]:
        raise invalid("comparison", "must be a whole number of steps of the grain earlier")
    compared = max(start - shift, _kept_from(step), EARLIEST_MS), end - shift
    if compared[0] >= compared[1]:
        raise invalid("comparison", "lies before the time for which figures of this grain are kept")
    return Wanted(start, end, compared, shift)


class CampaignMetricsHandlers:
    """Handlers of the service's methods."""

    def __init__(
        self, queries: CampaignMetricsQueries, current: CurrentWindows, answers: Answers, hub: LiveHub, pace: Pace
    ) -> None:
        """Keep what answers are made from."""
        self._queries = queries
        self._current = current
        self._answers = answers
        self._hub = hub
        self._pace = pace
        self._updates: SharedUpdates[campaign_pb.WatchCampaignMetricsResponse] = SharedUpdates()

    async def get_campaign_metrics(
        self, request: campaign_pb.GetCampaignMetricsRequest, call: Call
    ) -> campaign_pb.GetCampaignMetricsResponse:
        """Sums and KPIs of a range."""
        selection, split = read_selection(request.selection, request.filter), read_split(request.group_by)
        size = page_size(request.page_size, DEFAULT_GROUPS, MOST_GROUPS)
        covered = round_outwards(*read_range(request.range), now_ms())
        start, end, after = _start(request, request.page_token, covered)
        wanted = with_comparison(start, end, request.comparison)

        async def compute() -> campaign_pb.GetCampaignMetricsResponse:
            groups = await self._queries.sums(
                call.tenant_id, wanted, selection, split, Page(size + 1, after), call.query_seconds
            )
            return campaign_pb.GetCampaignMetricsResponse(
                metrics=[campaign_metrics(group) for group in groups[:size]],
                covered_range=time_range(start, end),
                freshness=history_freshness(groups),
                next_page_token=_next_token(request, (start, end), groups, size),
                covered_comparison_range=compared_range(wanted),
            )

        return await self._answers.answer(
            request, call, campaign_pb.GetCampaignMetricsResponse, compute, until_changed(end, Subject.CAMPAIGNS)
        )

    async def list_time_series(
        self, request: campaign_pb.ListTimeSeriesRequest, call: Call
    ) -> campaign_pb.ListTimeSeriesResponse:
        """Sums and KPIs per step."""
        selection, split = read_selection(request.selection, request.filter), read_split(request.group_by)
        size = page_size(request.page_size, DEFAULT_POINTS, MOST_POINTS)
        sliding = request.grain == campaign_pb.GRAIN_SLIDING_WINDOW
        if sliding and request.comparison:
            raise invalid("comparison", "is not possible with sliding windows")
        if not sliding and request.grain not in _STEPS:
            raise invalid("grain", "is required: sliding window, minute, hour, day or week")
        zone = read_time_zone(request)
        covered = self._steps_around(request, sliding=sliding)
        start, end, after = _start(request, request.page_token, covered)
        page = Page(size + 1, after)
        wanted = Wanted(start, end) if sliding else _series_comparison(request, start, end)

        def point(group: Group, width: int) -> campaign_pb.TimeSeriesPoint:
            end_ms = day_end(group.start_ms, zone) if zone else group.start_ms + width
            return campaign_pb.TimeSeriesPoint(
                start_time=timestamp(group.start_ms), end_time=timestamp(end_ms), metrics=campaign_metrics(group)
            )

        async def compute() -> campaign_pb.ListTimeSeriesResponse:
            seconds = call.query_seconds
            if sliding:
                groups = await self._queries.sliding_windows(
                    call.tenant_id, start, end, selection, split, page, seconds
                )
                width = WINDOW_MS
            elif zone:
                groups = await self._queries.local_days(
                    call.tenant_id, wanted, zone.key, selection, split, page, seconds
                )
                width = WIDTH_MS[Figures.DAY]
            else:
                step = _STEPS[request.grain]
                groups = await self._queries.series(call.tenant_id, wanted, step, selection, split, page, seconds)
                width = WIDTH_MS[step]
            return campaign_pb.ListTimeSeriesResponse(
                points=[point(group, width) for group in groups[:size]],
                covered_range=time_range(start, end),
                freshness=history_freshness(groups),
                next_page_token=_next_token(request, (start, end), groups, size),
                covered_comparison_range=compared_range(wanted),
            )

        return await self._answers.answer(
            request, call, campaign_pb.ListTimeSeriesResponse, compute, until_changed(end, Subject.CAMPAIGNS)
        )

    def _steps_around(self, request: campaign_pb.ListTimeSeriesRequest, *, sliding: bool) -> tuple[int, int]:
        """Return the requested range, widened to whole steps and cut where figures of the grain are no longer kept."""
        start, end = read_range(request.range)
        now = now_ms()
        if sliding:
            width = SECOND_MS
            start, end = max(start - start % width, now - FINE_RETENTION_MS - now % width), -(-end // width) * width
        else:
            # Days of a time zone are made of hours.
            step = Figures.HOUR if request.time_zone else _STEPS[request.grain]
            width = WIDTH_MS[step]
            start, end = max(floor(start, step), _kept_from(step)), ceiling(end, step)
        if start >= end:
            raise invalid("range", "lies before the time for which figures of this grain are kept")
        if (end - start) // width > MOST_STEPS:
            raise invalid("range", f"must not hold more than {MOST_STEPS} steps of the grain")
        return start, end

    async def get_current_campaign_metrics(
        self, request: campaign_pb.GetCurrentCampaignMetricsRequest, call: Call
    ) -> campaign_pb.GetCurrentCampaignMetricsResponse:
        """The newest windows."""
        selection = read_selection(request.selection, request.filter)
        known = self._hub.known(call.tenant_id)
        position = known.windows.position if known else None
        return await self._read_current(request, selection, call, position, exact=False)

    async def _read_current(
        self,
        request: campaign_pb.GetCurrentCampaignMetricsRequest,
        selection: Selection,
        call: Call,
        position: Position | None,
        *,
        exact: bool,
    ) -> campaign_pb.GetCurrentCampaignMetricsResponse:
        """Return the newest windows; with `exact` those of the live values up to `position` are among them."""

        async def compute() -> campaign_pb.GetCurrentCampaignMetricsResponse:
            current = await self._current.read(call.tenant_id, selection, call.query_seconds)
            return campaign_pb.GetCurrentCampaignMetricsResponse(
                windows=map(campaign_window, current.windows), freshness=current_freshness(current)
            )

        return await self._answers.current(request, call, position, compute, exact=exact)

    async def watch_campaign_metrics(
        self, request: campaign_pb.WatchCampaignMetricsRequest, call: Call
    ) -> AsyncGenerator[campaign_pb.WatchCampaignMetricsResponse, None]:
        """The newest windows, then their changes."""
        selection = read_selection(request.selection, request.filter)
        watch = open_watch(self._hub.file(call.tenant_id).windows, request, request.resume_cursor)
        asked = campaign_pb.GetCurrentCampaignMetricsRequest(
            tenant_id=request.tenant_id, selection=request.selection, filter=request.filter
        )
        question = (call.tenant_id, question_of(request, CURSOR))
        # A signal comes a moment after its window is stored, so the snapshot may hold windows whose signals are
        # still on their way, and those of the windows before them.
        snapshot: dict[tuple[str, str, str], tuple[int, int]] = {}
        todo = steps(watch, self._hub, self._pace, lambda window: selection.matches(*window.key))
        async with aclosing(todo):
            async for step, changed in todo:
                response = campaign_pb.WatchCampaignMetricsResponse()
                if step is Step.SNAPSHOT:
                    watch.begin_snapshot()
                    current = await self._read_current(asked, selection, call, watch.position, exact=True)
                    snapshot = {
                        (window.campaign_id, window.channel, window.currency): (
                            window.window_end.ToMilliseconds(),
                            window.revision,
                        )
                        for window in current.windows
                    }
                    # Set even when there are no windows: an empty snapshot is an answer.
                    response.snapshot.SetInParent()
                    response.snapshot.windows.extend(current.windows)
                    response.freshness.CopyFrom(current.freshness)
                elif step is Step.CHANGES:
                    newer = [window for window in changed if window.version > snapshot.get(window.key, (0, 0))]
                    for window in newer:
                        snapshot.pop(window.key, None)
                    if not newer:
                        continue
                    if len(newer) == len(changed):
                        # What changed between two positions is the same for all who watch the same.
                        yield self._updates.get(
                            (*question, watch.before, watch.position), partial(_changes, newer, watch.cursor(request))
                        )
                        continue
                    response = _changes(newer, "")
                else:
                    response.heartbeat.sent_at.CopyFrom(timestamp(now_ms()))
                response.resume_cursor = watch.cursor(request)
                yield response


def _changes(newer: list[Window], cursor: str) -> campaign_pb.WatchCampaignMetricsResponse:
    """Return the message that tells of windows."""
    return campaign_pb.WatchCampaignMetricsResponse(
        changes=campaign_pb.CampaignWindows(windows=map(campaign_window, newer)),
        freshness=current_freshness(Current(newer, Origin.LIVE)),
        resume_cursor=cursor,
    )
