"""Credits of a person from all stored facts of its customers, attributed from scratch.

The rules are those of `udfs/attribution/person.py`, over the facts of all customers of the person together; for a
customer alone the credits are the same to the micro, only with a higher revision. What is added:

- A customer's refusal takes that customer's touches out; those of the person's other customers stay.
- A refund or cancellation counts for its conversion whichever customer of the person it came from.
- A touch of another customer counts with the probability that both are one person. Where links are certain that is 1.
  Over probable links it is q = link probability * 2^(-(conversion time - touch time) / half-life): the older a touch,
  the less a link of today says about who it was (half-life: that of the time-decay model; q in whole hundredths, so
  that the work below is bounded).
- The credit is the expected one. The more likely touches are taken to be the person's whenever less likely ones are, so
  that with the different values 1 = q1 > q2 > ... > qk the path is "all touches with q >= qj" with probability
  qj - q(j+1), where q(k+1) = 0. A model's weights are the mean of its weights on these paths, with these probabilities.
  They sum to 1 as those do, are never negative, and fit every model, also those that give all to one touch.
- In the case that no touch is the person's, the conversion is unattributed: that share goes to an entry `unattributed`
  beside the touches, the last one, at the conversion's time.

Source: linearity of expectation, with touches coupled by one uniform random number (comonotone).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from udfs.attribution.apportion import apportion
from udfs.attribution.consent import ConsentSeen
from udfs.attribution.credit import credit, unattributed
from udfs.attribution.facts import CANCELLATION, CONVERSION, REFUND, STAGE_CHANGE, TOUCH, FactError
from udfs.attribution.person import UNATTRIBUTED
from udfs.attribution.settings import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from udfs.attribution.credit import Credits
    from udfs.attribution.published_model import PublishedModel
    from udfs.attribution.settings import AttributionSettings, CreditRules
    from udfs.attribution.tenant_settings import TenantSettings
    from udfs.identity.person import Person

_CERTAIN = 100
"""Probabilities are whole hundredths."""


@dataclass(slots=True)
class _Facts:
    """What counts of a person's facts, each list sorted."""

    touches: list[tuple[int, str, str, str, str, str]] = field(default_factory=list)
    """Time (UTC ms), touchpoint id, customer id, channel, campaign id, interaction type."""
    conversions: list[tuple[int, str, Sequence[Any]]] = field(default_factory=list)
    """Time (UTC ms), event id, the fact."""
    refunds: dict[str, list[int | None]] = field(default_factory=dict)
    """By conversion: micros; None for a cancellation."""
    consent: dict[str, ConsentSeen] = field(default_factory=dict)
    """By customer."""
    newest: int = 0


def derive_credits(
    person: Person,
    facts: Iterable[Sequence[Any]],
    settings: AttributionSettings,
    tenant: TenantSettings,
    revision: int,
) -> list[dict[str, Any]]:
    """Credit every conversion of a person that is not older than the retention behind the person's newest fact.

    Args:
        person: customers, links, and what no longer counts.
        facts: decoded `journey_fact` arrays of one tenant, of all customers of the person, in any order. Of several
            with one event id the first counts; those of others are left out. Times are UTC ms, values micros.
        settings: bounds.
        tenant: the rules that the tenant credits by.
        revision: above every one that the stream can reach on its own.

    Returns:
        Attributions as `apply_facts` gives them, with `person_id`, in the order of (time, event id).

    Raises:
        FactError: a fact is of a kind that the program does not know.
    """
    counted = _counted(person, facts)
    oldest = counted.newest - settings.retention_ms
    probabilities: dict[str, dict[str, float]] = {}
    attributions = []
    for _, _, fact in [kept for kept in counted.conversions if kept[0] >= oldest][-settings.max_conversions :]:
        customer_id = fact[2]
        if customer_id not in probabilities:
            probabilities[customer_id] = person.link_probabilities(customer_id)
        attribution = _attribution(fact, counted, probabilities[customer_id], settings, tenant)
        attributions.append(attribution | {"person_id": person.group.person_id, "revision": revision})
    return attributions


