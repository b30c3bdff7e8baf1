"""Sessions of signed-in browsers. Every function runs inside the caller's transaction; times are ms since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from serving.relational.tables import sessions, used_logout_tokens

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
    provider_session_hash: str | None = None


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
            provider_session_hash=session.provider_session_hash,
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
        row.provider_session_hash,
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


def end_provider_sessions(
    connection: Connection, user_id: str | None, provider_session_hash: str | None
) -> list[tuple[str, str]]:
    """Forget the sessions of a user, of a session of the provider, or, when both are given, those of the user that are
    of that session or of an unknown one. Returns (session hash, user id) of each."""
    chosen = []
    if user_id is not None:
        chosen.append(sessions.c.user_id == user_id)
    if provider_session_hash is not None:
        same = sessions.c.provider_session_hash == provider_session_hash
        chosen.append(same if user_id is None else sa.or_(same, sessions.c.provider_session_hash.is_(None)))
    if not chosen:
        return []
    ended = connection.execute(sa.select(sessions.c.session_hash, sessions.c.user_id).where(*chosen)).all()
    connection.execute(sa.delete(sessions).where(*chosen))
    return [(row.session_hash, row.user_id) for row in ended]


def use_logout_token(connection: Connection, token_hash: str, now: int, until: int) -> None:
    """Note that a logout token was used, and forget those that have expired.

    Raises:
        IntegrityError: it was used before.
    """
    connection.execute(sa.delete(used_logout_tokens).where(used_logout_tokens.c.until < now))
    connection.execute(sa.insert(used_logout_tokens).values(token_hash=token_hash, until=until))
