"""ClickHouse's HTTP interface over the engine.

A thread per connection, because the engine's calls block, and release the interpreter's lock while they do.
"""

from __future__ import annotations

import logging
import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.clickhouse.body import RequestBody
from local.clickhouse.errors import ClickHouseError, ErrorCode
from local.clickhouse.execution import execute
from local.clickhouse.request import Request
from local.clickhouse.response import Response
from local.clickhouse.running import RunningStatements
from local.clickhouse.sessions import Sessions

if TYPE_CHECKING:
    from local.clickhouse.engine import Engine

log = logging.getLogger(__name__)
# clickhouse-connect drops a pooled connection after ten minutes. The front waits longer, so that it never closes a
# connection on which a request is just being sent.
IDLE_SECONDS = 900
# A burst of clients connects faster than threads start; the default of five would refuse them.
_BACKLOG = 1024
# Statements get this long to end by themselves when the front is told to stop, and this long to end when cancelled.
_DRAIN_SECONDS = 10.0
_KILL_SECONDS = 5.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_HANDLE = "There is no handle {path}\n\nUse / or /ping for health checks.\nSend queries to / with method POST.\n"


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
        self.sessions = Sessions(engine)
        self.common_headers = {
            "Server": f"ClickHouse/{engine.version} (chDB)",
            "X-ClickHouse-Server-Display-Name": "tributary-local",
            "X-ClickHouse-Timezone": engine.timezone,
        }

    def stop(self) -> None:
        """Let statements end, cancel those that do not, close the engine. Called after `serve_forever` has returned."""
        self.server_close()
        if not self.running.drain(_DRAIN_SECONDS):
            self.running.kill_all()
            if not self.running.drain(_KILL_SECONDS):
                log.warning("some statements did not end; their clients get no answer")
                return
        self.sessions.close()
        self.engine.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Log a broken connection in one line: clients come and go."""
        log.debug("connection of %s broke: %s", client_address, sys.exception())


class _Handler(BaseHTTPRequestHandler):
    """One client connection."""

    server: ClickHouseFront
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    timeout = IDLE_SECONDS
    _chunked = False

    def do_GET(self) -> None:
        """Answer a probe, or run a statement that only reads."""
        if urlsplit(self.path).path in {"/ping", "/replicas_status"}:
            self._text(HTTPStatus.OK, "Ok.\n")
        else:
            self._answer()

    def do_POST(self) -> None:
        """Run a statement."""
        self._answer()

    def head(self, status: HTTPStatus, headers: dict[str, str], length: int | None) -> None:
        """Send the status line and the headers; they leave with the first bytes of the body."""
        self._chunked = length is None and self.request_version != "HTTP/1.0"
        if length is not None:
            headers = headers | {"Content-Length": str(length)}
        elif self._chunked:
            headers = headers | {"Transfer-Encoding": "chunked"}
        else:
            self.close_connection = True
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        for name, value in (self.server.common_headers | headers).items():
            # As bytes of UTF-8; a value that a client chose must not begin another header.
            self.send_header(name, _CONTROL.sub("?", value).encode("utf-8", errors="replace").decode("latin-1"))
        self.send_header("Connection", "close" if self.close_connection else "Keep-Alive")
        self.end_headers()

    def write(self, data: bytes) -> None:
        """Send bytes of the body."""
        if not data:
            return
        if not self._chunked:
            self.wfile.write(data)
            return
        self.wfile.write(b"%x\r\n" % len(data))
        self.wfile.write(data)
        self.wfile.write(b"\r\n")

    def end(self) -> None:
        """Say that the body is whole."""
        if self._chunked:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log at debug level: a line per request would drown the rest."""
        log.debug(format, *args)

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        if path in {"", "/"}:
            self._run_statement()
            return
        # Its body stays unread.
        self.close_connection = self.close_connection or self.command != "GET"
        self._text(HTTPStatus.NOT_FOUND, _NO_HANDLE.format(path=path))

    def _run_statement(self) -> None:
        server = self.server
        body: RequestBody | None = None
        response = Response(self)
        try:
            body = RequestBody(self.rfile, self.headers)
            request = Request.read(self.command, self.path, self.headers)
            response.describe(request.query_id, request.accept_encoding)
            with server.running.admitted(request.query_id, self.connection) as running:
                execute(server.engine, server.sessions, running, request, body.chunks(), response)
            body.drain()
            self.close_connection = self.close_connection or not body.whole
            response.finish()
        except ClickHouseError as error:
            self._fail(error, body, response)
        except OSError as error:
            log.debug("the client of a statement has gone: %s", error)
            self.close_connection = True
        except Exception as error:
            log.exception("a statement failed inside the front")
            reason = f"{type(error).__name__} inside the HTTP front"
            self._fail(ClickHouseError.of(ErrorCode.STD_EXCEPTION, reason), body, response)

    def _fail(self, error: ClickHouseError, body: RequestBody | None, response: Response) -> None:
        # A client that is still sending would meet a closed connection instead of the answer.
        if body is not None:
            body.drain()
        if response.started or body is None or not body.whole:
            self.close_connection = True
        try:
            if not response.started:
                response.fail(error)
        except OSError:
            self.close_connection = True

    def _text(self, status: HTTPStatus, text: str) -> None:
        data = text.encode()
        self.head(status, {"Content-Type": "text/html; charset=UTF-8"}, len(data))
        self.write(data)
        self.end()
