"""Ranges are covered exactly once, by figures that are complete."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.queries.tiling import (
    DAY_MS,
    FINE_RETENTION_MS,
    HOUR_RETENTION_MS,
    LONGEST_TAIL_MS,
    MINUTE_MS,
    SETTLING_MS,
    TAIL_MS,
    WEEK_MS,
    WIDTH_MS,
    WINDOW_MS,
    Figures,
    ceiling,
    cover,
    floor,
    round_outwards,
    settled_before,
    tail_from,
)

NOW = 1_790_000_000_000
COARSE = (Figures.HOUR, Figures.DAY, Figures.WEEK)
ROLLED = (Figures.MINUTE, *COARSE)
times = st.integers(NOW - 500 * DAY_MS, NOW + DAY_MS)
aligned = times.map(lambda t: t - t % WINDOW_MS)
settled_times = times.map(lambda t: t - t % MINUTE_MS)


@given(aligned, aligned, settled_times, aligned, st.sampled_from(ROLLED))
def test_every_moment_lies_in_exactly_one_piece(a, b, settled, tail, coarsest):
    start, end = sorted((a, b))
    pieces = cover(start, end, settled, tail, coarsest)
    at = start
    for piece in pieces:
        assert piece.start_ms == at
        assert piece.end_ms > piece.start_ms
        assert floor(piece.start_ms, piece.figures) == piece.start_ms
        assert floor(piece.end_ms, piece.figures) == piece.end_ms
        at = piece.end_ms
    assert at == end


@given(aligned, aligned, settled_times, aligned, st.sampled_from(ROLLED))
def test_pieces_are_complete_and_no_coarser_than_asked(a, b, settled, tail, coarsest):
    start, end = sorted((a, b))
    for piece in cover(start, end, settled, tail, coarsest):
        # Windows may still be on their way after the tail begins; before it events would be read for nothing.
        assert (piece.figures is Figures.EVENT) == (piece.end_ms > tail)
        assert WIDTH_MS[piece.figures] <= WIDTH_MS[coarsest]
        if piece.figures in ROLLED:
            # An open hour's row lacks minutes, an open minute has no row.
            assert piece.end_ms <= settled
        if piece.figures is Figures.NEWEST:
            assert piece.start_ms >= settled


@given(times, times, st.just(NOW - NOW % MINUTE_MS))
def test_few_rows_are_needed(a, b, settled):
    """A long settled range is made of coarse rows: at most an edge of each finer grain is left on either side."""
    start, end = (t - t % WINDOW_MS for t in sorted((a, b)))
    for piece in cover(start, min(end, settled), settled, NOW):
        count = (piece.end_ms - piece.start_ms) // WIDTH_MS[piece.figures]
        most = {Figures.WINDOW: 23, Figures.MINUTE: 118, Figures.HOUR: 46, Figures.DAY: 12}.get(piece.figures, 1000)
        assert count <= most


@given(times, st.sampled_from(list(Figures)))
def test_floor_and_ceiling(t, figures):
    low, high = floor(t, figures), ceiling(t, figures)
    assert low <= t <= high
    assert high - low in (0, WIDTH_MS[figures])
    assert floor(low, figures) == low
    assert ceiling(low, figures) == low


def test_weeks_begin_on_monday():
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    sunday = datetime(2026, 3, 8, 23, 59, tzinfo=UTC)
    assert floor(int(sunday.timestamp() * 1000), Figures.WEEK) == int(monday.timestamp() * 1000)
    assert ceiling(int(sunday.timestamp() * 1000), Figures.WEEK) == int(monday.timestamp() * 1000) + WEEK_MS


@given(times, times)
def test_rounding_goes_outwards_and_no_further_than_needed(a, b):
    start, end = sorted((a, b))
    low, high = round_outwards(start, end, NOW)
    assert low <= start
    assert high >= end
    for asked, given_ in ((start, low), (end, high)):
        if asked >= NOW - FINE_RETENTION_MS:
            assert given_ % WINDOW_MS == 0
            assert abs(asked - given_) < WINDOW_MS
        elif asked >= NOW - HOUR_RETENTION_MS:
            assert floor(given_, Figures.HOUR) == given_
            assert abs(asked - given_) < WIDTH_MS[Figures.HOUR]
        else:
            assert floor(given_, Figures.DAY) == given_


def test_where_events_are_counted():
    minute = NOW - NOW % MINUTE_MS
    # The newest window that was heard of, less the time that the slowest task needs.
    assert tail_from(minute + 5_000, minute, NOW + 60_000) == minute + 5_000 - TAIL_MS
    # A window that ends ahead of the clock does not move the tail beyond it.
    assert tail_from(NOW + 60_000, None, minute) == minute - TAIL_MS
    # Nothing heard of: after the newest closed minute, at most two minutes.
    assert tail_from(None, minute - MINUTE_MS, minute + 10_000) == minute - TAIL_MS
    assert tail_from(None, minute - 60 * MINUTE_MS, minute) == minute - LONGEST_TAIL_MS
    assert tail_from(None, None, minute) == minute - LONGEST_TAIL_MS


@pytest.mark.parametrize("newest", [None, NOW - NOW % MINUTE_MS])
def test_settled_before(newest):
    if newest is None:
        assert settled_before(None) == 0
    else:
        assert settled_before(newest) == newest + MINUTE_MS - SETTLING_MS
