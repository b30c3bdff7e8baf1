"""Keys of service accounts: `trb_<key id>_<secret>`. The key id may be shown; of the secret only a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING

from serving.access import refusals
from serving.access.principal import Kind, Principal
from serving.access.roles import PERMISSIONS, Permission, Role
from serving.relational.service_keys import StoredKey

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "trb_"
"""What every key begins with, so that scanners for leaked secrets find it."""
# 10 random bytes name a key, 32 guard it.
_KEY = re.compile(r"trb_([0-9a-f]{20})_([0-9a-f]{64})")


def new_key(
    tenant_id: str, name: str, scopes: Iterable[Permission], created_at: int, expires_at: int | None
) -> tuple[str, StoredKey]:
    """Return a new key, which is shown once, and what is stored of it. Times are ms since the epoch.

    Raises:
        ValueError: no scope, or one that a program may not have.
    """
    chosen = frozenset(scopes)
    allowed = PERMISSIONS[Role.SERVICE_ACCOUNT]
    if not chosen or not chosen <= allowed:
        raise ValueError(f"scopes: one or more of {', '.join(sorted(allowed))}")
    key_id, secret = secrets.token_hex(10), secrets.token_hex(32)
    stored = StoredKey(
        key_id, tenant_id, name, _hash(secret), tuple(sorted(chosen)), created_at, expires_at, None, None
    )
    return f"{PREFIX}{key_id}_{secret}", stored


def key_id_of(key: str) -> str:
    """Return the key id of a key; raises ServingError when it is none."""
    matched = _KEY.fullmatch(key)
    if matched is None:
        raise refusals.credentials_invalid()
    return matched[1]


def principal_of_key(key: str, stored: StoredKey | None) -> Principal:
    """Return the service account that a key belongs to.

    Raises:
        ServingError: the key is unknown, wrong or revoked. An expired one is found by the principal's own time.
    """
    matched = _KEY.fullmatch(key)
    right = stored is not None and matched is not None and hmac.compare_digest(_hash(matched[2]), stored.secret_hash)
    if stored is None or not right or stored.revoked_at is not None:
        raise refusals.credentials_invalid()
    return Principal(
        kind=Kind.SERVICE,
        id=stored.key_id,
        grants={stored.tenant_id: frozenset({Role.SERVICE_ACCOUNT})},
        scopes=frozenset(Permission(scope) for scope in stored.scopes if scope in set(Permission)),
        expires_at=None if stored.expires_at is None else stored.expires_at / 1000,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
