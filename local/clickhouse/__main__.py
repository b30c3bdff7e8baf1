"""Command line of the ClickHouse front: `python -m local.clickhouse --path DIR --port N`."""

from __future__ import annotations

import ipaddress
import logging
import resource
import signal
import sys
import threading
from typing import TYPE_CHECKING

from local.clickhouse.engine import DirectoryInUseError, Engine
from local.clickhouse.errors import ClickHouseError
from local.clickhouse.options import FrontOptions, OptionError
from local.clickhouse.server import ClickHouseFront

if TYPE_CHECKING:
    from collections.abc import Sequence


log = logging.getLogger("local.clickhouse")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one data directory until SIGTERM or SIGINT; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # The engine holds three files per thread beside those of its tables, and each client is one: as the server does.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        options = FrontOptions.parse(arguments)
        engine = Engine(options.path, options.database, options.memory_mib)
    except (OptionError, DirectoryInUseError, ClickHouseError, OSError) as error:
        return _give_up(str(error))
    try:
        front = ClickHouseFront((options.host, options.port), engine)
    except OSError as error:
        engine.close()
        return _give_up(f"cannot listen on {options.host}:{options.port}: {error}")
    if not _is_loopback(options.host):
        log.warning("--host is %s: whoever reaches it can read and change everything, there are no users", options.host)
    # `shutdown` waits until `serve_forever` has returned, and that runs in this thread: it needs another one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=front.shutdown, daemon=True).start())
    address = f"http://{options.host}:{front.server_address[1]}"
    print(f"ClickHouse {engine.version} at {address}, data in {options.path}", flush=True)
    front.serve_forever()
    front.stop()
    return 0


def _give_up(reason: str) -> int:
    print(f"clickhouse: {reason}", file=sys.stderr)
    return 1


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
