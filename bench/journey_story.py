"""One journey through merge, late touch, refund, split and erasure, with its sums at each step.

`python -m bench.journey_story` gives the facts to the functions that the job runs (`apply_facts`, `DeviceGraph`,
`derive_credits`), prints what each model credits after each step, and writes the tables into `docs/attribution.md`.
Nothing is random: each run gives the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.identity import CountedTexts
from bench.reference_tables import PAGE, replaced
from udfs.attribution.person import apply_facts
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import job_settings
from udfs.identity.derived_credits import derive_credits
from udfs.identity.device_graph import DeviceGraph, Erasure, Observation, Withdrawal
from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.settings import IdentitySettings

BEGIN, END = "<!-- tables of bench.journey_story begin -->", "<!-- tables of bench.journey_story end -->"
DAY_MS = 86_400_000
START_MS = 20_500 * DAY_MS
VALUE_MICROS = 100_000_001
"""100.000001: no number of touches divides it, so that every rounding shows."""
REFUND_MICROS = 30_000_000
MODELS = ("first_touch", "linear", "time_decay", "position_based", "last_touch")
CHANNELS = ("video", "social", "search", "display", "email")
SHARED = Identifier(Kind.DEVICE_ID, "phone-7")
CLOCK_MICROS = 1_800_000_000_000_000
"""Of the first derivation: the revisions of derived credits are the store's clock."""


@dataclass
class Story:
    """One tenant, the facts of its customers as the store has them, and the credits in force."""

    settings: AttributionSettings = field(default_factory=AttributionSettings)
    graph: DeviceGraph = field(default_factory=lambda: DeviceGraph(CountedTexts(), IdentitySettings()))
    facts: list[list[Any]] = field(default_factory=list)
    states: dict[str, bytes] = field(default_factory=dict)
    credit: dict[str, Any] | None = None
    derivations: int = 0

    def happen(self, fact: list[Any], identifiers: dict[str, str]) -> None:
        """Take in one event as the job does: the stream credits first, then whoever is derived."""
        self.facts.append(fact)
        update = apply_facts(self.states.get(fact[2]), [fact], self.settings)
        self.states[fact[2]] = update.state
        self._take(update.attributions)
        self.change(Observation(fact[2], fact[6], consented=True, identifiers=identifiers))

    def change(self, change: Observation | Withdrawal | Erasure) -> None:
        """Take in a change of the graph, and derive the persons that it touches."""
        for person in self.graph.apply([change]).persons:
            revision = CLOCK_MICROS + self.derivations
            self.derivations += 1
            rules = job_settings(self.settings)
            self._take(derive_credits(person, self.facts, self.settings, rules, revision))

    def erase(self, customer: str, until_ms: int) -> None:
        """Take a customer's facts out of the store, the stream's state and the graph."""
        self.facts = [fact for fact in self.facts if fact[2] != customer or fact[6] > until_ms]
        self.states.pop(customer, None)
        if self.credit is not None and self.credit["customer_id"] == customer:
            self.credit = None
        self.change(Erasure(customer, until_ms))

    def _take(self, attributions: list[dict[str, Any]]) -> None:
        """Keep what has the largest revision, as the table does."""
        for attribution in attributions:
            if self.credit is None or attribution["revision"] > self.credit["revision"]:
                self.credit = attribution


def touch(customer: str, event_id: str, day: float, channel: str) -> list[Any]:
    """Return the fact of a click, so many days into the story."""
    at = START_MS + round(day * DAY_MS)
    return ["t", "acme", customer, "j-1", "intent", event_id, at, at, 7, channel, "spring", "", "", "click"]


def sale(kind: str, event_id: str, day: float, *about: Any) -> list[Any]:
    """Return the fact of a conversion (`c`) or refund (`r`) of ann."""
    at = START_MS + round(day * DAY_MS)
    return [kind, "acme", "ann", "j-1", "purchase", event_id, at, at, 7, *about]


def steps() -> list[tuple[str, dict[str, Any] | None]]:
    """Tell the story; return each step in words with the credit of the conversion after it, None when it is gone."""
    story, told = Story(), []
    laptop, phone = {"user_id": "u-1"}, {"device_id": SHARED.value}
    for fact, identifiers in (
        (touch("phone-7", "t1", 0, "video"), phone),
        (touch("phone-7", "t2", 3, "social"), phone),
        (touch("ann", "t3", 5, "search"), laptop),
        (touch("ann", "t4", 7, "email"), laptop),
        (sale("c", "c1", 8, "purchase", VALUE_MICROS, "EUR", None), laptop),
    ):
        story.happen(fact, identifiers)
    told.append(("ann buys for 100.000001; the phone's two touches are nobody's", story.credit))
    signed_in = ["s", "acme", "ann", "j-1", "purchase", "s1", START_MS + 9 * DAY_MS, START_MS + 9 * DAY_MS, 7]
    story.happen(signed_in, laptop | phone)
    told.append(("merge: ann signs in on the phone", story.credit))
    story.happen(touch("phone-7", "t5", 6, "display"), phone)
    told.append(("late touch: the phone's click of day 6 arrives", story.credit))
    story.happen(sale("r", "r1", 10, "c1", REFUND_MICROS), laptop)
    told.append(("refund of 30", story.credit))
    story.change(Withdrawal("ann", SHARED))
    told.append(("split: the link is withdrawn, the phone is another's", story.credit))
    cookie = {"cookie_id": "k-1"}
    story.happen(["s", "acme", "phone-7", "j-1", "purchase", "s2", START_MS + 11 * DAY_MS, 0, 7], phone | cookie)
    story.happen(["s", "acme", "ann", "j-1", "purchase", "s3", START_MS + 11 * DAY_MS, 0, 7], laptop | cookie)
    told.append(("merge again, over a cookie", story.credit))
    story.erase("phone-7", START_MS + 12 * DAY_MS)
    told.append(("erasure of phone-7: what is left sums", story.credit))
    story.erase("ann", START_MS + 12 * DAY_MS)
    told.append(("erasure of ann", story.credit))
    return told


def tables() -> str:
    """Return the story as one table a model. Raises AssertionError if a model's credits miss the value by a micro."""
    told = steps()
    written = []
    for model in MODELS:
        written += ["", f"`{model}`:", "", f"| step | {' | '.join(CHANNELS)} | sum | value |"]
        written.append("|---|" + "--:|" * (len(CHANNELS) + 2))
        for number, (what, credit) in enumerate(told, 1):
            micros = dict.fromkeys(CHANNELS, 0)
            if credit is not None:
                shares = credit["models"][model]["credited_micros"]
                for (_, channel, _, _), share in zip(credit["touches"], shares, strict=True):
                    micros[channel] += share
            value = 0 if credit is None else credit["value_micros"]
            if sum(micros.values()) != value:
                raise AssertionError(f"{model} credits {sum(micros.values())} micros of {value} at step {number}")
            cells = [_money(micros[channel]) if micros[channel] else "" for channel in CHANNELS]
            written.append(
                f"| {number}. {what} | {' | '.join(cells)} | {_money(sum(micros.values()))} | {_money(value)} |"
            )
    return "\n".join([*written, ""]).lstrip("\n")


def _money(micros: int) -> str:
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"


def main() -> None:
    """Write the tables into the page."""
    written = tables()
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), BEGIN, END, written), encoding="utf-8")
    print(written)


if __name__ == "__main__":
    main()
