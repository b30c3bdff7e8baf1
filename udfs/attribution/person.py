"""Attribution in the stream: one person's facts in; out come the credits and journeys that they change.

Pure: the caller keeps the bytes. The answer depends on the set of facts, not on the order, the copies or the batches
in which they come (limits below). The rules:

- Touches stand in the order of (time, event id), whatever the order of their arrival.
- A fact with a known event id changes nothing.
- A conversion credits every touch of the person, of whatever journey, with conversion time - look-back <= touch time
  <= conversion time. A touch after the conversion cannot have caused it. Several conversions each look back on their
  own, over the same touches, because a touch does not stop working when something is bought, and because cutting the
  path at the conversion before would make credits depend on which goals a tenant happens to track.
- A conversion without a touch has one entry: channel `unattributed`, touchpoint id empty, at the conversion's time.
- Refunds reduce the value, to 0 at most: what was never earned cannot be given back. A cancellation takes the whole
  value, whatever its own says. Either may come before its conversion; one whose conversion never comes changes no
  credit.
- A fact without consent to analytics takes the touches up to its moment out of all credits (`consent`): conversions
  that have no touch left are unattributed. Journeys count them all the same.
- `revision` of an attribution is 1 + the touches in its window (twice those that consent takes out) + its refunds and
  cancellations, above the version of the tenant's settings times 2^32. It grows with every fact that the credits rest
  on and with every change of settings, and is the same when the stream is replayed under the same settings.
- Rules (models, look-back, transforms, touch filter, parameters) are those of the conversion's type. When settings
  change, `reattribute` gives the conversions whose credits change with them. A trained model credits the conversions
  from the time on at which it is in force, so a new one leaves older credits, and their model version, as they are.
- `revision` of a journey is the number of its facts; stage and times are those of its newest (and first) facts by
  (time, event id). Its value is the gross value of its conversions in the currency of the newest one. Facts without a
  journey id are in no journey.

What is kept is bounded by `AttributionSettings`. Where a fact comes later than the retention behind the person's
newest fact, or where a person has more facts than there is room for, the oldest are forgotten, and what arrives for
them afterwards is not counted (`PersonUpdate.expired` says so): only there can the order of arrival matter. There too,
credits sum to the value and an attribution's revision never decreases.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from udfs.attribution.consent import ConsentSeen
from udfs.attribution.credit import credit, unattributed
from udfs.attribution.facts import CANCELLATION, CONVERSION, REFUND, STAGE_CHANGE, TOUCH, FactError
from udfs.attribution.person_journeys import count_in_journey, journey_row
from udfs.attribution.person_state import (
    CONVERSION_TYPE,
    CREATED_AT,
    CURRENCY,
    FORGOTTEN,
    FORGOTTEN_REFUNDS,
    GROSS_MICROS,
    JOURNEY_ID,
    NEWEST_ID,
    NEWEST_TIME,
    Added,
    Log,
    PersonState,
    decode,
    encode,
)
from udfs.attribution.settings import ALL_TOUCHES, AttributionSettings, Model
from udfs.attribution.tenant_settings import TenantSettings, job_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNATTRIBUTED = "unattributed"

REVISED = ("revision", "settings_version", "value_micros", "touches")
"""What of an attribution can change from one revision to the next, beside its models."""


@dataclass(frozen=True, slots=True)
class PersonUpdate:
    """What a batch of facts changed."""

    state: bytes
    attributions: list[dict[str, Any]]
    """One per conversion whose credits changed, ordered by (time, event id); see `_attribution`. What was attributed
    before, if anything, is in `replaces`: REVISED and `models`."""
    journeys: list[dict[str, Any]]
    """One per journey that has a new fact; see `journey_row`."""
    duplicates: int
    """Facts that were known."""
    expired: int
    """Facts older than what is kept, which were not counted."""


def apply_facts(
    state: bytes | None,
    facts: Sequence[Sequence[Any]],
    settings: AttributionSettings,
    tenant: TenantSettings | None = None,
) -> PersonUpdate:
    """Add `facts` of one person to `state` and return the new state and what follows.

    Args:
        state: the bytes of the call before; None for a person not seen yet.
        facts: decoded `journey_fact` arrays of one tenant and customer, in any order. Times are UTC ms, values micros.
        settings: the job's bounds.
        tenant: the tenant's rules; None: the job's own. Make them once, not with each call.

    Raises:
        FactError: unknown kind, or facts of more than one person.
        StateVersionError: the state was written by a newer program.
    """
    person = decode(state)
    tenant = tenant or job_settings(settings)
    if not facts:
        return PersonUpdate(state or encode(person), [], [], 0, 0)
    tenant_id, customer_id = facts[0][1], facts[0][2]
    affected: set[str] = set()
    fresh: set[str] = set()
    changed: dict[str, list[Any]] = {}
    duplicates = expired = 0
    for fact in facts:
        if fact[1] != tenant_id or fact[2] != customer_id:
            raise FactError("facts of more than one person in a batch; allowed: one tenant and customer")
        added = _add(person, fact, settings, tenant, affected)
        if added is Added.NEW:
            if fact[0] == CONVERSION:
                fresh.add(fact[5])
            if fact[3]:
                changed[fact[3]] = count_in_journey(person, fact)
        elif added is Added.DUPLICATE:
            duplicates += 1
        else:
            expired += 1
        if added is not Added.DUPLICATE:
            _see_consent(person, fact, tenant, affected)
    conversions = person.conversions
    attributions = [
        _attribution(person, index, tenant_id, customer_id, settings, tenant)
        for index, conversion_id in enumerate(conversions.ids if affected else ())
        if conversion_id in affected
    ]
    if state and affected - fresh:
        _note_replaced(decode(state), attributions, settings, tenant)
    journeys = [journey_row(journey, tenant_id, customer_id) for journey in changed.values()]
    _forget(person, settings, tenant)
    return PersonUpdate(encode(person), attributions, journeys, duplicates, expired)


def reattribute(
    state: bytes,
    tenant_id: str,
    customer_id: str,
    settings: AttributionSettings,
    tenant: TenantSettings,
    before: TenantSettings | None,
) -> list[dict[str, Any]]:
    """Return the attributions of a person's conversions whose credits are not the same under `tenant` as `before`.

    Args:
        state: the person's bytes, which stay as they are.
        tenant_id: the person's tenant.
        customer_id: the person.
        settings: the job's.
        tenant: the settings now.
        before: those that the credits were last made with; None when that is not known: then all are returned.

    Raises:
        StateVersionError: the state was written by a newer program.
    """
    person = decode(state)
    changed = []
    for index, time in enumerate(person.conversions.times):
        conversion_type = person.conversions.values[index][CONVERSION_TYPE]
        if (
            before is not None
            and before.rules_of(conversion_type) == tenant.rules_of(conversion_type)
            and before.model_of(conversion_type, time) == tenant.model_of(conversion_type, time)
        ):
            continue
        now = _attribution(person, index, tenant_id, customer_id, settings, tenant)
        if before is not None:
            then = _attribution(person, index, tenant_id, customer_id, settings, before)
            if then["touches"] == now["touches"] and then["models"] == now["models"]:
                continue
            now["replaces"] = _replaced(then, now)
        changed.append(now)
    return changed


def _note_replaced(
    before: PersonState, attributions: list[dict[str, Any]], settings: AttributionSettings, tenant: TenantSettings
) -> None:
    """Put what was attributed before into each attribution of a conversion that was known."""
    known = {conversion_id: index for index, conversion_id in enumerate(before.conversions.ids)}
    for now in attributions:
        if (index := known.get(now["conversion_id"])) is not None:
            then = _attribution(before, index, now["tenant_id"], now["customer_id"], settings, tenant)
            now["replaces"] = _replaced(then, now)


def _replaced(then: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return what of an attribution another one replaces, of the models that both have."""
    models = {model: credited for model, credited in then["models"].items() if model in now["models"]}
    return {name: then[name] for name in REVISED} | {"models": models}


def _reached(conversions: Log, time: int, tenant: TenantSettings) -> range | list[int]:
    """Return the indexes of the conversions that look back on a touch at this time."""
    first = bisect_left(conversions.times, time)
    near = range(first, bisect_right(conversions.times, time + tenant.longest_lookback_ms, first))
    if not tenant.by_type:
        return near
    return [
        index
        for index in near
        if conversions.times[index] - tenant.rules_of(conversions.values[index][CONVERSION_TYPE]).lookback_ms <= time
    ]


def _add(
    person: PersonState,
    fact: Sequence[Any],
    settings: AttributionSettings,
    tenant: TenantSettings,
    affected: set[str],
) -> Added:
    """Put a fact into its log, and the ids of the conversions that it changes into `affected`."""
    kind, event_id, time = fact[0], fact[5], fact[6]
    horizon = person.newest - settings.retention_ms
    oldest = horizon - tenant.longest_lookback_ms
    conversions = person.conversions
    if kind == TOUCH:
        added = person.touches.add(time, event_id, person.place(fact[9], fact[10] or "", fact[13] or ""), oldest)
        if added is Added.NEW and conversions.times and conversions.times[-1] >= time:
            affected.update(conversions.ids[index] for index in _reached(conversions, time, tenant))
    elif kind == CONVERSION:
        added = conversions.add(time, event_id, [fact[9], fact[10], fact[11], fact[7], fact[3], 0, 0], horizon)
        if added is Added.NEW:
            affected.add(event_id)
    elif kind in (REFUND, CANCELLATION):
        added = person.refunds.add(time, event_id, (fact[9], fact[10] if kind == REFUND else None), oldest)
        if added is Added.NEW:
            affected.add(fact[9])
    elif kind == STAGE_CHANGE:
        added = person.stage_changes.add(time, event_id, 0, oldest)
    else:
        raise FactError(f"kind of fact is {kind!r}; allowed: s, t, c, r, x")
    if added is Added.NEW and time > person.newest:
        person.newest = time
    return added


