"""Uids by stage: what one stage plans does not show in the uids of another."""

from __future__ import annotations

from jobs.uids import renumbered


def test_places_are_counted_by_stage_and_kind_in_order_of_planning():
    planned = ["ingest/2_calc", "ingest/10_calc", "ingest/3_deduplicate", "journeys/11_calc", "watch-rules"]
    assert renumbered(planned) == {
        "ingest/2_calc": "ingest/calc-1",
        "ingest/10_calc": "ingest/calc-2",
        "ingest/3_deduplicate": "ingest/deduplicate-1",
        "journeys/11_calc": "journeys/calc-1",
    }


def test_an_operator_more_in_an_earlier_stage_changes_no_later_uid():
    before = ["ingest/1_source", "ingest/2_calc", "journeys/3_window", "journeys/4_calc", "journeys/5_calc"]
    after = [*before[:2], "ingest/3_calc", "journeys/4_window", "journeys/5_calc", "journeys/6_calc"]
    finals = [set(renumbered(uids).values()) for uids in (before, after)]
    assert finals[1] - finals[0] == {"ingest/calc-2"}
    assert finals[0] <= finals[1]


def test_the_order_in_which_uids_are_found_does_not_matter():
    planned = [f"alerts/{number}_calc" for number in range(1, 12)]
    assert renumbered(planned) == renumbered(planned[::-1])
