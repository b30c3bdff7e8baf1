"""Faults of the events themselves: bursts beside the steady load, with tenants of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from tests.faults.rig import Rig


def _burst(rig: Rig, *options: str, rate: int = 300, seconds: int = 8) -> str:
    _, producer = rig.start("--rate", str(rate), "--seconds", str(seconds), *options)
    report = rig.finish(producer)
    faults = sum(report["by_fault"].values())
    return f"{report['produced']} events, {faults} with a fault"


def poison_storm(rig: Rig, random: Random) -> str:
    """Most of what comes cannot be decoded, or breaks a rule."""
    return _burst(rig, "--faults", f"poison={random.uniform(0.4, 0.6):.2f},invalid=0.2,too_large=0.002")


def duplicates(rig: Rig, random: Random) -> str:
    """Events come twice, at once or much later, some of them with other content under the same id."""
    return _burst(rig, "--faults", f"dup={random.uniform(0.2, 0.5):.2f},conflict=0.1")


def reordered(rig: Rig, random: Random) -> str:
    """Events come in another order than they happened."""
    share, disorder = random.uniform(0.2, 0.6), random.randint(500, 30_000)
    return _burst(rig, "--faults", f"out_of_order={share:.2f}", "--disorder-ms", str(disorder))


def late(rig: Rig, random: Random) -> str:
    """Events come minutes, hours and days after they happened."""
    return _burst(rig, "--faults", f"late={random.uniform(0.1, 0.3):.2f},late_days=0.02", rate=150)


def clock_behind(rig: Rig, random: Random) -> str:
    """The clock of a producer is behind: all its events are late."""
    behind = random.randint(60, 7_200)
    return f"by {behind} s, {_skewed(rig, -behind)}"


def clock_ahead(rig: Rig, random: Random) -> str:
    """The clock of a producer is ahead, by less than what is refused, with some events that are refused."""
    ahead = random.randint(2, 25)
    return f"by {ahead} s, {_skewed(rig, ahead, '--faults', 'event_time_in_future=0.2')}"


def _skewed(rig: Rig, seconds: int, *options: str) -> str:
    start = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    return _burst(rig, "--clock", "fixed", "--start", start, "--any-time", "--no-seasonal", *options, rate=100)


def schema_versions(rig: Rig, random: Random) -> str:
    """Version 1 and version 2 of a record come side by side."""
    return _burst(rig, "--v2-share", f"{random.uniform(0.2, 0.8):.2f}", "--mix", "0.2,0.8,0")
