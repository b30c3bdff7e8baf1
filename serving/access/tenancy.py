"""Which tenant a call may see.

There is no authentication yet: the caller names the tenant in the request. Whoever runs serving behind a proxy that
knows the caller lets the proxy set `x-tenant-id`, and then the two must agree. Replacing `tenant_of_call` is all
that authentication needs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import grpc

from serving.errors import Reason, ServingError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

TENANT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""The pattern of a tenant id, as the pipeline accepts it. It holds no character with a meaning in a Redis pattern
or a key."""

METADATA_KEY = "x-tenant-id"


def tenant_of_call(requested: str, metadata: Mapping[str, str]) -> str:
    """Return the tenant that a call is answered for; `metadata` has lower-case keys.

    Raises:
        ServingError: the tenant id is missing or malformed, or the caller's metadata names another tenant.
    """
    if not TENANT_ID.fullmatch(requested):
        raise invalid("tenant_id", "must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    claimed = metadata.get(METADATA_KEY)
    if claimed is not None and claimed != requested:
        raise ServingError(
            grpc.StatusCode.PERMISSION_DENIED,
            Reason.TENANT_MISMATCH,
            "the caller may not see the tenant that the request names",
        )
    return requested
