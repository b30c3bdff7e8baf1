"""The OpenID Connect provider, as found by discovery: its keys, and its token endpoint.

OpenID Connect Discovery 1.0, RFC 7517 (keys), RFC 6749 and 7636 (authorization code with PKCE, refresh).
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import orjson
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from serving.queries.circuit_breaker import CircuitBreaker
from serving.queries.memo import Memo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

V = TypeVar("V")

ATTEMPTS = 3
# Providers announce new keys well before they sign with them, or sign at once and rely on a look for unknown key ids.
REFRESH_SECONDS = 600.0
# How long keys are used when the provider does not answer. A key that was withdrawn meanwhile is accepted that long.
USABLE_SECONDS = 3600.0
# Made-up key ids must not become a load on the provider.
LOOK_AGAIN_SECONDS = 5.0
# A discovery document has 5 KB, a key set of ten keys 20 KB.
MAX_DOCUMENT_BYTES = 512 * 1024
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class ProviderUnavailable(Exception):  # noqa: N818 - a state that callers answer to, not an error of theirs
    """The provider did not answer in time, or not as a provider does. The message holds no token."""


class GrantRefusedError(Exception):
    """The provider refuses a code or refresh token; the message is its error code (RFC 6749, 5.2)."""


class _TransientError(Exception):
    """A fault that may pass."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What discovery tells. `end_session` is empty where a provider has no sign-out."""

    issuer: str
    authorization: str
    token: str
    jwks: str
    end_session: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """An answer of the token endpoint. `expires_in` is in seconds; the others may be empty."""

    id_token: str
    refresh_token: str
    expires_in: float | None


def checked_url(url: object) -> str:
    """Return an address of the provider. Raises ValueError unless it is https, or http on this machine."""
    if isinstance(url, str):
        parts = urlsplit(url)
        if parts.hostname and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)
        ):
            return url
    raise ValueError("an https address, or http on loopback")


class OidcProvider:
    """One provider. May be used from many tasks of one event loop; `close` at the end."""

    def __init__(self, issuer: str, *, timeout_seconds: float = 3.0) -> None:
        """Keep the address; the first use connects. Raises ValueError when it is neither https nor on loopback."""
        self.issuer = checked_url(issuer)
        self._timeout = timeout_seconds
        self._client: aiohttp.ClientSession | None = None
        self._endpoints: Memo[Endpoints] = Memo(1)
        self._keys: Memo[KeySet] = Memo(1)
        self._looked_at = -math.inf
        self._breaker = CircuitBreaker()

    async def endpoints(self) -> Endpoints:
        """Return the provider's addresses. Raises ProviderUnavailable."""
        return await _kept(self._endpoints, self._discover)

    async def keys(self, key_id: str | None) -> KeySet:
        """Return the keys that tokens are signed with; they are fetched again when `key_id` is not among them.

        Raises:
            ProviderUnavailable: the keys are not known, and cannot be fetched.
        """
        held = await _kept(self._keys, self._fetch_keys)
        if key_id is None or any(key.kid == key_id for key in held.keys):
            return held
        if time.monotonic() - self._looked_at < LOOK_AGAIN_SECONDS:
            return held
        self._looked_at = time.monotonic()
        try:
            return await asyncio.shield(self._keys.refresh("", self._fetch_keys))
        except ProviderUnavailable:
            return held

    async def redeem(self, fields: Mapping[str, str], client_id: str, client_secret: str) -> Tokens:
        """Return the tokens for an authorization code or a refresh token. It is tried once: both work only once.

        Raises:
            GrantRefusedError: the provider refuses it.
            ProviderUnavailable: no answer in time, or none that can be understood.
        """
        endpoints = await self.endpoints()
        form = {"client_id": client_id, **fields}
        if client_secret:
            form["client_secret"] = client_secret
        try:
            status, answer = await self._document("POST", endpoints.token, form)
        except _TransientError as error:
            raise ProviderUnavailable(str(error)) from None
        if 400 <= status < 500:
            code = answer.get("error")
            raise GrantRefusedError(code if isinstance(code, str) and code.isascii() and len(code) < 64 else "refused")
        if status != 200:
            raise ProviderUnavailable(f"the token endpoint answered {status}")
        id_token, refresh_token, expires_in = (answer.get(k) for k in ("id_token", "refresh_token", "expires_in"))
        return Tokens(
            id_token if isinstance(id_token, str) else "",
            refresh_token if isinstance(refresh_token, str) else "",
            float(expires_in) if isinstance(expires_in, int | float) else None,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _discover(self) -> Endpoints:
        found = await self._fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise ProviderUnavailable("discovery is about another issuer than the configured one")
        try:
            return Endpoints(
                self.issuer,
                checked_url(found.get("authorization_endpoint")),
                checked_url(found.get("token_endpoint")),
                checked_url(found.get("jwks_uri")),
                checked_url(found["end_session_endpoint"]) if found.get("end_session_endpoint") else "",
            )
        except ValueError as error:
            raise ProviderUnavailable(f"discovery names an endpoint that is not {error}") from None

    async def _fetch_keys(self) -> KeySet:
        found = await self._fetch((await self.endpoints()).jwks)
        # One key of a kind that is not known here must not hide the others.
        listed = found.get("keys")
        usable = []
        for key in listed if isinstance(listed, list) else []:
            if not isinstance(key, dict) or key.get("use", "sig") != "sig" or key.get("kty") == "oct":
                continue
            try:
                usable.extend(KeySet.import_key_set({"keys": [key]}).keys)
            except (JoseError, ValueError, TypeError, KeyError):
                continue
        if not usable:
            raise ProviderUnavailable("the key set has no usable key")
        return KeySet(usable)

    async def _fetch(self, url: str) -> dict[str, Any]:
        if not self._breaker.allows():
            raise ProviderUnavailable("the circuit is open")
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_TransientError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.05, max=0.5),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    document = await self._got(url)
        except _TransientError as error:
            self._breaker.failed()
            raise ProviderUnavailable(str(error)) from None
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return document

    async def _got(self, url: str) -> dict[str, Any]:
        status, document = await self._document("GET", url)
        if status != 200:
            raise _TransientError(f"{urlsplit(url).path} answered {status}")
        return document

    async def _document(
        self, method: str, url: str, form: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout))
        path = urlsplit(url).path
        try:
            async with self._client.request(method, url, data=form, allow_redirects=False) as response:
                body = await response.content.read(MAX_DOCUMENT_BYTES + 1)
                while len(body) <= MAX_DOCUMENT_BYTES and not response.content.at_eof():
                    body += await response.content.read(MAX_DOCUMENT_BYTES + 1 - len(body))
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _TransientError(f"{path}: {type(error).__name__}") from None
        if len(body) > MAX_DOCUMENT_BYTES:
            raise _TransientError(f"{path}: the answer is too large")
        if status >= 500:
            return status, {}
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            if status == 200:
                raise _TransientError(f"{path}: the answer is not a JSON object")
            document = {}
        return status, document


async def _kept(memo: Memo[V], fetch: Callable[[], Awaitable[V]]) -> V:
    """Return what is kept. When it is old it is fetched anew in the background: nobody waits for a provider that is
    slow, or fails because it is down. Only what is not known, or too old to be used, is waited for."""
    last = memo.last("")
    if last is None or last[1] > USABLE_SECONDS:
        return (await memo.get("", 0.0, fetch))[0]
    if last[1] > REFRESH_SECONDS:
        memo.refresh("", fetch)
    return last[0]
