"""The errors a client may see: a gRPC code, a stable reason, and a message that says what to do.

Whatever else goes wrong reaches the client as INTERNAL with an identifier to look up in the log: no SQL, no stack,
nobody else's data.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped] # ships no types

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

DOMAIN = "tributary"
"""`ErrorInfo.domain` of every reason below."""

STATUS_DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata that carries `google.rpc.Status`, as gRPC libraries expect it."""


class Reason(StrEnum):
    """Stable reasons (`ErrorInfo.reason`). A client may decide by them; they never change their meaning."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"  # noqa: S105 - a reason, not a secret
    INVALID_RESUME_CURSOR = "INVALID_RESUME_CURSOR"
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    CREDENTIALS_INVALID = "CREDENTIALS_INVALID"
    CREDENTIALS_EXPIRED = "CREDENTIALS_EXPIRED"
    TENANT_MISMATCH = "TENANT_MISMATCH"
    PERMISSION_MISSING = "PERMISSION_MISSING"
    MFA_REQUIRED = "MFA_REQUIRED"
    CROSS_SITE = "CROSS_SITE"
    RATE_LIMITED = "RATE_LIMITED"
    IDENTITY_UNAVAILABLE = "IDENTITY_UNAVAILABLE"
    AUDIT_UNAVAILABLE = "AUDIT_UNAVAILABLE"
    CONVERSION_NOT_FOUND = "CONVERSION_NOT_FOUND"
    JOURNEY_NOT_FOUND = "JOURNEY_NOT_FOUND"
    EVENT_NOT_FOUND = "EVENT_NOT_FOUND"
    DASHBOARD_NOT_FOUND = "DASHBOARD_NOT_FOUND"
    DASHBOARD_VERSION_NOT_FOUND = "DASHBOARD_VERSION_NOT_FOUND"
    DASHBOARD_NOT_OWNED = "DASHBOARD_NOT_OWNED"
    DASHBOARD_CONFLICT = "DASHBOARD_CONFLICT"
    TOO_MANY_DASHBOARDS = "TOO_MANY_DASHBOARDS"
    RELATIONAL_STORE_MISSING = "RELATIONAL_STORE_MISSING"
    RELATIONAL_STORE_UNAVAILABLE = "RELATIONAL_STORE_UNAVAILABLE"
    CLIENT_GONE = "CLIENT_GONE"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    ANSWER_TOO_LARGE = "ANSWER_TOO_LARGE"
    TOO_MANY_CALLS = "TOO_MANY_CALLS"
    TOO_MANY_STREAMS = "TOO_MANY_STREAMS"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    HISTORY_UNAVAILABLE = "HISTORY_UNAVAILABLE"
    STORES_UNAVAILABLE = "STORES_UNAVAILABLE"
    DRAINING = "DRAINING"
    INTERNAL = "INTERNAL"


class ServingError(Exception):
    """An error that is meant for the client.

    `violations` are (path of the field, what is wrong with it); `retry_after_seconds` tells when trying again makes
    sense.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: Reason,
        message: str,
        *,
        violations: Sequence[tuple[str, str]] = (),
        retry_after_seconds: float | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        """Keep the parts; `message` is shown to the client as it is."""
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = metadata or {}

    def details(self) -> list[Message]:
        """Return the details beside code and message: ErrorInfo and, where they apply, BadRequest and RetryInfo."""
        details: list[Message] = [
            error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        ]
        if self.violations:
            violation = error_details_pb2.BadRequest.FieldViolation
            details.append(
                error_details_pb2.BadRequest(
                    field_violations=[violation(field=field, description=problem) for field, problem in self.violations]
                )
            )
        if self.retry_after_seconds is not None:
            delay = Duration()
            delay.FromMilliseconds(round(self.retry_after_seconds * 1000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        return details


def invalid(field: str, problem: str, reason: Reason = Reason.INVALID_ARGUMENT) -> ServingError:
    """Return the error for one wrong field of a request."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, reason, f"{field}: {problem}", violations=[(field, problem)])


def unavailable(reason: Reason, message: str, retry_after_seconds: float) -> ServingError:
    """Return the error for an answer that cannot be given now."""
    return ServingError(grpc.StatusCode.UNAVAILABLE, reason, message, retry_after_seconds=retry_after_seconds)


def to_status(error: ServingError) -> status_pb2.Status:
    """Return the error as `google.rpc.Status` with its details."""
    status = status_pb2.Status(code=error.code.value[0], message=error.message)
    for detail in error.details():
        status.details.add().Pack(detail)
    return status
