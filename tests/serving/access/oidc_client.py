"""How tests start the OpenID provider, and what they tell it."""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import TYPE_CHECKING

from tests.serving.access.oidc_server import AUDIENCE, CLIENT_ID, CLIENT_SECRET
from tests.serving.local_stores import StoreProcess, free_port

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AUDIENCE", "CLIENT_ID", "CLIENT_SECRET", "OidcServer"]


class OidcServer(StoreProcess):
    """A provider that can be stopped, frozen and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        command = [sys.executable, "-m", "tests.serving.access.oidc_server", "--port", str(port)]
        super().__init__(command, folder / "oidc.log", port)
        self.issuer = f"http://127.0.0.1:{port}"

    def tell(self, path: str, **content):
        """Send something to the control part; returns its answer."""
        request = urllib.request.Request(
            f"{self.issuer}/control/{path}", json.dumps(content).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def token(self, *, without=(), foreign=False, header=None, **claims) -> str:
        """Return an access token, good unless the arguments spoil it."""
        wanted = {"claims": claims, "without": list(without), "foreign": foreign, "header": header or {}}
        return self.tell("sign", **wanted)["token"]

    def log_out(self, site: str, *, without=(), foreign=False, typ="logout+jwt", **claims) -> tuple[int, str]:
        """Tell a site that a session has ended; returns its status, and the logout token."""
        wanted = {"claims": claims, "without": list(without), "foreign": foreign, "typ": typ}
        answered = self.tell("logout", uri=f"{site}/auth/backchannel-logout", **wanted)
        return answered["status"], answered["token"]

    def requests(self, path: str) -> int:
        """How often a path was asked for."""
        return self.tell("set").get(path, 0)
