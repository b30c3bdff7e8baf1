"""Run the tests of both environments and sum them up: `python tests/run.py [--unit] [options of pytest]`.

The last line printed is `N passed, N failed, N skipped`; a test or a fixture that ended with an error counts as failed.
The exit status is 1 if any failed or none ran.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "results"
# pytest's own exit status for "no tests were collected".
_NOTHING_COLLECTED = 5


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one environment."""

    environment: str
    folders: tuple[str, ...]


UNIT = (Suite("serving", ("tests/unit",)),)
ALL = (
    Suite("serving", ("tests/unit", "tests/serving", "tests/web", "tests/stack", "tests/e2e", "tests/faults")),
    Suite("jobs", ("tests/jobs",)),
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tests ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_counts(report: Path) -> Counts:
    """Count the test cases of a JUnit report; a case that failed and had an error at teardown counts once."""
    passed = failed = skipped = 0
    for case in ET.parse(report).getroot().iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            failed += 1
        elif "skipped" in outcomes:
            skipped += 1
        else:
            passed += 1
    return Counts(passed, failed, skipped)


def run(suite: Suite, options: list[str]) -> Counts:
    """Run one suite; a run that broke off counts as one failure beside what it had reported."""
    folders = [folder for folder in suite.folders if (REPOSITORY / folder).is_dir()]
    if not folders:
        return Counts()
    report = RESULTS / f"{suite.environment}.xml"
    report.unlink(missing_ok=True)
    python = REPOSITORY / ".venv" / suite.environment / "bin" / "python"
    print(f"== {suite.environment}: {' '.join(folders)}", flush=True)
    ended = subprocess.run(
        [python, "-m", "pytest", f"--junitxml={report}", *options, *folders], cwd=REPOSITORY, check=False
    )
    counts = read_counts(report) if report.exists() else Counts()
    if ended.returncode not in {0, _NOTHING_COLLECTED} and not counts.failed:
        return counts + Counts(failed=1)
    return counts


def main(arguments: list[str]) -> int:
    suites = UNIT if "--unit" in arguments else ALL
    options = [argument for argument in arguments if argument != "--unit"]
    RESULTS.mkdir(exist_ok=True)
    # The settings of a stack that somebody works with must not leak into the stacks of the tests.
    for name in ("RUN_DIR", "PORT_BASE", "TASKMANAGERS", "JOB_OPTIONS", "CLICKHOUSE_DATABASE"):
        os.environ.pop(name, None)
    total = Counts()
    for suite in suites:
        total += run(suite, options)
    print(total, flush=True)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
