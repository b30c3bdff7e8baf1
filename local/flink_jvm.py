"""The command lines of Flink's processes, as its `flink-console.sh` makes them.

Its scripts start three JVMs to work them out, for every process and every start. Here one is started for each kind
of process, and its answer is kept: a third less CPU time to start a cluster, and a dead TaskManager is back sooner.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import yaml

from local.component import StackError

if TYPE_CHECKING:
    from pathlib import Path

# The line that Flink's helper prints before each of its two results.
_RESULT = "BASH_JAVA_UTILS_EXEC_RESULT:"
_HELPER_SECONDS = 120
# The settings on which the helper's answer rests.
_SIZING = frozenset({"memory", "numberOfTaskSlots", "network", "cpu"})


class Kind(StrEnum):
    """What a Flink process is: the helper's command that sizes it."""

    JOBMANAGER = "GET_JM_RESOURCE_PARAMS"
    TASKMANAGER = "GET_TM_RESOURCE_PARAMS"


_MAIN_CLASS = {
    Kind.JOBMANAGER: "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    Kind.TASKMANAGER: "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
}


@dataclass(frozen=True, slots=True)
class Distribution:
    """Where the parts of a Flink installation are."""

    home: Path
    lib: Path
    """The jars of the class path."""

    def class_path(self) -> str:
        """Return the jars in the order of Flink's scripts: by name, flink-dist last."""
        jars = sorted(self.lib.glob("*.jar"), key=lambda jar: (jar.name.startswith("flink-dist"), jar.name))
        return ":".join(map(str, jars))


def command(distribution: Distribution, kind: Kind, conf: Path, kept: Path) -> tuple[str, ...]:
    """Return the command line of a process whose configuration is in `conf`; what the helper says is kept in `kept`.

    May block for the length of a JVM's start.

    Raises:
        StackError: Flink refuses the configuration.
    """
    settings = yaml.safe_load((conf / "config.yaml").read_text(encoding="utf-8"))
    jvm, dynamic = _resources(distribution, kind, conf, kept, settings)
    return (
        "java",
        *jvm,
        "-XX:+IgnoreUnrecognizedVMOptions",
        *_options(settings, kind),
        f"-Dlog4j.configurationFile=file:{conf / 'log4j-console.properties'}",
        "-classpath",
        distribution.class_path(),
        _MAIN_CLASS[kind],
        "--configDir",
        str(conf),
        *dynamic,
    )


def _resources(
    distribution: Distribution, kind: Kind, conf: Path, kept: Path, settings: dict[str, object]
) -> tuple[list[str], list[str]]:
    """Return the JVM's memory options and the memory settings that Flink wants to be told as arguments."""
    process = "jobmanager" if kind is Kind.JOBMANAGER else "taskmanager"
    sized_by = {key: value for key, value in dict(_section(settings, process)).items() if key in _SIZING}
    key = hashlib.sha256(json.dumps([kind, sized_by, str(distribution.home)], sort_keys=True).encode()).hexdigest()[:16]
    file = kept / f"{process}-{key}.json"
    if not file.exists():
        kept.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{conf.name}")
        draft.write_text(json.dumps(_ask(distribution, kind, conf)), encoding="utf-8")
        draft.replace(file)
    jvm, dynamic = json.loads(file.read_text(encoding="utf-8"))
    return jvm, dynamic


def _options(settings: dict[str, Any], kind: Kind) -> list[str]:
    """Return the JVM options for every process, and those for this kind of process alone."""
    options = settings["env"]["java"]["opts"]
    return [*options["all"].split(), *options.get(kind.name.lower(), "").split()]


def _section(settings: dict[str, object], name: str) -> dict[str, object]:
    section = settings.get(name)
    return section if isinstance(section, dict) else {}


def _ask(distribution: Distribution, kind: Kind, conf: Path) -> list[list[str]]:
    jars = [distribution.home / "bin" / "bash-java-utils.jar", *distribution.lib.glob("flink-dist-*.jar")]
    # A JVM of a second's life: compiling less and one collector thread save half of it.
    java = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-classpath", ":".join(map(str, jars)))
    call = (*java, "org.apache.flink.runtime.util.bash.BashJavaUtils", kind.value, "--configDir", str(conf))
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=_HELPER_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise StackError(f"Flink took more than {_HELPER_SECONDS} s to read {conf}; the machine is too busy") from error
    results = [line.removeprefix(_RESULT).split() for line in done.stdout.splitlines() if line.startswith(_RESULT)]
    if done.returncode or len(results) != 2:
        raise StackError(f"Flink refuses the configuration in {conf}:\n{(done.stdout + done.stderr)[-2000:]}")
    return results