def _see_consent(person: PersonState, fact: Sequence[Any], tenant: TenantSettings, affected: set[str]) -> None:
    """Take in what a fact says of consent, and the ids of the conversions that lose touches by it into `affected`."""
    seen = person.consent
    before = (seen.granted_at, seen.denied_at)
    if seen.see(fact[8], fact[6]) and person.conversions.times:
        affected.update(_losing_touches(person, ConsentSeen(*before), tenant))


def _losing_touches(person: PersonState, before: ConsentSeen, tenant: TenantSettings) -> Iterator[str]:
    """Yield the ids of the conversions some of whose touches no longer count, but did by the consent seen before."""
    conversions, times = person.conversions, person.touches.times
    for conversion_id, time, conversion in zip(conversions.ids, conversions.times, conversions.values, strict=True):
        rules = tenant.rules_of(conversion[CONVERSION_TYPE])
        until = min(time, person.consent.void_until(rules.consent))
        first = max(bisect_left(times, time - rules.lookback_ms), bisect_right(times, before.void_until(rules.consent)))
        if first < bisect_right(times, until):
            yield conversion_id


def _attribution(
    person: PersonState,
    index: int,
    tenant_id: str,
    customer_id: str,
    settings: AttributionSettings,
    tenant: TenantSettings,
) -> dict[str, Any]:
    """Credit the conversion at `index` of the log by every model.

    `touches` lists [touchpoint id, channel, campaign id, time (ms)] once, in the order of (time, id); each model has
    `weights` and `credited_micros` in that order. `value_micros` is net of refunds and equals the sum of each model's
    `credited_micros`.
    """
    conversion_id, time = person.conversions.ids[index], person.conversions.times[index]
    conversion = person.conversions.values[index]
    rules = tenant.rules_of(conversion[CONVERSION_TYPE])
    log = person.touches
    end = bisect_right(log.times, time)
    start = bisect_left(log.times, time - rules.lookback_ms, 0, end)
    refunds = [micros for original_id, micros in person.refunds.values if original_id == conversion_id]
    void = bisect_right(log.times, person.consent.void_until(rules.consent), start, end)
    # A touch that no longer counts is counted once more, so that the revision grows when it is taken out.
    facts = 1 + end - start + void - start + len(refunds) + conversion[FORGOTTEN]
    start = max(void, end - settings.max_touches)
    gross = conversion[GROSS_MICROS]
    if None in refunds or conversion[FORGOTTEN_REFUNDS] is None:
        net = 0
    else:
        net = max(0, gross - sum(refunds) - conversion[FORGOTTEN_REFUNDS])
    trained = tenant.model_of(conversion[CONVERSION_TYPE], time) if Model.DATA_DRIVEN in rules.models else None
    touches = [
        [touch_id, *person.places[place], at]
        for touch_id, place, at in zip(log.ids[start:end], log.values[start:end], log.times[start:end], strict=True)
    ]
    if rules.touch_filter is not ALL_TOUCHES:
        touches = [touch for touch in touches if rules.touch_filter.keeps(touch[1], touch[2], touch[3])]
    for touch in touches:
        del touch[3]  # the interaction type was for the filter only
    if touches:
        models = credit([touch[1] for touch in touches], [touch[3] for touch in touches], net, rules, trained)
    else:
        touches = [["", UNATTRIBUTED, "", time]]
        models = unattributed(net, rules, trained)
    return {
        "kind": "attribution",
        "tenant_id": tenant_id,
        "conversion_id": conversion_id,
        "customer_id": customer_id,
        "journey_id": conversion[JOURNEY_ID],
        "conversion_type": conversion[CONVERSION_TYPE],
        "conversion_time": time,
        "created_at": conversion[CREATED_AT],
        "gross_value_micros": gross,
        "value_micros": net,
        "currency": conversion[CURRENCY],
        "settings_version": tenant.version,
        "revision": tenant.revision_base + facts,
        "touches": touches,
        "models": models,
    }


