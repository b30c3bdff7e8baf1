"""The FlinkDeployments: the production profile, the command line of the job, secrets by reference."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

import jobs.options
from tests.unit.helm.chart_programs import REPOSITORY
from tests.unit.helm.rendered_chart import VALUE_SETS, Chart, of_kind

pytestmark = pytest.mark.timeout(1_800)

PRODUCTION = REPOSITORY / "flink-conf" / "production" / "config.yaml"
# What depends on the installation, or on a pod holding one process.
SET_BY_CHART = {
    "execution.checkpointing.dir",
    "execution.checkpointing.savepoint-dir",
    "high-availability.type",
    "high-availability.storageDir",
    "metrics.reporter.prom.port",
    "python.executable",
    "python.client.executable",
}


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted keys, as Flink reads nested YAML."""
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        key: leaf
        for name, inner in value.items()
        for key, leaf in flatten(inner, f"{prefix}.{name}".strip(".")).items()
    }


def same(rendered: str, written: Any) -> bool:
    """Compare as Flink would: numbers by value, everything else by its text."""
    if isinstance(written, bool):
        return rendered == str(written).lower()
    if isinstance(written, (int, float)):
        return float(rendered) == float(written)
    return rendered == str(written)


def flink_jobs(chart: Chart, value_set: str, *arguments: str) -> dict[str, dict[str, Any]]:
    return of_kind(chart.render(value_set, *arguments), "FlinkDeployment")


def test_configuration_is_the_production_profile(chart: Chart) -> None:
    """One truth: every key of flink-conf/production/config.yaml arrives, as text, with its value."""
    written = flatten(yaml.safe_load(PRODUCTION.read_text(encoding="utf-8")))
    (job,) = flink_jobs(chart, "minimal").values()
    rendered = job["spec"]["flinkConfiguration"]
    assert all(isinstance(value, str) for value in rendered.values())
    assert set(rendered) == set(written) | SET_BY_CHART
    different = {key for key in set(written) - SET_BY_CHART if not same(rendered[key], written[key])}
    assert different == set()


