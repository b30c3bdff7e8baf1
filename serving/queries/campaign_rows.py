"""The SQL of the stored rows that campaign figures are summed from, in one shape whatever table they come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from connectors.clickhouse.recompute import CAMPAIGN_EVENTS
from serving.queries.filters import Name
from serving.queries.tiling import MINUTE_MS, WIDTH_MS, WINDOW_MS, Figures, Piece
from serving.queries.time_predicates import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serving.queries.filters import Condition

CHANNELS = ("email", "social", "display", "search", "video", "native")
FILTER_NAMES = {
    "campaign": Name("campaign_id"),
    "channel": Name("channel", words=CHANNELS),
    "currency": Name("currency"),
}
"""What a filter of campaign figures may name."""

SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros", "events")
_COLUMNS = ", ".join(SUMS)
_KEY = "campaign_id, channel, currency"
# Figures that are rows of `campaign_rollups`.
_GRAINS = (Figures.MINUTE, Figures.HOUR, Figures.DAY, Figures.WEEK)
# A window that begins at a multiple of five seconds.
_SIDE_BY_SIDE = f"toUnixTimestamp64Milli(window_start) % {WINDOW_MS} = 0"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows count; an empty tuple lets all pass, and so does no condition."""

    campaign_ids: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    condition: Condition | None = None

    def matches(self, campaign_id: str, channel: str, currency: str) -> bool:
        """Tell whether a row of these counts."""
        return (
            (not self.campaign_ids or campaign_id in self.campaign_ids)
            and (not self.channels or channel in self.channels)
            and (not self.currencies or currency in self.currencies)
            and (
                self.condition is None
                or self.condition.matches({"campaign": campaign_id, "channel": channel, "currency": currency})
            )
        )

    def sql(self, parameters: dict[str, Any]) -> str:
        """Return the predicate of tenant (bound as `tenant`) and selection, ending in AND; binds its values."""
        parts = ["tenant_id = {tenant:String}"]
        for name, values in (
            ("campaign_id", self.campaign_ids),
            ("channel", self.channels),
            ("currency", self.currencies),
        ):
            if values:
                parameters[f"{name}s"] = list(values)
                parts.append(f"{name} IN {{{name}s:Array(String)}}")
        if self.condition is not None:
            parts.append(self.condition.sql(parameters))
        return " AND ".join(parts) + " AND"


@dataclass(frozen=True, slots=True)
class Span:
    """A range cut into pieces. `shift_ms` is added to its times when it is set beside another range; `compared` tells
    that it is what another one is compared with."""

    pieces: Sequence[Piece]
    shift_ms: int = 0
    compared: bool = False


def rows_of(spans: Sequence[Span], selected: str) -> str:
    """Return the SQL of all rows that the spans are made of.

    Its columns: campaign_id, channel, currency, start_ms, width_ms, the sums, revision, shift_ms, compared. `selected`
    is that of `Selection.sql`.

    Each table is read as seldom as can be: planning a read takes the engine longer than a day's rows do.
    """
    settled, others = _settled_together(spans)
    branches = [
        f"SELECT *, toInt64({span.shift_ms}) AS shift_ms, {int(span.compared)} AS compared "  # noqa: S608 - integers; values are bound
        f"FROM ({_rows(span.pieces, selected)})"
        for span in others
        if span.pieces
    ]
    return " UNION ALL ".join([*([_settled_rows(settled, selected)] if settled else []), *branches])


def _settled_together(spans: Sequence[Span]) -> tuple[Sequence[Span], Sequence[Span]]:
    """Return the parts of spans whose rows are read at once, and the parts that are left.

    A row that belongs to two spans which overlap has to be read for each of them.
    """
    ends = sorted((span.pieces[0].start_ms, span.pieces[-1].end_ms) for span in spans if span.pieces)
    if any(end > start for (_, end), (start, _) in pairwise(ends)):
        return (), spans
    settled = [replace(span, pieces=[piece for piece in span.pieces if piece.figures in _GRAINS]) for span in spans]
    others = [replace(span, pieces=[piece for piece in span.pieces if piece.figures not in _GRAINS]) for span in spans]
    return [span for span in settled if span.pieces], others


def _settled_rows(spans: Sequence[Span], selected: str) -> str:
    """Return the SQL of the roll-ups of spans that do not overlap."""
    first, *rest = spans
    shift, compared = f"toInt64({first.shift_ms})", f"toUInt8({int(first.compared)})"
    for span in rest:
        within = f"start_ms >= {span.pieces[0].start_ms} AND start_ms < {span.pieces[-1].end_ms}"  # integers
        shift = f"if({within}, toInt64({span.shift_ms}), {shift})"
        compared = f"if({within}, toUInt8({int(span.compared)}), {compared})"
    rows = _rollup_rows([piece for span in spans for piece in span.pieces], selected)
    return f"SELECT *, {shift} AS shift_ms, {compared} AS compared FROM ({rows})"  # noqa: S608 - integers; values are bound


