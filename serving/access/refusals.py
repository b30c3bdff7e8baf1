"""The refusals of access, each with its code and reason. Messages tell a caller what to do, never what exists."""

from __future__ import annotations

from grpc import StatusCode

from serving.errors import Reason, ServingError


def credentials_missing() -> ServingError:
    """The call has no credentials."""
    return ServingError(
        StatusCode.UNAUTHENTICATED,
        Reason.CREDENTIALS_MISSING,
        "sign in, or send a token or service key as `authorization: Bearer …`",
    )


def credentials_invalid() -> ServingError:
    """The credentials are malformed, unknown, revoked or not for this server. Which, is in the log only."""
    return ServingError(StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_INVALID, "the credentials are not valid")


def credentials_expired() -> ServingError:
    """The credentials were valid once."""
    return ServingError(
        StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_EXPIRED, "the credentials have expired: renew them"
    )


def tenant_mismatch() -> ServingError:
    """The caller has no role at the tenant. The same whether or not the tenant exists."""
    return ServingError(
        StatusCode.PERMISSION_DENIED,
        Reason.TENANT_MISMATCH,
        "the caller may not see the tenant that the request names",
    )


def permission_missing(needed: str) -> ServingError:
    """The caller's roles at the tenant do not permit it."""
    return ServingError(
        StatusCode.PERMISSION_DENIED,
        Reason.PERMISSION_MISSING,
        "the caller's roles do not permit this",
        metadata={"needed": needed},
    )


def mfa_required() -> ServingError:
    """A role of the caller needs a second factor."""
    return ServingError(
        StatusCode.PERMISSION_DENIED, Reason.MFA_REQUIRED, "the caller's role needs a sign-in with a second factor"
    )


def cross_site() -> ServingError:
    """A page of another site made the browser send the call."""
    return ServingError(
        StatusCode.PERMISSION_DENIED, Reason.CROSS_SITE, "a signed-in browser may call from the server's own pages only"
    )


def rate_limited(retry_after_seconds: float) -> ServingError:
    """The tenant calls more often than it may."""
    return ServingError(
        StatusCode.RESOURCE_EXHAUSTED,
        Reason.RATE_LIMITED,
        "the tenant's calls come faster than its limit",
        retry_after_seconds=retry_after_seconds,
    )


def identity_unavailable(retry_after_seconds: float = 2.0) -> ServingError:
    """Credentials cannot be checked now: the identity provider or the relational store does not answer."""
    return ServingError(
        StatusCode.UNAVAILABLE,
        Reason.IDENTITY_UNAVAILABLE,
        "credentials cannot be checked at the moment",
        retry_after_seconds=retry_after_seconds,
    )


def audit_unavailable(retry_after_seconds: float = 2.0) -> ServingError:
    """What the caller would see cannot be noted in the audit log now, so it is not shown."""
    return ServingError(
        StatusCode.UNAVAILABLE,
        Reason.AUDIT_UNAVAILABLE,
        "the access cannot be recorded at the moment",
        retry_after_seconds=retry_after_seconds,
    )
