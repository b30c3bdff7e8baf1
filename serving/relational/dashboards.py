"""Custom dashboards and their versions. Every function runs inside the caller's transaction; times are ms since the
epoch; every statement is bound to one tenant."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from serving.relational.tables import dashboard_shares, dashboard_versions, dashboards

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

# Versions of a dashboard that are kept: weeks of daily work, a few megabytes at the most.
VERSIONS_KEPT = 50


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes a dashboard is looked up with. `manages` lets them see whatever is shared with anybody."""

    tenant_id: str
    caller_id: str
    roles: frozenset[str]
    manages: bool


@dataclass(frozen=True, slots=True)
class StoredDashboard:
    """A dashboard without its layout; `shared_with` are roles in alphabetical order."""

    dashboard_id: str
    tenant_id: str
    owner_id: str
    title: str
    version: int
    widget_count: int
    created_at: int
    updated_at: int
    shared_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version; `layout` is JSON, and empty in lists. `restored_from` is 0 when it restored none."""

    version: int
    title: str
    layout: str
    widget_count: int
    changed_at: int
    changed_by: str
    restored_from: int = 0


_DASHBOARD = tuple(dashboards.c)
_HISTORY = tuple(column for column in dashboard_versions.c if column.name not in {"dashboard_id", "layout"})


def _visible(viewer: Viewer) -> ColumnElement[bool]:
    shared = sa.select(dashboard_shares.c.role).where(dashboard_shares.c.dashboard_id == dashboards.c.dashboard_id)
    if not viewer.manages:
        shared = shared.where(dashboard_shares.c.role.in_(sorted(viewer.roles)))
    mine = dashboards.c.owner_id == viewer.caller_id
    return sa.and_(dashboards.c.tenant_id == viewer.tenant_id, sa.or_(mine, shared.exists()))


def find(
    connection: Connection, viewer: Viewer, dashboard_id: str, *, to_change: bool = False
) -> StoredDashboard | None:
    """Return a dashboard that the viewer may see, None when there is none; `to_change` holds it until the end of the
    transaction."""
    wanted = sa.select(*_DASHBOARD).where(_visible(viewer), dashboards.c.dashboard_id == dashboard_id)
    if to_change:
        # SQLite has one writer at a time, and no such clause.
        wanted = wanted.with_for_update()
    found = _with_roles(connection, connection.execute(wanted).mappings())
    return found[0] if found else None


def page(connection: Connection, viewer: Viewer, most: int, after: tuple[int, str] | None) -> list[StoredDashboard]:
    """Return what the viewer may see, the last changed first; `after` is (updated_at, id) of the page before."""
    wanted = sa.select(*_DASHBOARD).where(_visible(viewer))
    if after is not None:
        same_time = sa.and_(dashboards.c.updated_at == after[0], dashboards.c.dashboard_id > after[1])
        wanted = wanted.where(sa.or_(dashboards.c.updated_at < after[0], same_time))
    wanted = wanted.order_by(dashboards.c.updated_at.desc(), dashboards.c.dashboard_id).limit(most)
    return _with_roles(connection, connection.execute(wanted).mappings())


def owned(connection: Connection, tenant_id: str, owner_id: str) -> int:
    """Return how many dashboards an owner has at a tenant."""
    counted = sa.select(sa.func.count()).select_from(dashboards)
    mine = counted.where(dashboards.c.tenant_id == tenant_id, dashboards.c.owner_id == owner_id)
    return connection.scalar(mine) or 0


def add(connection: Connection, made: StoredDashboard, layout: str) -> None:
    """Add a private dashboard with its first version."""
    values = {column.name: getattr(made, column.name) for column in _DASHBOARD}
    connection.execute(sa.insert(dashboards).values(values))
    first = StoredVersion(made.version, made.title, layout, made.widget_count, made.updated_at, made.owner_id)
    _add_version(connection, made.dashboard_id, first)


def replace(
    connection: Connection, tenant_id: str, dashboard_id: str, expected_version: int, new: StoredVersion
) -> bool:
    """Make `new` the newest version if `expected_version` is; False, and nothing is changed, when it is not."""
    changed = connection.execute(
        sa.update(dashboards)
        .where(
            dashboards.c.tenant_id == tenant_id,
            dashboards.c.dashboard_id == dashboard_id,
            dashboards.c.version == expected_version,
        )
        .values(title=new.title, version=new.version, widget_count=new.widget_count, updated_at=new.changed_at)
    )
    if changed.rowcount == 0:
        return False
    _add_version(connection, dashboard_id, new)
    connection.execute(
        sa.delete(dashboard_versions).where(
            dashboard_versions.c.dashboard_id == dashboard_id,
            dashboard_versions.c.version <= new.version - VERSIONS_KEPT,
        )
    )
    return True


def remove(connection: Connection, tenant_id: str, dashboard_id: str, expected_version: int) -> bool:
    """Delete a dashboard with all its versions if `expected_version` is the newest; False when it is not."""
    removed = connection.execute(
        sa.delete(dashboards).where(
            dashboards.c.tenant_id == tenant_id,
            dashboards.c.dashboard_id == dashboard_id,
            dashboards.c.version == expected_version,
        )
    )
    return removed.rowcount > 0


def share(connection: Connection, dashboard_id: str, roles: Iterable[str]) -> None:
    """Set the roles that see a dashboard, which the caller has looked up for the tenant."""
    connection.execute(sa.delete(dashboard_shares).where(dashboard_shares.c.dashboard_id == dashboard_id))
    rows = [{"dashboard_id": dashboard_id, "role": role} for role in roles]
    if rows:
        connection.execute(sa.insert(dashboard_shares), rows)


def version(connection: Connection, dashboard_id: str, number: int) -> StoredVersion | None:
    """Return a version with its layout, None when it is not kept; the caller has looked the dashboard up."""
    columns = (column for column in dashboard_versions.c if column.name != "dashboard_id")
    wanted = sa.select(*columns).where(
        dashboard_versions.c.dashboard_id == dashboard_id, dashboard_versions.c.version == number
    )
    row = connection.execute(wanted).mappings().first()
    return None if row is None else StoredVersion(**row)


def history(connection: Connection, dashboard_id: str) -> list[StoredVersion]:
    """Return the versions that are kept, the newest first, without layouts; the caller has looked the dashboard up."""
    wanted = (
        sa.select(*_HISTORY)
        .where(dashboard_versions.c.dashboard_id == dashboard_id)
        .order_by(dashboard_versions.c.version.desc())
    )
    return [StoredVersion(layout="", **row) for row in connection.execute(wanted).mappings()]


def _add_version(connection: Connection, dashboard_id: str, new: StoredVersion) -> None:
    values = {
        column.name: getattr(new, column.name) for column in dashboard_versions.c if column.name != "dashboard_id"
    }
    connection.execute(sa.insert(dashboard_versions).values(dashboard_id=dashboard_id, **values))


def _with_roles(connection: Connection, rows: Iterable[Any]) -> list[StoredDashboard]:
    found = [StoredDashboard(**row) for row in rows]
    roles: dict[str, list[str]] = {each.dashboard_id: [] for each in found}
    if roles:
        wanted = sa.select(dashboard_shares).where(dashboard_shares.c.dashboard_id.in_(roles))
        for row in connection.execute(wanted):
            roles[row.dashboard_id].append(row.role)
    return [dataclasses.replace(each, shared_with=tuple(sorted(roles[each.dashboard_id]))) for each in found]
