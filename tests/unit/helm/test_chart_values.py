"""A wrong value is refused before anything is installed, with a message that names its key."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from typing import Any

import pytest
import yaml

import jobs.options
import serving.options
from connectors.kafka.settings import _BROKERS, KafkaSettings
from tests.unit.helm.chart_programs import REPOSITORY
from tests.unit.helm.rendered_chart import CHART, Chart, RefusedError

pytestmark = pytest.mark.timeout(1_800)

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def test_what_is_required_is_named(chart: Chart) -> None:
    with pytest.raises(RefusedError) as refused:
        chart.text()
    for key in ("/kafka/bootstrap", "/clickhouse/url", "/redis/url"):
        assert key in str(refused.value)
    assert "storage.root is empty" in chart.refusal("--set", "storage.root=")


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("kafka.bootstrap=kafka", "/kafka/bootstrap"),
        ("kafka.topicPrefix=a b", "/kafka/topicPrefix"),
        ("kafka.security.protocol=TLS", "/kafka/security/protocol"),
        ("kafka.security.protocol=SASL_SSL", "/kafka/security/user"),
        ("kafka.security.user=somebody", "/kafka/security/user"),
        ("kafka.security.ca.existingSecret=authorities", "/kafka/security/ca/existingSecret"),
        ("kafka.security.certificate.existingSecret=client", "/kafka/security/certificate/existingSecret"),
        ("topics.replicationFactor=0", "/topics/replicationFactor"),
        ("clickhouse.url=clickhouse:8123", "/clickhouse/url"),
        ("clickhouse.url=http://user:word@clickhouse:8123", "/clickhouse/url"),
        ("clickhouse.database=1st", "/clickhouse/database"),
        ("redis.url=http://redis:6379", "/redis/url"),
        ("redis.url=redis://:word@redis:6379/0", "/redis/url"),
        ("schemaRegistry.url=registry", "/schemaRegistry/url"),
        ("storage.root=bucket/path", "/storage/root"),
        ("flink.version=v1_20", "/flink/version"),
        ("flink.jobManager.replicas=0", "/flink/jobManager/replicas"),
        ("flink.env.DATABASE_PASSWORD=x", "/flink/env/DATABASE_PASSWORD"),
        ("jobs.measurement.upgradeMode=hope", "/jobs/measurement/upgradeMode"),
        ("jobs.measurement.parallelism=-1", "/jobs/measurement/parallelism"),
        ("jobs.measurement.stages[0]=evnets", "/jobs/measurement/stages/0"),
        ("jobs.measurement.options.dedup-hours=0", "/jobs/measurement/options/dedup-hours"),
        ("jobs.measurement.options.dedup-hour=24", "dedup-hour'"),
        ("jobs.measurement.options.kafka-bootstrap=other:9092", "kafka-bootstrap'"),
        ("jobs.A-job.enabled=true", "A-job"),
        ("serving.replicas=0", "/serving/replicas"),
        ("serving.options.log-level=loud", "/serving/options/log-level"),
        ("serving.options.grpc-port=1", "grpc-port'"),
        ("serving.service.type=Ingress", "/serving/service/type"),
        ("monitoring.rules.attributionCoverage=85", "/monitoring/rules/attributionCoverage"),
        ("monitoring.alertmanager.groupWait=10", "/monitoring/alertmanager/groupWait"),
        ("fullnameOverride=a-name-that-is-longer-than-29-characters", "/fullnameOverride"),
        ("servng.enabled=true", "servng'"),
    ],
)
def test_a_wrong_value_is_refused(chart: Chart, setting: str, named: str) -> None:
    assert named in chart.refusal("--set", setting)


def test_an_empty_list_of_peers_is_refused(chart: Chart) -> None:
    """Kubernetes reads an empty list as everyone."""
    assert "/networkPolicy/from/clients" in chart.refusal("--set-json", "networkPolicy.from.clients=[]")


def test_an_alertmanager_needs_where_to_send(chart: Chart) -> None:
    assert "existingSecret" in chart.refusal("--set", "monitoring.alertmanager.enabled=true")


def test_stages_are_given_out_once(chart: Chart) -> None:
    twice = chart.refusal("--set", "jobs.more.stages={journeys}")
    assert "jobs.measurement.stages and jobs.more.stages both have journeys" in twice
    no_events = chart.refusal("--set", "jobs.measurement.stages={journeys}")
    assert "no job has the stage events" in no_events
    no_windows = chart.refusal("--set", "jobs.measurement.stages={events,alerts}")
    assert "alerts without campaign_metrics" in no_windows


def test_values_and_schema_have_the_same_keys() -> None:
    """Every value is described, and everything described but what belongs to one job has a default."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def compare(schema: dict[str, Any], value: Any, path: str) -> None:
        schema = resolve(schema)
        if "properties" in schema and isinstance(value, dict) and not path.endswith(".options"):
            assert set(value) == set(schema["properties"]) - {"global"}, path
            for key, inner in value.items():
                compare(schema["properties"][key], inner, f"{path}.{key}")

    compare(SCHEMA, values, "values")
    compare(SCHEMA["$defs"]["job"], values["jobs"]["measurement"], "values.jobs.measurement")


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference inside the schema."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = SCHEMA["$defs"][reference.rsplit("/", maxsplit=1)[-1]]
    return found


