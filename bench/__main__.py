"""`make bench`: every benchmark that needs no choice, one after the other. See each module for what it measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Measure one processor core, whatever else runs.
ALWAYS = (("bench.decode",), ("bench.attribution",))
WITH_STACK = ("bench.pipeline",)
# Starts what it needs; a stack that runs would take processor time from it.
WITHOUT_STACK = ("bench.peers", "--write")


def main() -> int:
    """Run them; return the number of those that failed."""
    stack_runs = Path(".run/endpoints.json").exists()
    failed = 0
    for command in (*ALWAYS, WITH_STACK if stack_runs else WITHOUT_STACK):
        print(f"== {' '.join(command)}", flush=True)
        failed += subprocess.run([sys.executable, "-m", *command], check=False).returncode != 0
    if stack_runs:
        print("Left out: bench.peers, because a stack runs; stop it with `make down`.")
    else:
        print("Left out: bench.pipeline, which needs a running stack; start one with `make up`.")
    return failed


if __name__ == "__main__":
    sys.exit(main())
