"""Alert rules and dashboard: valid PromQL over metrics that exist; alerts raised and quiet when they should be."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from serving.metrics import PIPELINE_METRICS, Kind, ServingMetrics
from tests.unit.helm.rendered_chart import Chart, installed, of_kind

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(1_800)

# As Flink 2.2.1's Prometheus reporter names them.
FLINK_METRICS = {
    "flink_jobmanager_numRunningJobs",
    "flink_jobmanager_job_numRestarts",
    "flink_jobmanager_job_numberOfCompletedCheckpoints",
    "flink_jobmanager_job_lastCheckpointDuration",
    "flink_taskmanager_job_task_busyTimeMsPerSecond",
    "flink_taskmanager_job_task_backPressuredTimeMsPerSecond",
}
SERVING = 'namespace="marketing",service="measure-serving"'
FLINK = 'namespace="marketing",pod="measure-measurement-5d8f",tributary_job="measurement"'


@pytest.fixture(scope="module")
def rules(chart: Chart) -> dict[str, Any]:
    found = of_kind(chart.render("everything"), "PrometheusRule")
    spec: dict[str, Any] = found["measure"]["spec"]
    return spec


@pytest.fixture(scope="module")
def rules_file(rules: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("rules") / "rules.yaml"
    file.write_text(yaml.safe_dump(rules), encoding="utf-8")
    return file


def promtool(*arguments: str | Path) -> str:
    """Run promtool; returns what it printed if it found a fault, else nothing."""
    done = subprocess.run([installed("promtool"), *arguments], capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def all_rules(rules: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_rules_are_valid(rules_file: Path) -> None:
    assert promtool("check", "rules", rules_file) == ""


def metrics_of(expressions: list[str]) -> set[str]:
    """The metrics that expressions read: names before a selector."""
    return {name for text in expressions for name in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{", text)}


def known_metrics() -> set[str]:
    """What serving and Flink expose."""
    known = set(FLINK_METRICS)
    known |= {metric.name + ("_total" if metric.kind is Kind.COUNTER else "") for metric in PIPELINE_METRICS}
    for family in ServingMetrics().registry.collect():
        ending = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        known |= {family.name + suffix for suffix in ending}
    return known


def test_metrics_exist(rules: dict[str, Any]) -> None:
    used = metrics_of([rule["expr"] for rule in all_rules(rules)])
    assert len(used) > 5
    assert used - known_metrics() == set()


def test_dashboard_shows_what_exists(chart: Chart, tmp_path: Path) -> None:
    """Every panel's expression is valid and reads metrics that exist; no panel covers another."""
    found = of_kind(chart.render("everything"), "ConfigMap")["measure-dashboard"]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    dashboard = json.loads(found["data"]["tributary.json"])
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) > 10
    assert metrics_of(expressions) - known_metrics() == set()
    recorded = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$\w+", "x", text.replace("$__rate_interval", "5m"))}
        for number, text in enumerate(expressions)
    ]
    rules = tmp_path / "panels.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}), encoding="utf-8")
    assert promtool("check", "rules", rules) == ""
    cells = [
        (column, row)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for column in range(place["x"], place["x"] + place["w"])
        for row in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) < 24


def test_every_alert_says_what_and_what_to_do(rules: dict[str, Any]) -> None:
    for rule in all_rules(rules):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}


def rising(metric: str, labels: str, per_minute: float) -> dict[str, str]:
    """A counter over an hour."""
    return {"series": f"{metric}{{{labels}}}", "values": f"0+{per_minute}x60"}


def steady(metric: str, labels: str, value: float) -> dict[str, str]:
    """A gauge over an hour."""
    return {"series": f"{metric}{{{labels}}}", "values": f"{value}x60"}


def outcome(name: str, per_minute: float, pod: str = "a") -> dict[str, str]:
    return rising("marketing_events_processed_total", f'{SERVING},pod="{pod}",outcome="{name}"', per_minute)


def latency(stage: str, share_within: float, bound: str) -> list[dict[str, str]]:
    labels = f'{SERVING},pod="a",stage="{stage}"'
    return [
        rising("analytics_pipeline_latency_seconds_bucket", f'{labels},le="{bound}"', 1000 * share_within),
        rising("analytics_pipeline_latency_seconds_bucket", f'{labels},le="60"', 1000),
        rising("analytics_pipeline_latency_seconds_bucket", f'{labels},le="+Inf"', 1000),
    ]


def lag(records: float, pod: str = "a") -> list[dict[str, str]]:
    return [
        steady("pipeline_consumer_lag_records", f'{SERVING},pod="{pod}",partition="{number}"', records / 2)
        for number in (0, 1)
    ]


RUNNING = steady("flink_jobmanager_numRunningJobs", FLINK, 1)
CHECKPOINTS = "flink_jobmanager_job_numberOfCompletedCheckpoints"
CALLS = "serving_calls_total"

