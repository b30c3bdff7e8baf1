"""Start the serving process: `python -m serving --help`."""

from __future__ import annotations

import asyncio
import logging
import sys

from serving.options import parse
from serving.process import run


def main() -> int:
    """Serve until SIGTERM or SIGINT, then drain; returns the exit status."""
    options = parse()
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