def test_sizes_are_those_promised(chart: Chart) -> None:
    """The figures of requirement L1: JobManager 4 GB, TaskManager 8 GB with 4 slots, parallelism 16."""
    (job,) = flink_jobs(chart, "minimal").values()
    spec = job["spec"]
    assert spec["jobManager"]["resource"]["memory"] == "4096m"
    assert spec["taskManager"]["resource"]["memory"] == "8192m"
    assert spec["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] == "4"
    assert spec["job"]["parallelism"] == 16
    assert spec["job"]["upgradeMode"] == "savepoint"
    assert spec["flinkVersion"] == "v2_2"


def test_values_go_over_the_profile(chart: Chart) -> None:
    (job,) = flink_jobs(chart, "everything").values()
    spec = job["spec"]
    assert spec["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] == "1"
    assert spec["flinkConfiguration"]["s3.endpoint"] == "https://objects.example.com"
    assert spec["taskManager"]["resource"] == {"cpu": 1.5, "memory": "16g"}
    assert spec["job"]["parallelism"] == 32
    # A slash at the end of the root does not double.
    assert (
        spec["flinkConfiguration"]["execution.checkpointing.dir"]
        == "s3://example-bucket/tributary/measurement/checkpoints"
    )


@pytest.mark.parametrize("number", [4, 1_048_576, 2_147_483_648])
def test_numbers_are_written_plainly(chart: Chart, number: int) -> None:
    (job,) = flink_jobs(chart, "minimal", "--set", f"flink.configuration.some.size={number}").values()
    assert job["spec"]["flinkConfiguration"]["some.size"] == str(number)


def arguments_of(job: dict[str, Any]) -> list[str]:
    """The options of measurement.py in a deployment's arguments."""
    given: list[str] = job["spec"]["job"]["args"]
    assert given[:2] == ["-py", "/opt/tributary/jobs/measurement.py"]
    return given[2:]


@pytest.mark.parametrize("value_set", [name for name in VALUE_SETS if name != "serving-only"])
def test_the_job_accepts_its_arguments(chart: Chart, value_set: str) -> None:
    """The rendered command line is parsed and validated by the job's own options."""
    found = flink_jobs(chart, value_set)
    assert found
    for name, job in found.items():
        options = jobs.options.parse(arguments_of(job))
        assert options.job_name == options.consumer_group == name


def test_options_reach_the_job(chart: Chart) -> None:
    (job,) = flink_jobs(chart, "everything").values()
    options = jobs.options.parse(arguments_of(job))
    assert options.kafka_bootstrap == "kafka-0.kafka:9092,kafka-1.kafka:9092,kafka-2.kafka:9094"
    assert options.registry == "https://registry.data"
    assert (options.topic_prefix, options.clickhouse_database) == ("blue.", "marketing")
    assert (options.dedup_hours, options.half_life_days, options.start) == (48, 3.5, "earliest")


def test_stages_apart_cover_everything_once(chart: Chart) -> None:
    found = flink_jobs(chart, "stages-apart")
    options = {name: jobs.options.parse(arguments_of(job)) for name, job in found.items()}
    given_out = [stage for chosen in options.values() for stage in chosen.stage_set]
    assert sorted(given_out) == sorted(jobs.options.Stage)
    # One clock for a topic, and groups and folders that do not meet.
    assert [name for name, chosen in options.items() if chosen.clock_tick_ms] == ["measure-tributary-events"]
    folders = {job["spec"]["flinkConfiguration"]["execution.checkpointing.dir"] for job in found.values()}
    assert len(folders) == len({chosen.consumer_group for chosen in options.values()}) == len(found) == 3
    journeys = found["measure-tributary-journeys"]["spec"]
    assert journeys["taskManager"]["resource"] == {"cpu": 1, "memory": "2048m"}
    assert journeys["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] == "1"


def test_the_image_has_what_the_deployment_names(chart: Chart) -> None:
    (job,) = flink_jobs(chart, "minimal").values()
    image = (REPOSITORY / "helm" / "images" / "jobs.Dockerfile").read_text(encoding="utf-8")
    assert "COPY jobs /opt/tributary/jobs" in image
    assert (REPOSITORY / "jobs" / "measurement.py").exists()
    flink = re.search(r"^FROM flink:([\d.]+)-java17", image, flags=re.MULTILINE)
    assert flink
    assert job["spec"]["job"]["jarURI"].endswith(f"/flink-python-{flink[1]}.jar")
    assert f"flink-python-{flink[1]}.jar /opt/flink/lib/" in image
    assert f"apache-flink=={flink[1]}" in (REPOSITORY / "requirements" / "jobs.in").read_text(encoding="utf-8")
    assert job["spec"]["podTemplate"]["spec"]["securityContext"]["runAsUser"] == 9999
    assert "USER 9999" in image


def containers(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers of a workload, wherever its kind keeps them."""
    spec = resource["spec"]
    found: list[dict[str, Any]] = (spec.get("podTemplate") or spec["template"])["spec"]["containers"]
    return found


WORKLOADS = ("FlinkDeployment", "Deployment", "Job")


def test_secrets_come_by_reference(chart: Chart) -> None:
    resources = chart.render("everything")
    assert not of_kind(resources, "Secret")
    kafka = {"TRIBUTARY_KAFKA_PASSWORD": ("kafka-access", "password")}
    expected = {
        "FlinkDeployment": kafka
        | {
            "TRIBUTARY_CLICKHOUSE_PASSWORD": ("clickhouse-access", "reader"),
            "TRIBUTARY_REDIS_PASSWORD": ("redis-access", "password"),
            "AWS_ACCESS_KEY_ID": ("object-store", "access-key-id"),
            "AWS_SECRET_ACCESS_KEY": ("object-store", "secret-access-key"),
        },
        "Deployment": kafka
        | {
            "TRIBUTARY_CLICKHOUSE_PASSWORD": ("clickhouse-access", "reader"),
            "TRIBUTARY_REDIS_PASSWORD": ("redis-access", "password"),
            "TRIBUTARY_RELATIONAL_PASSWORD": ("relational-access", "password"),
            "TRIBUTARY_OIDC_CLIENT_SECRET": ("serving-secrets", "oidc-client-secret"),
            "TRIBUTARY_SESSION_SECRET": ("serving-secrets", "session-secret"),
            "TRIBUTARY_OPERATOR_TOKEN": ("serving-secrets", "operator-token"),
        },
        "measure-migration": {"TRIBUTARY_CLICKHOUSE_PASSWORD": ("clickhouse-access", "reader")},
        "measure-topics": kafka,
    }
    for kind in WORKLOADS:
        for name, resource in of_kind(resources, kind).items():
            (container,) = containers(resource)
            given = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}
            wanted = expected[name if kind == "Job" else kind]
            assert {name: (one["name"], one["key"]) for name, one in given.items()} == wanted


@pytest.mark.parametrize("value_set", VALUE_SETS)
def test_nothing_rendered_is_a_secret_value(chart: Chart, value_set: str) -> None:
    """Variables about secrets have no value of their own, config maps have none, and no URL carries a password."""
    resources = chart.render(value_set)
    about_secrets = re.compile(r"(?i)password|secret|token|access_key")
    for found in resources:
        if found["kind"] in WORKLOADS:
            for container in containers(found):
                assert all("value" not in one for one in container.get("env", ()) if about_secrets.search(one["name"]))
        if found["kind"] == "ConfigMap":
            assert not [name for name in found["data"] if about_secrets.search(name)]
    assert not re.search(r"://[^/@\s\"]*:[^/@\s\"]*@", yaml.safe_dump_all(resources))


def test_without_secrets_no_variable_is_left_over(chart: Chart) -> None:
    for kind in WORKLOADS:
        for resource in of_kind(chart.render("minimal"), kind).values():
            assert "env" not in containers(resource)[0]
