"""Our models against other libraries' numbers on public data, and the page that shows both."""

from __future__ import annotations

import pytest

from bench import reference_tables

PATHS = reference_tables.path_data()
SERIES = reference_tables.all_series(PATHS)
THEIRS = reference_tables.reference()


@pytest.mark.parametrize("series", SERIES, ids=lambda series: f"{series.library}-{series.name}")
def test_ours_is_theirs(series: reference_tables.Series) -> None:
    theirs = THEIRS[series.library][series.name]
    assert set(theirs) == set(series.ours)
    channel, gap = reference_tables.largest_difference(series.ours, theirs)
    assert gap <= series.tolerance, f"{channel}: {series.ours[channel]}, theirs {theirs[channel]}"


def test_no_library_is_left_out() -> None:
    assert {series.library for series in SERIES} == set(THEIRS)


def test_every_table_of_the_page_is_there() -> None:
    page = reference_tables.PAGE.read_text(encoding="utf-8")
    written = page.partition(reference_tables.BEGIN)[2].partition(reference_tables.END)[0]
    for series in SERIES:
        assert f"| {series.what} |" in written, f"{series.what} is missing: python -m bench.reference_tables"
