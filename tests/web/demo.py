"""Opens the dashboards on a made-up company, to look at them by hand or to measure:
`python -m tests.web.demo [port]`.

Prints one JSON line with its address. Live windows and conversions come as from a running pipeline, until it is
interrupted or its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.serving.local_stores import clickhouse, database, free_port, redis_server
from tests.web.live_signals import conversion, windows_now
from tests.web.marketing_world import MarketingWorld

TENANT = "acme"
# Of the windows of a second a few come with a conversion, as in a real stream.
SECONDS_BETWEEN_CONVERSIONS = 7


def main() -> None:
    """Start stores and serving, fill them, send signals until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, nargs="?", default=8080, help="0: a free one")
    parser.add_argument("--updates-per-second", type=int, default=5, help="windows that change each second")
    arguments = parser.parse_args()
    port = arguments.port or free_port()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stores = [clickhouse(folder), redis_server(folder)]
        serving = None
        try:
            for store in stores:
                store.start()
            MarketingWorld(TENANT, 1).store(database(stores[0].port, "web_demo"))
            ports = ["--clickhouse", str(stores[0].port), "--redis", str(stores[1].port), "--http", str(port)]
            ports += ["--relational-url", f"sqlite:///{folder}/dashboards.sqlite"]
            command = [sys.executable, "-m", "tests.web.serving_process", "--database", "web_demo", *ports]
            serving = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            # Says where it listens once it does: whoever reads the address below may open it at once.
            if not serving.stdout.readline():
                raise SystemExit("serving did not start: see above")
            print(json.dumps({"address": f"http://127.0.0.1:{port}", "tenant": TENANT}), flush=True)
            send(serving, arguments.updates_per_second)
        except KeyboardInterrupt:
            pass
        finally:
            if serving is not None:
                serving.terminate()
                serving.wait()
            for store in stores:
                store.stop()


def send(serving: subprocess.Popen, updates_per_second: int) -> None:
    """Send so many changed windows each second, evenly, each newer than the one before of its campaign."""
    rng = random.Random(2)
    began = time.monotonic()
    for number in range(10**9):
        records = windows_now(TENANT, rng)[:1]
        records[0]["revision"] = number
        if number % (SECONDS_BETWEEN_CONVERSIONS * updates_per_second) == 0:
            records.append(conversion(TENANT, f"live-{number}", rng))
        serving.stdin.write(json.dumps({"topic": "signals", "records": records}) + "\n")
        serving.stdin.flush()
        time.sleep(max(0.0, began + (number + 1) / updates_per_second - time.monotonic()))


if __name__ == "__main__":
    main()
