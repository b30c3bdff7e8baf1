"""Tenants' attribution settings and trained models in the oracle, in exact fractions.

Written from docs/attribution.md and docs/data-contract.md; reads a file with a record of the control topic a line, of
which the highest version of each tenant counts.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAY_MS = 86_400_000
DEFAULTS: dict[str, Any] = {
    "models": ["first_touch", "last_touch", "last_non_direct", "linear", "time_decay", "position_based"],
    "lookback_days": 30,
    "half_life_days": 7,
    "position_weights": [0.4, 0.2, 0.4],
    "consent": "required",
}


class TenantRules:
    """What one tenant's conversions are credited by."""

    def __init__(self, record: dict[str, Any]) -> None:
        """Keep a record of the control topic."""
        self._own = record["settings"]
        self._models = record["models"]

    def of(self, conversion_type: str) -> dict[str, Any]:
        """The settings of a conversion type with everything stated."""
        own = {key: value for key, value in self._own.items() if key != "conversion_types"}
        stated = DEFAULTS | own
        for more in (own, self._own.get("conversion_types", {}).get(conversion_type, {})):
            if "decay_per_day" in more:
                stated["half_life_days"] = math.log(2) / more["decay_per_day"]
            elif "half_life_days" in more:
                stated["half_life_days"] = more["half_life_days"]
            stated |= {key: value for key, value in more.items() if key not in {"half_life_days", "decay_per_day"}}
        return stated

    def trained(self, conversion_type: str, time: int) -> dict[str, Any] | None:
        """The model in force for a conversion: the newest by then, or the oldest there is."""
        for wanted in (conversion_type, ""):
            known = [model for model in self._models if model["conversion_type"] == wanted]
            if known:
                known.sort(key=lambda model: (model["in_force_from"], model["version"]))
                by_then = [model for model in known if model["in_force_from"] <= time]
                return by_then[-1] if by_then else known[0]
        return None


def read_rules(file: Path) -> dict[str, TenantRules]:
    """Rules by tenant."""
    newest: dict[str, dict[str, Any]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["version"] > newest.get(record["tenant_id"], {"version": 0})["version"]:
            newest[record["tenant_id"]] = record
    return {tenant_id: TenantRules(record) for tenant_id, record in newest.items()}


def counts(rules: dict[str, Any], channel: str, campaign_id: str, interaction: str) -> bool:
    """Whether a touch is in a path at all."""
    wanted = rules.get("touch_filter", {})
    return not (
        channel in wanted.get("exclude_channels", [])
        or (campaign_id and campaign_id in wanted.get("exclude_campaigns", []))
        or (wanted.get("interaction_types") and interaction not in wanted["interaction_types"])
    )


def ruled_weights(
    rules: dict[str, Any], model: str, channels: Sequence[str], times: Sequence[int], trained: dict[str, Any] | None
) -> list[Fraction]:
    """Weights of a path's touches; those that a transform removes weigh 0."""
    steps = (trained or {}).get("transforms", []) if model == "data_driven" else rules.get("transforms", [])
    kept = list(enumerate(channels))
    for step in steps:
        kept = _transformed(step, kept)
    weights = [Fraction(0)] * len(channels)
    places = [place for place, _ in kept]
    if model == "data_driven":
        effects = {name: max(Fraction(effect), Fraction(0)) for name, effect in (trained or {})["effects"].items()}
        usual = sum(effects.values(), Fraction(0)) / len(effects)
        own = _shares([effects.get(name, usual) for _, name in kept])
    else:
        own = _rule(rules, model, [channels[place] for place in places], [times[place] for place in places])
    for place, weight in zip(places, own, strict=True):
        weights[place] = weight
    return weights


def _rule(rules: dict[str, Any], model: str, channels: Sequence[str], times: Sequence[int]) -> list[Fraction]:
    count = len(channels)
    ones = [Fraction(1)] * count
    if model == "linear":
        return _shares(ones)
    if model == "custom_weights":
        return _shares([Fraction(rules.get("channel_weights", {}).get(channel, 1)) for channel in channels])
    if model == "time_decay":
        half_life = rules["half_life_days"] * DAY_MS
        return _shares([Fraction(math.exp2((time - times[-1]) / half_life)) for time in times])
    if model == "position_based":
        first, middle, last = (Fraction(weight) for weight in rules["position_weights"])
        if count == 1:
            return ones
        if count == 2:
            return _shares([first, last])
        return _shares([first, *[middle / (count - 2)] * (count - 2), last])
    marketing = [place for place, channel in enumerate(channels) if channel != "direct"]
    chosen = {
        "first_touch": 0,
        "last_touch": count - 1,
        "last_non_direct": marketing[-1] if marketing else count - 1,
    }[model]
    return [Fraction(int(place == chosen)) for place in range(count)]


def _transformed(step: str, kept: list[tuple[int, str]]) -> list[tuple[int, str]]:
    names = [name for _, name in kept]
    trimmed = re.fullmatch(r"trim\((\d+)\)", step)
    if trimmed:
        return kept[-int(trimmed[1]) :]
    if step == "identity":
        return kept
    if step == "exposure":
        return [touch for at, touch in enumerate(kept) if at == 0 or names[at - 1] != touch[1]]
    if step in {"first", "frequency"}:
        times = Counter(names)
        firsts = [touch for at, touch in enumerate(kept) if touch[1] not in names[:at]]
        return firsts if step == "first" else [(place, f"{name}({times[name]})") for place, name in firsts]
    marketing = [touch for touch in kept if touch[1] != "direct"]
    if step == "remove_direct_if_not_all":
        return marketing or kept
    if step == "remove_direct_if_last_and_not_all":
        return kept[: kept.index(marketing[-1]) + 1] if marketing else kept
    raise ValueError(f"transform {step!r} is not known")


def _shares(parts: Sequence[Fraction]) -> list[Fraction]:
    whole = sum(parts, Fraction(0))
    return [part / whole for part in parts] if whole else [Fraction(1, len(parts))] * len(parts)
