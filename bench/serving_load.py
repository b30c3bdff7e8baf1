"""Load on a running serving process: live watchers and questions at a rate; prints one JSON object for each transport.

    python -m bench.serving_load --grpc 127.0.0.1:19095 --http http://127.0.0.1:19096 --tenant tenant-01 \\
        --transport grpc --watchers 1000 --queries-per-second 500 --seconds 60

Questions are sent at their times whatever came of those before (an open loop), so that a slow answer shows as latency
and not as a lower rate; what could not be sent because too many were waiting is counted. Latency is counted from the
time at which a question was due. `update_age_ms` is the receive time of a change minus the end of the newest window in
it, which holds the pipeline's own delay; `fan_out_ms` is how long after the first watcher the last one got the
same message. Watchers are a process of their own, and questions begin when all of them have had their first
message. With --process the resident memory of the server is read from /proc every five seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import sys
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.load_clients import FAULTS, MIX, NO_AGES, TRANSPORTS, Client, client_of, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

PERCENTILES = (50, 90, 99, 99.9)
# Questions that may wait for an answer at the same time; a server that is so far behind is overloaded.
MOST_WAITING = 5_000
# Memory that grows does so over minutes.
SAMPLE_SECONDS = 5.0
# As in the server, so that the client's own threads do not add to what is measured.
HAND_OVER_SECONDS = 0.0002
# Watchers that connect at the same time, so that the start is not a storm.
CONNECTING = 50


@dataclass(slots=True)
class Figures:
    """What was seen."""

    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    not_sent: int = 0
    connected: int = 0
    updates: int = 0
    heartbeats: int = 0
    reconnects: int = 0
    update_ages: list[float] = field(default_factory=list)
    stopping: bool = False
    first_seen: dict[str, float] = field(default_factory=dict)
    last_seen: dict[str, float] = field(default_factory=dict)
    resident_mib: list[float] = field(default_factory=list)

    def begin(self) -> None:
        """Forget what was seen of updates so far."""
        self.updates = self.heartbeats = 0
        for seen in (self.update_ages, self.first_seen, self.last_seen):
            seen.clear()

    def saw(self, cursor: str, kind: str, window_end_ms: int) -> None:
        """Note a message of a watcher."""
        now = time.time()
        if kind != "changes":
            self.heartbeats += kind == "heartbeat"
            return
        self.updates += 1
        self.update_ages.append(now - window_end_ms / 1000)
        self.first_seen.setdefault(cursor, now)
        self.last_seen[cursor] = now


async def watch(client: Client, figures: Figures, gate: asyncio.Semaphore) -> None:
    """Watch until cancelled; connect anew when the stream ends. A library may tell of a cancellation as an error."""
    while not figures.stopping:
        try:
            async with gate:
                stream = client.watch()
                first = await anext(stream)
            figures.saw(*first)
            figures.connected += 1
            async with aclosing(stream):
                async for message in stream:
                    figures.saw(*message)
        except FAULTS as error:
            if figures.stopping:
                return
            figures.errors[f"watch {name_of(error)}"] += 1
        except StopAsyncIteration:
            figures.errors["watch ended"] += 1
        figures.reconnects += 1
        await asyncio.sleep(1)


async def ask(client: Client, question: str, due: float, figures: Figures) -> None:
    """Ask once and note how long after it was due the answer came."""
    try:
        await client.ask(question)
    except FAULTS as error:
        figures.errors[f"{question} {name_of(error)}"] += 1
    else:
        figures.latencies[question].append(time.monotonic() - due)


async def questions(client: Client, figures: Figures, rate: float, seconds: float) -> None:
    """Ask at a rate, for some seconds, then wait for the answers that are missing."""
    waiting: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for number in range(round(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if len(waiting) >= MOST_WAITING:
            figures.not_sent += 1
            continue
        task = asyncio.create_task(ask(client, MIX[number % len(MIX)], due, figures))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    if waiting:
        await asyncio.wait(waiting)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return percentiles in ms by the nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        f"p{share:g}": round(1000 * ordered[min(len(ordered) - 1, math.ceil(share / 100 * len(ordered)) - 1)], 1)
        for share in PERCENTILES
    } | {"max": round(1000 * ordered[-1], 1)}


def report(transport: str, chosen: argparse.Namespace, figures: Figures, watching_seconds: float) -> dict[str, Any]:
    """Return what is printed."""
    everything = [value for values in figures.latencies.values() for value in values]
    spread = [figures.last_seen[cursor] - seen for cursor, seen in figures.first_seen.items()]
    return {
        "transport": transport,
        "watchers": chosen.watchers,
        "queries_per_second": chosen.queries_per_second,
        "seconds": chosen.seconds,
        "answered": len(everything),
        "answered_per_second": round(len(everything) / chosen.seconds, 1),
        "not_sent": figures.not_sent,
        "errors": dict(figures.errors),
        "latency_ms": percentiles(everything),
        "latency_ms_by_question": {name: percentiles(values) for name, values in sorted(figures.latencies.items())},
        "updates": figures.updates,
        "updates_per_watcher_and_second": round(figures.updates / max(1, chosen.watchers) / watching_seconds, 2),
        "heartbeats": figures.heartbeats,
        "reconnects": figures.reconnects,
        "update_age_ms": {} if transport in NO_AGES else percentiles(figures.update_ages),
        "fan_out_ms": percentiles(spread),
        "resident_mib": figures.resident_mib,
    }


async def sample_memory(process: int, figures: Figures) -> None:
    """Note the resident memory of a process until cancelled."""
    while True:
        status = Path(f"/proc/{process}/status").read_text()
        kib = int(status.partition("VmRSS:")[2].split(maxsplit=1)[0])
        figures.resident_mib.append(round(kib / 1024, 1))
        await asyncio.sleep(SAMPLE_SECONDS)


async def watchers(transport: str, chosen: argparse.Namespace, parent: Connection) -> Figures:
    """Watch until the parent says that it is enough; tell it when all watchers have had their first message."""
    figures, gate, loop = Figures(), asyncio.Semaphore(CONNECTING), asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        client = await client_of(transport, **_addresses(chosen), watchers=chosen.watchers, stack=stack)
        tasks = [asyncio.create_task(watch(client, figures, gate)) for _ in range(chosen.watchers)]
        while figures.connected < chosen.watchers and not figures.errors:
            await asyncio.sleep(0.1)
        # What came while others still connected is not what is measured.
        figures.begin()
        parent.send(figures.connected)
        await loop.run_in_executor(None, parent.recv)
        figures.stopping = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return figures


def watchers_process(transport: str, chosen: argparse.Namespace, parent: Connection) -> None:
    """Watch, in a process of its own, so that reading what all watchers got at once is not in the latency of answers;
    send what was seen."""
    sys.setswitchinterval(HAND_OVER_SECONDS)
    parent.send(asyncio.run(watchers(transport, chosen, parent)))


def _addresses(chosen: argparse.Namespace) -> dict[str, str]:
    return {"grpc_address": chosen.grpc, "http_url": chosen.http, "tenant": chosen.tenant}


async def load(transport: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Put the load on over one transport and return the report."""
    figures, loop = Figures(), asyncio.get_running_loop()
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=watchers_process, args=(transport, chosen, theirs), daemon=True)
    async with AsyncExitStack() as stack:
        client = await client_of(transport, **_addresses(chosen), watchers=0, stack=stack)
        if chosen.watchers:
            process.start()
            theirs.close()
            await loop.run_in_executor(None, mine.recv)
        began = time.monotonic()
        sampling = asyncio.create_task(sample_memory(chosen.process, figures)) if chosen.process else None
        if chosen.queries_per_second:
            await questions(client, figures, chosen.queries_per_second, chosen.seconds)
        else:
            await asyncio.sleep(chosen.seconds)
        lasted = time.monotonic() - began
        if sampling is not None:
            sampling.cancel()
        if chosen.watchers:
            mine.send("enough")
            seen: Figures = await loop.run_in_executor(None, mine.recv)
            process.join()
            seen.latencies, seen.not_sent, seen.resident_mib = figures.latencies, figures.not_sent, figures.resident_mib
            seen.errors.update(figures.errors)
            figures = seen
    return report(transport, chosen, figures, lasted)


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python -m bench.serving_load", description=__doc__, allow_abbrev=False)
    made.add_argument("--grpc", default="127.0.0.1:50051", help="host:port (default: %(default)s)")
    made.add_argument("--http", default="http://127.0.0.1:8080", help="base URL (default: %(default)s)")
    made.add_argument("--tenant", required=True, help="whose figures")
    made.add_argument(
        "--transport",
        choices=(*TRANSPORTS, "all"),
        default="grpc",
        help="all: one after the other (default: %(default)s)",
    )
    made.add_argument("--process", type=int, default=0, help="process id of the server, to watch its memory")
    made.add_argument("--watchers", type=int, default=0, help="live streams (default: %(default)s)")
    made.add_argument("--queries-per-second", type=float, default=0.0, help="questions (default: %(default)s)")
    made.add_argument("--seconds", type=float, default=30.0, help="how long (default: %(default)s)")
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 when every question was answered and no watcher lost its stream."""
    chosen = parser().parse_args(arguments)
    if chosen.watchers < 0 or chosen.queries_per_second < 0 or chosen.seconds <= 0:
        parser().error("--watchers and --queries-per-second must not be negative, --seconds must be above 0")
    failed = False
    sys.setswitchinterval(HAND_OVER_SECONDS)
    for transport in TRANSPORTS if chosen.transport == "all" else (chosen.transport,):
        found = asyncio.run(load(transport, chosen))
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
        failed = failed or bool(found["errors"] or found["not_sent"])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
