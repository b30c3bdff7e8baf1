"""Sessions of signed-in browsers: begun with a code, renewed with a refresh token, ended by sign-out or time."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from joserfc.util import urlsafe_b64encode
from sqlalchemy.exc import IntegrityError

from serving.access import refusals
from serving.access.authentication import write_grants
from serving.access.logout_token import read_logout_token
from serving.access.oidc_provider import GrantRefusedError, ProviderUnavailable
from serving.access.session_cookie import new_session_id, session_hash
from serving.access.token_claims import grants_of, used_mfa
from serving.access.tokens import verify
from serving.relational import sessions, users
from serving.relational.database import RelationalStoreUnavailable
from serving.relational.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from serving.access.authentication import Authentication
    from serving.access.oidc_provider import OidcProvider, Tokens
    from serving.access.session_cookie import Seal
    from serving.access.settings import OidcSettings
    from serving.errors import ServingError
    from serving.relational.database import Database

# A sign-in takes a person minutes at most: password, second factor, consent.
SIGN_IN_SECONDS = 600
# A session is renewed when it has less than this left, so that calls in between do not meet its end.
RENEW_BEFORE_MS = 60_000
# One server's renewal takes two time-outs of the provider at most; then another server may try.
RENEWAL_MS = 15_000
# When neither the token nor the provider says how long it is good.
DEFAULT_SECONDS = 300.0


class BrowserSessions:
    """Begins, renews and ends sessions. Used from one event loop."""

    def __init__(
        self,
        settings: OidcSettings,
        database: Database,
        provider: OidcProvider,
        seal: Seal,
        authentication: Authentication,
    ) -> None:
        """Keep the parts."""
        self._settings = settings
        self._database = database
        self._provider = provider
        self._seal = seal
        self._authentication = authentication

    async def begin_sign_in(self, return_to: str) -> tuple[str, str]:
        """Return the provider's page for a sign-in, and the content of the cookie that must come back with its result.

        Raises:
            ServingError: the provider does not answer.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            endpoints = await self._provider.endpoints()
        except ProviderUnavailable:
            raise refusals.identity_unavailable() from None
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self.callback_url,
            "scope": self._settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode(),
            "code_challenge_method": "S256",
        }
        kept = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "to": return_to,
            "until": time.time() + SIGN_IN_SECONDS,
        }
        separator = "&" if "?" in endpoints.authorization else "?"
        return f"{endpoints.authorization}{separator}{urlencode(asked)}", self._seal.encrypted(kept)

    @property
    def callback_url(self) -> str:
        """Where the provider sends browsers back to."""
        return f"{self._settings.public_url.rstrip('/')}/auth/callback"

    async def finish_sign_in(self, query: Mapping[str, str], cookie: str) -> tuple[str, str, str]:
        """Return the session cookie's content, the path to go on to, and the user id, for the answer of the provider.

        Raises:
            ServingError: the answer is not to a sign-in that this browser began, or the provider refuses the code.
        """
        kept = self._seal.opened(cookie) or {}
        state = query.get("state", "")
        if (
            not kept
            or kept["until"] < time.time()
            or not secrets.compare_digest(state.encode(), kept["state"].encode())
        ):
            raise refusals.credentials_invalid()
        # RFC 9207: a provider that says who it is must be ours.
        if "error" in query or query.get("iss", self._provider.issuer) != self._provider.issuer:
            raise refusals.credentials_invalid()
        code = {
            "grant_type": "authorization_code",
            "code": query.get("code", ""),
            "redirect_uri": self.callback_url,
            "code_verifier": kept["verifier"],
        }
        try:
            tokens = await self._redeem(code)
        except GrantRefusedError:
            raise refusals.credentials_invalid() from None
        token = await verify(tokens.id_token, self._provider, self._settings.client_id, nonce=kept["nonce"])
        session_id = new_session_id()
        now = _now()
        try:
            user, _ = await self._authentication.user_of_token(token)
            if user.disabled:
                raise refusals.credentials_invalid()
            names = self._settings.claims
            session = Session(
                session_hash(session_id),
                user.user_id,
                write_grants(grants_of(token.claims, names)),
                mfa=used_mfa(token.claims, names),
                created_at=now,
                expires_at=now + self._seconds(tokens, token.expires_at),
                ends_at=now + round(self._settings.session_hours * 3_600_000),
                refresh_token=self._sealed(tokens.refresh_token),
                provider_session_hash=_hashed(token.claims.get("sid")),
            )
            await self._database.run(lambda connection: sessions.add_session(connection, session))
        except RelationalStoreUnavailable:
            raise refusals.identity_unavailable() from None
        return self._seal.signed(session_id), kept["to"], user.user_id

    async def renew(self, held: str) -> None:
        """Renew a session that ends soon or has ended, if the provider lets it; others go on as they are.

        Raises:
            ServingError: the session is unknown or over, or the provider does not answer.
        """
        now = _now()
        try:
            session = await self._database.run(lambda connection: sessions.find_session(connection, held))
            if session is None or session.ends_at <= now:
                raise refusals.credentials_expired()
            if session.expires_at - now > RENEW_BEFORE_MS or session.refresh_token is None:
                return
            if not await self._database.run(lambda c: sessions.claim_renewal(c, session, now, now + RENEWAL_MS)):
                await self._renewed_by_another(session)
            else:
                await self._renew(session)
            await self._authentication.forget_session(held)
        except RelationalStoreUnavailable:
            raise refusals.identity_unavailable() from None

    async def end(self, held: str) -> str:
        """Forget a session; returns the provider's page for signing out there too, empty when it has none.

        Raises:
            ServingError: the relational store does not answer, so that the session is still there.
        """
        try:
            await self._database.run(lambda connection: sessions.end_session(connection, held))
            await self._authentication.session_ended(held)
        except RelationalStoreUnavailable:
            raise refusals.identity_unavailable() from None
        try:
            page = (await self._provider.endpoints()).end_session
        except ProviderUnavailable:
            return ""
        back = {"client_id": self._settings.client_id, "post_logout_redirect_uri": self._settings.public_url}
        return f"{page}?{urlencode(back)}" if page else ""

    async def end_by_provider(self, logout_token: str) -> list[str]:
        """End the sessions that a logout token of the provider names; returns the user id of each.

        Raises:
            ServingError: the token is not good or was used before, or it cannot be checked now.
        """
        token = await read_logout_token(logout_token, self._provider, self._settings.client_id)
        issuer, now = self._provider.issuer, _now()
        used = hashlib.sha256(f"{issuer} {token.token_id}".encode()).hexdigest()

        def end(connection: Connection) -> list[tuple[str, str]]:
            sessions.use_logout_token(connection, used, now, round(token.expires_at * 1000))
            user_id = users.find_user_id(connection, issuer, token.subject) if token.subject else None
            if token.subject and user_id is None:
                return []
            return sessions.end_provider_sessions(connection, user_id, _hashed(token.session_id))

        try:
            ended = await self._database.run(end)
            for held, _ in ended:
                await self._authentication.session_ended(held)
        except IntegrityError:
            raise refusals.credentials_invalid() from None
        except RelationalStoreUnavailable:
            raise refusals.identity_unavailable() from None
        return [user_id for _, user_id in ended]

    async def _renew(self, session: Session) -> None:
        opened = self._seal.opened(session.refresh_token or "") or {}
        try:
            tokens = await self._redeem({"grant_type": "refresh_token", "refresh_token": opened.get("token", "")})
        except GrantRefusedError:
            raise await self._ended(session) from None
        grants, mfa, token_ends = session.grants, session.mfa, None
        if tokens.id_token:
            token = await verify(tokens.id_token, self._provider, self._settings.client_id)
            issuer = self._provider.issuer
            # OpenID Connect Core 12.2: a renewed ID token is of the same person.
            if not await self._database.run(lambda c: users.is_named(c, session.user_id, issuer, token.subject)):
                raise await self._ended(session)
            names = self._settings.claims
            # Providers may leave `amr` out here: the factors are those of the sign-in.
            grants, mfa = write_grants(grants_of(token.claims, names)), mfa or used_mfa(token.claims, names)
            token_ends = token.expires_at
        expires_at = _now() + self._seconds(tokens, token_ends)
        # A provider that does not rotate refresh tokens gives none back.
        refresh_token = self._sealed(tokens.refresh_token) or session.refresh_token
        await self._database.run(
            lambda connection: sessions.renew(
                connection,
                session.session_hash,
                grants=grants,
                mfa=mfa,
                expires_at=expires_at,
                refresh_token=refresh_token,
            )
        )

    async def _ended(self, session: Session) -> ServingError:
        """Forget a session that the provider does not renew; returns what is to be raised."""
        await self._database.run(lambda connection: sessions.end_session(connection, session.session_hash))
        return refusals.credentials_expired()

    async def _renewed_by_another(self, before: Session) -> None:
        """Wait until another call or server has renewed the session. Raises ServingError when it does not."""
        until = time.monotonic() + RENEWAL_MS / 1000
        while time.monotonic() < until:
            session = await self._database.run(lambda c: sessions.find_session(c, before.session_hash))
            if session is None:
                raise refusals.credentials_expired()
            if session.expires_at != before.expires_at:
                return
            await asyncio.sleep(0.05)
        raise refusals.identity_unavailable()

    async def _redeem(self, fields: Mapping[str, str]) -> Tokens:
        try:
            return await self._provider.redeem(fields, self._settings.client_id, self._settings.client_secret)
        except ProviderUnavailable:
            raise refusals.identity_unavailable() from None

    def _sealed(self, refresh_token: str) -> str | None:
        return self._seal.encrypted({"token": refresh_token}) if refresh_token else None

    def _seconds(self, tokens: Tokens, token_ends: float | None) -> int:
        """Return how long a session is good, ms: as long as the access token that came with it."""
        seconds = tokens.expires_in
        if seconds is None:
            seconds = DEFAULT_SECONDS if token_ends is None else token_ends - time.time()
        return round(max(0.0, seconds) * 1000)


def _hashed(session_id: object) -> str | None:
    """Return what is stored of the provider's name of a session, None when it gave none."""
    return hashlib.sha256(session_id.encode()).hexdigest() if isinstance(session_id, str) and session_id else None


def _now() -> int:
    return int(time.time() * 1000)
