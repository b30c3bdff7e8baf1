"""Tenants, users and their roles. Every function runs inside the caller's transaction; times are ms since the epoch."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from serving.relational.tables import revoked_tokens, role_grants, tenants, users

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant and its own limits; None: the server's."""

    tenant_id: str
    calls_per_second: float | None
    burst: int | None


@dataclass(frozen=True, slots=True)
class User:
    """A user as stored. `grants` are (tenant, role) pairs; credentials issued before `valid_from` (ms) are refused."""

    user_id: str
    disabled: bool
    valid_from: int
    grants: tuple[tuple[str, str], ...]


def put_tenant(
    connection: Connection, tenant_id: str, now: int, calls_per_second: float | None = None, burst: int | None = None
) -> None:
    """Add a tenant, or set the limits of one that exists."""
    values = {"calls_per_second": calls_per_second, "burst": burst}
    changed = connection.execute(sa.update(tenants).where(tenants.c.tenant_id == tenant_id).values(values))
    if changed.rowcount == 0:
        connection.execute(sa.insert(tenants).values(tenant_id=tenant_id, created_at=now, **values))


def tenant(connection: Connection, tenant_id: str) -> Tenant | None:
    """Return a tenant, None when it is not stored."""
    row = connection.execute(sa.select(tenants).where(tenants.c.tenant_id == tenant_id)).first()
    return None if row is None else Tenant(row.tenant_id, row.calls_per_second, row.burst)


def find_or_add_user(connection: Connection, issuer: str, subject: str, now: int) -> User:
    """Return the user whom an identity provider calls `subject`, whom the first sign-in adds.

    Raises:
        IntegrityError: another process added the user at the same moment; once more finds it.
    """
    named = sa.select(users).where(users.c.issuer == issuer, users.c.subject == subject)
    row = connection.execute(named).first()
    if row is None:
        user_id = uuid.uuid4().hex
        connection.execute(
            sa.insert(users).values(user_id=user_id, issuer=issuer, subject=subject, created_at=now, valid_from=0)
        )
        return User(user_id, disabled=False, valid_from=0, grants=())
    return _user(connection, row)


def user(connection: Connection, user_id: str) -> User | None:
    """Return a user, None when there is none of this id."""
    row = connection.execute(sa.select(users).where(users.c.user_id == user_id)).first()
    return None if row is None else _user(connection, row)


def find_user_id(connection: Connection, issuer: str, subject: str) -> str | None:
    """Return the id of the user whom an identity provider calls `subject`, None when there is none."""
    named = sa.select(users.c.user_id).where(users.c.issuer == issuer, users.c.subject == subject)
    found: str | None = connection.execute(named).scalar()
    return found


def is_named(connection: Connection, user_id: str, issuer: str, subject: str) -> bool:
    """Tell whether a user is the one whom an identity provider calls `subject`."""
    return find_user_id(connection, issuer, subject) == user_id


def users_of(connection: Connection, tenant_id: str) -> list[tuple[str, str, str, str, bool]]:
    """Return (user id, issuer, subject, role, disabled) of everybody with a stored role at a tenant."""
    chosen = (
        sa.select(users.c.user_id, users.c.issuer, users.c.subject, role_grants.c.role, users.c.disabled_at)
        .join_from(users, role_grants)
        .where(role_grants.c.tenant_id == tenant_id)
        .order_by(users.c.issuer, users.c.subject, role_grants.c.role)
    )
    return [(*row[:4], row.disabled_at is not None) for row in connection.execute(chosen)]


def grant(connection: Connection, user_id: str, tenant_id: str, role: str, now: int) -> bool:
    """Give a user a role at a tenant; False when they have it already. Raises IntegrityError without such a tenant."""
    key = {"user_id": user_id, "tenant_id": tenant_id, "role": role}
    held = connection.execute(sa.select(role_grants).filter_by(**key)).first()
    if held is None:
        connection.execute(sa.insert(role_grants).values(**key, granted_at=now))
    return held is None


def withdraw(connection: Connection, user_id: str, tenant_id: str, role: str) -> bool:
    """Take a role from a user; False when they do not have it."""
    key = {"user_id": user_id, "tenant_id": tenant_id, "role": role}
    return connection.execute(sa.delete(role_grants).filter_by(**key)).rowcount > 0


def disable(connection: Connection, user_id: str, now: int) -> bool:
    """Refuse a user from now on; False when there is no such user."""
    return _set(connection, user_id, disabled_at=now)


def enable(connection: Connection, user_id: str) -> bool:
    """Let a disabled user in again; False when there is no such user."""
    return _set(connection, user_id, disabled_at=None)


def sign_out_everywhere(connection: Connection, user_id: str, now: int) -> bool:
    """Refuse every token and session of a user that was issued until now; False when there is no such user."""
    return _set(connection, user_id, valid_from=now)


def revoke_token(connection: Connection, issuer: str, token_id: str, now: int) -> None:
    """Refuse one token (its `jti`) from now on."""
    if not token_revoked(connection, issuer, token_id):
        connection.execute(sa.insert(revoked_tokens).values(issuer=issuer, token_id=token_id, revoked_at=now))


def token_revoked(connection: Connection, issuer: str, token_id: str) -> bool:
    """Tell whether a token was revoked."""
    chosen = sa.select(revoked_tokens.c.revoked_at).filter_by(issuer=issuer, token_id=token_id)
    return connection.execute(chosen).first() is not None


def _set(connection: Connection, user_id: str, **values: int | None) -> bool:
    return connection.execute(sa.update(users).where(users.c.user_id == user_id).values(**values)).rowcount > 0


def _user(connection: Connection, row: sa.Row[tuple[object, ...]]) -> User:
    held = connection.execute(
        sa.select(role_grants.c.tenant_id, role_grants.c.role).where(role_grants.c.user_id == row.user_id)
    )
    return User(row.user_id, row.disabled_at is not None, row.valid_from, tuple((t, r) for t, r in held))
