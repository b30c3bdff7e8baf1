"""ClickHouse's HTTP interface over the engine: a thread per connection, because the engine's calls block and release the interpreter."""

from __future__ import annotations

import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.clickhouse.body import RequestBody
from local.clickhouse.compression import decompressed
from local.clickhouse.errors import ClickHouseError, ErrorCode
from local.clickhouse.execution import execute
from local.clickhouse.request import Request
from local.clickhouse.response import Response
from local.clickhouse.running import RunningStatements

if TYPE_CHECKING:
    from local.clickhouse.engine import Engine

log = logging.getLogger(__name__)
# clickhouse-connect drops a pooled connection after ten minutes: the front waits longer, so that it is never the one that closes a
# connection on which a request is just being sent.
IDLE_SECONDS = 900
# A burst of clients connects faster than threads start; the default of five would refuse them.
_BACKLOG = 1024
# Statements get this long to end by themselves when the front is told to stop.
_DRAIN_SECONDS = 10.0
_KILL_SECONDS = 5.0


class ClickHouseFront(ThreadingHTTPServer):
    """The listening server of one engine."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = _BACKLOG

    def __init__(self, address: tuple[str, int], engine: Engine) -> None:
        """Bind and listen; raises OSError when the port is taken."""
        super().__init__(address, _Handler)
        self.engine = engine
        self.running = RunningStatements(engine.kill)
        self.common_headers = {
            "X-ClickHouse-Server-Display-Name": "tributary-local",
            "X-ClickHouse-Timezone": engine.timezone,
            "Server": f"ClickHouse/{engine.version} (chDB)",
        }

    def stop(self) -> None:
        """Let statements end, cancel those that do not, and close the engine. Called after `serve_forever` has returned."""
        self.server_close()
        if not self.running.drain(_DRAIN_SECONDS):
            self.running.kill_all()
            self.running.drain(_KILL_SECONDS)
        self.engine.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Log a fault of a connection without its trace: clients come and go."""
        log.debug("connection of %s ended", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One client connection."""

    server: ClickHouseFront
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        """Answer a probe, or run a statement that only reads."""
        path = urlsplit(self.path).path
        if path in {"/ping", "/replicas_status"}:
            self._text(HTTPStatus.OK, "Ok.\n")
        elif path in {"", "/"}:
            self._statement()
        else:
            self._text(
                HTTPStatus.NOT_FOUND,
                f"There is no handle {path}\n\nUse / or /ping for health checks.\nSend queries from your program with POST method or GET /?query=...\n",
            )

    def do_POST(self) -> None:
        """Run a statement."""
        if urlsplit(self.path).path in {"", "/"}:
            self._statement()
        else:
            self.close_connection = True
            self._text(HTTPStatus.NOT_FOUND, f"There is no handle {self.path}\n")

    def head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        """Send the status line and the headers (they leave with the first bytes of the body)."""
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        for name, value in (self.server.common_headers | headers).items():
            self.send_header(name, value)
        self.send_header("Connection", "close" if self.close_connection else "Keep-Alive")
        self.end_headers()

    def write(self, data: bytes) -> None:
        """Send bytes of the body."""
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log at debug level: a line per request would drown the rest."""
        log.debug(format, *args)

    def _statement(self) -> None:
        body: RequestBody | None = None
        response = Response(self)
        try:
            body = RequestBody(self.rfile, self.headers)
            request = Request.read(self.command, self.path, self.headers)
            response.describe(request.query_id, request.accept_encoding)
            with self.server.running.admitted(
                request.query_id, self.connection, cancel_on_disconnect=request.cancel_on_disconnect
            ):
                execute(
                    self.server.engine,
                    request,
                    decompressed(body.chunks(), self.headers.get("Content-Encoding", "")),
                    response,
                )
        except ClickHouseError as error:
            self._fail(error, body, response)
        except OSError as error:
            log.debug("the client of a statement has gone: %s", error)
            self.close_connection = True
        except Exception as error:  # noqa: BLE001 - a fault of the front is an answer with a code, not a dead connection
            log.exception("a statement failed inside the front")
            self._fail(
                ClickHouseError.of(ErrorCode.STD_EXCEPTION, f"{type(error).__name__} in the HTTP front"), body, response
            )
        else:
            body.drain()
            self.close_connection = self.close_connection or not body.whole

    def _fail(self, error: ClickHouseError, body: RequestBody | None, response: Response) -> None:
        if response.started:
            self.close_connection = True
            return
        # A client that is still sending would meet a closed connection instead of the answer.
        if body is not None:
            body.drain()
        if body is None or not body.whole:
            self.close_connection = True
        try:
            response.fail(error)
        except OSError:
            self.close_connection = True

    def _text(self, status: HTTPStatus, text: str) -> None:
        data = text.encode()
        self.head(status, {"Content-Type": "text/html; charset=UTF-8", "Content-Length": str(len(data))})
        self.write(data)
