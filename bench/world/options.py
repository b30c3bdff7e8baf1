"""What the world can be told, checked at the start."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bench.world.faults.catalog import FAULT_GROUPS, FAULTS

FAMILIES = ("campaign", "journey", "personalization")
# A lap is long enough that journeys have room and short enough to be built in about 3 s and held in 300 MB.
SMALLEST_LAP = 2_000
LARGEST_LAP = 100_000
# At a low rate a lap lasts ten minutes, so that a demonstration shows whole journeys.
LAP_SECONDS = 600


class OptionError(ValueError):
    """An option has a value that is not allowed. The message names the option, the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """Shape of the world. Shares lie in 0..1, weights are relative, times are milliseconds.

    `zipf` is the exponent of the tenants' sizes (0: all equal); `top_share` fixes the share of the first tenant
    instead. `campaigns` is the number of campaigns of the largest tenant. `faults` maps a fault's name to its share
    of the messages.
    """

    seed: int = 1
    tenants: int | tuple[str, ...] = 10
    zipf: float = 1.1
    top_share: float | None = None
    campaigns: int = 12
    mix: tuple[float, float, float] = (0.5, 0.4, 0.1)
    report_share: float = 0.2
    edge_share: float = 0.01
    v2_share: float = 0.5
    anonymous_share: float = 0.0
    signed_out_share: float = 0.0
    opt_out_share: float = 0.01
    disorder_ms: int = 2_000
    too_large_bytes: int = 1_100_000
    faults: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise OptionError for the first value that is not allowed."""
        for name in (
            *("report_share", "edge_share", "v2_share", "anonymous_share", "signed_out_share", "opt_out_share"),
        ):
            _check_share(name, getattr(self, name))
        if self.top_share is not None:
            _check_share("top_share", self.top_share)
        count = self.tenants if isinstance(self.tenants, int) else len(self.tenants)
        _check("tenants", self.tenants, 1 <= count <= 10_000, "1 to 10000 tenants")
        names = () if isinstance(self.tenants, int) else self.tenants
        _check("tenants", self.tenants, len(set(names)) == len(names) and all(names), "distinct, non-empty names")
        _check("zipf", self.zipf, 0 <= self.zipf <= 5, "a number from 0 to 5")
        _check("campaigns", self.campaigns, 1 <= self.campaigns <= 100_000, "a number from 1 to 100000")
        _check("mix", self.mix, all(part >= 0 for part in self.mix) and sum(self.mix) > 0, "three weights, not all 0")
        _check("disorder_ms", self.disorder_ms, self.disorder_ms >= 0, "0 or more")
        # Kafka's topic takes 16 MiB; the contract refuses what is above 1 MiB.
        fits = 1 << 20 < self.too_large_bytes <= 15 << 20
        _check("too_large_bytes", self.too_large_bytes, fits, "above 1 MiB, at most 15 MiB")
        for name, share in self.faults.items():
            _check("faults", name, name in FAULTS, "one of " + ", ".join(sorted(FAULTS) + sorted(FAULT_GROUPS)))
            _check_share(f"faults.{name}", share)
        total = sum(self.faults.values())
        _check("faults", f"{total:g} in sum", total <= 0.9, "at most 0.9 in sum")


def parse_faults(text: str) -> dict[str, float]:
    """Read `dup=0.01,late=0.02` into shares by fault; the share of a group is spread over its members.

    Raises OptionError for a malformed entry or an unknown name.
    """
    shares: dict[str, float] = {}
    for entry in filter(None, text.split(",")):
        name, _, value = entry.partition("=")
        members = FAULT_GROUPS.get(name, (name,))
        _check("faults", name, members[0] in FAULTS, "one of " + ", ".join(sorted(FAULTS) + sorted(FAULT_GROUPS)))
        try:
            share = float(value)
        except ValueError:
            raise OptionError(f"faults: {entry!r} is not allowed; allowed: name=share, share from 0 to 1") from None
        _check_share(f"faults.{name}", share)
        for member in members:
            shares[member] = shares.get(member, 0.0) + share / len(members)
    return shares


def lap_length(messages: int | None, rate: float, asked: int | None) -> int:
    """Number of messages in a lap: what was asked for, else as many as fit the rate and the run.

    `messages` is the length of the run, None for one without an end; `rate` is messages per second.
    """
    if asked is not None:
        _check("lap", asked, 1 <= asked <= 2_000_000, "a number from 1 to 2000000")
        return asked
    fitting = min(LARGEST_LAP, max(SMALLEST_LAP, math.ceil(rate * LAP_SECONDS)))
    return fitting if messages is None else max(1, min(fitting, messages))


def _check(name: str, value: object, ok: bool, allowed: str) -> None:
    if not ok:
        raise OptionError(f"{name}: {value!r} is not allowed; allowed: {allowed}")


def _check_share(name: str, value: float) -> None:
    _check(name, value, 0 <= value <= 1, "a share from 0 to 1")
