"""Serving as a process of its own, whose live signals come from its standard input: one JSON object a line,
`{"topic": "signals", "records": [...]}`.

Everything but Kafka is real. `--offset` is where the offsets of the signals begin: a process that is started after
another goes on where that one stopped, as with a real topic.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from itertools import count
from pathlib import Path

import uvloop

from serving.live.hub import Topic
from tests.serving.access.oidc_client import AUDIENCE, CLIENT_ID
from tests.serving.running_server import options, running


def sign_in(arguments: argparse.Namespace) -> dict:
    """Return the options with which people sign in; the secrets are in the environment."""
    return {
        "oidc_issuer": arguments.oidc_issuer,
        "oidc_audience": AUDIENCE,
        "oidc_client_id": CLIENT_ID,
        "public_url": f"http://127.0.0.1:{arguments.http}",
    }


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until the standard input ends."""
    chosen = options(
        arguments.clickhouse,
        arguments.redis,
        arguments.database,
        http_port=arguments.http,
        heartbeat_ms=2_000,
        update_interval_ms=100,
        clickhouse_timeout_ms=30_000,
        relational_url=arguments.relational_url,
        **({"web_folder": str(arguments.web)} if arguments.web else {}),
        **(sign_in(arguments) if arguments.oidc_issuer else {}),
    )
    async with running(chosen) as server:
        server.feed.offsets = count(arguments.offset)
        sys.stdout.write(json.dumps({"http": server.process.http.port}) + "\n")
        sys.stdout.flush()
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            message = json.loads(line)
            server.feed.publish(*message["records"], topic=Topic(message["topic"]))


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clickhouse", type=int, required=True)
    parser.add_argument("--redis", type=int, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--http", type=int, default=0)
    parser.add_argument("--offset", type=int, default=100)
    parser.add_argument("--web", type=Path)
    parser.add_argument("--oidc-issuer")
    parser.add_argument("--relational-url", default="", help="where custom dashboards and users are kept")
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