def _counted(person: Person, facts: Iterable[Sequence[Any]]) -> _Facts:
    members = set(person.group.customers)
    known: set[str] = set()
    counted = _Facts()
    for fact in facts:
        kind, _, customer_id, _, _, event_id, time = fact[:7]
        if customer_id not in members or event_id in known:
            continue
        known.add(event_id)
        if time <= person.erased_until.get(customer_id, 0):
            continue
        counted.newest = max(counted.newest, time)
        counted.consent.setdefault(customer_id, ConsentSeen()).see(fact[8], time)
        if kind == TOUCH:
            counted.touches.append((time, event_id, customer_id, fact[9], fact[10] or "", fact[13] or ""))
        elif kind == CONVERSION:
            counted.conversions.append((time, event_id, fact))
        elif kind in (REFUND, CANCELLATION):
            counted.refunds.setdefault(fact[9], []).append(fact[10] if kind == REFUND else None)
        elif kind != STAGE_CHANGE:
            raise FactError(f"kind of fact is {kind!r}; allowed: s, t, c, r, x")
    counted.touches.sort()
    counted.conversions.sort(key=lambda kept: kept[:2])
    return counted


def _attribution(
    fact: Sequence[Any],
    counted: _Facts,
    probabilities: dict[str, float],
    settings: AttributionSettings,
    tenant: TenantSettings,
) -> dict[str, Any]:
    _, tenant_id, customer_id, journey_id, _, event_id, time, created_at = fact[:8]
    conversion_type, gross, currency = fact[9:12]
    rules = tenant.rules_of(conversion_type)
    trained = tenant.model_of(conversion_type, time) if Model.DATA_DRIVEN in rules.models else None
    refunds = counted.refunds.get(event_id, [])
    net = 0 if None in refunds else max(0, gross - sum(micros for micros in refunds if micros is not None))
    start = bisect_left(counted.touches, time - rules.lookback_ms, key=lambda touch: touch[0])
    end = bisect_right(counted.touches, time, key=lambda touch: touch[0])
    void_until = {name: seen.void_until(rules.consent) for name, seen in counted.consent.items()}
    touches: list[list[Any]] = []
    hundredths: list[int] = []
    for at, touch_id, toucher, channel, campaign_id, interaction in counted.touches[
        max(start, end - settings.max_touches) : end
    ]:
        likely = _hundredths(probabilities[toucher], time - at, rules.half_life_ms)
        if likely and at > void_until[toucher] and rules.touch_filter.keeps(channel, campaign_id, interaction):
            touches.append([touch_id, channel, campaign_id, at])
            hundredths.append(likely)
    if touches:
        models = _expected_credit(touches, hundredths, net, rules, trained)
    else:
        models = unattributed(net, rules, trained)
    if not touches or _CERTAIN not in hundredths:
        touches.append(["", UNATTRIBUTED, "", time])
    return {
        "kind": "attribution",
        "tenant_id": tenant_id,
        "conversion_id": event_id,
        "customer_id": customer_id,
        "journey_id": journey_id,
        "conversion_type": conversion_type,
        "conversion_time": time,
        "created_at": created_at,
        "gross_value_micros": gross,
        "value_micros": net,
        "currency": currency,
        "settings_version": tenant.version,
        "touches": touches,
        "models": models,
    }


def _hundredths(probability: float, age_ms: int, half_life_ms: float) -> int:
    """Return the probability that a touch of this age is the person's, in hundredths; certain ones do not age."""
    if probability == 1.0:
        return _CERTAIN
    # Never rounded up to certain: what is certain has no share that is unattributed.
    return min(_CERTAIN - 1, round(_CERTAIN * probability * math.exp2(-age_ms / half_life_ms)))


def _expected_credit(
    touches: list[list[Any]], hundredths: list[int], net: int, rules: CreditRules, trained: PublishedModel | None
) -> Credits:
    """Credit at least one touch by every model; one weight more than touches where none of them is certain."""
    levels = sorted(set(hundredths), reverse=True)
    if levels == [_CERTAIN]:
        return credit([touch[1] for touch in touches], [touch[3] for touch in touches], net, rules, trained)
    certain = levels[0] == _CERTAIN
    mixed: dict[str, list[float]] = {}
    credited: Credits = {}
    for level, below in zip(levels, [*levels[1:], 0], strict=True):
        kept = [index for index, likely in enumerate(hundredths) if likely >= level]
        path = [touches[index] for index in kept]
        credited = credit([touch[1] for touch in path], [touch[3] for touch in path], 0, rules, trained)
        share = (level - below) / _CERTAIN
        for model, of_path in credited.items():
            weights = mixed.setdefault(model, [0.0] * (len(touches) + (not certain)))
            for index, weight in zip(kept, of_path["weights"], strict=True):
                weights[index] += share * weight
    for model, weights in mixed.items():
        if not certain:
            weights[-1] = (_CERTAIN - levels[0]) / _CERTAIN
        credited[model] |= {"weights": weights, "credited_micros": apportion(net, weights)}
    return credited
