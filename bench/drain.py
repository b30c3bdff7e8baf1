"""How fast the running pipeline works off a backlog: `python -m bench.drain --events 5000000` on a stack that runs.

The topic is filled faster than any pipeline reads it; when the producer has ended, the pipeline has the machine for
itself, and what it reads a second, with every sink on, is the rate that it could be fed for ever without a growing lag.
Prints the rate as it goes and one JSON object; the processor time is that of the whole machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ingest_counts import counts_of, read_endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FILL_RATE = 50_000  # events a second, about the most that one producer makes
SAMPLE_SECONDS = 10.0
STALLED_SECONDS = 120.0
_TICKS_PER_SECOND = 100  # of /proc/stat, on every Linux that Flink runs on


@dataclass(frozen=True, slots=True)
class Sample:
    """What had happened at a moment: seconds of a clock, messages read, and seconds of processor time spent."""

    at: float
    read: int
    busy: float


def busy_seconds() -> float:
    """Return the processor time (s) that this machine has spent so far, on all its cores."""
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + irq + softirq) / _TICKS_PER_SECOND


def fill(bootstrap: str, events: int) -> int:
    """Produce so many events as fast as it goes; returns how many they were with the simulator's own."""
    command = [sys.executable, "-m", "bench.world", "produce", "--bootstrap", bootstrap, "--rate", str(FILL_RATE)]
    command += ["--seconds", str(max(1, events // FILL_RATE))]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    produced: int = json.loads(ended.stdout.strip().splitlines()[-1])["produced"]
    return produced


def rate(before: Sample, after: Sample) -> float:
    """Return events a second between two samples."""
    return (after.read - before.read) / (after.at - before.at)


def drain(read: Callable[[], int], until: int) -> list[Sample]:
    """Take samples until so many messages are read; exits when nothing is read any more."""
    samples = [Sample(time.monotonic(), read(), busy_seconds())]
    moved = samples[0].at
    while samples[-1].read < until:
        time.sleep(SAMPLE_SECONDS)
        samples.append(Sample(time.monotonic(), read(), busy_seconds()))
        before, now = samples[-2:]
        print(f"{now.read:12,} of {until:,}  {rate(before, now):8,.0f} events/s", file=sys.stderr)
        if now.read > before.read:
            moved = now.at
        elif now.at - moved > STALLED_SECONDS:
            raise SystemExit(f"nothing was read for {STALLED_SECONDS:.0f} s: see the job's logs")
    return samples


def figures(samples: Sequence[Sample]) -> dict[str, float]:
    """Return rates of the drain, events a second, and processor time an event, µs. The last sample, in which the
    backlog ended, is left out. Raises ValueError when there is then nothing between two samples."""
    whole = samples[:-1]
    if len(whole) < 2:
        raise ValueError("the backlog was gone before it could be measured: --events must be larger")
    first, last = whole[0], whole[-1]
    rates = [rate(before, after) for before, after in pairwise(whole)]
    return {
        "seconds": round(last.at - first.at, 1),
        "events": last.read - first.read,
        "events_a_second": round(rate(first, last)),
        "slowest_sample": round(min(rates)),
        "fastest_sample": round(max(rates)),
        "cpu_micros_an_event": round((last.busy - first.busy) / (last.read - first.read) * 1e6, 1),
    }


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.drain", description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000, help="size of the backlog (default: 5000000)")
    parser.add_argument("--endpoints", default=".run/endpoints.json", help="written by `make up`")
    parser.add_argument("--database", default="tributary")
    chosen = parser.parse_args(arguments)
    ends = read_endpoints(chosen.endpoints)
    stored = counts_of(ends, chosen.database)

    def read() -> int:
        return stored("valid") + stored("quarantined")

    before = read()
    produced = fill(ends["kafka"], chosen.events)
    samples = drain(read, before + produced)
    try:
        print(json.dumps({"produced": produced} | figures(samples)))
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
