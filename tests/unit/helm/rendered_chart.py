"""helm at work on the chart, with the value sets of `helm/tributary/ci`."""

from __future__ import annotations

import functools
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.helm.chart_programs import REPOSITORY, MissingProgramError, program

if TYPE_CHECKING:
    from pathlib import Path

CHART = REPOSITORY / "helm" / "tributary"
VALUE_SETS = tuple(sorted(path.stem for path in (CHART / "ci").glob("*.yaml")))
# The versions of the resource schemas that kubectl-validate brings.
KUBERNETES = "1.30"
_RENDER_SECONDS = 60


class RefusedError(Exception):
    """helm refused the chart or its values; the text is what it printed."""


@dataclass(frozen=True, slots=True)
class Chart:
    """helm at work on the chart."""

    helm: Path

    def text(self, *arguments: str) -> str:
        """Return the rendered manifests. `arguments` are helm's, such as `--set key=value`."""
        return self.call(
            "template",
            "measure",
            str(CHART),
            "--namespace",
            "marketing",
            "--kube-version",
            f"{KUBERNETES}.0",
            *arguments,
        )

    def render(self, value_set: str, *arguments: str) -> list[dict[str, Any]]:
        """Return the rendered resources of a value set."""
        return [found for found in yaml.safe_load_all(self.text("--values", values_of(value_set), *arguments)) if found]

    def refusal(self, *arguments: str, value_set: str = "minimal") -> str:
        """Return what helm prints when it refuses these arguments; fails the test if it does not refuse."""
        with pytest.raises(RefusedError) as refused:
            self.text("--values", values_of(value_set), *arguments)
        return str(refused.value)

    def call(self, *arguments: str) -> str:
        """Run helm and return what it printed; raises RefusedError. The same call is run once."""
        return _run(self.helm, arguments)


@functools.cache
def _run(helm: Path, arguments: tuple[str, ...]) -> str:
    done = subprocess.run([helm, *arguments], capture_output=True, text=True, timeout=_RENDER_SECONDS, check=False)
    if done.returncode:
        raise RefusedError(done.stdout + done.stderr)
    return done.stdout


def values_of(value_set: str) -> str:
    """The file of a value set."""
    return str(CHART / "ci" / f"{value_set}.yaml")


def installed(name: str) -> Path:
    """A program, or a failed test that says what to do."""
    try:
        return program(name)
    except MissingProgramError as error:
        pytest.fail(str(error), pytrace=False)


def of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a kind by name."""
    return {found["metadata"]["name"]: found for found in resources if found["kind"] == kind}
