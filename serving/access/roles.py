"""Roles and what each permits: the one table."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Permission(StrEnum):
    """What somebody may do with a tenant's data. Also the scopes of a service key."""

    VIEW_EXECUTIVE = "view_executive"
    """The executive dashboard is a page of the role: the web app offers it, and no answer needs it. Each figure on the
    page is an answer with a permission of its own, which other roles have too (SPEC F4)."""
    VIEW_CAMPAIGNS = "view_campaigns"
    """Campaign figures, their series and KPIs, alerts, and how fresh they are."""
    VIEW_OPERATIONS = "view_operations"
    """How the pipeline treats the tenant's events: counts, quarantine, data quality."""
    VIEW_ATTRIBUTION = "view_attribution"
    """Credited value by channel, campaign and model."""
    VIEW_DETAIL = "view_detail"
    """Single journeys and conversions."""
    EXPORT_CAMPAIGNS = "export_campaigns"
    """Campaign figures as a file."""
    EXPORT_ALL = "export_all"
    """Whatever may be viewed, as a file."""
    EDIT_DASHBOARDS = "edit_dashboards"
    """Own dashboards: make, change and delete them."""
    SHARE_DASHBOARDS = "share_dashboards"
    """Own dashboards: show them to roles of the tenant."""
    READ_AUDIT = "read_audit"
    """The tenant's audit log."""
    MANAGE_ACCESS = "manage_access"
    """Users, roles and service keys of the tenant."""


class Role(StrEnum):
    """What a user is to a tenant. A user may have several, and others at another tenant."""

    ADMIN = "admin"
    CMO = "cmo"
    MARKETING_DIRECTOR = "marketing_director"
    MARKETING_ANALYST = "marketing_analyst"
    VIEWER = "viewer"
    SERVICE_ACCOUNT = "service_account"
    """A program. What its key permits is its scopes, which the table below bounds."""


_VIEWS = frozenset(
    {
        Permission.VIEW_CAMPAIGNS,
        Permission.VIEW_OPERATIONS,
        Permission.VIEW_ATTRIBUTION,
        Permission.VIEW_DETAIL,
    }
)
_EXPORTS = frozenset({Permission.EXPORT_CAMPAIGNS, Permission.EXPORT_ALL})
_DASHBOARDS = frozenset({Permission.EDIT_DASHBOARDS, Permission.SHARE_DASHBOARDS})

PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.ADMIN: frozenset(Permission),
        # Executives see results, not single customers, and take everything they see with them.
        Role.CMO: _EXPORTS
        | _DASHBOARDS
        | {Permission.VIEW_EXECUTIVE, Permission.VIEW_CAMPAIGNS, Permission.VIEW_ATTRIBUTION},
        Role.MARKETING_DIRECTOR: _DASHBOARDS
        | {Permission.VIEW_CAMPAIGNS, Permission.VIEW_OPERATIONS, Permission.EXPORT_CAMPAIGNS},
        Role.MARKETING_ANALYST: _EXPORTS
        | _DASHBOARDS
        | {
            Permission.VIEW_CAMPAIGNS,
            Permission.VIEW_OPERATIONS,
            Permission.VIEW_ATTRIBUTION,
            Permission.VIEW_DETAIL,
        },
        # Arranges what they see for themselves, and shows it to nobody.
        Role.VIEWER: frozenset({Permission.VIEW_CAMPAIGNS, Permission.EDIT_DASHBOARDS}),
        # A program never decides who may do what, and opens no pages.
        Role.SERVICE_ACCOUNT: _VIEWS | _EXPORTS | _DASHBOARDS | {Permission.READ_AUDIT},
    }
)
"""What a role permits at the tenant for which it is granted."""

CHANGING = _DASHBOARDS | {Permission.MANAGE_ACCESS}
"""Permissions to change what is kept. Everything else is reading."""

NEEDS_MFA = frozenset({Role.ADMIN, Role.CMO})
"""Roles whose holders must have signed in with more than one factor."""

GRANTABLE = frozenset(Role) - {Role.SERVICE_ACCOUNT}
"""Roles that a person can have."""


def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    """Return everything that any of the roles permits."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))
