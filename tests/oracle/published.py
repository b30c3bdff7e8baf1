"""What the pipeline has published against what it should have: signals, cache entries and alerts.

A window or minute that got late data is revised in the store; its signal is followed by one of kind `revision`, which
says to read it again. So a signal that does not hold the final figure is right if, and only if, such a one covers it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.oracle import alert_rules
from tests.oracle.comparison import SHOWN, Difference
from tests.oracle.credits import credit_flaw

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.oracle.answer import Answer

CAMPAIGN = ("tenant_id", "campaign_id", "channel", "currency")
SUMS = ("impressions", "clicks", "conversions", "cost_micros", "revenue_micros")
FIGURES = (*SUMS, "events")
TOLERANCE = 1e-9
# An entry lives five minutes; younger ones must be there.
ENTRY_MS = 240_000
Key = tuple[Any, ...]


@dataclass(slots=True)
class _Verdicts:
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def difference(self, what: str, expected: int, found: int) -> list[Difference]:
        lists = (self.missing, self.unexpected, self.wrong)
        if not any(lists):
            return []
        shown = [line for lines in lists for line in lines[:SHOWN]]
        return [Difference(what, expected, found, *map(len, lists), shown)]


def compare_signals(
    answer: Answer, signals: Iterable[Mapping[str, Any]], tenants: Sequence[str] = ()
) -> list[Difference]:
    """Compare the signals of the topic, in its order, with the answer's windows, minutes and credits.

    `tenants` leaves out the others on both sides. Repeated signals are harmless; of several of one thing the highest
    revision counts, and the last of equal ones.
    """
    mine = [signal for signal in signals if not tenants or signal["tenant_id"] in tenants]
    return [
        *_buckets(answer, mine, tenants, "campaign_metrics", "window_start", "window"),
        *_buckets(answer, mine, tenants, "campaign_rollup", "bucket_start", "minute"),
        *_credits(answer, mine, tenants),
    ]


def _newest(signals: Iterable[Mapping[str, Any]], names: Sequence[str]) -> dict[Key, Mapping[str, Any]]:
    newest: dict[Key, Mapping[str, Any]] = {}
    for signal in signals:
        key = tuple(signal[name] for name in names)
        if key not in newest or signal["revision"] >= newest[key]["revision"]:
            newest[key] = signal
    return newest


def _buckets(
    answer: Answer, signals: list[Mapping[str, Any]], tenants: Sequence[str], kind: str, start: str, grain: str
) -> list[Difference]:
    names = (*CAMPAIGN, start)
    expected = _expected(answer, kind, start, tenants)
    published = _newest((signal for signal in signals if signal["kind"] == kind), names)
    # The windows of five seconds that hold a second begin up to four seconds before it.
    back = range(0, 5_000, 1_000) if grain == "window" else (0,)
    revised = {
        (*(signal[name] for name in CAMPAIGN), signal["start"] - before)
        for signal in signals
        if signal["kind"] == "revision" and signal["grain"] == grain
        for before in back
    }
    verdicts = _Verdicts()
    wrong: set[Key] = set()
    for key, figures in expected.items():
        signal = published.get(key)
        if signal is None:
            if key not in revised:
                verdicts.missing.append(f"missing: {kind} {key}")
        elif key not in revised and (unlike := _unlike(signal, figures)):
            wrong.add(key)
            verdicts.wrong.append(f"wrong: {kind} {key}: {unlike}")
        elif any(signal[name] > figures[name] for name in FIGURES):
            wrong.add(key)
            verdicts.wrong.append(f"wrong: {kind} {key}: more than there is: {_unlike(signal, figures)}")
    for key, signal in published.items():
        if key not in expected:
            verdicts.unexpected.append(f"unexpected: {kind} {key}")
        elif kind == "campaign_metrics" and key not in wrong and (fault := kpi_flaw(signal)):
            verdicts.wrong.append(f"wrong: {kind} {key}: {fault}")
    return verdicts.difference(f"signals {kind}", len(expected), len(published))


def _expected(answer: Answer, kind: str, start: str, tenants: Sequence[str]) -> dict[Key, dict[str, int]]:
    table = "campaign_metrics" if kind == "campaign_metrics" else "campaign_rollups WHERE grain = 'minute'"
    rows = answer.rows(f"SELECT {', '.join((*CAMPAIGN, start, *FIGURES))} FROM {table}")
    width = len(CAMPAIGN) + 1
    return {
        row[:width]: dict(zip(FIGURES, map(int, row[width:]), strict=True))  # type: ignore[call-overload]
        for row in rows
        if not tenants or row[0] in tenants
    }


def _unlike(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name} is {found.get(name)!r}, expected {value!r}"
        for name, value in expected.items()
        if found.get(name) != value
    )


def kpi_flaw(signal: Mapping[str, Any]) -> str | None:
    """Say which ratio of a window's signal does not follow from its sums; None when all do."""
    impressions, clicks, conversions, cost, revenue = (signal[name] for name in SUMS)

    def part(above: int, below: int) -> float | None:
        return above / below if below else None

    ratios = {
        "ctr": part(clicks, impressions),
        "conversion_rate": part(conversions, clicks),
        "roas": part(revenue, cost),
        "cpc_micros": part(cost, clicks),
        "cpa_micros": part(cost, conversions),
        "performance_score": None,
    }
    if impressions or clicks or cost:
        shares = ((30, ratios["ctr"], 0.05), (30, ratios["conversion_rate"], 0.1), (40, ratios["roas"], 3))
        ratios["performance_score"] = sum(full * min((value or 0) / mark, 1) for full, value, mark in shares)
    for name, value in ratios.items():
        found = signal[name]
        if (found is None) != (value is None) or (value is not None and not close(found, value)):
            return f"{name} is {found!r}, expected {value!r}"
    if signal["window_end"] != signal["window_start"] + 5_000:
        return f"window_end is {signal['window_end']!r}"
    return None


