"""Journeys made to hit the rules of attribution exactly: limits of the lookback, ties, refunds, late touches, awkward
values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.world.channels import CHANNELS
from bench.world.customers import Customer, make_customer
from bench.world.journeys import JourneyMaker, Step
from bench.world.records import Draft, Record, conversion

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_MS = 24 * 3_600_000
LOOKBACK_MS = 30 * DAY_MS
_BY_NAME = {channel.name: channel for channel in CHANNELS}
# Their customers are numbered above all others.
FIRST_EDGE_CUSTOMER = 500_000
# Above 2^53, where a 64-bit float can no longer hold every integer.
_HUGE_MICROS = 9_007_199_254_740_993


class EdgeCases:
    """Makes the edge cases of one tenant in turn. Times are fixed relative to the conversion's, to the millisecond."""

    def __init__(self, maker: JourneyMaker) -> None:
        """Use the tenant and the random numbers of `maker`."""
        self._maker = maker
        self._turn = 0

    def journey(self) -> list[Step]:
        """The next edge case: a journey of at most ten events."""
        case = CASES[self._turn % len(CASES)]
        self._turn += 1
        customer = make_customer(self._maker.tenant, FIRST_EDGE_CUSTOMER + self._turn, self._maker.rng)
        steps = case(Scene(self._maker, customer))
        # All times hang on the first event's, so that none lies in the future when its message is sent.
        for step in steps[1:]:
            step.draft.relative_to = steps[0].draft
        return steps


class Scene:
    """One customer and one journey, with short ways to say what happens on it."""

    def __init__(self, maker: JourneyMaker, customer: Customer) -> None:
        """`customer` is of the tenant of `maker` and on no other journey."""
        self._maker = maker
        self._customer = customer
        self._journey_id = maker.tenant.next_id("j")

    def won(self, value_micros: int = 59_990_000, **more: object) -> Draft:
        """A conversion of this value in the tenant's currency."""
        record: Record = conversion(value_micros, self._maker.tenant.currency) | more
        return self._maker.convert(self._customer, self._journey_id, record)

    def back(self, won: Draft, value_micros: int, kind: str = "refund") -> Draft:
        """A refund or a cancellation of a conversion."""
        original = (won.record or {})["envelope"]["event_id"]
        return self.won(value_micros, kind=kind, original_event_id=original)

    def touch(self, channel: str, won: Draft, shift_ms: int) -> Draft:
        """A touch in this channel, `shift_ms` after the conversion's time (before it when negative)."""
        draft = self._maker.touch(self._customer, self._journey_id, "intent", _BY_NAME[channel])
        draft.shift_ms = won.shift_ms + shift_ms
        # Identity is not the subject of these journeys.
        (draft.record or {})["journey"]["customer_id"] = self._customer.customer_id
        return draft

    def refusal(self, won: Draft, shift_ms: int) -> Draft:
        """An event without any consent, `shift_ms` after the conversion's time."""
        draft = self._maker.refusal(self._customer, self._journey_id, "intent")
        draft.shift_ms = won.shift_ms + shift_ms
        return draft


def _steps(*drafts: Draft) -> list[Step]:
    return [Step(draft, 0.02) for draft in drafts]


def one_touch(scene: Scene) -> list[Step]:
    """One touch takes everything."""
    won = scene.won()
    return _steps(scene.touch("search", won, -5_000), won)


def two_touches(scene: Scene) -> list[Step]:
    """Position based gives halves to two touches; an odd number of micros leaves a remainder."""
    won = scene.won(10_000_001)
    return _steps(scene.touch("display", won, -DAY_MS), scene.touch("email", won, -1_000), won)


def seven_micros(scene: Scene) -> list[Step]:
    """Fewer micros than touches can share evenly."""
    won = scene.won(7)
    times = (-4 * DAY_MS, -3 * DAY_MS, -2 * DAY_MS, -DAY_MS)
    return _steps(*(scene.touch("social", won, at) for at in times), won)


def tie(scene: Scene) -> list[Step]:
    """Touches of the same millisecond are ordered by event id, whatever order they arrive in."""
    won = scene.won(100_000_003)
    return _steps(*(scene.touch(name, won, -60_000) for name in ("video", "email", "search", "direct")), won)


def lookback_limit(scene: Scene) -> list[Step]:
    """A touch exactly 30 days before the conversion counts, one a millisecond earlier does not."""
    won = scene.won()
    early = (scene.touch("video", won, -LOOKBACK_MS - 1), scene.touch("display", won, -LOOKBACK_MS))
    return _steps(*early, scene.touch("email", won, -DAY_MS), won)


