"""Kafka in the chart: who gets the password and the authorities, and the job that makes the topics."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.kafka.create_topics import _parser
from jobs.options import parser as job_parser
from tests.unit.helm.rendered_chart import Chart, of_kind, values_of

pytestmark = pytest.mark.timeout(1_800)

PASSWORD = {
    "name": "TRIBUTARY_KAFKA_PASSWORD",
    "valueFrom": {"secretKeyRef": {"name": "kafka-access", "key": "password"}},
}
FOLDER = "/etc/tributary/kafka"
VOLUME = {
    "kafka-authorities": [{"key": "ca.crt", "path": "ca.crt"}],
    "kafka-client": [{"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}],
}


def pods(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod specifications that talk to Kafka, by the name of their resource."""
    flink = {
        name: found["spec"]["podTemplate"]["spec"] for name, found in of_kind(resources, "FlinkDeployment").items()
    }
    others = {**of_kind(resources, "Deployment"), **of_kind(resources, "Job")}
    specified = {name: found["spec"]["template"]["spec"] for name, found in others.items()}
    return {name: spec for name, spec in (flink | specified).items() if not name.endswith("-migration")}


def test_every_client_of_kafka_gets_its_secrets_by_reference(chart: Chart) -> None:
    found = pods(chart.render("everything"))
    assert {name.removeprefix("measure-") for name in found} == {"measurement", "serving", "topics"}
    for name, spec in found.items():
        (container,) = spec["containers"]
        assert PASSWORD in container["env"], name
        (mount,) = [one for one in container["volumeMounts"] if one["name"] == "kafka-tls"]
        (volume,) = [one for one in spec["volumes"] if one["name"] == "kafka-tls"]
        assert (mount["mountPath"], mount["readOnly"]) == (FOLDER, True)
        secrets = [one["secret"] for one in volume["projected"]["sources"]]
        assert {secret["name"]: secret["items"] for secret in secrets} == VOLUME, name


def test_every_client_of_kafka_gets_the_same_options(chart: Chart) -> None:
    resources = chart.render("everything")
    (flink,) = of_kind(resources, "FlinkDeployment").values()
    job = job_parser().parse_args(flink["spec"]["job"]["args"][2:])
    topics = _parser().parse_args(topics_job(resources)["args"])
    serving = of_kind(resources, "ConfigMap")["measure-serving"]["data"]
    wanted = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
        "kafka_user": "measurement",
        "kafka_ca_file": f"{FOLDER}/ca.crt",
        "kafka_certificate_file": f"{FOLDER}/tls.crt",
        "kafka_key_file": f"{FOLDER}/tls.key",
    }
    for name, value in wanted.items():
        assert [getattr(job, name), getattr(topics, name), serving[f"TRIBUTARY_{name.upper()}"]] == [value] * 3


def test_a_plain_connection_has_nothing_of_it(chart: Chart) -> None:
    text = chart.text("--values", values_of("minimal"))
    assert "kafka-tls" not in text
    assert "KAFKA_PASSWORD" not in text
    assert "security-protocol" not in text


def topics_job(resources: list[dict[str, Any]]) -> dict[str, Any]:
    (job,) = (found for name, found in of_kind(resources, "Job").items() if name.endswith("-topics"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def test_the_topics_are_made_before_the_installation(chart: Chart) -> None:
    resources = chart.render("everything")
    container = topics_job(resources)
    assert container["command"] == ["python", "-m", "connectors.kafka.create_topics"]
    chosen = _parser().parse_args(container["args"])
    assert (chosen.partitions, chosen.replication_factor, chosen.topic_prefix) == (16, 3, "blue.")
    assert chosen.kafka_bootstrap.startswith("kafka-0.kafka:9092,")
    job = of_kind(resources, "Job")["measure-topics"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert container["image"] == "registry.example.com/tributary-serving:1.2.3"


def test_the_topics_can_be_left_to_others(chart: Chart) -> None:
    assert not of_kind(chart.render("serving-only"), "Job")
    brokers_choice = topics_job(chart.render("minimal", "--set", "topics.replicationFactor=-1"))
    assert _parser().parse_args(brokers_choice["args"]).replication_factor == -1


def test_the_topics_job_reaches_the_brokers(chart: Chart) -> None:
    """The default policy lets nobody out: the job's pod must be among those that may talk to Kafka."""
    resources = chart.render("everything")
    policy = next(found for name, found in of_kind(resources, "NetworkPolicy").items() if name.endswith("-to-kafka"))
    (part,) = policy["spec"]["podSelector"]["matchExpressions"]
    labels = of_kind(resources, "Job")["measure-topics"]["spec"]["template"]["metadata"]["labels"]
    assert labels[part["key"]] in part["values"]
