"""docs/submitting.md names only options and files that exist."""

from __future__ import annotations

import re
from dataclasses import fields

import yaml

import jobs.options
from tests.unit.helm.chart_programs import REPOSITORY
from tests.unit.helm.rendered_chart import CHART

PAGE = (REPOSITORY / "docs" / "submitting.md").read_text(encoding="utf-8")
# Options of other programs on the page: `flink` 2.2.1, kafka-topics, git, kubectl, helm and the migrations.
OF_OTHERS = {
    *("--detached", "--parallelism", "--python", "--running", "--fromSavepoint", "--claimMode", "--savepointPath"),
    *("--allowNonRestoredState", "--bootstrap-server", "--create", "--topic", "--partitions", "--replication-factor"),
    *("--config", "--format", "--namespace", "--values", "--from-file", "--url", "--database", "--help", "--watch"),
}


def test_options_exist() -> None:
    known = {f"--{item.name.replace('_', '-')}" for item in fields(jobs.options.Options)}
    used = set(re.findall(r"(?<![\w-])--[a-zA-Z][a-zA-Z-]+", PAGE))
    assert used & known
    assert used - known - OF_OTHERS == set()


def test_files_exist() -> None:
    folders = r"(?:jobs|helm|flink-conf|requirements|connectors|docs)/[\w./-]*\w"
    named = set(re.findall(rf"(?<![\w/]){folders}", PAGE))
    assert len(named) > 5
    assert [name for name in sorted(named) if not (REPOSITORY / name).exists()] == []


def test_values_exist() -> None:
    """Dotted names of the chart's values lead to a value; a job is called `measurement` or <name> on the page."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    tops = "|".join(sorted(set(values) - {"kafka", "clickhouse", "redis"}))
    named = re.findall(rf"`((?:{tops})(?:\.(?:\w+|<name>))+)", PAGE)
    assert len(named) > 5
    for name in named:
        place = values
        for step in name.replace("<name>", "measurement").split("."):
            assert step in place, name
            place = place[step]


def test_stages_and_topics_are_named() -> None:
    for stage in jobs.options.Stage:
        assert f"`{stage.value}`" in PAGE
