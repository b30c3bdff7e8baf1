"""Who is calling."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from serving.access.roles import NEEDS_MFA, Permission, Role, permissions_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_ROLES: frozenset[Role] = frozenset()


class Kind(StrEnum):
    """What sort of caller it is."""

    USER = "user"
    SERVICE = "service"
    DEMO = "demo"
    """Nobody was asked who they are: everything of every tenant may be seen. Only on loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller whose credentials were checked.

    `id` is what the audit log keeps: a user id or the id of a service key, never a name or an address. `grants` are the
    roles by tenant. `scopes` bound what the roles permit (service keys). `expires_at` is in seconds since the epoch;
    None: the credentials do not expire by themselves.
    """

    kind: Kind
    id: str
    grants: Mapping[str, frozenset[Role]] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[Permission] | None = None
    mfa: bool = False
    expires_at: float | None = None

    @property
    def tenant_ids(self) -> frozenset[str]:
        """The tenants at which the caller has a role. Empty for the demo caller, who may see all of them."""
        return frozenset(self.grants)

    def roles(self, tenant_id: str) -> frozenset[Role]:
        """Return the caller's roles at a tenant."""
        return frozenset({Role.ADMIN}) if self.kind is Kind.DEMO else self.grants.get(tenant_id, _NO_ROLES)

    def permissions(self, tenant_id: str) -> frozenset[Permission]:
        """Return what the caller may do at a tenant."""
        permitted = permissions_of(self.roles(tenant_id))
        return permitted if self.scopes is None else permitted & self.scopes

    def lacks_mfa(self, tenant_id: str) -> bool:
        """Tell whether a role at this tenant needs a second factor that was not used."""
        return self.kind is Kind.USER and not self.mfa and not NEEDS_MFA.isdisjoint(self.roles(tenant_id))

    def expired(self, now: float | None = None) -> bool:
        """Tell whether the credentials have run out."""
        return self.expires_at is not None and (time.time() if now is None else now) >= self.expires_at
