"""The HTTP server, whose signals and sockets the process handles."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator

    from starlette.types import ASGIApp

# Largest WebSocket message of a client: requests are small.
MAX_WEBSOCKET_BYTES = 64 * 1024


class HttpServer(uvicorn.Server):
    """A server whose signals are handled by the process, not by itself. `serve` runs until `should_exit` is set, and
    then lets calls go on for at most `drain_seconds`."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, drain_seconds: float, tls: ssl.SSLContext | None = None
    ) -> None:
        """Take the port; raises OSError when it is taken."""
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                ssl_context_factory=(lambda _config, _default: tls) if tls else None,
                ws_max_size=MAX_WEBSOCKET_BYTES,
                # Each connection would keep a quarter of a megabyte for it, and compress what all are sent by itself.
                ws_per_message_deflate=False,
                # uvicorn waits for ever when this is 0.
                timeout_graceful_shutdown=max(1, round(drain_seconds)),
            )
        )
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
