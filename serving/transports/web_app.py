"""The web app: the files of its build, under a content security policy that lets it load nothing from elsewhere."""

from __future__ import annotations

from http import HTTPStatus
from mimetypes import guess_type
from stat import S_ISREG
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketClose

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

# One origin: scripts, styles and calls come from this server. Nothing inline, nothing framed.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# Build tools put a digest of the content into the names of files in this folder, so a name never changes its content.
DIGESTED_FOLDER = "assets/"
YEAR_SECONDS = 31_536_000
# The build writes these beside each text file; the smaller one first.
COMPRESSED = ((".br", "br"), (".gz", "gzip"))
NOT_BUILT = (
    "<!doctype html><html lang=en><title>Tributary</title><h1>The web app is not built</h1>"
    "<p>Its files are not in the folder that this server shows. The services, /readyz and /metrics work without it.</p>"
)


class WebApp:
    """An ASGI application of the files in `folder`; a path without a file that looks like a page gets `index.html`,
    because the app reads the path itself."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder, which may come to exist later."""
        self._files = StaticFiles(directory=folder, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; only GET and HEAD are allowed."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        response = await self._response(scope)
        response.headers["content-security-policy"] = CONTENT_SECURITY_POLICY
        await response(scope, receive, send)

    async def _response(self, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("not found\n", status_code=HTTPStatus.NOT_FOUND)
        if not self._holds("index.html"):
            return HTMLResponse(NOT_BUILT, status_code=HTTPStatus.NOT_FOUND)
        path = self._files.get_path(scope)
        if not self._holds(path):
            # A page of the app has no file extension; a missing file is not answered with a page.
            if "." in path.rpartition("/")[2].lstrip(".") or path.startswith(DIGESTED_FOLDER):
                return PlainTextResponse("not found\n", status_code=HTTPStatus.NOT_FOUND)
            path = "index.html"
        suffix, encoding = self._compressed(path, Headers(scope=scope).get("accept-encoding", ""))
        found = await self._files.get_response(path + suffix, scope)
        if encoding:
            found.headers["content-encoding"] = encoding
            found.headers["content-type"] = guess_type(path)[0] or "application/octet-stream"
        found.headers["vary"] = "Accept-Encoding"
        lasting = path.startswith(DIGESTED_FOLDER)
        found.headers["cache-control"] = f"public, max-age={YEAR_SECONDS}, immutable" if lasting else "no-cache"
        return found

    def _holds(self, path: str) -> bool:
        _, found = self._files.lookup_path(path)
        return found is not None and S_ISREG(found.st_mode)

    def _compressed(self, path: str, accepted: str) -> tuple[str, str]:
        """Return the suffix and the encoding of the smallest form of a file that the client takes; both are empty for
        the file itself."""
        names = {part.partition(";")[0].strip() for part in accepted.split(",")}
        for suffix, encoding in COMPRESSED:
            if encoding in names and self._holds(path + suffix):
                return suffix, encoding
        return "", ""


def no_such_path(_: Request) -> Response:
    """Answer for paths of services and REST that do not exist: the web app's pages are not an answer to them."""
    return PlainTextResponse("not found\n", status_code=HTTPStatus.NOT_FOUND)
