"""The paths under `/auth`, by which browsers sign in and out and ask who they are."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from grpc import StatusCode
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from serving.access.authentication import cookies
from serving.access.cross_site import refuse_cross_site
from serving.access.principal import Kind
from serving.access.session_cookie import CookieNames
from serving.errors import ServingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from serving.access.authentication import Authentication
    from serving.access.browser_sessions import BrowserSessions
    from serving.access.principal import Principal
    from serving.access.settings import OidcSettings

log = logging.getLogger(__name__)

HTTP_STATUS = {
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.UNAVAILABLE: 503,
}
# Longer paths than any page of the web app has are somebody's attempt.
MAX_RETURN_CHARACTERS = 512
# A token has at most 16 KiB.
MAX_FORM_BYTES = 32 * 1024
NOT_STORED = {"cache-control": "no-store"}


class SignIn:
    """Answers `/auth/login`, `/auth/callback`, `/auth/logout`, `/auth/session` and, for the provider,
    `/auth/backchannel-logout`."""

    def __init__(
        self,
        authentication: Authentication,
        browser_sessions: BrowserSessions | None,
        settings: OidcSettings | None,
        note_sign_in: Callable[[str, str], None],
    ) -> None:
        """Keep the parts. Without `browser_sessions` nobody can sign in; `/auth/session` says who a call comes from.

        `note_sign_in` is given the user id and what was done, for the audit log.
        """
        self._authentication = authentication
        self._sessions = browser_sessions
        self._settings = settings
        self._note = note_sign_in
        self._secure = settings is not None and settings.secure
        self._names = CookieNames.of(secure=self._secure)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/auth/session", _answered(self.session), methods=["GET"]),
            Route("/auth/login", _answered(self.login), methods=["GET"]),
            Route("/auth/callback", _answered(self.callback), methods=["GET"]),
            Route("/auth/logout", _answered(self.logout), methods=["POST"]),
            Route("/auth/backchannel-logout", self.backchannel_logout, methods=["POST"]),
        ]

    async def session(self, request: Request) -> Response:
        """Say who is signed in and what they may do, having renewed a session that is about to end."""
        held = self._authentication.session_of(request.headers)
        if held is not None and self._sessions is not None and self._settings is not None:
            refuse_cross_site(request.headers, self._settings.public_url)
            await self._sessions.renew(held)
        return JSONResponse(_described(await self._authentication.principal(request.headers)))

    async def login(self, request: Request) -> Response:
        """Send the browser to the provider; `return_to` is the path to come back to."""
        if self._sessions is None:
            return _no_sign_in()
        page, state = await self._sessions.begin_sign_in(_own_path(request.query_params.get("return_to", "/")))
        response = RedirectResponse(page, 303)
        self._set(response, self._names.sign_in, state)
        return response

    async def callback(self, request: Request) -> Response:
        """Take the provider's answer, begin a session and send the browser on."""
        if self._sessions is None:
            return _no_sign_in()
        state = cookies(request.headers).get(self._names.sign_in, "")
        session, return_to, user_id = await self._sessions.finish_sign_in(request.query_params, state)
        self._note(user_id, "auth.login")
        response = RedirectResponse(return_to, 303)
        self._set(response, self._names.session, session)
        self._forget(response, self._names.sign_in)
        return response

    async def logout(self, request: Request) -> Response:
        """End the session; `sign_out_url` is the provider's page that ends the one there."""
        if self._sessions is None or self._settings is None:
            return _no_sign_in()
        refuse_cross_site(request.headers, self._settings.public_url)
        page = ""
        held = self._authentication.session_of(request.headers)
        if held is not None:
            page = await self._sessions.end(held)
        response = JSONResponse({"sign_out_url": page})
        self._forget(response, self._names.session)
        return response

    async def backchannel_logout(self, request: Request) -> Response:
        """End the sessions that the provider says have ended. Its answers are those of Back-Channel Logout 1.0, 2.8:
        200, or 400 also when it is not the provider's fault."""
        error = "invalid_request"
        try:
            token = await _form_value(request, "logout_token")
            if self._sessions is not None and token:
                for user_id in await self._sessions.end_by_provider(token):
                    self._note(user_id, "auth.backchannel_logout")
                return Response(status_code=200, headers=NOT_STORED)
        except ServingError as refused:
            if refused.code is StatusCode.UNAVAILABLE:
                error = "temporarily_unavailable"
        return JSONResponse({"error": error}, 400, headers=NOT_STORED)

    def _set(self, response: Response, name: str, value: str) -> None:
        # Lax: the provider's answer is a navigation from another site. Without an age they end with the browser.
        response.set_cookie(name, value, path="/", httponly=True, samesite="lax", secure=self._secure)

    def _forget(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=self._secure)


async def _form_value(request: Request, name: str) -> str:
    """Return the one value of a field of a form, empty when there is none, or several, or the form is too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return ""
    if kind != "application/x-www-form-urlencoded" or not body.isascii():
        return ""
    values = parse_qs(body.decode()).get(name, [])
    return values[0] if len(values) == 1 else ""


def _answered(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler whose refusals are JSON, as everywhere on this port."""

    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except ServingError as error:
            body = {"code": error.code.name, "reason": error.reason, "message": error.message}
            headers = {} if error.retry_after_seconds is None else {"retry-after": f"{error.retry_after_seconds:.0f}"}
            return JSONResponse(body, HTTP_STATUS[error.code], headers)

    return answer


def _described(principal: Principal) -> dict[str, Any]:
    return {
        "kind": principal.kind,
        "id": principal.id,
        # The demo user may see every tenant: there is no list of them.
        "all_tenants": principal.kind is Kind.DEMO,
        "tenants": {
            tenant_id: {
                "roles": sorted(principal.roles(tenant_id)),
                "permissions": sorted(principal.permissions(tenant_id)),
                "mfa_required": principal.lacks_mfa(tenant_id),
            }
            for tenant_id in sorted(principal.tenant_ids)
        },
        "mfa": principal.mfa,
        "expires_at": principal.expires_at,
    }


def _own_path(path: str) -> str:
    """Return a path of this server; what could lead elsewhere becomes the start page."""
    harmless = path.startswith("/") and not path.startswith("//") and len(path) <= MAX_RETURN_CHARACTERS
    return path if harmless and "\\" not in path and path.isprintable() and path.isascii() else "/"


def _no_sign_in() -> Response:
    return JSONResponse({"code": "NOT_FOUND", "message": "this server has no sign-in for browsers"}, 404)