KAFKA = {item.name.replace("_", "-") for item in fields(KafkaSettings)}
# What the chart sets from its own values, so that it cannot be set a second time.
SET_BY_CHART = {
    "jobOptions": {
        "clickhouse-url", "clickhouse-database", "redis-url", "registry", "topic-prefix",
        "consumer-group", "job-name", "stages", *KAFKA,
    },
    "servingOptions": {
        "clickhouse-url", "clickhouse-database", "redis-url", "topic-prefix",
        "host", "grpc-port", "http-port", "drain-seconds", "relational-url", "service-keys", "demo-user",
        "tls-certificate", "tls-key", "web-folder", *KAFKA,
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "module"), [("jobOptions", jobs.options), ("servingOptions", serving.options)])
def test_options_are_those_of_the_program(name: str, module: Any) -> None:
    """The schema knows every option that the chart leaves open, with the bounds and choices of the program itself."""
    described = SCHEMA["$defs"][name]["properties"]
    known = {item.name.replace("_", "-"): item for item in fields(module.Options)}
    assert set(described) == set(known) - SET_BY_CHART[name]
    assert set(known) >= SET_BY_CHART[name]
    kinds = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
    for option, rule in described.items():
        item = known[option]
        assert item.default is not MISSING
        if "enum" in rule:
            assert item.default in rule["enum"]
            continue
        assert rule["type"] == kinds[str(item.type)], option
        bounds = module._BOUNDS.get(item.name)
        assert (bounds is None) == ("minimum" not in rule), option
        if bounds is not None:
            assert (rule["minimum"], rule["maximum"]) == bounds, option


def test_choices_are_those_of_the_program() -> None:
    options = SCHEMA["$defs"]
    assert options["jobOptions"]["properties"]["start"]["enum"] == list(jobs.options.Start)
    assert options["job"]["properties"]["stages"]["items"]["enum"] == list(jobs.options.Stage)
    assert options["servingOptions"]["properties"]["log-level"]["enum"] == list(serving.options._LOG_LEVELS)
    kafka = SCHEMA["properties"]["kafka"]["properties"]
    assert kafka["bootstrap"]["pattern"] == f"^{_BROKERS.pattern}$"
    assert kafka["topicPrefix"]["pattern"] == f"^{jobs.options._TOPIC_PART.pattern}$"
    assert (
        SCHEMA["properties"]["clickhouse"]["properties"]["database"]["pattern"]
        == f"^{jobs.options._IDENTIFIER.pattern}$"
    )


def test_no_secret_is_written_into_values() -> None:
    """Keys about secrets name a Secret or a key in one; nothing else looks like a credential."""
    for file in (CHART / "values.yaml", *(CHART / "ci").glob("*.yaml")):
        for path, value in leaves(yaml.safe_load(file.read_text(encoding="utf-8"))):
            assert not re.search(r"://[^/@\s]*:[^/@\s]*@", str(value)), path
            if re.search(r"(?i)password|secret|token|credential|access.?key", path):
                assert re.search(r"(existingSecret|Key|pullSecrets\.\d+)$", path), path
                assert re.fullmatch(r"[a-z0-9-]{0,40}", str(value)), path


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every scalar with its dotted path."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}".strip("."))]
    if isinstance(value, list):
        return [leaf for index, inner in enumerate(value) for leaf in leaves(inner, f"{path}.{index}")]
    return [(path, value)]


def test_no_host_of_a_registry_is_named() -> None:
    for file in [*CHART.rglob("*.yaml"), *(REPOSITORY / "helm" / "images").iterdir()]:
        assert not re.search(
            r"(docker\.io|ghcr\.io|quay\.io|pypi\.org|maven\.org)", file.read_text(encoding="utf-8")
        ), file
