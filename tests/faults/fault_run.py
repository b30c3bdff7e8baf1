"""A run of faults: events flow, faults are injected one after the other, and after each round everything is judged."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.faults import invariants
from tests.faults.kinds import KINDS, Injection
from tests.faults.live_figures import LiveFigures
from tests.faults.steady_questions import SteadyQuestions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.faults.rig import Rig

# Every load carries some of everything that can be wrong with events.
LOAD_FAULTS = "invalid=0.02,poison=0.01,dup=0.02,dup_far=0.01,late=0.01,out_of_order=0.05"


@dataclass(frozen=True, slots=True)
class Injected:
    """What became of one injection."""

    number: int
    kind: str
    seed: int
    at: str
    """UTC, ISO 8601: when the fault began."""
    fault_seconds: float
    """From the beginning of the fault until it was taken away (at once for a kill)."""
    recovery_seconds: float
    """From then until serving showed figures of events that were sent after it."""
    load: float
    """Processes that wanted a core when it had recovered, mean of a minute: what else the machine did shows here."""
    detail: str

    def __str__(self) -> str:
        """Say it in one line."""
        head = f"{self.at[11:19]}  #{self.number:03} {self.kind:<31} seed {self.seed}"
        return f"{head}  live after {self.recovery_seconds:5.1f} s  load {self.load:4.1f}  {self.detail}".rstrip()


@dataclass(slots=True)
class Outcome:
    """A run so far."""

    injected: list[Injected] = field(default_factory=list)
    rounds: int = 0
    answers: int = 0
    """Questions that serving answered while faults were injected."""
    refused: int = 0
    """Questions to which it said that it could not answer now, or was not there."""
    reconciled: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return it for a JSON file."""
        return asdict(self)


def inject(rig: Rig, injection: Injection, live: LiveFigures, patience: float) -> Injected:
    """Inject one fault and wait until figures are live again, for `patience` seconds.

    Raises:
        FaultError: the fault could not be injected, or figures were not live again in time.
    """
    began = time.time()
    detail = KINDS[injection.kind](rig, injection.random)
    ended = time.time()
    recovery = live.wait_live(int(ended * 1000), patience)
    at = datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")
    return Injected(
        injection.number,
        injection.kind,
        injection.seed,
        at,
        fault_seconds=round(ended - began, 1),
        recovery_seconds=round(recovery, 1),
        load=round(os.getloadavg()[0], 1),
        detail=detail,
    )


def run_round(
    rig: Rig,
    injections: Sequence[Injection],
    load_rate: int,
    patience: float,
    report: Callable[[str], None],
    outcome: Outcome,
) -> None:
    """Send events, inject the faults, stop sending, and judge what is stored and answered. Adds to `outcome`.

    `patience` is how long a recovery may take, in seconds: a fault that is not over then is one that needed a hand.

    Raises:
        FaultError: something was lost, doubled or wrong, or did not recover by itself.
    """
    name, load = rig.start("--rate", str(load_rate), "--faults", LOAD_FAULTS, "--lap", str(60 * load_rate))
    sent_before = len(rig.files) - 1
    try:
        tenant = rig.tenants(name)[0]
        live = LiveFigures(str(rig.stack.endpoints()["grpc"]), tenant)
        live.wait_live(int(time.time() * 1000), patience)
        with SteadyQuestions(live.address, tenant) as questions:
            for injection in injections:
                outcome.injected.append(inject(rig, injection, live, patience))
                report(str(outcome.injected[-1]))
            outcome.answers += questions.answered
            outcome.refused += questions.refused
        rig.finish(load, now=True)
    finally:
        if load.poll() is None:
            load.kill()
            load.communicate()
    tenants = [tenant for file in rig.files[sent_before:] for tenant in rig.tenants(file.stem)]
    invariants.stored_is_right(rig, tenants, patience)
    invariants.published_is_right(rig, tenants, patience)
    asked = invariants.answers_are_right(rig, tenants)
    outcome.rounds += 1
    report(
        f"round {outcome.rounds}: oracle 0 tables differ, signals right, serving right for {asked} tenants, "
        f"{questions.answered} questions answered and {questions.refused} refused meanwhile"
    )
