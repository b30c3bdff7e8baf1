"""Signed tokens (RFC 7519): who issued them, for whom, and whether they are still good."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.util import urlsafe_b64decode

from serving.access import refusals
from serving.access.oidc_provider import ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.access.oidc_provider import OidcProvider

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA")
"""Algorithms that are accepted: those with a public key. A shared secret as key, or none, is not."""
MAX_TOKEN_BYTES = 16 * 1024
# Clocks of provider and server may differ this much.
LEEWAY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token whose signature, issuer, audience and times are good. `issued_at`, `expires_at`: seconds since the epoch;
    `expires_at` holds the leeway. `type` is `typ` of its header in lower case, empty without one."""

    type: str
    subject: str
    token_id: str
    issued_at: float
    expires_at: float
    claims: Mapping[str, Any]


async def verify(
    token: str, provider: OidcProvider, audience: str, *, nonce: str | None = None, subject_needed: bool = True
) -> VerifiedToken:
    """Return what a token says, if it is the provider's, for this audience and good now.

    `nonce` is demanded of the ID token of a sign-in. Without `subject_needed` the subject may be missing, and is empty.

    Raises:
        ServingError: invalid, expired, or the provider's keys are not known.
    """
    key_id = _key_id(token)
    try:
        keys = await provider.keys(key_id)
    except ProviderUnavailable:
        raise refusals.identity_unavailable() from None
    expected: dict[str, Any] = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": audience},
        "sub": {"essential": subject_needed},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }
    if nonce is not None:
        expected["nonce"] = {"essential": True, "value": nonce}
    try:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
        jwt.JWTClaimsRegistry(now=int(time.time()), leeway=LEEWAY_SECONDS, **expected).validate(decoded.claims)
        return _verified(decoded.header, decoded.claims, subject_needed=subject_needed)
    except ExpiredTokenError:
        raise refusals.credentials_expired() from None
    except (JoseError, ValueError, TypeError, KeyError):
        # The library's message may quote the token.
        raise refusals.credentials_invalid() from None


def _verified(header: Mapping[str, Any], claims: Mapping[str, Any], *, subject_needed: bool) -> VerifiedToken:
    kind, subject, token_id = header.get("typ", ""), claims.get("sub", ""), claims.get("jti", "")
    if not all(isinstance(text, str) for text in (kind, subject, token_id)) or (subject_needed and not subject):
        raise ValueError("type, subject and token id must be strings")
    expires_at = float(claims["exp"]) + LEEWAY_SECONDS
    return VerifiedToken(kind.lower(), subject, token_id, float(claims["iat"]), expires_at, claims)


def _key_id(token: str) -> str | None:
    """Return the key id of a token's header; raises ServingError when it has none that can be read."""
    if len(token) > MAX_TOKEN_BYTES or token.count(".") != 2:
        raise refusals.credentials_invalid()
    try:
        header = orjson.loads(urlsafe_b64decode(token.partition(".")[0].encode()))
        algorithm, key_id = header["alg"], header.get("kid")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise refusals.credentials_invalid() from None
    if algorithm not in ALGORITHMS or not (key_id is None or isinstance(key_id, str)):
        raise refusals.credentials_invalid()
    return key_id
