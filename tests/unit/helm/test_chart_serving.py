"""Serving and the migration: their options, probes, hardening, scaling, and who may talk to whom."""

from __future__ import annotations

import re
from typing import Any

import pytest

import serving.options
from connectors.clickhouse import migrations
from tests.unit.helm.chart_programs import REPOSITORY
from tests.unit.helm.rendered_chart import VALUE_SETS, Chart, of_kind

pytestmark = pytest.mark.timeout(1_800)

Resources = list[dict[str, Any]]


def pod(resource: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = resource["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("value_set", VALUE_SETS)
def test_serving_accepts_its_environment(chart: Chart, value_set: str) -> None:
    """The rendered variables are parsed and validated by serving's own options, and none is unknown to them."""
    resources = chart.render(value_set)
    (name,) = of_kind(resources, "Deployment")
    environment = of_kind(resources, "ConfigMap")[name]["data"]
    assert all(isinstance(value, str) for value in environment.values())
    known = {f"TRIBUTARY_{field.upper()}" for field in serving.options.Options.__dataclass_fields__}
    assert set(environment) <= known
    options = serving.options.parse([], environment)
    assert (options.host, options.grpc_port, options.http_port) == ("0.0.0.0", 50051, 8080)
    (deployment,) = of_kind(resources, "Deployment").values()
    assert pod(deployment)["terminationGracePeriodSeconds"] >= options.drain_seconds + 5


def test_serving_in_a_cluster_asks_callers_who_they_are(chart: Chart) -> None:
    assert "relational.url is empty" in chart.refusal("--set", "relational.url=")
    resources = chart.render("everything")
    (deployment,) = of_kind(resources, "Deployment").values()
    (container,) = pod(deployment)["containers"]
    secrets = {one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"]}
    assert {name: secrets[f"TRIBUTARY_{name}"] for name in ("RELATIONAL_PASSWORD", "SESSION_SECRET")} == {
        "RELATIONAL_PASSWORD": "relational-access",
        "SESSION_SECRET": "serving-secrets",
    }
    (monitor,) = of_kind(resources, "ServiceMonitor").values()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "serving-secrets", "key": "operator-token"}


def test_serving_shows_the_lag_of_the_job_that_stores_events(chart: Chart) -> None:
    for value_set, group in (
        ("minimal", "measure-tributary-measurement"),
        ("stages-apart", "measure-tributary-events"),
        ("serving-only", "elsewhere"),
    ):
        resources = chart.render(value_set)
        (name,) = of_kind(resources, "Deployment")
        assert of_kind(resources, "ConfigMap")[name]["data"]["TRIBUTARY_PIPELINE_GROUP"] == group


def test_a_changed_option_starts_new_pods(chart: Chart) -> None:
    def checksum(*arguments: str) -> str:
        (deployment,) = of_kind(chart.render("minimal", *arguments), "Deployment").values()
        found: str = deployment["spec"]["template"]["metadata"]["annotations"]["checksum/environment"]
        return found

    assert checksum() == checksum()
    assert checksum() != checksum("--set", "serving.options.max-calls=99")


def test_probes_ports_and_services_fit(chart: Chart) -> None:
    resources = chart.render("minimal")
    (deployment,) = of_kind(resources, "Deployment").values()
    (container,) = pod(deployment)["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert container["readinessProbe"]["grpc"] == {"port": ports["grpc"]}
    # Both stores down makes a pod unready, and must not restart it: neither probe of life may look at readiness.
    for probe in ("livenessProbe", "startupProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    services = of_kind(resources, "Service")
    assert len(services) == 2
    for service in services.values():
        assert service["spec"]["selector"].items() <= labels.items()
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= set(ports)


def test_three_replicas_spread_and_scale(chart: Chart) -> None:
    resources = chart.render("minimal")
    (name,) = of_kind(resources, "Deployment")
    (deployment,) = of_kind(resources, "Deployment").values()
    scaler = of_kind(resources, "HorizontalPodAutoscaler")[name]["spec"]
    assert scaler["scaleTargetRef"]["name"] == name
    assert scaler["minReplicas"] == 3
    # A number here would undo the autoscaler's choice at every upgrade.
    assert "replicas" not in deployment["spec"]
    assert of_kind(resources, "PodDisruptionBudget")[name]["spec"]["maxUnavailable"] == 1
    keys = {one["topologyKey"] for one in pod(deployment)["topologySpreadConstraints"]}
    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    (fixed,) = of_kind(chart.render("stages-apart"), "Deployment").values()
    assert fixed["spec"]["replicas"] == 3


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_pods_are_hardened(chart: Chart, kind: str) -> None:
    for resource in of_kind(chart.render("minimal"), kind).values():
        spec = pod(resource)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]


def test_migration_runs_first_and_needs_nothing_of_the_release(chart: Chart) -> None:
    job = of_kind(chart.render("everything"), "Job")["measure-migration"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = pod(job)["containers"]
    assert "envFrom" not in container
    assert "serviceAccountName" not in pod(job)
    python, flag, module = container["command"]
    assert (python, flag) == ("python", "-m")
    assert module == migrations.__name__
    assert {part for part in container["args"] if part.startswith("--")} == {"--url", "--database"}


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector matches, for the forms that the chart uses."""
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items() and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ())
    )


def allowed(resources: Resources, labels: dict[str, str], direction: str) -> dict[str, set[int | None]]:
    """The policies that allow something to a pod, with the ports (None: all)."""
    found: dict[str, set[int | None]] = {}
    for name, policy in of_kind(resources, "NetworkPolicy").items():
        if selects(policy["spec"]["podSelector"], labels):
            for rule in policy["spec"].get(direction, ()):
                ports: set[int | None] = {one["port"] for one in rule["ports"]} if "ports" in rule else {None}
                found[name.removeprefix("measure-tributary-").removeprefix("measure-")] = ports
    return found


def pod_labels(resources: Resources, kind: str) -> dict[str, str]:
    resource = next(iter(of_kind(resources, kind).values()))
    template = resource["spec"].get("podTemplate") or resource["spec"]["template"]
    found: dict[str, str] = template["metadata"]["labels"]
    return found


def test_network_is_closed_but_for_named_ways(chart: Chart) -> None:
    resources = chart.render("everything")
    denied = of_kind(resources, "NetworkPolicy")["measure-default-deny"]["spec"]
    assert set(denied["policyTypes"]) == {"Ingress", "Egress"}
    for kind in ("FlinkDeployment", "Deployment", "Job"):
        assert selects(denied["podSelector"], pod_labels(resources, kind))
    assert allowed(resources, pod_labels(resources, "FlinkDeployment"), "egress") == {
        "to-dns": {53},
        "to-kafka": {9092, 9094},
        "to-clickhouse": {9440},
        "to-redis": {6380},
        "to-schema-registry": {443},
        "to-storage": {443},
        "to-kubernetes-api": {443, 6443},
        "within-measurement": {None},
    }
    assert allowed(resources, pod_labels(resources, "FlinkDeployment"), "ingress") == {
        "within-measurement": {None},
        "from-operator": {8081},
        "metrics-of-flink": {9249},
    }
    serving_pod = pod_labels(resources, "Deployment")
    ways = allowed(resources, serving_pod, "egress")
    assert set(ways) == {"to-dns", "to-kafka", "to-clickhouse", "to-redis", "to-relational", "to-identity-provider"}
    assert (ways["to-relational"], ways["to-identity-provider"]) == ({5433}, {8443})
    assert allowed(resources, serving_pod, "ingress") == {"from-clients": {50051, 8080}, "metrics-of-serving": {8080}}
    assert set(allowed(resources, pod_labels(resources, "Job"), "egress")) == {"to-dns", "to-clickhouse"}
    assert allowed(resources, pod_labels(resources, "Job"), "ingress") == {}


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://clickhouse", 8123),
        ("https://clickhouse", 8443),
        ("https://reader@clickhouse.data.svc:9440", 9440),
    ],
)
def test_ports_are_read_from_addresses(chart: Chart, url: str, port: int) -> None:
    resources = chart.render("minimal", "--set", f"clickhouse.url={url}")
    assert allowed(resources, pod_labels(resources, "Job"), "egress")["to-clickhouse"] == {port}


def test_jobs_reach_themselves_and_not_each_other(chart: Chart) -> None:
    resources = chart.render("stages-apart", "--set", "networkPolicy.enabled=true")
    found = of_kind(resources, "FlinkDeployment")
    labels = {name: job["spec"]["podTemplate"]["metadata"]["labels"] for name, job in found.items()}
    for name, own in labels.items():
        within = of_kind(resources, "NetworkPolicy")[f"measure-tributary-within-{name.rsplit('-', maxsplit=1)[-1]}"][
            "spec"
        ]
        (peer,) = within["ingress"][0]["from"]
        assert [other for other, theirs in labels.items() if selects(peer["podSelector"], theirs)] == [name]
        assert selects(within["podSelector"], own)


def test_the_serving_image_keeps_what_serving_imports() -> None:
    """What the image removes is in the lock, and nothing that runs in it imports it."""
    image = (REPOSITORY / "helm" / "images" / "serving.Dockerfile").read_text(encoding="utf-8")
    removed = re.search(r"pip uninstall --yes \\\n((?:.*\\\n)*?)\s*&&", image)
    assert removed
    packages = re.findall(r"[a-z][a-z0-9-]+", removed[1])
    lock = (REPOSITORY / "requirements" / "serving.lock").read_text(encoding="utf-8")
    assert len(packages) > 5
    assert [name for name in packages if f"\n{name}==" not in lock] == []
    modules = {name.replace("-", "_") for name in packages if not name.startswith("types-")}
    modules |= {"grpc_tools", "sklearn"}
    sources = [
        *(REPOSITORY / "serving").rglob("*.py"),
        *(REPOSITORY / "connectors").rglob("*.py"),
        *(REPOSITORY / "udfs").rglob("*.py"),
    ]
    imports = re.compile(rf"^\s*(?:import|from) ({'|'.join(sorted(modules))})\b", flags=re.MULTILINE)
    # `serving.generate` runs while the image is built.
    assert [
        str(file) for file in sources if file.name != "generate.py" and imports.search(file.read_text(encoding="utf-8"))
    ] == []
