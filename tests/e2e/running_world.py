"""What the end-to-end tests share: a world that writes to the running stack, and the wait for what must come."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
import redis

from tests.oracle import compare
from tests.oracle.settling import staying

if TYPE_CHECKING:
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

    from local.stack import Stack

DATABASE = "tributary"
# A late event is in its minute's figure once the watermark has passed that minute; a wait must allow for that.
SETTLED_SECONDS = 150.0


@dataclass
class World:
    """Sends events to a stack and compares what it stored with the oracle."""

    stack: Stack
    folder: Path
    seed: int
    files: list[Path] = field(default_factory=list)

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""
        return str(self.stack.endpoints()["kafka"])

    def clickhouse(self) -> Client:
        """A client of the stack's ClickHouse."""
        at = urlsplit(str(self.stack.endpoints()["clickhouse"]))
        return clickhouse_connect.get_client(host=at.hostname, port=at.port, database=DATABASE)

    def start(self, name: str, *options: str) -> subprocess.Popen[str]:
        """Start a producer whose messages are recorded as `name`."""
        file = self.folder / f"{name}.jsonl"
        self.files.append(file)
        command = [sys.executable, "-m", "bench.world", "produce", "--bootstrap", self.kafka, "--record", str(file)]
        command += ["--seed", str(self.seed), "--run", name, *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finish(self, producer: subprocess.Popen[str]) -> dict[str, Any]:
        """Wait until a producer has sent everything; return its report."""
        out, _ = producer.communicate(timeout=300)
        assert producer.returncode == 0
        report: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        assert report["failed"] == 0
        return report

    def produce(self, name: str, *options: str) -> dict[str, Any]:
        """Send a stream and wait until all of it is acknowledged."""
        return self.finish(self.start(name, *options))

    def agrees(self, *files: Path, tenants: tuple[str, ...] = (), seconds: float = SETTLED_SECONDS) -> None:
        """Wait until ClickHouse holds exactly what the oracle says of the files; fail with the differences."""
        client = self.clickhouse()
        if stay := staying(lambda: compare(client, DATABASE, *(files or self.files), tenants=tenants), seconds):
            pytest.fail(stay)

    def cache_entries(self, tenants: tuple[str, ...]) -> dict[tuple[str, str], str]:
        """Every campaign entry of the tenants in Redis: (key, field) to JSON."""
        with redis.Redis.from_url(str(self.stack.endpoints()["redis"]), decode_responses=True) as client:
            keys = [key for tenant in tenants for key in client.scan_iter(f"metrics:campaign:{tenant}:*", 1000)]
            return {(key, name): text for key in keys for name, text in client.hgetall(key).items()}


def eventually(what: str, condition: Any, seconds: float = 60.0) -> Any:
    """Return the first true value of `condition`; fail with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}; last: {value!r}")
        time.sleep(0.2)
    return value
