"""What the claims of a token say about a user: tenants, roles, and whether more than one factor was used."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from serving.access.roles import GRANTABLE, Role
from serving.access.tenancy import TENANT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A token with more is a mistake at the provider; every one of them would be looked at.
MAX_VALUES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNames:
    """Where the provider says what. A name is taken as it is, and otherwise as a path with dots, such as
    `realm_access.roles`. An empty name: such claims are not looked at."""

    tenants: str = "tenant_ids"
    roles: str = "roles"
    mfa_methods: frozenset[str] = frozenset({"mfa"})
    """Values of `amr` (RFC 8176) that tell of a second factor."""
    mfa_levels: frozenset[str] = frozenset()
    """Values of `acr` that do."""


def grants_of(claims: Mapping[str, Any], names: ClaimNames) -> Mapping[str, frozenset[Role]]:
    """Return the roles by tenant that claims grant: every role at every tenant. Names that are not known here are
    other programs' and are left out."""
    roles = frozenset(Role(value) for value in _values(claims, names.roles) if value in GRANTABLE)
    tenants = [value for value in _values(claims, names.tenants) if TENANT_ID.fullmatch(value)]
    return MappingProxyType(dict.fromkeys(tenants, roles) if roles else {})


def used_mfa(claims: Mapping[str, Any], names: ClaimNames) -> bool:
    """Tell whether the sign-in used more than one factor."""
    methods, levels = _values(claims, "amr"), _values(claims, "acr")
    return not (names.mfa_methods.isdisjoint(methods) and names.mfa_levels.isdisjoint(levels))


def joined(claimed: Mapping[str, frozenset[Role]], stored: Iterable[tuple[str, str]]) -> Mapping[str, frozenset[Role]]:
    """Return the roles that either the claims or the stored (tenant, role) pairs grant."""
    grants = dict(claimed)
    for tenant_id, role in stored:
        if role in GRANTABLE:
            grants[tenant_id] = grants.get(tenant_id, frozenset()) | {Role(role)}
    return MappingProxyType(grants)


def _values(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return a claim as a list of strings, whatever it is."""
    value: Any = claims.get(name) if name else None
    if value is None and name:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    values = value if isinstance(value, list) else [value]
    return [item for item in values[:MAX_VALUES] if isinstance(item, str)]