def _forget(person: PersonState, settings: AttributionSettings, tenant: TenantSettings) -> None:
    """Drop what retention and the bounds no longer keep; conversions that lose a touch or refund keep count of it."""
    horizon = person.newest - settings.retention_ms
    oldest = horizon - tenant.longest_lookback_ms
    conversions = person.conversions
    if count := conversions.excess(horizon, settings.max_conversions):
        conversions.forget(count)
    if count := person.touches.excess(oldest, settings.max_touches):
        for time in person.touches.times[:count]:
            for index in _reached(conversions, time, tenant):
                conversion = conversions.values[index]
                void_until = person.consent.void_until(tenant.rules_of(conversion[CONVERSION_TYPE]).consent)
                conversion[FORGOTTEN] += 2 if time <= void_until else 1
        person.touches.forget(count)
    person.drop_unused_places()
    if count := person.refunds.excess(oldest, settings.max_refunds):
        _fold_refunds(person.refunds, count, conversions)
        person.refunds.forget(count)
    if count := person.stage_changes.excess(oldest, settings.max_stage_changes):
        person.stage_changes.forget(count)
    if len(person.journeys) > settings.max_journeys or any(
        journey[NEWEST_TIME] < oldest for journey in person.journeys
    ):
        kept = sorted(person.journeys, key=lambda journey: (journey[NEWEST_TIME], journey[NEWEST_ID]))
        person.journeys = [journey for journey in kept if journey[NEWEST_TIME] >= oldest][-settings.max_journeys :]


def _fold_refunds(refunds: Log, count: int, conversions: Log) -> None:
    """Carry the oldest refunds over to their conversions, where these are kept: the value must not rise again."""
    for original_id, micros in refunds.values[:count]:
        if original_id in conversions.ids:
            conversion = conversions.values[conversions.ids.index(original_id)]
            conversion[FORGOTTEN] += 1
            if micros is None or conversion[FORGOTTEN_REFUNDS] is None:
                conversion[FORGOTTEN_REFUNDS] = None
            else:
                conversion[FORGOTTEN_REFUNDS] += micros
