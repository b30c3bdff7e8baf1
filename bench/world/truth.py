"""What truly causes conversions in the world: the yardstick for attribution.

A journey converts with probability 1 - (1 - base) · Π (1 - effect of the touch's channel) over its touches: each
touch has its own independent chance (a noisy-or). The credit a channel deserves is its Shapley value in that
function, the mean of what it adds over all orders in which the channels of the path could have come (Shapley 1953).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations
from math import factorial, prod
from typing import TYPE_CHECKING, Any

from bench.world.channels import BASE_CONVERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.world.tenants import Tenant


class Truth:
    """Counts the journeys of one lap and states, for each tenant, effects and deserved credit by channel."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._paths: dict[str, Counter[tuple[tuple[str, int], ...]]] = {}
        self._effects: dict[str, dict[str, float]] = {}
        self._conversions: Counter[str] = Counter()
        self._value_micros: Counter[str] = Counter()

    def conversion_chance(self, tenant: Tenant, path: Sequence[str]) -> float:
        """Probability that a journey with these channels converts."""
        return chance(tenant.effects, Counter(path))

    def count(self, tenant: Tenant, path: Sequence[str], *, value_micros: int, converted: bool) -> None:
        """Take a journey and its outcome into account; the order of the channels does not matter to the truth."""
        paths = self._paths.setdefault(tenant.tenant_id, Counter())
        self._effects[tenant.tenant_id] = tenant.effects
        paths[tuple(sorted(Counter(path).items()))] += 1
        if converted:
            self._conversions[tenant.tenant_id] += 1
            self._value_micros[tenant.tenant_id] += value_micros

    def statement(self) -> dict[str, Any]:
        """The truth about one lap: for each tenant its effects, journeys, conversions, and by channel the deserved
        conversions (expected number, Shapley) and what would be lost without the channel (expected number).
        """
        return {
            "formula": "P(conversion) = 1 - (1 - base) * prod(1 - effect[channel of touch])",
            "base": BASE_CONVERSION,
            "tenants": {tenant: self._of_tenant(tenant) for tenant in sorted(self._paths)},
        }

    def _of_tenant(self, tenant: str) -> dict[str, Any]:
        effects = self._effects[tenant]
        deserved: defaultdict[str, float] = defaultdict(float)
        lost: defaultdict[str, float] = defaultdict(float)
        for path, journeys in self._paths[tenant].items():
            touches = dict(path)
            whole = chance(effects, touches)
            for channel, value in shapley(effects, touches).items():
                deserved[channel] += value * journeys
                without = {name: count for name, count in touches.items() if name != channel}
                lost[channel] += (whole - chance(effects, without)) * journeys
        return {
            "effects": effects,
            "journeys": self._paths[tenant].total(),
            "conversions": self._conversions[tenant],
            "value_micros": self._value_micros[tenant],
            "deserved_conversions": dict(deserved),
            "lost_without": dict(lost),
        }


def chance(effects: Mapping[str, float], touches: Mapping[str, int]) -> float:
    """Probability of a conversion after these touches (number by channel)."""
    return 1 - (1 - BASE_CONVERSION) * prod((1 - effects[name]) ** count for name, count in touches.items())


def shapley(effects: Mapping[str, float], touches: Mapping[str, int]) -> dict[str, float]:
    """Shapley value of each channel of a path; with the base they sum to the chance of a conversion."""
    names = list(touches)
    values = dict.fromkeys(names, 0.0)
    for name in names:
        others = [other for other in names if other != name]
        for size in range(len(names)):
            weight = factorial(size) * factorial(len(names) - size - 1) / factorial(len(names))
            for group in combinations(others, size):
                before = {other: touches[other] for other in group}
                after = before | {name: touches[name]}
                values[name] += weight * (chance(effects, after) - chance(effects, before))
    return values
