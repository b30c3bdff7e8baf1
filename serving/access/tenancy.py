"""Which tenant a call may see when nobody is asked to sign in.

A proxy in front of serving that knows the caller may set `x-tenant-id`; it and the request must agree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from serving.access import refusals
from serving.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

TENANT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""The pattern of a tenant id, as the pipeline accepts it. It holds no character with a meaning in a Redis pattern
or a key."""

METADATA_KEY = "x-tenant-id"


def check_tenant_id(tenant_id: str) -> None:
    """Raise ServingError when the tenant id of a request is missing or malformed."""
    if not TENANT_ID.fullmatch(tenant_id):
        raise invalid("tenant_id", "must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")


def tenant_of_call(requested: str, metadata: Mapping[str, str]) -> str:
    """Return the tenant that a call is answered for; `metadata` has lower-case keys.

    Raises:
        ServingError: the tenant id is missing or malformed, or the caller's metadata names another tenant.
    """
    check_tenant_id(requested)
    claimed = metadata.get(METADATA_KEY)
    if claimed is not None and claimed != requested:
        raise refusals.tenant_mismatch()
    return requested
