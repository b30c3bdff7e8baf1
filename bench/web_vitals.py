"""How fast the dashboards are for a person: `python -m bench.web_vitals`. Prints a table, and JSON with --json.

A page of thirty widgets of the production build (`/gallery`) is opened in Chromium: cold, with what the browser kept,
and over a slow connection; buttons are pressed and the delays of the input are read; then it is left open while
windows change fifty times a second, and frames and memory are watched. Without --address a made-up company is served
by this machine, which then also does the work of the server.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.browser import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession, Page

PAGE = "gallery"
PATIENCE_MS = 180_000
# "Slow 4G" of Lighthouse, with the processor slowed down as it does for a phone.
SLOW_NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
SLOW_PROCESSOR = 4
FRAME_MS = 1000 / 60
# One frame late is not noticed; three in a row are, as a stutter (RAIL: 50 ms).
STUTTER_MS = 50
SETTLE_SECONDS = 10
# A server is not on the machine of whoever looks at the page: where both want the same core, the browser has it.
ASIDE = ("nice", "-n", "15")
# What Chromium's buffer holds of all its tasks, with room to spare.
TRACED_SECONDS = 60
TASK = "ThreadControllerImpl::RunTask"
# A later load is that of somebody who looked at the page for a while: by then its figures are kept.
LOOKED_MS = 4_000
# The page's own worker keeps its files once the figures are there: a later load is one that it answers.
FILES_KEPT = """() => navigator.serviceWorker.getRegistration().then((one) => one?.active?.state === "activated")"""
# Widgets whose table is opened and closed.
PRESSES = 8

# What the page is asked to write down from its first moment on.
OBSERVE = """
window.vitals = { lcp: 0, shifts: [], inputs: [] };
const observe = (type, take, more = {}) =>
  new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true, ...more });
