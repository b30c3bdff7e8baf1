"""Sessions of signed-in browsers. Every function runs inside the caller's transaction; times are ms since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from serving.relational.tables import sessions

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# Sessions that ended this long ago are removed: whoever comes with one is told to sign in either way.
KEPT_AFTER_END_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Session:
    """A session. `grants` is JSON (roles by tenant); the session is good until `expires_at` unless it is renewed, and
    never after `ends_at`. `refresh_token` is encrypted."""

    session_hash: str
    user_id: str
    grants: str
    mfa: bool
    created_at: int
    expires_at: int
    ends_at: int
    refresh_token: str | None


def add_session(connection: Connection, session: Session) -> None:
    """Store a new session, and remove those that ended long ago."""
    connection.execute(sa.delete(sessions).where(sessions.c.ends_at < session.created_at - KEPT_AFTER_END_MS))
    connection.execute(
        sa.insert(sessions).values(
            session_hash=session.session_hash,
            user_id=session.user_id,
            grants=session.grants,
            mfa=session.mfa,
            created_at=session.created_at,
            expires_at=session.expires_at,
            ends_at=session.ends_at,
            refresh_token=session.refresh_token,
            renewing_until=0,
        )
    )


def find_session(connection: Connection, session_hash: str) -> Session | None:
    """Return a session, None when there is none of this hash."""
    row = connection.execute(sa.select(sessions).where(sessions.c.session_hash == session_hash)).first()
    if row is None:
        return None
    return Session(
        row.session_hash,
        row.user_id,
        row.grants,
        row.mfa,
        row.created_at,
        row.expires_at,
        row.ends_at,
        row.refresh_token,
    )


def claim_renewal(connection: Connection, found: Session, now: int, until: int) -> bool:
    """Tell whether the caller is the one who may renew a session as it was `found`; nobody else may before `until`.

    A refresh token works once: two renewals at the same time would end the session, and so would one with the token
    of a session that another has renewed since it was found.
    """
    free = sa.update(sessions).where(
        sessions.c.session_hash == found.session_hash,
        sessions.c.expires_at == found.expires_at,
        sessions.c.refresh_token == found.refresh_token,
        sessions.c.renewing_until < now,
    )
    return connection.execute(free.values(renewing_until=until)).rowcount > 0


def renew(
    connection: Connection, session_hash: str, *, grants: str, mfa: bool, expires_at: int, refresh_token: str | None
) -> None:
    """Keep what a renewal brought, and let the next one begin."""
    changed = sa.update(sessions).where(sessions.c.session_hash == session_hash)
    connection.execute(
        changed.values(grants=grants, mfa=mfa, expires_at=expires_at, refresh_token=refresh_token, renewing_until=0)
    )


def end_session(connection: Connection, session_hash: str) -> None:
    """Forget a session."""
    connection.execute(sa.delete(sessions).where(sessions.c.session_hash == session_hash))
