"""The plan of a lap: which message stands at which place."""

from __future__ import annotations

import gc
from bisect import bisect
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

from bench.world.campaigns import Campaigns
from bench.world.customers import make_customer
from bench.world.edge_cases import DAY_MS, EdgeCases
from bench.world.faults.catalog import DELAYS, DUPLICATES, INVALID, POISON
from bench.world.faults.invalid import Specimens, invalid, too_large
from bench.world.faults.poison import poison
from bench.world.journeys import JourneyMaker, Step
from bench.world.message import Planned, plan_message
from bench.world.personalization import personalization
from bench.world.records import Draft
from bench.world.tenants import make_tenants
from bench.world.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.world.options import WorldOptions
    from connectors.kafka.codec import EventEncoder

# A journey has about seven events, and a customer one journey and a half in a lap.
_EVENTS_PER_CUSTOMER = 10
_FEWEST_CUSTOMERS = 5
# The usual pause between two events of a journey, as a part of the lap: journeys of five touches take a tenth of it.
_PAUSE = 0.02
# Duplicates come within this many messages (near) or from anywhere in the lap (far).
_NEAR = 20
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The messages of a run: `prologue` once, then `lap` again and again. `truth` is about one lap."""

    prologue: list[Planned]
    lap: list[Planned]
    truth: Truth


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Millions of objects are made and none of them in cycles: looking for cycles would take half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_without_garbage_collection()
def make_plan(options: WorldOptions, length: int, run: str, encoder: EventEncoder, *, with_lines: bool) -> Plan:
    """Plan a lap of `length` messages. `run` (letters and digits) goes into all ids; `with_lines` prepares a record
    file.
    """
    world = _World(options, length, run)
    drafts = world.drafts(encoder)

    def planned(draft: Draft) -> Planned:
        return plan_message(draft, encoder, with_line=with_lines)

    prologue = [planned(draft) for draft in world.prologue()]
    lap: list[Planned] = []
    for draft in drafts:
        source = draft.copy_of
        if source is None:
            message = planned(draft)
            lead = draft.relative_to.place - draft.place if draft.relative_to else 0
            lap.append(replace(message, event_lead=lead) if lead else message)
        else:
            original = lap[source.place]
            back = source.place - draft.place
            lap.append(
                replace(
                    original,
                    label=replace(original.label, fault=draft.fault or ""),
                    line=original.line.replace(b'"fault":null', f'"fault":"{draft.fault}"'.encode(), 1),
                    created_lead=original.created_lead + back,
                    event_lead=original.event_lead + back,
                )
            )
    return Plan(prologue, lap, world.truth)


class _World:
    """Everything that makes drafts, tenant by tenant."""

    def __init__(self, options: WorldOptions, length: int, run: str) -> None:
        self._options = options
        self._length = length
        self._rng = rng = Random(f"world/{options.seed}")  # noqa: S311 - a simulation needs repeatable numbers, not secret ones
        self.truth = Truth()
        self._tenants = make_tenants(options, run, rng)
        self._cumulative = list(accumulate(tenant.share for tenant in self._tenants))
        self._campaigns: list[Campaigns] = []
        self._makers: list[JourneyMaker] = []
        campaign_part, journey_part, _ = (part / sum(options.mix) for part in options.mix)
        for tenant in self._tenants:
            events = length * tenant.share
            for number in range(max(_FEWEST_CUSTOMERS, int(events * journey_part / _EVENTS_PER_CUSTOMER))):
                tenant.customers.append(make_customer(tenant, number, rng, options.signed_out_share))
            self._campaigns.append(Campaigns(tenant, int(events * campaign_part), options.report_share, rng))
            self._makers.append(
                JourneyMaker(
                    tenant,
                    self.truth,
                    v2_share=options.v2_share,
                    anonymous_share=options.anonymous_share,
                    opt_out_share=options.opt_out_share,
                    rng=rng,
                )
            )
        self._edge_cases = [EdgeCases(maker) for maker in self._makers]
        self._specimens = [Specimens(maker) for maker in self._makers]

    def prologue(self) -> list[Draft]:
        """The launches of all campaigns that run all the time."""
        return [draft for campaigns in self._campaigns for draft in campaigns.prologue()]

    def drafts(self, encoder: EventEncoder) -> list[Draft]:
        """The messages of a lap in order, places filled in."""
        kinds = self._kinds()
        journeys = iter(self._journey_events(kinds.count("journey")))
        drafts: list[Draft] = []
        for place, kind in enumerate(kinds):
            draft = self._draft(kind, journeys, drafts, encoder)
            draft.place = place
            drafts.append(draft)
        return drafts

    def _kinds(self) -> list[str]:
        """What stands at each place: a family, or a fault. The faults that only delay count as journey or campaign
        events.
        """
        rng, options = self._rng, self._options
        names = ["campaign", "journey", "personalization", *options.faults]
        sound = 1 - sum(options.faults.values())
        weights = [sound * part / sum(options.mix) for part in options.mix] + list(options.faults.values())
        return rng.choices(names, weights, k=self._length)

    def _draft(self, kind: str, journeys: Iterator[Draft], before: list[Draft], encoder: EventEncoder) -> Draft:
        rng = self._rng
        if kind == "journey":
            return next(journeys)
        at = self._tenant()
        if kind == "campaign":
            return self._campaigns[at].next()
        if kind == "personalization":
            return personalization(self._tenants[at], rng)
        if kind in DELAYS:
            return self._delayed(kind, at)
        if kind in DUPLICATES:
            return self._duplicate(kind, before) or self._campaigns[at].next()
        if kind in INVALID:
            return invalid(kind, self._specimens[at])
        if kind == "too_large":
            return too_large(self._specimens[at], self._options.too_large_bytes)
        return self._poison(kind, at, encoder)

    def _delayed(self, fault: str, at: int) -> Draft:
        """A sound event that arrives after its time; journey events are of a customer who is on other journeys too."""
        rng, specimens = self._rng, self._specimens[at]
        draft = rng.choices((self._campaigns[at].next, specimens.touch, specimens.conversion), (50, 45, 5))[0]()
        delay = {
            "out_of_order": lambda: rng.randint(0, self._options.disorder_ms),
            "late_minutes": lambda: rng.randint(_MINUTE_MS, 59 * _MINUTE_MS),
            "late_hours": lambda: rng.randint(_HOUR_MS, 48 * _HOUR_MS),
            # Beyond the lookback of 30 days, within the 90 days of validation even for a world that starts 44 days ago.
            "late_days": lambda: rng.randint(2 * DAY_MS, 45 * DAY_MS),
        }[fault]()
        draft.shift_ms -= delay
        draft.fault = fault
        return draft

    def _duplicate(self, fault: str, before: list[Draft]) -> Draft | None:
        """A copy of an earlier sound message, or an event that reuses its id; None when there is no earlier one."""
        rng = self._rng
        for _ in range(20):
            if not before:
                return None
            reach = len(before) if fault != "dup_near" else min(_NEAR, len(before))
            source = before[len(before) - rng.randint(1, reach)]
            if source.record is None or source.fault:
                continue
            if fault == "conflict":
                specimens = next(maker for maker in self._specimens if maker.maker.tenant.tenant_id == source.key)
                draft = specimens.of_type(source.event_type)
                if draft.record is not None:
                    draft.record["envelope"]["event_id"] = source.record["envelope"]["event_id"]
                draft.fault = fault
                return draft
            return Draft(source.key, source.event_type, copy_of=source, fault=fault)
        return None

    def _poison(self, fault: str, at: int, encoder: EventEncoder) -> Draft:
        sound = self._specimens[at].any()
        if sound.record is None or fault not in POISON:
            raise ValueError(f"no such fault: {fault}")
        raw = poison(fault, encoder.encode(sound.record, sound.version), self._rng)
        return Draft(sound.key, sound.event_type, raw=raw, fault=fault)

    def _tenant(self) -> int:
        at = bisect(self._cumulative, self._rng.random() * self._cumulative[-1])
        return min(at, len(self._tenants) - 1)

    def _journey_events(self, places: int) -> list[Draft]:
        """The events of as many whole journeys as fit into the places, mingled: journeys start all over the lap."""
        rng = self._rng
        timed: list[tuple[float, int, Draft]] = []
        while len(timed) < places:
            steps = self._journey()
            if len(timed) + len(steps) > places:
                steps = [Step(self._specimens[self._tenant()].touch(), 0.0)]
            moment = rng.random()
            for step in steps:
                moment += step.pause * _PAUSE
                timed.append((moment, len(timed), step.draft))
        return [draft for _, _, draft in sorted(timed)]

    def _journey(self) -> list[Step]:
        at = self._tenant()
        if self._rng.random() < self._options.edge_share:
            return self._edge_cases[at].journey()
        return self._makers[at].journey()
