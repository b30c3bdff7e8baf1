"""The pure parts of the comparison of engines: what is counted as equal, as a rate, and as a row of the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench.peers import results
from bench.peers.comparison import Row, differences, measure, slope
from bench.peers.engines import ENGINES, Engine, Task, span
from bench.peers.events import CLOSING_TENANT, Events, read_windows
from bench.peers.measured_run import Cost, PeerError
from bench.peers.shared_part import window_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.peers.events import Windows

RIGHT: Windows = {("acme/c1/email/EUR", 1_000): (10, 2, 1, 5, 7, 3), ("acme/c1/email/EUR", 2_000): (1, 0, 0, 5, 0, 1)}
MACHINE = {"cores": 2, "processor": "some", "python": "3.11"}


def engine(run: Callable[[Task], tuple[Cost, Windows]]) -> Engine:
    return Engine("one", "everything", run)


def task(folder: Path, prefix: str, messages: int) -> Task:
    return Task("nowhere:1", Events(folder, prefix, messages, messages), RIGHT, folder / prefix, 2)


def test_equal_windows_have_no_differences() -> None:
    assert differences(dict(RIGHT), RIGHT) == ""


@pytest.mark.parametrize(
    "found",
    [
        {},
        {("acme/c1/email/EUR", 1_000): RIGHT["acme/c1/email/EUR", 1_000]},
        RIGHT | {("acme/c1/email/EUR", 2_000): (1, 0, 0, 5, 0, 2)},
        RIGHT | {("acme/c2/email/EUR", 2_000): (1, 0, 0, 5, 0, 1)},
    ],
    ids=["nothing", "missing", "wrong sum", "too many"],
)
def test_any_difference_is_named(found: Windows) -> None:
    assert "of 2 windows differ, first ('acme/c" in differences(found, RIGHT)


def test_the_rate_is_of_the_events_that_the_large_set_has_more() -> None:
    # Ten seconds and four of the processor are the start of both: the 900 other events took 9 s and 4.5 s.
    assert slope(Cost(11.0, 5.0), Cost(20.0, 9.5), 900) == (pytest.approx(100.0), pytest.approx(5_000.0))


def test_a_large_run_that_was_no_longer_gives_no_rate() -> None:
    assert slope(Cost(11.0, 5.0), Cost(11.0, 5.9), 900) == (None, pytest.approx(1_000.0))


def test_a_row_of_equal_windows_is_timed(tmp_path: Path) -> None:
    costs = iter([Cost(11.0, 5.0), Cost(20.0, 9.5)])
    row = measure(
        engine(lambda _task: (next(costs), RIGHT)), task(tmp_path, "small-", 100), task(tmp_path, "large-", 1_000)
    )
    assert (row.small, row.large, row.windows, row.error) == (100, 1_000, 2, "")
    assert row.events_per_second == pytest.approx(100.0)


def test_an_engine_with_other_windows_is_not_timed(tmp_path: Path) -> None:
    row = measure(engine(lambda _task: (Cost(1.0, 1.0), {})), task(tmp_path, "small-", 100), None)
    assert row.events_per_second is None
    assert row.error.startswith("2 of 2 windows differ")


def test_an_engine_that_fails_is_a_row_with_its_error(tmp_path: Path) -> None:
    def fail(_task: Task) -> tuple[Cost, Windows]:
        raise PeerError("the end of its log")

    row = measure(engine(fail), task(tmp_path, "small-", 100), task(tmp_path, "large-", 1_000))
    assert (row.events_per_second, row.error) == (None, "the end of its log")


def test_windows_are_read_without_those_of_the_closing_events(tmp_path: Path) -> None:
    file = tmp_path / "windows.jsonl"
    lines = [window_line(key, start, sums) for (key, start), sums in RIGHT.items()]
    file.write_text("\n".join([*lines, window_line(f"{CLOSING_TENANT}/c1/email/EUR", 1_000, (0,) * 6)]) + "\n")
    assert read_windows([file]) == RIGHT


def test_a_window_that_was_written_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "windows.jsonl"
    file.write_text((window_line("acme/c1/email/EUR", 1_000, (0,) * 6) + "\n") * 2)
    with pytest.raises(ValueError, match="was written twice"):
        read_windows([file])


def test_workers_are_timed_from_the_first_message_of_any_to_the_last() -> None:
    idle = {"first": 0.0, "last": 0.0, "messages": 0}
    assert span([{"first": 5.0, "last": 9.0, "messages": 2}, {"first": 3.0, "last": 8.0, "messages": 1}, idle]) == 6.0


def row(name: str, rate: float | None, error: str = "") -> Row:
    return Row(name, "everything", 20_000, 1_000_000, rate, 40.0 if rate else None, 2, error)


def test_new_rows_replace_those_of_the_same_engine() -> None:
    before = results.merged({}, [row("a", 100.0), row("b", 50.0)], MACHINE, "2026-01-01T00:00Z")
    after = results.merged(before, [row("b", 200.0)], MACHINE, "2026-01-02T00:00Z")
    assert [(one["name"], one["events_per_second"], one["measured_at"][:10]) for one in after["rows"]] == [
        ("b", 200.0, "2026-01-02"),
        ("a", 100.0, "2026-01-01"),
    ]


def test_rows_of_another_machine_are_left_out() -> None:
    before = results.merged({}, [row("a", 100.0)], {**MACHINE, "cores": 64}, "2026-01-01T00:00Z")
    after = results.merged(before, [row("b", 200.0)], MACHINE, "2026-01-02T00:00Z")
    assert [one["name"] for one in after["rows"]] == ["b"]


def test_the_table_tells_equal_from_failed() -> None:
    rows = [row("a", 12_345.6), row("b", None, "2 of 2 windows differ")]
    lines = results.table(results.merged({}, rows, MACHINE, "2026-01-01T00:00Z")).splitlines()
    assert "| a | everything | 20,000 and 1,000,000 | 12,346 | 40.0 | 2 equal |" in lines
    assert "| b | everything | 20,000 and 1,000,000 |  |  | **differ or failed** |" in lines


def test_the_page_is_written_from_the_file() -> None:
    figures: dict[str, Any] = json.loads(results.FIGURES.read_text(encoding="utf-8"))
    assert results.table(figures) in results.PAGE.read_text(encoding="utf-8")
    assert {one["name"] for one in figures["rows"]} <= {one.name for one in ENGINES}