def window_rows(conditions: str) -> str:
    """Return the SQL of window rows under conditions, with the columns of one span's rows."""
    return f"""
    SELECT {_KEY}, toUnixTimestamp64Milli(window_start) AS start_ms, {WINDOW_MS} AS width_ms, {_COLUMNS}, revision
    FROM campaign_metrics FINAL WHERE {conditions}
    """  # noqa: S608 - built from constants and integers; values are bound


def _within(column: str, pieces: Iterable[Piece]) -> str:
    ranges = (f"({column} >= {moment(piece.start_ms)} AND {column} < {moment(piece.end_ms)})" for piece in pieces)
    return f"({' OR '.join(ranges)})"


def _rows(pieces: Sequence[Piece], selected: str) -> str:
    kinds: dict[Figures, list[Piece]] = {}
    for piece in pieces:
        kinds.setdefault(piece.figures, []).append(piece)
    branches = []
    if rollups := [piece for piece in pieces if piece.figures in _GRAINS]:
        branches.append(_rollup_rows(rollups, selected))
    if windows := kinds.get(Figures.WINDOW):
        branches.append(window_rows(f"{selected} {_SIDE_BY_SIDE} AND {_within('window_start', windows)}"))
    if newest := kinds.get(Figures.NEWEST):
        branches.append(_newest_rows(newest, selected))
    if events := kinds.get(Figures.EVENT):
        branches.append(_event_rows(events, selected))
    return " UNION ALL ".join(branches)


def _rollup_rows(pieces: Sequence[Piece], selected: str) -> str:
    """Return the SQL of the roll-ups of pieces, of all their grains at once."""
    grains = [grain for grain in _GRAINS if any(piece.figures is grain for piece in pieces)]
    wanted = " OR ".join(
        f"(grain = '{grain}' AND {_within('bucket_start', [piece for piece in pieces if piece.figures is grain])})"
        for grain in grains
    )
    width = str(WIDTH_MS[grains[0]])
    for grain in grains[1:]:
        width = f"if(grain = '{grain}', {WIDTH_MS[grain]}, {width})"
    return f"""
    SELECT {_KEY}, toUnixTimestamp64Milli(bucket_start) AS start_ms, toInt64({width}) AS width_ms, {_COLUMNS}, revision
    FROM campaign_rollups FINAL WHERE {selected} ({wanted})
    """  # noqa: S608 - built from constants and integers; values are bound


def _event_rows(pieces: Sequence[Piece], selected: str) -> str:
    """Return the SQL of events as rows of their own."""
    sums = ", ".join(SUMS[:-1])
    families = ", ".join(f"'{name}'" for name in CAMPAIGN_EVENTS)
    return f"""
    SELECT {_KEY}, toUnixTimestamp64Milli(event_time) AS start_ms, {WIDTH_MS[Figures.EVENT]} AS width_ms, {sums},
           toUInt64(1) AS events, toUInt64(0) AS revision
    FROM events FINAL WHERE {selected} event_type IN ({families}) AND {_within("event_time", pieces)}
    """  # noqa: S608 - built from constants and integers; values are bound


def _newest_rows(pieces: Sequence[Piece], selected: str) -> str:
    """Return the SQL of minutes made of their row where there is one, else of their windows.

    Each table is read once: a minute that closes meanwhile is seen as its row or as its windows, never as both and
    never as neither.
    """
    chosen = ", ".join(
        f"if(max(part.closed), sumIf(part.{name}, part.closed), sum(part.{name})) AS {name}" for name in SUMS
    )
    return f"""
    SELECT {_KEY}, minute_ms AS start_ms, max(part.end_ms) - minute_ms AS width_ms, {chosen},
           if(max(part.closed), maxIf(part.revision, part.closed), max(part.revision)) AS revision
    FROM
    (
        SELECT {_KEY}, toUnixTimestamp64Milli(bucket_start) AS minute_ms, minute_ms + {MINUTE_MS} AS end_ms,
               1 AS closed, {_COLUMNS}, revision
        FROM campaign_rollups FINAL WHERE {selected} grain = 'minute' AND {_within("bucket_start", pieces)}
        UNION ALL
        SELECT {_KEY}, intDiv(toUnixTimestamp64Milli(window_start), {MINUTE_MS}) * {MINUTE_MS} AS minute_ms,
               toUnixTimestamp64Milli(window_end) AS end_ms, 0 AS closed, {_COLUMNS}, revision
        FROM campaign_metrics FINAL WHERE {selected} {_SIDE_BY_SIDE} AND {_within("window_start", pieces)}
    ) AS part
    GROUP BY {_KEY}, minute_ms
    """  # noqa: S608 - built from constants and integers; values are bound
