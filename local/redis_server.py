"""Redis: one node with an append-only file, evicting what was used least."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from local.component import Component
from local.config import HOST

if TYPE_CHECKING:
    from local.config import StackConfig


def component(config: StackConfig) -> Component:
    """Describe the Redis of a stack."""
    folder = config.run_dir / "redis"
    settings = {
        "bind": HOST,
        "port": str(config.redis_port),
        "dir": str(folder),
        "daemonize": "no",
        # As in production: a cache that may forget, yet comes back warm after a restart.
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "256mb",
        "maxmemory-policy": "allkeys-lru",
    }
    return Component(
        name="redis",
        ports={"clients": config.redis_port},
        prepare=lambda: folder.mkdir(parents=True, exist_ok=True),
        command=lambda: ("redis-server", *(part for name, value in settings.items() for part in (f"--{name}", value))),
        missing=lambda: _missing(config.redis_port),
        address=f"redis://{HOST}:{config.redis_port}/0",
    )


def _missing(port: int) -> str | None:
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.settimeout(1)
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
    except OSError as error:
        return f"PING: {error}"
    # While it loads its append-only file it answers -LOADING.
    return None if answer == b"+PONG\r\n" else f"PING: {answer.decode(errors='replace').strip()}"
