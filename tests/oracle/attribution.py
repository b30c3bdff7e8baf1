"""Credits of every conversion, in exact fractions.

Written from the rules in docs/data-contract.md and SPEC C: touches of the customer from 30 days before the conversion
up to its very time, in the order of (time, event id); refunds reduce the value, to nothing at most; a cancellation
takes it whole.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.oracle.consent import NO_REFUSAL, refusals
from tests.oracle.identity import Person, persons
from tests.oracle.settings import DAY_MS, counts, ruled_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import duckdb

    from tests.oracle.identity import Withdrawn
    from tests.oracle.settings import TenantRules

LOOKBACK_MS = 30 * 86_400_000
HALF_LIFE_MS = 7 * 86_400_000
MODELS = ("first_touch", "last_touch", "last_non_direct", "linear", "time_decay", "position_based")
UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class Touch:
    """A touchpoint: time in UTC ms."""

    time: int
    touchpoint_id: str
    channel: str
    campaign_id: str
    interaction: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion with the touches it looks back on. Values in micros, `net` after refunds; time in UTC ms."""

    tenant_id: str
    conversion_id: str
    time: int
    conversion_type: str
    customer_id: str
    journey_id: str
    currency: str
    gross: int
    net: int
    touches: tuple[Touch, ...]
    hundredths: tuple[int, ...] = ()
    """With identity: the probability of each touch to be of the person, in hundredths."""
    rules: dict[str, Any] | None = None
    """The tenant's own settings for this conversion type; None: the job's."""
    trained: dict[str, Any] | None = None
    """The trained model in force, if the settings ask for one and there is one."""

    @property
    def models(self) -> tuple[str, ...]:
        """The models that credit it."""
        if self.rules is None:
            return MODELS
        return tuple(model for model in self.rules["models"] if model != "data_driven" or self.trained)

    @property
    def entries(self) -> tuple[Touch, ...]:
        """What is credited: the touches, and the case that none of them counts."""
        if self.touches and (not self.hundredths or 100 in self.hundredths):
            return self.touches
        return (*self.touches, Touch(self.time, "", UNATTRIBUTED, ""))

    def weights(self, model: str) -> list[Fraction]:
        """The entries' weights in a model. They sum to 1."""
        if self.rules is not None and self.touches:
            channels, times = zip(*((touch.channel, touch.time) for touch in self.touches), strict=True)
            return ruled_weights(self.rules, model, channels, times, self.trained)
        if not self.hundredths:
            return weights(model, self.touches, self.time) if self.touches else [Fraction(1)]
        mean = [Fraction(0)] * len(self.entries)
        # One world for each hundredth: in the n-th all touches count whose probability is above n hundredths.
        for world in range(100):
            counting = [place for place, likely in enumerate(self.hundredths) if likely > world]
            if not counting:
                mean[-1] += Fraction(1, 100)
                continue
            path = [self.touches[place] for place in counting]
            for place, weight in zip(counting, weights(model, path, self.time), strict=True):
                mean[place] += weight / 100
        return mean


def conversions(
    connection: duckdb.DuckDBPyConnection,
    *,
    identity: bool = False,
    withdrawn: Collection[Withdrawn] = (),
    settings: Mapping[str, TenantRules] | None = None,
) -> Iterator[Conversion]:
    """Every conversion in the table `accepted`; with `identity` credited to all customers of its person.

    `settings` are the tenants' own, which are not for identity.
    """
    if identity:
        yield from _of_persons(connection, withdrawn)
        return
    touches, refused = _touches(connection), refusals(connection)
    net = _net_values(connection)
    rows = connection.cursor().execute(
        """
        SELECT tenant_id, event_id, event_time, conversion_type, customer_id, journey_id, currency, value_micros
        FROM accepted WHERE own_type = 'conversion_event' AND kind = 'conversion'
        """
    )
    while row := rows.fetchone():
        tenant_id, event_id, time, conversion_type, customer_id, journey_id, currency, gross = row
        path = touches.get((tenant_id, customer_id), [])
        own = (settings or {}).get(tenant_id)
        rules = own.of(conversion_type) if own else None
        void = refused.get((tenant_id, customer_id), NO_REFUSAL).void_until(rules)
        lookback = round(rules["lookback_days"] * DAY_MS) if rules else LOOKBACK_MS
        start = bisect_left(path, time - lookback, key=lambda touch: touch.time)
        end = bisect_right(path, time, key=lambda touch: touch.time)
        yield Conversion(
            tenant_id,
            event_id,
            time,
            conversion_type,
            customer_id,
            journey_id,
            currency,
            gross,
            net.get((tenant_id, event_id), gross),
            tuple(
                touch
                for touch in path[start:end]
                if touch.time > void
                and (rules is None or counts(rules, touch.channel, touch.campaign_id, touch.interaction))
            ),
            rules=rules,
            trained=own.trained(conversion_type, time) if own and rules and "data_driven" in rules["models"] else None,
        )


