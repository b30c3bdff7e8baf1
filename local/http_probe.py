"""Small HTTP calls to components of the same machine, with time-outs and without proxies."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from local.config import HOST

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class HttpProbeError(Exception):
    """The component did not answer, or with an error; the message holds the status and the start of the answer."""


def get(port: int, path: str, seconds: float = 2.0) -> str:
    """Return the body of an answer with status 2xx; raises HttpProbeError."""
    return _call(urllib.request.Request(f"http://{HOST}:{port}{path}"), seconds)


def get_json(port: int, path: str, seconds: float = 2.0) -> Any:
    """Return the parsed body of an answer with status 2xx; raises HttpProbeError."""
    return _parsed(get(port, path, seconds))


def post_json(port: int, path: str, body: object, seconds: float = 10.0) -> Any:
    """Send a JSON body and return the parsed answer; raises HttpProbeError."""
    request = urllib.request.Request(
        f"http://{HOST}:{port}{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    return _parsed(_call(request, seconds))


def patch(port: int, path: str, seconds: float = 10.0) -> None:
    """Send an empty PATCH; raises HttpProbeError."""
    _call(urllib.request.Request(f"http://{HOST}:{port}{path}", method="PATCH"), seconds)


def _call(request: urllib.request.Request, seconds: float) -> str:
    try:
        with _OPENER.open(request, timeout=seconds) as answer:
            return str(answer.read().decode("utf-8", errors="replace"))
    except urllib.error.HTTPError as error:
        raise HttpProbeError(f"status {error.code}: {error.read(2000).decode('utf-8', errors='replace')}") from error
    except urllib.error.URLError as error:
        raise HttpProbeError(str(error.reason)) from error
    except (OSError, ValueError) as error:
        raise HttpProbeError(str(error)) from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError as error:
        raise HttpProbeError(f"not JSON: {text[:200]}") from error
