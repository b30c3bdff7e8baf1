"""Real stores for the tests: the local ClickHouse front and a Redis server, each a process of its own on a free
port."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import clickhouse_connect

from connectors.clickhouse.client import ClickHouseAddress
from connectors.clickhouse.migrations import migrate

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 180.0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition, what: str, seconds: float = START_SECONDS):
    """Return the first true value of `condition`; fails after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


@dataclass
class StoreProcess:
    """A server process that can be stopped, frozen and started again on the same port and data."""

    command: list[str]
    log: Path
    port: int
    process: subprocess.Popen | None = field(default=None)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=ROOT)
        wait_until(self.answers, f"{self.command[0]} on port {self.port}")

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def clickhouse(folder: Path) -> StoreProcess:
    """Describe a ClickHouse front with its data in `folder`."""
    port = free_port()
    command = [sys.executable, "-m", "local.clickhouse", "--path", str(folder / "clickhouse"), "--port", str(port)]
    return StoreProcess(command, folder / "clickhouse.log", port)


def redis_server(folder: Path) -> StoreProcess:
    """Describe a Redis server that keeps nothing on disk."""
    port = free_port()
    found = shutil.which("redis-server")
    assert found, "redis-server is not installed: run `make toolchain`"
    settings = {"bind": "127.0.0.1", "port": str(port), "save": "", "appendonly": "no", "dir": str(folder)}
    return StoreProcess(
        [found, *(part for k, v in settings.items() for part in (f"--{k}", v))], folder / "redis.log", port
    )


def database(port: int, name: str) -> ClickHouseAddress:
    """Make a database with the schema and return its address."""
    assert re.fullmatch(r"\w+", name)
    address = ClickHouseAddress("127.0.0.1", port, name)
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=port, database="default", autogenerate_session_id=False
    )
    try:
        migrate(client, name)
    finally:
        client.close()
    return address