# Alert, series with which it is raised, series with which it is not.
CASES: list[tuple[str, list[dict[str, str]], list[dict[str, str]]]] = [
    (
        "TributaryQuarantineRateHigh",
        [outcome("accepted", 98), outcome("quarantined", 2)],
        # A second pod that shows the same figures changes nothing.
        [
            outcome("accepted", 995),
            outcome("quarantined", 5),
            outcome("accepted", 995, "b"),
            outcome("quarantined", 5, "b"),
        ],
    ),
    # 600 a minute are 10 a second: 400 records are 40 s of traffic, shown by two pods 80 if they were added up.
    ("TributaryLagHigh", [outcome("accepted", 600), *lag(400)], [outcome("accepted", 600), *lag(200), *lag(200, "b")]),
    ("TributaryLatencyHigh", latency("campaign_metrics", 0.98, "5.0"), latency("campaign_metrics", 0.995, "5.0")),
    ("TributaryAttributionLatencyHigh", latency("attribution", 0.98, "30.0"), latency("attribution", 0.995, "30.0")),
    (
        "TributaryAttributionCoverageLow",
        [steady("attribution_coverage_ratio", f'{SERVING},pod="a"', 0.84)],
        [steady("attribution_coverage_ratio", f'{SERVING},pod="a"', 0.86)],
    ),
    ("TributaryJobNotRunning", [steady("flink_jobmanager_numRunningJobs", FLINK, 0)], [RUNNING]),
    ("TributaryCheckpointsMissing", [steady(CHECKPOINTS, FLINK, 7)], [rising(CHECKPOINTS, FLINK, 2)]),
    (
        "TributaryJobRestarts",
        [rising("flink_jobmanager_job_numRestarts", FLINK, 1)],
        [steady("flink_jobmanager_job_numRestarts", FLINK, 5)],
    ),
    (
        "TributaryStoreUnreachable",
        [steady("serving_store_up", f'{SERVING},pod="{pod}",store="history"', 0) for pod in "ab"],
        [steady("serving_store_up", f'{SERVING},pod="{pod}",store="history"', up) for pod, up in (("a", 0), ("b", 1))],
    ),
    (
        "TributaryServingErrors",
        [rising(CALLS, f'{SERVING},pod="a",code="{code}"', n) for code, n in (("OK", 97), ("INTERNAL", 3))],
        # A caller's own mistakes are no fault of the server.
        [rising(CALLS, f'{SERVING},pod="a",code="{code}"', n) for code, n in (("OK", 97), ("INVALID_ARGUMENT", 30))],
    ),
]


def raised(rules_file: Path, folder: Path, alert: str, series: list[dict[str, str]]) -> str:
    """Let half an hour pass over the series and state that the alert is raised; returns what promtool objects."""
    test = {
        "rule_files": [str(rules_file)],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                        "eval_time": "30m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                ],
            }
        ],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(test), encoding="utf-8")
    return promtool("test", "rules", file)


def test_every_alert_has_a_case(rules: dict[str, Any]) -> None:
    assert sorted(name for name, _, _ in CASES) == sorted(rule["alert"] for rule in all_rules(rules))


@pytest.mark.parametrize(("alert", "faulty", "healthy"), CASES, ids=[name for name, _, _ in CASES])
def test_alert_is_raised_and_quiet(
    rules_file: Path, tmp_path: Path, alert: str, faulty: list[dict[str, str]], healthy: list[dict[str, str]]
) -> None:
    assert raised(rules_file, tmp_path, alert, faulty) == ""
    objection = raised(rules_file, tmp_path, alert, healthy)
    assert "got: nil" in objection or "got:[]" in objection or "got: []" in objection, objection


def test_a_job_that_is_gone_is_noticed(rules_file: Path, tmp_path: Path) -> None:
    """Without any series there is nothing to compare, and it is raised all the same."""
    assert raised(rules_file, tmp_path, "TributaryJobNotRunning", []) == ""


def test_alertmanager_groups_and_repeats_as_promised(chart: Chart) -> None:
    """Requirement K1: group_wait 10 s, group_interval 5 min, repeat 4 h. The address is read from a Secret."""
    spec = of_kind(chart.render("everything"), "AlertmanagerConfig")["measure"]["spec"]
    route = spec["route"]
    assert (route["groupWait"], route["groupInterval"], route["repeatInterval"]) == ("10s", "5m", "4h")
    (receiver,) = spec["receivers"]
    assert receiver["name"] == route["receiver"]
    assert receiver["webhookConfigs"][0]["urlSecret"] == {"name": "alert-webhook", "key": "url"}


def test_monitors_find_what_they_scrape(chart: Chart) -> None:
    resources = chart.render("everything")
    monitor = of_kind(resources, "ServiceMonitor")["measure-serving"]["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    found = [one for one in of_kind(resources, "Service").values() if wanted <= one["metadata"]["labels"].items()]
    # The service without an address of its own has the same pods: scraping both would count them twice.
    assert [one["metadata"]["name"] for one in found] == ["measure-serving"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {one["name"] for one in found[0]["spec"]["ports"]}
    assert endpoint["interval"] == "15s"
    pods = of_kind(resources, "PodMonitor")["measure-flink"]["spec"]
    (job,) = of_kind(resources, "FlinkDeployment").values()
    template = job["spec"]["podTemplate"]
    assert pods["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert set(pods["podTargetLabels"]) <= set(template["metadata"]["labels"])
    (container,) = template["spec"]["containers"]
    assert pods["podMetricsEndpoints"][0]["port"] in {one["name"] for one in container["ports"]}
