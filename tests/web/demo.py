"""Opens the dashboards on a made-up company, to look at them by hand: `python -m tests.web.demo [port]`.

Live windows and conversions come every second, as from a running pipeline.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.serving.local_stores import clickhouse, database, redis_server
from tests.web.live_signals import conversion, windows_now
from tests.web.marketing_world import MarketingWorld

TENANT = "acme"


def main() -> None:
    """Start stores and serving, fill them, send signals until interrupted."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
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
            serving = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
            rng = random.Random(2)
            for number in range(10**9):
                records = windows_now(TENANT, rng)
                if number % 7 == 3:
                    records.append(conversion(TENANT, f"live-{number}", rng))
                serving.stdin.write(json.dumps({"topic": "signals", "records": records}) + "\n")
                serving.stdin.flush()
                time.sleep(1)
        except KeyboardInterrupt:
            pass
        finally:
            if serving is not None:
                serving.terminate()
                serving.wait()
            for store in stores:
                store.stop()


if __name__ == "__main__":
    main()