def close(found: float, expected: float) -> bool:
    """Tell whether two floats are equal but for rounding."""
    return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _credits(answer: Answer, signals: list[Mapping[str, Any]], tenants: Sequence[str]) -> list[Difference]:
    names = ("tenant_id", "conversion_id")
    published = _newest((signal for signal in signals if signal["kind"] == "attribution"), names)
    verdicts = _Verdicts()
    left = dict(published)
    number = 0
    for conversion in answer.conversions():
        if tenants and conversion.tenant_id not in tenants:
            continue
        number += 1
        key = (conversion.tenant_id, conversion.conversion_id)
        signal = left.pop(key, None)
        if signal is None:
            verdicts.missing.append(f"missing: attribution {key}")
            continue
        if set(signal["models"]) != set(conversion.models):
            verdicts.wrong.append(f"wrong: attribution {key}: models are {sorted(signal['models'])}")
            continue
        for model, credited in signal["models"].items():
            if fault := credit_flaw(conversion, _credit_row(signal, model, credited)):
                verdicts.wrong.append(f"wrong: attribution {key}: {model}: {fault}")
                break
    verdicts.unexpected += [f"unexpected: attribution {key}" for key in left]
    return verdicts.difference("signals attribution", number, len(published))


def _credit_row(signal: Mapping[str, Any], model: str, credited: Mapping[str, Any]) -> dict[str, Any]:
    ids, channels, campaigns, times = ([*column] for column in zip(*signal["touches"], strict=True))
    return {
        **signal,
        "model": model,
        "touchpoint_ids": ids,
        "channels": channels,
        "campaign_ids": campaigns,
        "times": times,
        "weights": credited["weights"],
        "micros": credited["credited_micros"],
    }


