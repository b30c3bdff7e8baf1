"""Versions of stored copies: the earlier one is larger, and there is room for a withdrawal above each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.clickhouse.event_rows import version

YEAR_2039_MS = 2_177_452_800_000
ARRIVALS = st.tuples(st.integers(0, YEAR_2039_MS), st.integers(0, 2**20 - 1))


@given(st.integers(0, 2**40), ARRIVALS, ARRIVALS)
def test_of_two_copies_the_earlier_has_the_larger_version(lap, one, other):
    first, second = sorted((one, other))
    versions = [version(ms, lap * 2**20 + offset) for ms, offset in (first, second)]
    assert 0 < versions[1] <= versions[0] <= 2**63
    if first != second:
        # The withdrawal of the second is not the first's row.
        assert versions[0] > versions[1] + 1
