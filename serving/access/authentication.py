"""From the headers of a call to who is calling, whichever transport brings them."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import IntegrityError

from serving.access import refusals
from serving.access.cross_site import refuse_cross_site
from serving.access.logout_token import is_logout
from serving.access.open_streams import OpenStreams
from serving.access.principal import Kind, Principal
from serving.access.roles import GRANTABLE, Role
from serving.access.service_keys import PREFIX, key_id_of, principal_of_key
from serving.access.session_cookie import CookieNames, session_hash
from serving.access.token_claims import grants_of, joined, used_mfa
from serving.access.tokens import VerifiedToken, verify
from serving.errors import ServingError
from serving.queries.memo import Memo
from serving.relational import service_keys, sessions, users
from serving.relational.database import RelationalStoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    from sqlalchemy.engine import Connection

    from serving.access.oidc_provider import OidcProvider
    from serving.access.session_cookie import Seal
    from serving.access.settings import AccessSettings
    from serving.relational.database import Database
    from serving.relational.sessions import Session
    from serving.relational.users import User

T = TypeVar("T")

# How soon a revoked key, a disabled user or a withdrawn role is noticed.
FRESH_SECONDS = 5.0
# How long what was known is good enough when the relational store does not answer.
STALE_SECONDS = 60.0
# Callers that are remembered, each a kilobyte.
REMEMBERED = 10_000


class Authentication:
    """Recognises callers by token, service key or session cookie. Used from one event loop."""

    def __init__(
        self,
        settings: AccessSettings,
        database: Database | None = None,
        provider: OidcProvider | None = None,
        seal: Seal | None = None,
    ) -> None:
        """Keep the parts; a database is needed with authentication, a provider with OIDC, a seal with sessions."""
        self._settings = settings
        self._database = database
        self._provider = provider
        self._seal = seal
        self._tokens: Memo[Principal | ServingError] = Memo(REMEMBERED)
        self._keys: Memo[service_keys.StoredKey | None] = Memo(REMEMBERED)
        self._sessions: Memo[Principal | ServingError] = Memo(REMEMBERED)
        self._cookies = CookieNames.of(secure=settings.oidc is not None and settings.oidc.secure)
        self.open_streams = OpenStreams()
        self.used_keys: dict[str, int] = {}
        """When service keys were last used (ms), by key id; whoever writes it down clears it."""

    async def principal(self, headers: Mapping[str, str]) -> Principal:
        """Return who is calling; `headers` (gRPC: metadata) have lower-case names.

        Raises:
            ServingError: no credentials, or they are wrong, expired, or cannot be checked now.
        """
        if not self._settings.authenticated:
            return Principal(kind=Kind.DEMO, id=self._settings.demo_user)
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, credentials = authorization.partition(" ")
            if scheme.lower() != "bearer" or not credentials:
                raise refusals.credentials_invalid()
            found = await self._by_credentials(credentials.strip())
        else:
            found = await self._by_cookie(headers)
        if found.expired():
            raise refusals.credentials_expired()
        return found

    async def _by_credentials(self, credentials: str) -> Principal:
        if credentials.startswith(PREFIX):
            if not self._settings.service_keys:
                raise refusals.credentials_invalid()
            key_id = key_id_of(credentials)
            stored = await self._remembered(self._keys, key_id, lambda: self._stored_key(key_id))
            found = principal_of_key(credentials, stored)
            self.used_keys[key_id] = _now()
            return found
        oidc, provider = self._settings.oidc, self._provider
        if oidc is None or provider is None:
            raise refusals.credentials_invalid()

        async def compute() -> Principal | ServingError:
            token = await verify(credentials, provider, oidc.audience)
            if is_logout(token.claims):
                return refusals.credentials_invalid()
            user, revoked = await self.user_of_token(token)
            if revoked or user.disabled or token.issued_at * 1000 < user.valid_from:
                return refusals.credentials_invalid()
            return self.principal_of_token(token, user)

        key = hashlib.sha256(credentials.encode()).digest()
        return _allowed(await self._remembered(self._tokens, key, compute))

    async def _by_cookie(self, headers: Mapping[str, str]) -> Principal:
        held = self.session_of(headers)
        if held is None:
            raise refusals.credentials_missing()
        oidc = self._settings.oidc
        refuse_cross_site(headers, oidc.public_url if oidc else "")
        return _allowed(await self._remembered(self._sessions, held, lambda: self._session_principal(held)))

    def session_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the hash of the session that a browser's cookie names, None without a cookie of ours."""
        cookie = cookies(headers).get(self._cookies.session)
        session_id = self._seal.session_id(cookie) if self._seal and cookie else None
        return session_hash(session_id) if session_id else None

    async def forget_session(self, held: str) -> None:
        """Look a session up again: it was renewed."""
        await self._sessions.refresh(held, lambda: self._session_principal(held))

    async def session_ended(self, held: str) -> None:
        """Refuse a session that was ended from now on, and end its live streams here."""
        self.open_streams.end(held)
        await self.forget_session(held)
        # Once more: the first look may have been under way when the session ended.
        await self.forget_session(held)

    async def user_of_token(self, token: VerifiedToken) -> tuple[User, bool]:
        """Return the user of a token, whom the first one adds, and whether the token was revoked.

        Raises:
            RelationalStoreUnavailable: the store does not answer.
        """
        issuer = self._provider.issuer if self._provider else ""

        def look_up(connection: Connection) -> tuple[User, bool]:
            revoked = bool(token.token_id) and users.token_revoked(connection, issuer, token.token_id)
            return users.find_or_add_user(connection, issuer, token.subject, _now()), revoked

        try:
            return await self._run(look_up)
        except IntegrityError:
            # Another server added the user at the same moment.
            return await self._run(look_up)

    def principal_of_token(self, token: VerifiedToken, user: User) -> Principal:
        """Return the principal of a verified token and its stored user."""
        if self._settings.oidc is None:
            raise refusals.credentials_invalid()
        names = self._settings.oidc.claims
        return Principal(
            kind=Kind.USER,
            id=user.user_id,
            grants=joined(grants_of(token.claims, names), user.grants),
            mfa=used_mfa(token.claims, names),
            expires_at=token.expires_at,
        )

    async def _session_principal(self, held: str) -> Principal | ServingError:
        def look_up(connection: Connection) -> tuple[Session | None, User | None]:
            session = sessions.find_session(connection, held)
            return session, users.user(connection, session.user_id) if session else None

        session, user = await self._run(look_up)
        if session is None or user is None or user.disabled or session.created_at < user.valid_from:
            return refusals.credentials_invalid()
        return Principal(
            kind=Kind.USER,
            id=user.user_id,
            grants=joined(read_grants(session.grants), user.grants),
            mfa=session.mfa,
            expires_at=min(session.expires_at, session.ends_at) / 1000,
        )

    async def _stored_key(self, key_id: str) -> service_keys.StoredKey | None:
        return await self._run(lambda connection: service_keys.find_key(connection, key_id))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        if self._database is None:
            raise RelationalStoreUnavailable("there is none")
        return await self._database.run(work)

    async def _remembered(self, memo: Memo[T], key: Hashable, compute: Callable[[], Awaitable[T]]) -> T:
        try:
            return (await memo.get(key, FRESH_SECONDS, compute))[0]
        except RelationalStoreUnavailable:
            last = memo.last(key)
            if last is None or last[1] > STALE_SECONDS:
                raise refusals.identity_unavailable() from None
            return last[0]


def cookies(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the cookies of a request. Of several with one name the first counts, which is the most specific one."""
    found: dict[str, str] = {}
    for part in headers.get("cookie", "").split(";"):
        name, separator, value = part.strip().partition("=")
        if separator:
            found.setdefault(name, value)
    return found


def write_grants(grants: Mapping[str, frozenset[Role]]) -> str:
    """Return roles by tenant as JSON."""
    return json.dumps({tenant: sorted(roles) for tenant, roles in grants.items()})


def read_grants(text: str) -> dict[str, frozenset[Role]]:
    """Return roles by tenant from JSON; a role that no longer exists is left out."""
    held: dict[str, Any] = json.loads(text)
    return {tenant: frozenset(Role(role) for role in roles if role in GRANTABLE) for tenant, roles in held.items()}


def _allowed(found: Principal | ServingError) -> Principal:
    if isinstance(found, ServingError):
        raise found
    return found


def _now() -> int:
    return int(time.time() * 1000)