def compare_cache(
    signals: Iterable[Mapping[str, Any]],
    entries: Mapping[tuple[str, str], str],
    now_ms: int,
    tenants: Sequence[str] = (),
) -> list[Difference]:
    """Compare the hashes `metrics:campaign:{tenant_id}:{campaign_id}` with the newest windows that were published.

    The windows are those of the signals, which `compare_signals` holds against the answer. `entries` maps (key,
    field) to the JSON of the entry. One may be gone when its window ended more than ENTRY_MS before `now_ms`.
    """
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for signal in signals:
        if signal["kind"] == "campaign_metrics" and (not tenants or signal["tenant_id"] in tenants):
            tenant, campaign, channel, currency = (signal[name] for name in CAMPAIGN)
            place = (f"metrics:campaign:{tenant}:{campaign}", f"{channel}|{currency}")
            if place not in newest or signal["window_end"] >= newest[place]["window_end"]:
                newest[place] = signal
    verdicts = _Verdicts()
    found = 0
    for place, signal in newest.items():
        text = entries.get(place)
        if text is None:
            if signal["window_end"] > now_ms - ENTRY_MS:
                verdicts.missing.append(f"missing: {place}")
            continue
        found += 1
        if unlike := _unlike(json.loads(text), signal):
            verdicts.wrong.append(f"wrong: {place}: {unlike}")
    for place in entries:
        if place not in newest and (not tenants or place[0].split(":")[2] in tenants):
            verdicts.unexpected.append(f"unexpected: {place}")
    return verdicts.difference("cache metrics:campaign", len(newest), found)


def compare_alerts(
    answer: Answer,
    signals: Iterable[Mapping[str, Any]],
    alerts: Iterable[Mapping[str, Any]],
    tenants: Sequence[str] = (),
) -> list[Difference]:
    """Compare the alerts of the topic with the rules over the windows that the stream published.

    The windows are those of the signals, which `compare_signals` holds against the answer; budgets come from the
    answer. See `alert_rules` for what is left out; so are campaigns of which a window was published twice with
    different sums, as after a restart: other events were late the second time, and the rules saw both.
    """
    mine = [signal for signal in signals if not tenants or signal["tenant_id"] in tenants]
    first = [signal for signal in mine if signal["kind"] == "campaign_metrics" and signal["revision"] == 0]
    names = (*CAMPAIGN, "window_start")
    windows = _newest(first, names)
    unlike = {
        (signal["tenant_id"], signal["campaign_id"])
        for signal in first
        if _unlike(windows[tuple(signal[name] for name in names)], {name: signal[name] for name in FIGURES})
    }
    late = {(s["tenant_id"], s["campaign_id"]) for s in mine if s["kind"] == "revision"}
    launches = "FROM accepted WHERE own_type = 'campaign_launch'"
    once = {
        (str(tenant), str(campaign)): (str(currency), int(str(budget)), int(str(launched)))
        for tenant, campaign, currency, budget, launched in answer.rows(
            f"SELECT tenant_id, campaign_id, any_value(currency), any_value(budget_micros), any_value(event_time) "
            f"{launches} GROUP BY ALL HAVING count(*) = 1"
        )
    }
    budgets = {subject: budget for subject, budget in once.items() if subject not in late}
    subjects = alert_rules.decided(windows.values()) - unlike
    expected = {
        change_key(change): change
        for change in alert_rules.changes(windows.values(), budgets)
        if (change.tenant_id, change.campaign_id) in subjects
    }
    verdicts = _Verdicts()
    found: dict[Key, Mapping[str, Any]] = {}
    for alert in alerts:
        subject = (alert["tenant_id"], alert["campaign_id"])
        watched = budgets if alert["rule"] == "budget_utilization" else subjects
        if alert["rule"] in alert_rules.COMPARED and subject in subjects and subject in watched:
            found[tuple(alert[name] for name in CHANGE)] = alert
    for key, change in expected.items():
        alert = found.pop(key, None)
        if alert is None:
            verdicts.missing.append(f"missing: {change}")
        elif not (close(alert["value"], change.value) and close(alert["threshold"], change.threshold)):
            verdicts.wrong.append(f"wrong: {change}: value {alert['value']}, threshold {alert['threshold']}")
    # A budget whose launch came after the first window is watched from some moment on.
    verdicts.unexpected += [f"unexpected: {key}" for key in found if key[2] != "budget_utilization"]
    return verdicts.difference("alerts", len(expected), len(expected) - len(verdicts.missing) + len(found))


CHANGE = ("tenant_id", "campaign_id", "rule", "state", "opened_at", "updated_at")


def change_key(change: alert_rules.Change) -> Key:
    """What names a change of an alert."""
    return tuple(getattr(change, name) for name in CHANGE)
