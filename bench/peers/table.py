"""The comparison as a page: `docs/benchmarks.md` is written from the figures and from nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks.md"
BEGIN, END = "<!-- table of bench.peers begin -->", "<!-- table of bench.peers end -->"


def table(result: Mapping[str, Any]) -> str:
    """Return the rows in Markdown, the fastest first."""
    machine = result["machine"]
    lines = [
        f"Measured {result['at']} on {machine['cores']} cores ({machine['machine']}), Python {machine['python']}.",
        "",
    ]
    lines += ["| engine | does | events | events/s | processor, µs/event | windows |", "|---|---|---:|---:|---:|---|"]
    for row in sorted(result["rows"], key=lambda one: -(one["events_per_second"] or 0)):
        rate = f"{row['events_per_second']:,.0f}" if row["events_per_second"] else ""
        micros = f"{row['cpu_micros_per_event']:.0f}" if row["cpu_micros_per_event"] else ""
        verdict = f"{row['windows']:,} equal" if row["equal"] else "**differ or failed**"
        lines.append(f"| {row['name']} | {row['does']} | {row['events']:,} | {rate} | {micros} | {verdict} |")
    return "\n".join(lines)


def write_page(result: Mapping[str, Any]) -> None:
    """Write the table into the page.

    Raises:
        ValueError: the page has no place for it.
    """
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN} and {END}")
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(result)}\n\n{END}{after}", encoding="utf-8")
