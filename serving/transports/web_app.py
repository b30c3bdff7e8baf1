"""The web app: the files of its build, under a content security policy that lets it load nothing from elsewhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
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
NOT_BUILT = (
    "<!doctype html><html lang=en><title>Tributary</title><h1>The web app is not built</h1>"
    "<p>Its files are not in the folder that this server shows. The services, /readyz and /metrics work without it.</p>"
)


class WebApp:
    """An ASGI application of the files in `folder`; a path without a file that looks like a page gets `index.html`,
    because the app reads the path itself."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder, which may come to exist later."""
        self._folder = folder
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
        index = self._folder / "index.html"
        if not index.is_file():
            return HTMLResponse(NOT_BUILT, status_code=HTTPStatus.NOT_FOUND)
        path = self._files.get_path(scope)
        try:
            found = await self._files.get_response(path, scope)
        except HTTPException:
            # A page of the app has no file extension; a missing file is not answered with a page.
            if "." in path.rpartition("/")[2].lstrip(".") or path.startswith(DIGESTED_FOLDER):
                return PlainTextResponse("not found\n", status_code=HTTPStatus.NOT_FOUND)
            found = FileResponse(index)
            path = "index.html"
        lasting = path.startswith(DIGESTED_FOLDER)
        found.headers["cache-control"] = f"public, max-age={YEAR_SECONDS}, immutable" if lasting else "no-cache"
        return found


def no_such_path(_: Request) -> Response:
    """Answer for paths of services and REST that do not exist: the web app's pages are not an answer to them."""
    return PlainTextResponse("not found\n", status_code=HTTPStatus.NOT_FOUND)
