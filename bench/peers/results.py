"""The comparison as a file, a table and a plot: the page is made from the figures in the file and from nothing else."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peers.measured_run import BENCH_PYTHON, check_output
from bench.reference_tables import replaced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.peers.comparison import Row

_DOCS = Path(__file__).resolve().parents[2] / "docs"
FIGURES, PAGE = _DOCS / "benchmarks.json", _DOCS / "benchmarks.md"
BEGIN, END = "<!-- table of bench.peers begin -->", "<!-- table of bench.peers end -->"


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"cores": os.cpu_count(), "processor": model, "python": platform.python_version()}


def line(row: Row) -> str:
    """Return a row for the terminal."""
    rate = f"{row.events_per_second:,.0f} events/s" if row.events_per_second else "not timed"
    micros = f"{row.cpu_micros_per_event:.1f} µs/event" if row.cpu_micros_per_event else ""
    return f"{row.name:<30} {rate:>20} {micros:>16}  {row.error or f'{row.windows} windows equal'}"


def merged(
    known: Mapping[str, Any], rows: Sequence[Row], machine: Mapping[str, Any], measured_at: str
) -> dict[str, Any]:
    """Return `known` results with these rows in place of earlier ones of the same engines.

    Rows of another machine are left out: figures of two machines say nothing side by side.
    """
    kept = {row["name"]: row for row in known.get("rows", ())} if known.get("machine") == machine else {}
    kept |= {row.name: asdict(row) | {"measured_at": measured_at} for row in rows}
    return {"machine": machine, "rows": sorted(kept.values(), key=lambda row: -(row["events_per_second"] or 0))}


def table(result: Mapping[str, Any]) -> str:
    """Return the rows in Markdown, the fastest first."""
    machine, rows = result["machine"], result["rows"]
    dates = sorted({row["measured_at"][:10] for row in rows})
    lines = [
        f"{machine['cores']} cores of {machine['processor']}, Python {machine['python']}; {' and '.join(dates)}.",
        "",
        "| engine | does | events | events/s | processor, µs/event | windows |",
        "|---|---|---:|---:|---:|---|",
    ]
    for row in rows:
        rate = f"{row['events_per_second']:,.0f}" if row["events_per_second"] else ""
        micros = f"{row['cpu_micros_per_event']:.1f}" if row["cpu_micros_per_event"] else ""
        verdict = "**differ or failed**" if row["error"] else f"{row['windows']:,} equal"
        events = f"{row['small']:,} and {row['large']:,}"
        lines.append(f"| {row['name']} | {row['does']} | {events} | {rate} | {micros} | {verdict} |")
    return "\n".join([*lines, "", "![events a second and processor time of an event by engine](benchmarks.svg)"])


def write(rows: Sequence[Row]) -> None:
    """Put the rows into the file, the page and the plot.

    Raises:
        ValueError: the page has no place for the table.
        PeerError: the plot was not drawn.
    """
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    result = merged(known, rows, machine(), time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()))
    FIGURES.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), BEGIN, END, table(result)), encoding="utf-8")
    if any(row["events_per_second"] for row in result["rows"]):
        check_output((BENCH_PYTHON, "-m", "bench.peers.plot", str(FIGURES), str(PAGE.with_suffix(".svg"))))
