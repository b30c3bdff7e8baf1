"""The ClickHouse front as a process of its own, for the tests: started on a free port, killed by its own id only."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clickhouse_connect

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[3]
# The machine may be busy with other things, or stop this process for a while.
START_SECONDS = 180.0


@dataclass
class FrontProcess:
    """One front on one data directory."""

    path: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    port: int = 0
    clients: list[Any] = field(default_factory=list)

    def start(self, port: int = 0) -> FrontProcess:
        command = [
            sys.executable,
            "-m",
            "local.clickhouse",
            "--path",
            str(self.path),
            "--port",
            str(port),
            *self.options,
        ]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        found = re.search(r"http://[^:]+:(\d+)", line)
        assert found, f"the front did not start: {line}{self.process.stderr.read()}"
        self.port = int(found.group(1))
        return self

    def client(self, **options: Any) -> Any:
        """Open a client that is closed with the front; sessions are off unless asked for, as in the product."""
        made = clickhouse_connect.get_client(
            **{"host": "127.0.0.1", "port": self.port, "autogenerate_session_id": False, "query_retries": 0, **options}
        )
        self.clients.append(made)
        return made

    def request(
        self,
        method: str = "POST",
        target: str = "/",
        body: Any = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one plain HTTP request; gives the status, the headers and the whole body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        try:
            connection.request(method, target, body, headers or {}, **options)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def kill(self) -> None:
        """End the process as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self._forget()

    def stop(self) -> int:
        """End the process as an operator does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(START_SECONDS)
        finally:
            self._forget()

    def _forget(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        for made in self.clients:
            made.close()
        self.clients.clear()


def wait_until(condition: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    """Return the first true value of `condition`; fails after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")
