"""The one way into the handlers: every call of every transport is recognised, allowed, counted against its tenant's
limit and noted here."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from serving.access import audit, refusals
from serving.access.authorization import authorize
from serving.access.principal import Kind
from serving.access.rate_limits import Limit, RateLimits
from serving.access.tenancy import TENANT_ID, tenant_of_call
from serving.errors import Reason, ServingError
from serving.queries.memo import Memo
from serving.relational import users
from serving.relational.audit_log import Action
from serving.relational.database import RelationalStoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from google.protobuf.message import Message

    from serving.access.audit import AuditWriter
    from serving.access.authentication import Authentication
    from serving.access.principal import Principal
    from serving.access.settings import AccessSettings
    from serving.relational.database import Database
    from serving.relational.users import Tenant

T = TypeVar("T")

# How often a live stream is held against what its caller may see now.
RECHECK_SECONDS = 5.0
# A tenant's own limits change rarely.
LIMITS_FRESH_SECONDS = 30.0
# Refusals that say nothing about who wanted to see what, and come in floods.
UNNOTED = frozenset({Reason.RATE_LIMITED, Reason.IDENTITY_UNAVAILABLE, Reason.AUDIT_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that may be answered, about `tenant_id` only."""

    principal: Principal
    tenant_id: str
    action: Action
    method: str
    headers: Mapping[str, str]


class Gate:
    """Admits calls. Used from one event loop."""

    def __init__(
        self,
        settings: AccessSettings,
        authentication: Authentication,
        database: Database | None = None,
        audit_writer: AuditWriter | None = None,
    ) -> None:
        """Keep the parts. Without a writer nothing is noted."""
        self._settings = settings
        self._authentication = authentication
        self._database = database
        self._audit = audit_writer
        self._limits = RateLimits()
        self._tenants: Memo[Tenant | None] = Memo(10_000)

    async def admit(
        self, headers: Mapping[str, str], method: str, requested: str, action: Action = Action.READ
    ) -> Admission:
        """Admit a call of a method (full name) about the tenant that its request names. Header names are lower-case.

        Raises:
            ServingError: the caller is not known, may not do this, calls too often, or cannot be checked or noted now.
        """
        principal = await self._authentication.principal(headers)
        try:
            self._allow(principal, headers, method, requested, action)
            if principal.kind is not Kind.DEMO:
                self._limits.take(requested, await self._limit(requested))
            if self._audit is not None:
                self._audit.check_room()
        except ServingError as error:
            if self._audit is not None and error.reason not in UNNOTED and TENANT_ID.fullmatch(requested):
                self._audit.note(audit.entry(principal, requested, action, method, outcome=error.reason))
            raise
        return Admission(principal, requested, action, method, headers)

    async def note(
        self, admission: Admission, request: Message, response: Message | None = None, *, outcome: str = "OK"
    ) -> None:
        """Note how an admitted call ended; an export is noted before it is handed out. A change that was made is not
        noted here: its handler has done so in the transaction that made it.

        Raises:
            ServingError: an export could not be noted.
        """
        if self._audit is None or (admission.action is Action.CHANGE and outcome == "OK"):
            return
        entry = audit.entry(
            admission.principal,
            admission.tenant_id,
            admission.action,
            admission.method,
            request=request,
            response=response,
            outcome=outcome,
        )
        if admission.action is Action.EXPORT and outcome == "OK":
            await self._audit.write(entry)
        else:
            self._audit.note(entry)

    def note_end(self, admission: Admission, rows: int, outcome: str) -> None:
        """Note how an admitted live stream ended, and how many rows it showed."""
        if self._audit is not None:
            caller, tenant_id, method = admission.principal, admission.tenant_id, admission.method
            self._audit.note(audit.entry(caller, tenant_id, Action.STREAM, method, rows=rows, outcome=outcome))

    async def guarded(self, responses: AsyncIterator[T], admission: Admission) -> AsyncGenerator[T, None]:
        """Pass a live stream on for as long as its caller may see it.

        Raises:
            ServingError: UNAUTHENTICATED the moment the credentials expire or this server ends their session, and
                within seconds after they were revoked elsewhere; PERMISSION_DENIED when a role was withdrawn.
        """
        expires_at = admission.principal.expires_at
        recheck = time.monotonic() + RECHECK_SECONDS
        with self._authentication.open_streams.opened(self._authentication.session_of(admission.headers)) as stream:
            while not stream.ended:
                left = None if expires_at is None else expires_at - time.time()
                try:
                    async with asyncio.timeout(left) as stream.limit:
                        response = await anext(responses)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if stream.ended:
                        break
                    if admission.principal.expired():
                        raise refusals.credentials_expired() from None
                    raise
                finally:
                    stream.limit = None
                yield response
                if time.monotonic() >= recheck:
                    # The heartbeats of a stream make this happen when nothing else does.
                    expires_at = await self._still_allowed(admission)
                    recheck = time.monotonic() + RECHECK_SECONDS
            raise refusals.credentials_invalid()

    async def _still_allowed(self, admission: Admission) -> float | None:
        principal = await self._authentication.principal(admission.headers)
        self._allow(principal, admission.headers, admission.method, admission.tenant_id, admission.action)
        return principal.expires_at

    def _allow(
        self, principal: Principal, headers: Mapping[str, str], method: str, requested: str, action: Action
    ) -> None:
        if principal.kind is Kind.DEMO:
            tenant_of_call(requested, headers)
        else:
            authorize(principal, requested, method, export=action is Action.EXPORT)

    async def _limit(self, tenant_id: str) -> Limit:
        database, own = self._database, None
        if database is not None:
            try:
                own, _ = await self._tenants.get(
                    tenant_id,
                    LIMITS_FRESH_SECONDS,
                    lambda: database.run(lambda connection: users.tenant(connection, tenant_id)),
                )
            except RelationalStoreUnavailable:
                last = self._tenants.last(tenant_id)
                own = last[0] if last else None
        return Limit(
            (own and own.calls_per_second) or self._settings.calls_per_second,
            (own and own.burst) or self._settings.burst,
        )
