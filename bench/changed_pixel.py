"""From an event to a changed pixel: `python -m bench.changed_pixel --rate 5000 --seconds 120` on a stack that runs.

While the simulator sends its load, an event of a campaign of its own is sent every few seconds, each with a number of
clicks that no other has. A browser has the dashboard of running windows open, and notes in which frame it first shows
each number; what is measured is from the event's creation to that frame. Both clocks are this machine's. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.browser import chromium
from bench.ingest_counts import read_endpoints
from bench.pipeline import PROBE_TENANT, summary
from bench.world.probes import campaign_increment, probe_envelope
from bench.world.producer import KafkaSender
from connectors.kafka.codec import EventEncoder
from connectors.kafka.topics import Topics
from connectors.schema_registry import open_registry

if TYPE_CHECKING:
    from bench.world.records import Record

CAMPAIGN = "pixel"
# Longer than a window, so that no window holds two of them and each number is shown as it was sent.
EVERY_SECONDS = 7.0
PATIENCE_SECONDS = 60.0
# Frames in which the cell has a text for the first time. After requestAnimationFrame the frame is drawn: what a frame
# finds was on the screen before, so the time is that of the frame after the change.
WATCH = """(cell) => {
  window.shown = {};
  const look = () => {
    const text = document.querySelector(cell)?.textContent.replaceAll(/[^0-9]/g, "");
    if (text && !(text in shown)) shown[text] = Date.now();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def increment(number: int) -> Record:
    """Return the record of one event of CAMPAIGN with `number` clicks, created now."""
    now = time.time_ns() // 1_000_000
    envelope = probe_envelope(f"pixel-{uuid.uuid4()}", PROBE_TENANT, "campaign_optimization")
    return campaign_increment(envelope | {"event_time": now, "created_at": now}, CAMPAIGN, clicks=number)


def measure(chosen: argparse.Namespace) -> dict[str, object]:
    """Run one load and return how long each number took, and how many were never shown."""
    ends = read_endpoints(chosen.endpoints)
    encoder = EventEncoder(open_registry(urlsplit(ends["schema_registry"]).path))
    sender = KafkaSender(ends["kafka"], Topics().events)
    command = [sys.executable, "-m", "bench.world", "produce", "--bootstrap", ends["kafka"], "--rate", str(chosen.rate)]
    created: dict[str, int] = {}
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{ends['http']}/automation?tenant={PROBE_TENANT}&campaign={CAMPAIGN}")
        page.evaluate(WATCH, f'[data-testid="clicks-{CAMPAIGN}"]')
        with subprocess.Popen([*command, "--seconds", str(chosen.seconds)], stdout=subprocess.DEVNULL) as load:
            try:
                number = 1_000
                while load.poll() is None:
                    number += 1
                    record = increment(number)
                    created[str(number)] = record["envelope"]["created_at"]
                    sender.send([(PROBE_TENANT.encode(), encoder.encode(record), None)])
                    sender.flush()
                    page.wait_for_timeout(EVERY_SECONDS * 1000)
            finally:
                load.terminate()
        until = time.monotonic() + PATIENCE_SECONDS
        shown: dict[str, int] = {}
        while created.keys() - shown.keys() and time.monotonic() < until:
            page.wait_for_timeout(200)
            shown = page.evaluate("() => shown")
    seen = [shown[text] - at for text, at in created.items() if text in shown]
    return {
        "rate": chosen.rate,
        "event_to_changed_pixel_seconds": summary(seen),
        "never_shown": len(created) - len(seen),
    }


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 1 when a number was never shown."""
    parser = argparse.ArgumentParser(prog="python -m bench.changed_pixel", description=__doc__)
    parser.add_argument("--rate", type=int, default=5_000, help="events a second (default: 5000)")
    parser.add_argument("--seconds", type=int, default=120, help="length of the load (default: 120)")
    parser.add_argument("--endpoints", default=".run/endpoints.json", help="written by `make up`")
    figures = measure(parser.parse_args(arguments))
    print(json.dumps(figures))
    return 1 if figures["never_shown"] else 0


if __name__ == "__main__":
    sys.exit(main())