def at_conversion(scene: Scene) -> list[Step]:
    """A touch of the same millisecond as the conversion counts, one a millisecond later does not."""
    won = scene.won()
    return _steps(scene.touch("email", won, -10), won, scene.touch("search", won, 0), scene.touch("social", won, 1))


def late_touch(scene: Scene) -> list[Step]:
    """A touch that happened before the conversion and arrives after it changes the credit."""
    won = scene.won()
    return _steps(scene.touch("social", won, -DAY_MS), won, scene.touch("video", won, -2 * DAY_MS))


def only_direct(scene: Scene) -> list[Step]:
    """Last non-direct falls back on the last touch when all are direct."""
    won = scene.won()
    return _steps(scene.touch("direct", won, -2_000), scene.touch("direct", won, -1_000), won)


def direct_last(scene: Scene) -> list[Step]:
    """Last non-direct passes over direct touches at the end."""
    won = scene.won()
    return _steps(
        scene.touch("email", won, -3_000), scene.touch("direct", won, -2_000), scene.touch("direct", won, -1_000), won
    )


def touchless(scene: Scene) -> list[Step]:
    """A conversion without a touch."""
    return _steps(scene.won())


def refund_part(scene: Scene) -> list[Step]:
    """A refund of a part, in micros that do not divide evenly."""
    won = scene.won()
    touches = (
        scene.touch("search", won, -9_000),
        scene.touch("email", won, -8_000),
        scene.touch("direct", won, -7_000),
    )
    return _steps(*touches, won, scene.back(won, 19_999_999))


def refund_too_much(scene: Scene) -> list[Step]:
    """Refunds above the gross value take no more than it."""
    won = scene.won(30_000_000)
    return _steps(scene.touch("search", won, -9_000), won, scene.back(won, 20_000_000), scene.back(won, 20_000_000))


def refund_first(scene: Scene) -> list[Step]:
    """A refund that arrives before its conversion."""
    won = scene.won()
    return _steps(scene.touch("search", won, -9_000), scene.back(won, 1_000_000), won)


def cancelled(scene: Scene) -> list[Step]:
    """A cancellation takes the whole, whatever value it states; a refund besides changes nothing."""
    won = scene.won()
    return _steps(
        scene.touch("native", won, -9_000), won, scene.back(won, 0, "cancellation"), scene.back(won, 5_000_000)
    )


def converts_twice(scene: Scene) -> list[Step]:
    """Two conversions of one journey: each is credited in full."""
    first, second = scene.won(), scene.won(25_000_000)
    first.shift_ms = -20_000
    return _steps(scene.touch("search", first, -9_000), first, scene.touch("email", second, -1), second)


def huge_value(scene: Scene) -> list[Step]:
    """A value that a float cannot hold exactly must still be shared to the last micro."""
    won = scene.won(_HUGE_MICROS)
    touches = (scene.touch("display", won, -49 * 3_600_000), scene.touch("search", won, -2 * 3_600_000))
    return _steps(*touches, scene.touch("email", won, -1), won)


def worthless(scene: Scene) -> list[Step]:
    """A conversion of value 0 has weights all the same."""
    won = scene.won(0, conversion_type="signup", weight=0.5)
    return _steps(scene.touch("organic", won, -9_000), scene.touch("referral", won, -8_000), won)


def consents_later(scene: Scene) -> list[Step]:
    """What was met before consent was given counts for nobody, not even a touch of the same millisecond."""
    won = scene.won()
    before = (scene.touch("video", won, -9_000), scene.refusal(won, -8_000), scene.touch("social", won, -8_000))
    return _steps(*before, scene.touch("search", won, -7_999), won)


def withdraws(scene: Scene) -> list[Step]:
    """Consent withdrawn after a conversion takes its touches back; what is met after it counts for the next."""
    first, second = scene.won(), scene.won(25_000_000)
    first.shift_ms = -20_000
    path = (scene.touch("display", first, -9_000), first, scene.refusal(second, -10_000))
    return _steps(*path, scene.touch("email", second, -1_000), second)


CASES: tuple[Callable[[Scene], list[Step]], ...] = (
    one_touch,
    two_touches,
    seven_micros,
    tie,
    lookback_limit,
    at_conversion,
    late_touch,
    only_direct,
    direct_last,
    touchless,
    refund_part,
    refund_too_much,
    refund_first,
    cancelled,
    converts_twice,
    huge_value,
    worthless,
    consents_later,
    withdraws,
)
