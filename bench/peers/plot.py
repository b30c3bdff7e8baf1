"""The figures as bars: `python -m bench.peers.plot FIGURES SVG`, in the environment of the peers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl  # type: ignore[import-not-found]
from matplotlib.figure import Figure  # type: ignore[import-not-found]

# Text stays text, and the same figures give the same file.
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "tributary", "font.size": 9}

_OURS, _OTHERS = "#1f6feb", "#8c959f"


def main(figures: Path, picture: Path) -> None:
    """Draw rates and processor times, each on a scale of powers of ten."""
    rows = [row for row in json.loads(figures.read_text(encoding="utf-8"))["rows"] if row["events_per_second"]]
    rows.reverse()  # bars are drawn from below
    names = [row["name"] for row in rows]
    colours = [_OURS if name.startswith("Tributary") else _OTHERS for name in names]
    figure = Figure(figsize=(9, 0.8 + 0.35 * len(rows)), layout="constrained")
    places = figure.subplots(1, 2, sharey=True)
    for place, key, title in zip(
        places, ("events_per_second", "cpu_micros_per_event"), ("events/s", "processor, µs/event"), strict=True
    ):
        bars = place.barh(names, [row[key] for row in rows], color=colours)
        place.bar_label(bars, [f"{row[key]:,.3g}" if row[key] < 100 else f"{row[key]:,.0f}" for row in rows], padding=2)
        place.set_xscale("log")
        place.margins(x=0.25)
        place.set_title(title)
        place.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
