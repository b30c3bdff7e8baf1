"""Start the serving process: `python -m serving --help`."""

from __future__ import annotations

import logging
import sys

import uvloop

from serving.options import parse
from serving.process import run

# gRPC hands each call from a thread of its own to the event loop. A thread that wants the interpreter asks for it after
# this long (s): with Python's 5 ms calls wait several times for that on a busy server (serving/README.md, under load).
HAND_OVER_SECONDS = 0.0002


def main() -> int:
    """Serve until SIGTERM or SIGINT, then drain; returns the exit status."""
    options = parse()
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    sys.setswitchinterval(HAND_OVER_SECONDS)
    return uvloop.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
