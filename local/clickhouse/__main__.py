"""Command line of the ClickHouse front: `python -m local.clickhouse --path DIR --port N`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from local.clickhouse.engine import DirectoryInUseError, Engine
from local.clickhouse.errors import ClickHouseError
from local.clickhouse.server import ClickHouseFront

log = logging.getLogger("local.clickhouse")


def main(arguments: list[str] | None = None) -> int:
    """Serve one data directory until SIGTERM or SIGINT; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.clickhouse",
        description="The ClickHouse engine (chDB) behind ClickHouse's HTTP interface.",
    )
    parser.add_argument(
        "--path", required=True, type=Path, help="data directory; made if absent, held by one process at a time"
    )
    parser.add_argument(
        "--port", required=True, type=int, help="port of the HTTP interface; 0 takes a free one and prints it"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1; there are no users and no passwords)",
    )
    parser.add_argument(
        "--database", default="tributary", help="database that is made at the start (default: tributary)"
    )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        engine = Engine(chosen.path, chosen.database)
    except (DirectoryInUseError, ClickHouseError, OSError) as error:
        log.error("cannot open --path %s: %s", chosen.path, error)
        return 1
    try:
        front = ClickHouseFront((chosen.host, chosen.port), engine)
    except OSError as error:
        engine.close()
        log.error("cannot listen on %s:%d: %s", chosen.host, chosen.port, error)
        return 1
    # `shutdown` waits for `serve_forever`, which runs in this thread: it needs another one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=front.shutdown, daemon=True).start())
    print(
        f"ClickHouse {engine.version} at http://{chosen.host}:{front.server_address[1]}, data in {chosen.path}",
        flush=True,
    )
    front.serve_forever()
    front.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