def _of_persons(connection: duckdb.DuckDBPyConnection, withdrawn: Collection[Withdrawn]) -> Iterator[Conversion]:
    found, refused = persons(connection, withdrawn), refusals(connection)
    paths: dict[tuple[str, str], list[Touch]] = {}
    for tenant_id, customer_id, *touch in connection.execute(
        "SELECT tenant_id, customer_id, event_time, event_id, channel, campaign_id FROM accepted "
        "WHERE own_type = 'touchpoint_interaction'"
    ).fetchall():
        if touch[0] > refused.get((tenant_id, customer_id), NO_REFUSAL).void_until(None):
            paths.setdefault((tenant_id, customer_id), []).append(Touch(*touch))
    back: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for tenant_id, original, customer_id, kind, micros in connection.execute(
        "SELECT tenant_id, original_event_id, customer_id, kind, value_micros FROM accepted "
        "WHERE kind IN ('refund', 'cancellation')"
    ).fetchall():
        back.setdefault((tenant_id, original), []).append((customer_id, kind, micros))
    for row in connection.execute(
        """
        SELECT tenant_id, event_id, event_time, conversion_type, customer_id, journey_id, currency, value_micros
        FROM accepted WHERE own_type = 'conversion_event' AND kind = 'conversion'
        """
    ).fetchall():
        tenant_id, event_id, time, _, customer_id, *_, gross = row
        person = found.get((tenant_id, customer_id)) or Person(frozenset((customer_id,)), {(customer_id,) * 2: 1.0})
        refunds = [
            (kind, micros) for who, kind, micros in back.get((tenant_id, event_id), ()) if who in person.customers
        ]
        cancelled = any(kind == "cancellation" for kind, _ in refunds)
        net = 0 if cancelled else max(0, gross - sum(micros for _, micros in refunds))
        path = []
        for name in person.customers:
            for touch in paths.get((tenant_id, name), ()):
                if time - LOOKBACK_MS <= touch.time <= time:
                    likely = _hundredths(person.probability[customer_id, name], time - touch.time)
                    path += [(touch.time, touch.touchpoint_id, touch, likely)] if likely else []
        path.sort(key=lambda step: step[:2])
        yield Conversion(*row, net, tuple(step[2] for step in path), tuple(step[3] for step in path))


def _hundredths(probability: float, age_ms: int) -> int:
    """Probability of a touch of this age to be of the person; what is certain does not age."""
    return 100 if probability == 1 else min(99, round(100 * probability * 2 ** (-age_ms / HALF_LIFE_MS)))


def weights(model: str, touches: Sequence[Touch], conversion_time: int) -> list[Fraction]:
    """Weights of at least one touch, in order. Raises ValueError for a model that is not one of MODELS."""
    count = len(touches)
    if model == "first_touch":
        return _only(0, count)
    if model == "last_touch":
        return _only(count - 1, count)
    if model == "last_non_direct":
        marketing = [place for place, touch in enumerate(touches) if touch.channel != "direct"]
        return _only(marketing[-1] if marketing else count - 1, count)
    if model == "linear":
        return [Fraction(1, count)] * count
    if model == "time_decay":
        halved = [Fraction(math.exp2((touch.time - conversion_time) / HALF_LIFE_MS)) for touch in touches]
        return [part / sum(halved) for part in halved]
    if model == "position_based":
        if count <= 2:
            return [Fraction(1, count)] * count
        middle = [Fraction(1, 5) / (count - 2)] * (count - 2)
        return [Fraction(2, 5), *middle, Fraction(2, 5)]
    raise ValueError(f"model {model!r}; known: {', '.join(MODELS)}")


