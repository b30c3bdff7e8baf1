"""The device graph of one tenant: links between customers and identifiers, and the persons that follow from them.

The persons are a function of the set of live links, not of the order, the copies or the batches in which these came
(`partition`, `regions`). A link of a customer and an identifier is live when

- an event with consent to analytics carried both on a UTC day after the customer's newest opt-out (an event without
  that consent) and erasure;
- that day lies less than the retention before the tenant's newest event (`expire` takes the others out);
- it was not withdrawn. A withdrawal is for good, whether it comes before or after the event.

An identifier links when it has two customers at least and no more than its kind allows.

What is kept is bounded: the newest identifiers of each kind per customer, the newest days per network, and of a shared
identifier no more than `ROOM` times the allowed customers. Only where an identifier had no room, or where one that was
left out would be needed again after a withdrawal, can the order of arrival matter: there fewer links are made, never
wrong ones.

An update looks at what it can have changed and at nothing else: the regions of the customers at the ends of changed
links, as they were before each change and as they are in the end. That is enough: a link that comes joins the regions
of its ends, and a link that goes leaves one of its ends in each part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from udfs.identity.graph_state import GraphState, TextState
from udfs.identity.identifiers import Identifier, Kind, linking_identifiers
from udfs.identity.person import Person
from udfs.identity.records import DAY_MS, NEVER, CustomerRecord
from udfs.identity.regions import Regions
from udfs.identity.similarity import Sighting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from udfs.identity.partition import Group, ProbableLink
    from udfs.identity.settings import IdentitySettings

ROOM = 4
"""Customers kept of an identifier, in multiples of what its kind allows: so many that expiry and withdrawals can bring
a shared identifier back into use."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What an event says about identity. `consented`: to analytics. Time in UTC ms."""

    customer_id: str
    time_ms: int
    consented: bool
    identifiers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A link that does not hold, whatever events say."""

    customer_id: str
    identifier: Identifier


@dataclass(frozen=True, slots=True)
class Erasure:
    """All that was known of a customer up to a moment (UTC ms) is to be forgotten."""

    customer_id: str
    time_ms: int


Change = Observation | Withdrawal | Erasure


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A link that is new, was seen on a newer day, or is gone (`removed`)."""

    customer_id: str
    identifier: Identifier
    last_day: int
    removed: bool


@dataclass(slots=True)
class GraphUpdate:
    """What a batch changed."""

    persons: list[Person] = field(default_factory=list)
    """Persons to derive, each once: those whose customers, links or void facts changed, and those with new facts. A
    customer who was never linked and never opted out is not among them."""
    moved: list[tuple[str, str]] = field(default_factory=list)
    """(customer id, person id) of each customer whose person changed; alone a customer is its own person."""
    links: list[LinkChange] = field(default_factory=list)
    probable_links: list[tuple[ProbableLink, bool]] = field(default_factory=list)
    """Probable links that came, and those that went (True)."""
    erased: list[tuple[str, int]] = field(default_factory=list)
    """(customer id, moment) of each erasure that is newer than all before."""
    expired: int = 0
    """Observations older than what is kept, of which no link was made."""


