"""`make bench`: every benchmark that needs no choice, one after the other. See each module for what it measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# The first two measure one processor core and run anywhere; the last needs a running stack.
ALWAYS = ("bench.decode", "bench.attribution")
WITH_STACK = ("bench.pipeline",)


def main() -> int:
    """Run them; return the number of those that failed."""
    chosen = ALWAYS + (WITH_STACK if Path(".run/endpoints.json").exists() else ())
    failed = 0
    for module in chosen:
        print(f"== {module}", flush=True)
        failed += subprocess.run([sys.executable, "-m", module], check=False).returncode != 0
    if chosen == ALWAYS:
        print(f"Left out: {', '.join(WITH_STACK)}, which need a running stack; start one with `make up`.")
    return failed


if __name__ == "__main__":
    sys.exit(main())