def largest_remainder(total: int, shares: Sequence[Fraction]) -> list[int]:
    """Whole parts of `total` (not negative) in proportion to shares that sum to 1; equal remainders: the earlier
    first.
    """
    quotas = [total * share for share in shares]
    parts = [math.floor(quota) for quota in quotas]
    order = sorted(range(len(parts)), key=lambda place: (parts[place] - quotas[place], place))
    for place in order[: total - sum(parts)]:
        parts[place] += 1
    return parts


def flaw(total: int, shares: Sequence[Fraction], found: Sequence[int]) -> str | None:
    """What is wrong with parts that were computed in floating point, None when nothing is.

    Where two remainders are so close that a float cannot tell them apart either may get the last micro; but not where
    the shares themselves are equal, because then the earlier one comes first. All else must be as `largest_remainder`
    has it.
    """
    expected = largest_remainder(total, shares)
    if list(found) == expected:
        return None
    if len(found) != len(expected):
        return f"{len(found)} parts, expected {len(expected)}"
    if sum(found) != total:
        return f"the parts sum to {sum(found)}, expected {total}"
    # Four roundings of relative size 2^-53 lie between a weight and its quota.
    blur = Fraction(total) / (1 << 50) + Fraction(1, 10**9)
    quotas = [total * share for share in shares]
    if any(abs(part - quota) >= 1 + blur for part, quota in zip(found, quotas, strict=True)):
        return f"a part is off by a micro or more: expected {expected}"
    gained = [part - quota for part, quota in zip(found, quotas, strict=True)]
    # What the parts rounded up have gained, and what the others would have: nobody may gain more than one passed over.
    most_gained = max((gain for gain in gained if gain > 0), default=Fraction(0))
    least_passed_over = min((gain + 1 for gain in gained if gain <= 0), default=Fraction(1))
    if most_gained > least_passed_over + 2 * blur:
        return f"a larger remainder was passed over: expected {expected}"
    seen: dict[Fraction, int] = {}
    for share, part in zip(shares, found, strict=True):
        if part > seen.get(share, part):
            return f"of equal shares a later one got more: expected {expected}"
        seen[share] = part
    return None


def _only(place: int, count: int) -> list[Fraction]:
    return [Fraction(int(other == place)) for other in range(count)]


def _touches(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], list[Touch]]:
    """Touches by tenant and customer in the order of (time, event id), of customers that converted."""
    rows = connection.execute(
        """
        SELECT tenant_id, customer_id, event_time, event_id, channel, campaign_id, interaction_type FROM accepted
        WHERE own_type = 'touchpoint_interaction' AND (tenant_id, customer_id) IN
            (SELECT (tenant_id, customer_id) FROM accepted WHERE own_type = 'conversion_event' AND kind = 'conversion')
        """
    )
    found: dict[tuple[str, str], list[Touch]] = {}
    while row := rows.fetchone():
        found.setdefault((row[0], row[1]), []).append(Touch(*row[2:]))
    for path in found.values():
        path.sort(key=lambda touch: (touch.time, touch.touchpoint_id))
    return found


def _net_values(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Value after refunds and cancellations by tenant and conversion, where there are any."""
    rows = connection.execute(
        """
        SELECT won.tenant_id, won.event_id,
               CASE WHEN bool_or(back.kind = 'cancellation') THEN 0
                    ELSE greatest(0, any_value(won.value_micros) - sum(back.value_micros)) END::BIGINT
        FROM accepted won JOIN accepted back
          ON back.tenant_id = won.tenant_id AND back.original_event_id = won.event_id
             AND back.customer_id = won.customer_id AND back.kind IN ('refund', 'cancellation')
        WHERE won.own_type = 'conversion_event' AND won.kind = 'conversion'
        GROUP BY ALL
        """
    ).fetchall()
    return {(tenant_id, event_id): net for tenant_id, event_id, net in rows}