class DeviceGraph:
    """The graph of one tenant over its texts in keyed state. Not safe to share between threads."""

    def __init__(self, texts: TextState, settings: IdentitySettings) -> None:
        """Use the tenant's texts. Raises IdentityStateError, here or later, when a newer program wrote them."""
        self._state = GraphState(texts)
        self._settings = settings
        self._regions = Regions(self._state, settings)
        self._most = dict(settings.most_customers)
        self._ends: set[str] = set()
        self._affected: set[str] = set()
        self._with_facts: set[str] = set()
        self._links: dict[tuple[str, Identifier], LinkChange] = {}
        self._erased: dict[str, int] = {}
        self._expired = 0

    @property
    def newest_day(self) -> int:
        """UTC day of the tenant's newest event."""
        return self._state.today

    def apply(self, changes: Iterable[Change], *, expire: int = 1_000) -> GraphUpdate:
        """Take in a batch and return what it changed.

        `expire` is about how many customers are looked at for links that have expired: the bound of that work in one
        update. What is left over is done by the next ones.
        """
        for change in changes:
            match change:
                case Observation():
                    self._observe(change)
                case Withdrawal():
                    self._withdraw(change)
                case Erasure():
                    self._erase(change)
        self._expire(expire)
        return self._finish()

    def again(self, person_ids: Iterable[str]) -> GraphUpdate:
        """Return an update with these persons, which are to be derived again although nothing of them changed."""
        self._with_facts.update(person_ids)
        return self._finish()

    def _observe(self, seen: Observation) -> None:
        state, name, day = self._state, seen.customer_id, seen.time_ms // DAY_MS
        customer = state.customer(name)
        self._with_facts.add(name)
        if state.today == NEVER:
            state.expired_day = day - self._settings.retention_days
        state.today = max(state.today, day)
        if day <= state.today - self._settings.retention_days:
            self._expired += 1
            return
        if day > customer.listed_day:
            state.list_customer(name, day)
        if seen.consented:
            if day > customer.void_day:
                self._link(name, customer, day, seen.identifiers)
        elif day > customer.denied_day:
            customer.denied_day = day
            state.changed(name)
            self._drop_through(name, customer, customer.void_day)

    def _withdraw(self, withdrawal: Withdrawal) -> None:
        name, identifier = withdrawal.customer_id, withdrawal.identifier
        customer = self._state.customer(name)
        if identifier not in customer.withdrawn:
            customer.withdrawn.add(identifier)
            self._state.changed(name)
            if identifier in customer.last_days:
                self._drop(name, customer, [identifier])

    def _erase(self, erasure: Erasure) -> None:
        name = erasure.customer_id
        customer = self._state.customer(name)
        self._with_facts.add(name)
        if erasure.time_ms > customer.erased_at:
            customer.erased_at = erasure.time_ms
            self._erased[name] = erasure.time_ms
            customer.derived = True
            self._state.changed(name)
            if customer.void_day > max(customer.listed_day, self._state.expired_day):
                self._state.list_customer(name, customer.void_day)
            self._drop_through(name, customer, customer.void_day)

    def _expire(self, most: int) -> None:
        state = self._state
        oldest = state.today - self._settings.retention_days
        looked = 0
        while state.today != NEVER and state.expired_day < oldest and looked < most:
            day = state.expired_day + 1
            names = state.take_listed(day)
            for name in names:
                self._drop_through(name, state.customer(name), day)
                state.changed(name)  # with nothing left it is forgotten
            if not names:
                state.expired_day = day
            looked += max(1, len(names))  # an empty day costs a look too

    # Changes of links

    def _link(self, name: str, customer: CustomerRecord, day: int, carried: Mapping[str, str]) -> None:
        """Link a customer with the identifiers that an event carried, if that says something new."""
        news: dict[Identifier, tuple[int, Sighting] | int] = {}
        for identifier in linking_identifiers(carried):
            if identifier in customer.withdrawn:
                continue
            if identifier.kind is Kind.NETWORK:
                held = customer.networks.get(identifier.value)
                sighting = self._sighting(held, day, carried)
                if sighting != held:
                    news[identifier] = sighting
            elif customer.links.get(identifier, NEVER) < day:
                news[identifier] = day
        # A newer day of a link changes nothing but its end; what is seen on a network changes probabilities.
        known = customer.links
        self._before_change(name, [identifier for identifier in news if identifier not in known])
        for identifier, found in news.items():
            if isinstance(found, int):
                customer.links[identifier] = last_day = found
            else:
                customer.networks[identifier.value] = found
                last_day = found[0]
            self._state.list_customer(name, day)
            self._take_into_list(identifier, name, day)
            self._note(name, identifier, last_day, removed=False)
        if news:
            self._state.changed(name)
            self._keep_newest(name, customer)

    def _sighting(
        self, held: tuple[int, Sighting] | None, day: int, carried: Mapping[str, str]
    ) -> tuple[int, Sighting]:
        """What is known of a customer on a network after an event: the newest day, and the sighting."""
        geo, agent = carried.get("geo", "").strip(), carried.get("user_agent", "").strip()
        if held is None:
            return day, Sighting((day,), geo, agent)
        newest, sighting = held
        days = sighting.days if day in sighting.days else tuple(sorted((*sighting.days, day)))
        # The newest day decides, and of one day the larger text: the same whatever comes first.
        newest, geo, agent = max((newest, sighting.geo, sighting.user_agent), (day, geo, agent))
        return newest, Sighting(days[-self._settings.days_per_network :], geo, agent)

    def _drop_through(self, name: str, customer: CustomerRecord, day: int) -> None:
        """Take out a customer's links that were last seen on a day or before, and such days from networks."""
        self._drop(name, customer, [found for found, last in customer.last_days.items() if last <= day])
        left = {
            value: (newest, sighting._replace(days=tuple(seen for seen in sighting.days if seen > day)))
            for value, (newest, sighting) in customer.networks.items()
        }
        if left != customer.networks:
            self._before_change(name, [Identifier(Kind.NETWORK, value) for value in left])
            customer.networks = left
            self._state.changed(name)

    def _drop(self, name: str, customer: CustomerRecord, gone: list[Identifier]) -> None:
        self._before_change(name, gone)
        for identifier in gone:
            if identifier.kind is Kind.NETWORK:
                last_day, _ = customer.networks.pop(identifier.value)
            else:
                last_day = customer.links.pop(identifier)
            record = self._state.identifier(identifier)
            if name in record.customers:
                record.customers.remove(name)
                self._state.changed_identifier(identifier)
            self._state.changed(name)
            self._note(name, identifier, last_day, removed=True)

    def _keep_newest(self, name: str, customer: CustomerRecord) -> None:
        room = self._settings.identifiers_per_customer
        if len(customer.links) + len(customer.networks) <= room:
            return
        by_kind: dict[Kind, list[tuple[int, Identifier]]] = {}
        for identifier, day in customer.last_days.items():
            by_kind.setdefault(identifier.kind, []).append((day, identifier))
        gone = [identifier for held in by_kind.values() for _, identifier in sorted(held)[: max(0, len(held) - room)]]
        self._drop(name, customer, gone)

    def _take_into_list(self, identifier: Identifier, name: str, day: int) -> None:
        """Put a customer into the list of an identifier, if there is room."""
        record = self._state.identifier(identifier)
        if record.full_day != NEVER and record.full_day <= self._state.today - self._settings.retention_days:
            record.full_day = NEVER
        if name in record.customers:
            return
        if record.full_day == NEVER and len(record.customers) < ROOM * self._most[identifier.kind]:
            record.customers = sorted((*record.customers, name))
        elif day > record.full_day:
            record.full_day = day
        else:
            return
        self._state.changed_identifier(identifier)

    def _before_change(self, name: str, identifiers: list[Identifier]) -> None:
        """Note who can be affected when links of a customer come, go or change; called before they do."""
        ends: set[str] = set()
        for identifier in identifiers:
            others = [other for other in self._state.identifier(identifier).customers if other != name]
            # With more it links nobody, before and after.
            if others and len(others) <= self._most[identifier.kind]:
                ends.update(others, (name,))
            elif identifier.kind in self._settings.unique_kinds:
                ends.add(name)
        self._ends |= ends
        for end in ends:
            self._affected |= self._regions.region(end)[0]

    def _note(self, name: str, identifier: Identifier, last_day: int, *, removed: bool) -> None:
        self._links[name, identifier] = LinkChange(name, identifier, last_day, removed)

    # Persons

    def _finish(self) -> GraphUpdate:
        update = GraphUpdate(
            links=list(self._links.values()), erased=sorted(self._erased.items()), expired=self._expired
        )
        persons = self._divide(update)
        for name in self._with_facts:
            customer = self._state.customer(name)
            if customer.derived:
                persons.add(customer.person or name)
        update.persons = [self._person(person_id) for person_id in sorted(persons)]
        update.moved.sort()
        self._state.write()
        for noted in (self._ends, self._affected, self._with_facts, self._links, self._erased):
            noted.clear()
        self._expired = 0
        return update

    def _divide(self, update: GraphUpdate) -> set[str]:
        """Divide the regions that can have changed, keep the groups, and return the ids of persons that changed."""
        state = self._state
        to_do, done = self._ends | self._affected, set[str]()
        groups: list[Group] = []
        before: dict[str, Group] = {}
        while to_do:
            name = to_do.pop()
            if name in done:
                continue
            region, kinds = self._regions.region(name)
            done |= region
            groups += self._regions.divide(region, kinds)
            for person_id in {state.customer(member).person for member in region} - {"", *before}:
                before[person_id] = state.group(person_id)
                to_do.update(before[person_id].customers)
        for person_id in before:
            state.remove_group(person_id)
        links_before = {link[:2]: link for group in before.values() for link in group.links}
        links = {link[:2]: link for group in groups for link in group.links}
        update.probable_links = [(links_before[pair], True) for pair in sorted(links_before.keys() - links.keys())]
        update.probable_links += [
            (links[pair], False) for pair in sorted(links) if links[pair] != links_before.get(pair)
        ]
        changed = set()
        for group in groups:
            alone = len(group.customers) == 1
            if not alone:
                state.put_group(group)
            person = "" if alone else group.person_id
            moved = [name for name in group.customers if state.customer(name).person != person]
            if moved or (not alone and before[group.person_id] != group):
                changed.add(group.person_id)
            for name in moved:
                customer = state.customer(name)
                if (customer.person or name) != group.person_id:
                    update.moved.append((name, group.person_id))
                customer.person, customer.derived = person, True
                state.changed(name)
        return changed

    def _person(self, person_id: str) -> Person:
        group = self._state.group(person_id)
        records = {name: self._state.customer(name) for name in group.customers}
        return Person(
            group,
            {name: record.erased_at for name, record in records.items() if record.erased_at},
        )
