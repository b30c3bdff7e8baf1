"""The HTTP port: metrics for Prometheus, and health for whoever runs the process."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Generator

    from prometheus_client import CollectorRegistry
    from starlette.requests import Request

    from serving.live.hub import LiveHub
    from serving.observability.store_health import StoreHealth


def application(registry: CollectorRegistry, health: StoreHealth, hub: LiveHub) -> Starlette:
    """Return the application of the port."""

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

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)])


class HttpServer(uvicorn.Server):
    """A server whose signals are handled by the process, not by itself. `serve` runs until `should_exit` is set."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        """Take the port; raises OSError when it is taken."""
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            # From here on clients may connect; they are answered once `run_until_stopped` runs.
            self._socket.listen()
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    async def run_until_stopped(self) -> None:
        """Answer until `should_exit` is set."""
        await self.serve(sockets=[self._socket])

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield
