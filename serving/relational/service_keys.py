"""Service keys as stored: never the secret, only its hash. Every function runs inside the caller's transaction; times
are ms since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from serving.relational.tables import service_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A service key. `scopes` are permissions; `expires_at`, `last_used_at` and `revoked_at` may be None."""

    key_id: str
    tenant_id: str
    name: str
    secret_hash: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None


def add_key(connection: Connection, key: StoredKey) -> None:
    """Store a new key. Raises IntegrityError when its tenant is not stored."""
    connection.execute(
        sa.insert(service_keys).values(
            key_id=key.key_id,
            tenant_id=key.tenant_id,
            name=key.name,
            secret_hash=key.secret_hash,
            scopes=" ".join(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
        )
    )


def find_key(connection: Connection, key_id: str) -> StoredKey | None:
    """Return a key, None when there is none of this id."""
    row = connection.execute(sa.select(service_keys).where(service_keys.c.key_id == key_id)).first()
    return None if row is None else _key(row)


def keys_of(connection: Connection, tenant_id: str) -> list[StoredKey]:
    """Return the keys of a tenant, the oldest first."""
    chosen = sa.select(service_keys).filter_by(tenant_id=tenant_id).order_by(service_keys.c.created_at)
    return [_key(row) for row in connection.execute(chosen)]


def revoke_key(connection: Connection, tenant_id: str, key_id: str, now: int) -> bool:
    """Refuse a key from now on; False when the tenant has no such key or it is revoked already."""
    chosen = sa.update(service_keys).filter_by(tenant_id=tenant_id, key_id=key_id, revoked_at=None)
    return connection.execute(chosen.values(revoked_at=now)).rowcount > 0


def note_uses(connection: Connection, used: Mapping[str, int]) -> None:
    """Set when keys were last used, unless a later use is known. `used`: time by key id."""
    for key_id, at in used.items():
        newer = sa.or_(service_keys.c.last_used_at.is_(None), service_keys.c.last_used_at < at)
        connection.execute(
            sa.update(service_keys).where(service_keys.c.key_id == key_id, newer).values(last_used_at=at)
        )


def _key(row: sa.Row[tuple[object, ...]]) -> StoredKey:
    return StoredKey(
        row.key_id,
        row.tenant_id,
        row.name,
        row.secret_hash,
        tuple(row.scopes.split()),
        row.created_at,
        row.expires_at,
        row.last_used_at,
        row.revoked_at,
    )
