"""The HTTP port: services for browsers, the web app, metrics for Prometheus, and health for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from serving.transports.connect_services import ConnectServices
from serving.transports.rest import Rest
from serving.transports.rest_dashboards import RestDashboards
from serving.transports.web_app import WebApp, no_such_path

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client import CollectorRegistry
    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving.access.assembly import Access
    from serving.live.hub import LiveHub
    from serving.observability.store_health import StoreHealth
    from serving.transports.dispatch import Dispatch


def application(
    dispatch: Dispatch,
    access: Access,
    registry: CollectorRegistry,
    health: StoreHealth,
    hub: LiveHub,
    *,
    web_folder: Path,
    max_request_bytes: int,
) -> Starlette:
    """Return the application of the port."""
    services = ConnectServices(dispatch, max_request_bytes)
    routes: list[BaseRoute] = [
        *_operation(access, registry, health, hub),
        *access.sign_in.routes(),
        *(Mount(f"/{service.descriptor.full_name}", services) for service in dispatch.services),
        *Rest(dispatch, max_request_bytes).routes(),
        *RestDashboards(dispatch, max_request_bytes).routes(),
        Route("/tributary.{rest:path}", no_such_path),
        Route("/api/{rest:path}", no_such_path),
        Route("/auth/{rest:path}", no_such_path),
        Mount("/", WebApp(web_folder)),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(SecurityHeaders)])
    # A path is what it is: a redirect to one with a slash would lose the body of a call.
    app.router.redirect_slashes = False
    return app


def _operation(access: Access, registry: CollectorRegistry, health: StoreHealth, hub: LiveHub) -> list[BaseRoute]:
    def metrics(_: Request) -> Response:
        # Not async: it is made in a thread, so that a large registry does not hold up calls.
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        ready = health.ready and not hub.closing.is_set()
        parts = {
            "ready": ready,
            "history": health.history_up,
            "hot_store": health.hot_store_up,
            "draining": hub.closing.is_set(),
        }
        return JSONResponse(parts, status_code=200 if ready else 503)

    return [Route("/metrics", access.operators_only(metrics)), Route("/healthz", healthz), Route("/readyz", readyz)]


class SecurityHeaders:
    """Adds to every response what keeps browsers from guessing types, telling other sites where a user was, and caching
    what was not said to be cacheable."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
                headers["cross-origin-opener-policy"] = "same-origin"
                headers["cross-origin-resource-policy"] = "same-origin"
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)
