"""Settings of identity: limits, retention, and the threshold of probabilistic links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from udfs.identity.identifiers import Kind


class IdentitySettingsError(ValueError):
    """A setting has a value that is not allowed; the message names the setting, the value and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Settings of a tenant's device graph; checked when made.

    Raises:
        IdentitySettingsError: naming the first setting whose value is not allowed.
    """

    threshold: float = 0.7
    """Probability from which on a pair of customers on one network is linked."""

    retention_days: int = 90
    """A link is forgotten when it was last seen so many days before the tenant's newest event (UTC days)."""

    most_customers: tuple[tuple[Kind, int], ...] = (
        (Kind.USER_ID, 20),  # one login under several customer ids: systems that were merged, imports
        (Kind.ACCOUNT_ID, 10),  # a company's account: above a handful it says where people work, not who they are
        (Kind.HASHED_EMAIL, 10),
        (Kind.HASHED_PHONE, 10),
        (Kind.DEVICE_ID, 5),  # a household's tablet; above that a kiosk, a shop's till, an emulator
        (Kind.COOKIE_ID, 5),
        (Kind.NETWORK, 6),  # a household; above that an office or a carrier's gateway
    )
    """An identifier seen with more customers than this is shared and links nobody."""

    unique_kinds: tuple[Kind, ...] = (Kind.USER_ID,)
    """Kinds of which a person has one value at most: a link that would bring two of them together is vetoed."""

    largest_person: int = 50
    """Customers that can be reached from one another, and so at most be one person. Where more can, the least trusted
    kinds of identifiers are left out until no more can. Bounds the work of an update."""

    identifiers_per_customer: int = 30
    """Newest identifiers kept of a customer, per kind: a robot with a new cookie each time must not fill the state."""

    days_per_network: int = 30
    """Newest days remembered on which a customer was seen on a network."""

    def __post_init__(self) -> None:
        """Check every value."""
        if not 0.5 <= self.threshold < 1:
            _refuse("threshold", self.threshold, "0.5 to below 1: a link must be more likely true than not")
        if not 1 <= self.retention_days <= 400:
            _refuse("retention_days", self.retention_days, "1 to 400")
        if {kind for kind, _ in self.most_customers} != set(Kind) or len(self.most_customers) != len(Kind):
            _refuse("most_customers", self.most_customers, f"each of {', '.join(Kind)} once")
        for kind, most in self.most_customers:
            if not 1 <= most <= 100:
                _refuse(f"most_customers of {kind}", most, "1 to 100")
        if Kind.NETWORK in self.unique_kinds:
            _refuse("unique_kinds", self.unique_kinds, f"any kinds but {Kind.NETWORK}")
        for name, low, high in (
            ("largest_person", 2, 500),
            ("identifiers_per_customer", 1, 200),
            ("days_per_network", 1, 400),
        ):
            if not low <= getattr(self, name) <= high:
                _refuse(name, getattr(self, name), f"{low} to {high}")


def _refuse(name: str, value: object, allowed: str) -> NoReturn:
    raise IdentitySettingsError(f"{name} is {value!r}; allowed: {allowed}")
