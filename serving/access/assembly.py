"""The parts of access, put together from the options."""

from __future__ import annotations

import asyncio
import hmac
import logging
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

from serving.access import audit
from serving.access.audit import AuditWriter
from serving.access.authentication import Authentication
from serving.access.browser_sessions import BrowserSessions
from serving.access.gate import Gate
from serving.access.oidc_provider import OidcProvider
from serving.access.principal import Kind, Principal
from serving.access.session_cookie import Seal
from serving.access.sign_in import SignIn
from serving.relational.audit_log import Action
from serving.relational.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from serving.access.settings import AccessSettings

log = logging.getLogger(__name__)


class Access:
    """Everything about who may call. `start`, `run`, then `close`."""

    def __init__(self, settings: AccessSettings) -> None:
        """Put the parts together; nothing is connected yet."""
        self.settings = settings
        oidc = settings.oidc
        self.database = (
            Database(settings.relational_url, settings.relational_password) if settings.relational_url else None
        )
        self.provider = OidcProvider(oidc.issuer) if oidc else None
        seal = Seal(oidc.session_secret) if oidc and oidc.client_id else None
        self.authentication = Authentication(settings, self.database, self.provider, seal)
        self._audit = AuditWriter(self.database, self.authentication.used_keys) if self.database else None
        self.gate = Gate(settings, self.authentication, self.database, self._audit)
        sessions = None
        if oidc and self.database and self.provider and seal:
            sessions = BrowserSessions(oidc, self.database, self.provider, seal, self.authentication)
        self.sign_in = SignIn(self.authentication, sessions, oidc, self._note_sign_in)

    async def start(self) -> None:
        """Bring the relational schema up to date. Raises SQLAlchemyError or alembic.util.CommandError."""
        if self.database is not None:
            await asyncio.to_thread(self.database.migrate)

    async def run(self) -> None:
        """Write the audit log until cancelled."""
        if self._audit is not None:
            await self._audit.run()

    async def close(self) -> None:
        """Write what waits for the audit log, and close the connections."""
        if self._audit is not None and not await self._audit.flush():
            log.error("the audit log could not be written to its end")
        if self.provider is not None:
            await self.provider.close()
        if self.database is not None:
            self.database.close()

    def operators_only(self, handle: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """Return a handler that asks for the operators' token wherever callers are authenticated.

        It is for what shows figures of all tenants together, which no tenant's caller may see.
        """

        def guarded(request: Request) -> Response:
            token = self.settings.operator_token.encode()
            given = request.headers.get("authorization", "").encode()
            if self.settings.authenticated and not (token and hmac.compare_digest(given, b"Bearer " + token)):
                return PlainTextResponse("for operators\n", 401, {"www-authenticate": "Bearer"})
            return handle(request)

        return guarded

    def _note_sign_in(self, user_id: str, what: str) -> None:
        if self._audit is not None:
            self._audit.note(audit.entry(Principal(kind=Kind.USER, id=user_id), "", Action.SIGN_IN, what))