observe("largest-contentful-paint", (entry) => { vitals.lcp = entry.startTime; });
observe("layout-shift", (entry) => { if (!entry.hadRecentInput) vitals.shifts.push([entry.startTime, entry.value]); });
observe("event", (entry) => {
  if (entry.interactionId) vitals.inputs.push([entry.processingStart - entry.startTime, entry.duration]);
}, { durationThreshold: 16 });
"""
# No widget waits any more: seen twice with a frame between, as one answer may lead to the next question.
FILLED = """() => document.querySelectorAll(".widget").length >= 20
  && document.querySelectorAll(".skeleton, [data-stale], [aria-busy=true]").length === 0"""
FRAMES = """() => {
  window.frames_ = [];
  let last = performance.now();
  const frame = (now) => { frames_.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""


@dataclass(frozen=True, slots=True)
class Load:
    """One opening of the page. Times in ms from the navigation on, sizes as they were transferred."""

    lcp_ms: float
    filled_ms: float
    layout_shift: float
    script_kb: float
    all_kb: float


@dataclass(frozen=True, slots=True)
class Inputs:
    """Delays of inputs, ms: until they were handled, and until the next frame was painted (INP is the worst)."""

    presses: int
    worst_delay_ms: float
    worst_until_paint_ms: float


@dataclass(frozen=True, slots=True)
class Soak:
    """The page left open while windows change."""

    seconds: float
    frames: int
    dropped_frames: int
    """Frames that were missed at 60 a second."""
    stutters: int
    """Times at which nothing was painted for more than 50 ms."""
    longest_ms: float
    busiest_task_ms: float
    """The most processor time that one task of the page's main thread took in the first minute: what a frame would have
    waited for on a machine with nothing else to do. Frames are also missed when other programs have the processor."""
    heap_before_mb: float
    heap_after_mb: float


def layout_shift(shifts: list[list[float]]) -> float:
    """Return the largest sum of shifts in a window: at most five seconds long, no gap over one second (web.dev/cls)."""
    worst = total = 0.0
    first = last = float("-inf")
    for at, value in shifts:
        if at - last > 1_000 or at - first > 5_000:
            total, first = 0.0, at
        total, last = total + value, at
        worst = max(worst, total)
    return worst


@contextmanager
def opened(browser: Browser, *, slow: bool = False) -> Iterator[tuple[Page, CDPSession]]:
    """Open an empty page of a person who was never here, slowed down if `slow`."""
    # The page's content policy forbids what Playwright does to wait for a condition.
    context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.set_default_navigation_timeout(PATIENCE_MS)
        page.add_init_script(OBSERVE)
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        if slow:
            session.send("Network.emulateNetworkConditions", SLOW_NETWORK)
            session.send("Emulation.setCPUThrottlingRate", {"rate": SLOW_PROCESSOR})
        yield page, session
    finally:
        context.close()


def load(page: Page, session: CDPSession, address: str) -> Load:
    """Open the page and wait until every widget has its figures."""
    kinds: dict[str, str] = {}
    sizes = {"Script": 0.0, "all": 0.0}

    def received(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def finished(event: dict[str, Any]) -> None:
        sizes["all"] += event["encodedDataLength"]
        if kinds.get(event["requestId"]) == "Script":
            sizes["Script"] += event["encodedDataLength"]

    session.on("Network.responseReceived", received)
    session.on("Network.loadingFinished", finished)
    page.goto(address)
    page.wait_for_function(FILLED)
    filled = float(page.evaluate("performance.now()"))
    vitals = page.evaluate("window.vitals")
    session.remove_listener("Network.responseReceived", received)
    session.remove_listener("Network.loadingFinished", finished)
    return Load(vitals["lcp"], filled, layout_shift(vitals["shifts"]), sizes["Script"] / 1000, sizes["all"] / 1000)


def press(page: Page) -> Inputs:
    """Press what people press most, and read how long each press waited."""
    for name in ("as a table", "as a chart"):
        for _ in range(PRESSES):
            # A pressed button has another name, so the next one is the first then.
            page.get_by_role("button", name=name, disabled=False).first.click()
    page.keyboard.press("Control+k")
    page.get_by_role("searchbox", name="Search the commands").press_sequentially("last 30", delay=40)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo").click(force=True)
    page.wait_for_function(FILLED)
    inputs = page.evaluate("window.vitals.inputs")
    return Inputs(
        len(inputs), max((one[0] for one in inputs), default=0.0), max((one[1] for one in inputs), default=0.0)
    )


def heap_mb(session: CDPSession) -> float:
    """Return what the page holds after everything that nobody holds was dropped."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def busiest_task_ms(trace: bytes) -> float:
    """Return the most processor time (ms) of one task on a page's main thread, of a trace of Chromium's tasks."""
    events = json.loads(trace)["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = (event for event in events if event.get("name") == TASK and (event["pid"], event["tid"]) in mains)
    return max((event.get("tdur", 0) / 1000 for event in tasks), default=0.0)


def soak(page: Page, session: CDPSession, address: str, seconds: float) -> Soak:
    """Leave the page open while windows change, and watch its frames and its memory."""
    page.goto(f"{address}&refresh=live")
    page.wait_for_function(FILLED)
    # Charts are drawn and caches filled in the first seconds; growth is what comes after.
    page.wait_for_timeout(SETTLE_SECONDS * 1000)
    before = heap_mb(session)
    browser = page.context.browser
    if browser is None:
        raise ValueError("the page has no browser of its own, whose tasks could be traced")
    browser.start_tracing(page=page, categories=["toplevel"])
    page.evaluate(FRAMES)
    began = time.monotonic()
    traced = min(seconds, TRACED_SECONDS)
    page.wait_for_timeout(traced * 1000)
    busiest = busiest_task_ms(browser.stop_tracing())
    page.wait_for_timeout(max(0.0, began + seconds - time.monotonic()) * 1000)
    lengths: list[float] = page.evaluate("window.frames_")
    took = time.monotonic() - began
    dropped = sum(round(length / FRAME_MS) - 1 for length in lengths if length > 1.5 * FRAME_MS)
    stutters = sum(length > STUTTER_MS for length in lengths)
    page.evaluate("window.frames_ = []")
    longest = max(lengths, default=0.0)
    return Soak(took, len(lengths), dropped, stutters, longest, busiest, before, heap_mb(session))


@contextmanager
def served(updates_per_second: int) -> Iterator[str]:
    """Serve a made-up company by a process of its own; yields where."""
    command = [*ASIDE, sys.executable, "-m", "tests.web.demo", "0", "--updates-per-second", str(updates_per_second)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit("the made-up company could not be served: see above")
            yield str(json.loads(line)["address"])
        finally:
            process.terminate()


def measure(address: str, tenant: str, soak_seconds: float) -> dict[str, Load | Inputs | Soak]:
    """Measure everything at an address."""
    where = f"{address}/{PAGE}?tenant={tenant}&range=30d"
    results: dict[str, Load | Inputs | Soak] = {}
    with chromium() as browser:
        with opened(browser) as (page, session):
            results["first load"] = load(page, session, where)
            results["inputs"] = press(page)
            page.wait_for_function(FILES_KEPT)
            results["later load"] = load(page, session, where)
        with opened(browser, slow=True) as (page, session):
            results["first load, slow connection"] = load(page, session, where)
            page.wait_for_timeout(LOOKED_MS)
            page.wait_for_function(FILES_KEPT)
            results["later load, slow connection"] = load(page, session, where)
        if soak_seconds > 0:
            with opened(browser) as (page, session):
                results["soak"] = soak(page, session, where, soak_seconds)
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--address", help="of a serving process, such as http://127.0.0.1:19096; without: one is started"
    )
    parser.add_argument("--tenant", default="acme")
    parser.add_argument("--soak-seconds", type=float, default=120.0)
    parser.add_argument("--updates-per-second", type=int, default=50, help="of the process that is started here")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.address:
        results = measure(options.address.rstrip("/"), options.tenant, options.soak_seconds)
    else:
        with served(options.updates_per_second) as address:
            results = measure(address, options.tenant, options.soak_seconds)
    for name, figures in results.items():
        print(name)
        for field in fields(figures):
            print(f"  {field.name:<24} {getattr(figures, field.name):>12,.2f}")
    if options.json:
        options.json.write_text(
            json.dumps({name: asdict(figures) for name, figures in results.items()}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
