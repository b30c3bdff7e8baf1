"""Logout tokens: how the provider says that a session there has ended (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.access import refusals
from serving.access.tokens import VerifiedToken, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.access.oidc_provider import OidcProvider

EVENT = "http://schemas.openid.net/event/backchannel-logout"
"""The member of `events` by which a logout token is known (section 2.4)."""
# Of the header `typ`: providers should write the first; older ones write what every JWT may have, or nothing.
TYPES = frozenset({"logout+jwt", "application/logout+jwt", "jwt", ""})


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """What has ended: the provider's session `session_id`, or, when that is empty, all sessions of `subject`.

    `token_id` is accepted once; `expires_at` is in seconds since the epoch, with the leeway.
    """

    subject: str
    session_id: str
    token_id: str
    expires_at: float


def is_logout(claims: Mapping[str, Any]) -> bool:
    """Tell whether claims are those of a logout token, which is no proof of who somebody is."""
    events = claims.get("events")
    return isinstance(events, dict) and EVENT in events


async def read_logout_token(token: str, provider: OidcProvider, client_id: str) -> LogoutToken:
    """Return what a logout token says, if it is the provider's, for this client and good now (section 2.6).

    Raises:
        ServingError: it is not, or has expired, or the provider's keys are not known.
    """
    verified = await verify(token, provider, client_id, subject_needed=False)
    session_id = verified.claims.get("sid", "")
    if not (_well_formed(verified) and isinstance(session_id, str) and (verified.subject or session_id)):
        raise refusals.credentials_invalid()
    return LogoutToken(verified.subject, session_id, verified.token_id, verified.expires_at)


def _well_formed(token: VerifiedToken) -> bool:
    events = token.claims.get("events")
    return (
        token.type in TYPES
        and bool(token.token_id)
        and isinstance(events, dict)
        and isinstance(events.get(EVENT), dict)
        # An ID token that was asked for with a nonce can never pass for one of these.
        and "nonce" not in token.claims
    )
