"""Every value set lints, renders, and is what the API server of Kubernetes and the operators would accept."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.helm.chart_programs import REPOSITORY, resource_types
from tests.unit.helm.rendered_chart import CHART, KUBERNETES, VALUE_SETS, Chart, installed, of_kind, values_of

if TYPE_CHECKING:
    from pathlib import Path

# The first run installs the programs.
pytestmark = pytest.mark.timeout(1_800)


@pytest.fixture(scope="session")
def accept(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Validates manifests against Kubernetes' schemas and those of the operators; returns what is wrong with them."""
    validator = installed("kubectl-validate")
    types = resource_types()

    def validate(manifests: str) -> str:
        file = tmp_path_factory.mktemp("rendered") / "manifests.yaml"
        file.write_text(manifests, encoding="utf-8")
        command = [str(validator), str(file), "--version", KUBERNETES, "--local-crds", str(types)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return validate


@pytest.mark.parametrize("value_set", VALUE_SETS)
def test_lints(chart: Chart, value_set: str) -> None:
    chart.call("lint", "--strict", str(CHART), "--values", values_of(value_set))


@pytest.mark.parametrize("value_set", VALUE_SETS)
def test_is_valid_for_kubernetes_and_its_operators(chart: Chart, accept: Any, value_set: str) -> None:
    rendered = chart.text("--values", values_of(value_set))
    assert rendered.count("\nkind: ") >= 5
    assert accept(rendered) == ""


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0, "imag")),
        ("FlinkDeployment", ("spec", "job", "savepointMode")),
        ("PodMonitor", ("spec", "podMetricsEndpoint")),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "fr")),
        ("NetworkPolicy", ("spec", "ingres")),
    ],
)
def test_the_validation_can_fail(chart: Chart, accept: Any, kind: str, wrong: tuple[str | int, ...]) -> None:
    resources = chart.render("everything")
    place: Any = next(found for found in resources if found["kind"] == kind)
    for step in wrong[:-1]:
        place = place[step]
    place[wrong[-1]] = "x"
    assert str(wrong[-1]) in accept(yaml.safe_dump_all(resources))


def test_a_wrong_type_is_refused_too(chart: Chart, accept: Any) -> None:
    resources = chart.render("stages-apart")
    (deployment,) = of_kind(resources, "Deployment").values()
    deployment["spec"]["replicas"] = "three"
    assert "replicas" in accept(yaml.safe_dump_all(resources))


def test_flink_version_is_refused_when_the_operator_does_not_know_it(chart: Chart, accept: Any) -> None:
    resources = chart.render("minimal")
    for found in of_kind(resources, "FlinkDeployment").values():
        found["spec"]["flinkVersion"] = "v9_9"
    assert "v9_9" in accept(yaml.safe_dump_all(resources))


def test_names_fit_and_are_unique(chart: Chart) -> None:
    long = "--set=nameOverride=a-name-of-just-29-characters1"
    for value_set in VALUE_SETS:
        resources = chart.render(value_set, long)
        names = [(found["kind"], found["metadata"]["name"]) for found in resources]
        assert len(names) == len(set(names))
        # The operator's bound for a FlinkDeployment; Kubernetes' own for the others.
        assert all(len(name) <= (45 if kind == "FlinkDeployment" else 63) for kind, name in names), names


def test_versions_are_those_of_the_project() -> None:
    described = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{described["appVersion"]}"' in project


def test_a_package_is_whole(chart: Chart, tmp_path: Path) -> None:
    """The production profile is a link in the repository and a file in the package; the tests' value sets stay out."""
    chart.call("package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    shutil.unpack_archive(package, tmp_path)
    packed = tmp_path / "tributary" / "flink-production.yaml"
    assert packed.read_bytes() == (REPOSITORY / "flink-conf" / "production" / "config.yaml").read_bytes()
    assert not (tmp_path / "tributary" / "ci").exists()
    assert chart.call(
        "template", "measure", str(package), "--kube-version", f"{KUBERNETES}.0", "--values", values_of("minimal")
    )


@pytest.mark.parametrize("value_set", VALUE_SETS)
def test_notes_tell_the_next_steps(chart: Chart, tmp_path: Path, value_set: str) -> None:
    """helm prints the notes only when it installs, so a copy of the chart carries them in a ConfigMap."""
    copy = tmp_path / "tributary"
    shutil.copytree(CHART, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "notes.tpl")
    (copy / "templates" / "notes.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n"
        'data: {text: {{ tpl (.Files.Get "notes.tpl") . | quote }}}\n',
        encoding="utf-8",
    )
    rendered = chart.call(
        "template", "measure", str(copy), "--kube-version", f"{KUBERNETES}.0", "--values", values_of(value_set)
    )
    resources = [found for found in yaml.safe_load_all(rendered) if found]
    text = of_kind(resources, "ConfigMap")["notes"]["data"]["text"]
    assert "Tributary 0.1.0 is installed" in text
    for name in of_kind(resources, "FlinkDeployment"):
        assert f"get flinkdeployment {name} --watch" in text
    for name in of_kind(resources, "Deployment"):
        assert f"rollout status deployment/{name}" in text
    assert "docs/submitting.md" in text
