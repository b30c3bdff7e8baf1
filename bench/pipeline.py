"""The running pipeline under load: latency from an event's creation to a gRPC answer, lag, and that nothing is lost.

`python -m bench.pipeline --rate 10000 --seconds 60` sends events to the stack that runs (`make up`), with timing probes
among them, watches the answers over gRPC, and prints the lag as it goes and one JSON object. Load is open-loop: an
event's latency counts from when it was due, whether or not the producer was in time. The figures are this machine's,
with the whole stack and the producer on it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

import serving  # noqa: F401 - puts the generated messages on the path
from bench.ingest_counts import counts_of, read_endpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

PROBE_TENANT = "tenant-01"  # the simulator sends its probes as the first tenant
# More than a second apart, so that each probe is the newest of some window, and not a whole number of them: an event
# waits for the end of its window, which is up to a second more or less by the moment at which it comes.
PROBE_EVERY_MS = 1_037
SETTLE_SECONDS = 60.0
SAMPLE_SECONDS = 5.0


@dataclass
class Seen:
    """Latencies in ms of the probes that came into an answer, each at its first sight."""

    windows: dict[int, float] = field(default_factory=dict)
    credits: dict[str, float] = field(default_factory=dict)


def now_ms() -> float:
    """Return UTC now in ms."""
    return time.time() * 1000


async def watch_windows(channel: grpc.aio.Channel, seen: Seen) -> None:
    """Note when each probe's increment is first in a window that the live stream shows."""
    from tributary.v1 import campaign_metrics_pb2 as messages
    from tributary.v1 import campaign_metrics_pb2_grpc as services

    request = messages.WatchCampaignMetricsRequest(tenant_id=PROBE_TENANT)
    async for update in services.CampaignMetricsServiceStub(channel).WatchCampaignMetrics(request):
        for window in update.changes.windows:
            if window.campaign_id == "probe":
                created = window.newest_created_at.ToMilliseconds()
                seen.windows.setdefault(created, now_ms() - created)


async def watch_credits(channel: grpc.aio.Channel, seen: Seen) -> None:
    """Note when each probe's conversion is first attributed in the live stream; its event time is its creation."""
    from tributary.v1 import attribution_pb2 as messages
    from tributary.v1 import attribution_pb2_grpc as services

    request = messages.WatchAttributionRequest(tenant_id=PROBE_TENANT)
    async for update in services.AttributionServiceStub(channel).WatchAttribution(request):
        for conversion in update.changes.conversions:
            if conversion.conversion_id.startswith("probe-"):
                created = conversion.conversion_time.ToMilliseconds()
                seen.credits.setdefault(conversion.conversion_id, now_ms() - created)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def summary(latencies: Sequence[float]) -> dict[str, float]:
    """Return count and percentiles of latencies, in seconds."""
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {"count": len(latencies)} | {
        name: round(percentile(latencies, share) / 1000, 2) for name, share in shares.items()
    }


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Run one load and return its figures."""
    ends = read_endpoints(chosen.endpoints)
    stored = counts_of(ends, chosen.database)
    before = {outcome: stored(outcome) for outcome in ("valid", "accepted", "quarantined")}
    command = [sys.executable, "-m", "bench.world", "produce", "--bootstrap", ends["kafka"], "--rate", str(chosen.rate)]
    command += ["--seconds", str(chosen.seconds), "--probe-every", str(PROBE_EVERY_MS)]
    seen = Seen()
    lag: list[tuple[float, int]] = []
    async with grpc.aio.insecure_channel(ends["grpc"]) as channel:
        watchers = [asyncio.create_task(watch(channel, seen)) for watch in (watch_windows, watch_credits)]
        producer = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        began = time.monotonic()
        waiting = asyncio.create_task(producer.communicate())
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=SAMPLE_SECONDS)
            elapsed = min(time.monotonic() - began, chosen.seconds)
            lag.append((round(elapsed, 1), round(elapsed * chosen.rate) - (stored("accepted") - before["accepted"])))
            print(f"{elapsed:6.0f} s  lag {lag[-1][1]:8} events  probes seen {len(seen.windows)}", file=sys.stderr)
        out, _ = waiting.result()
        report = json.loads(out.decode().strip().splitlines()[-1])
        ended = time.monotonic()
        while stored("valid") + stored("quarantined") - before["valid"] - before["quarantined"] < report["produced"]:
            if time.monotonic() - ended > SETTLE_SECONDS:
                break
            await asyncio.sleep(0.2)
        drained = time.monotonic() - ended
        await asyncio.sleep(SAMPLE_SECONDS)  # the last windows close after the last event
        for watcher in watchers:
            if watcher.done():
                watcher.result()
            watcher.cancel()
    after = {outcome: stored(outcome) - before[outcome] for outcome in before}
    return {
        "rate": chosen.rate,
        "seconds": chosen.seconds,
        "produced": report["produced"],
        "producer_rate": report["rate"],
        "producer_largest_delay_ms": report["largest_delay_ms"],
        "producer_cpu_us_per_message": report["cpu_us_per_message"],
        **after,
        "drained_after_seconds": round(drained, 1),
        "lag": lag,
        "event_to_window_answer_seconds": summary(list(seen.windows.values())),
        "conversion_to_credit_answer_seconds": summary(list(seen.credits.values())),
    }


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 1 when something was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000, help="events a second (default: 10000)")
    parser.add_argument("--seconds", type=int, default=60, help="length of the load (default: 60)")
    parser.add_argument("--endpoints", default=".run/endpoints.json", help="written by `make up`")
    parser.add_argument("--database", default="tributary")
    chosen = parser.parse_args(arguments)
    figures = asyncio.run(measure(chosen))
    print(json.dumps(figures))
    return 0 if figures["valid"] + figures["quarantined"] >= figures["produced"] else 1


if __name__ == "__main__":
    sys.exit(main())
