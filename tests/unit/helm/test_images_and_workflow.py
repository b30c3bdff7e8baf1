"""Images cannot be built by the tests, which have no container engine; their files and the workflow are linted."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tests.unit.helm.chart_programs import REPOSITORY
from tests.unit.helm.rendered_chart import installed

pytestmark = pytest.mark.timeout(1_800)

IMAGES = REPOSITORY / "helm" / "images"
WORKFLOW = REPOSITORY / ".github" / "workflows" / "ci.yml"


@pytest.mark.parametrize("name", ["jobs", "serving"])
def test_dockerfile_lints(name: str) -> None:
    done = subprocess.run(
        [installed("hadolint"), IMAGES / f"{name}.Dockerfile"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["jobs", "serving"])
def test_what_an_image_copies_exists_and_is_let_in(name: str) -> None:
    """The context is closed by a .dockerignore, so everything copied must be named in it."""
    text = (IMAGES / f"{name}.Dockerfile").read_text(encoding="utf-8")
    let_in = (IMAGES / f"{name}.Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copies = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    sources = {source for copied in copies for source in copied}
    assert sources
    for source in sources:
        assert (REPOSITORY / source).exists()
        assert f"!{source}" in let_in
    assert {line[1:] for line in let_in if line.startswith("!")} == sources


def test_the_linter_can_fail(tmp_path_factory: pytest.TempPathFactory) -> None:
    bad = tmp_path_factory.mktemp("image") / "Dockerfile"
    bad.write_text("FROM debian\nRUN cd /tmp && sudo rm x\n", encoding="utf-8")
    done = subprocess.run([installed("hadolint"), bad], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "DL3004" in done.stdout


def test_workflow_is_valid() -> None:
    done = subprocess.run(
        [installed("actionlint"), "-shellcheck=", "-pyflakes=", WORKFLOW],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_workflow_checks_and_tests() -> None:
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    commands = [step.get("run", "") for job in steps for step in job["steps"]]
    assert any("make check" in command for command in commands)
    assert any(".ci/run" in command for command in commands)
