"""The settings of a stack: read from the environment, checked, handed on to child processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.config import MOST_TASKMANAGERS, PORTS_USED, REPOSITORY, ConfigError, StackConfig

ports = st.integers(1024, 65535 - PORTS_USED)
counts = st.integers(1, MOST_TASKMANAGERS)


def all_ports(config: StackConfig) -> list[int]:
    named = [
        getattr(config, name)
        for name in dir(config)
        if name.endswith("_port") and isinstance(getattr(config, name), int)
    ]
    return named + [config.taskmanager_metrics_port(number) for number in range(1, config.taskmanagers + 1)]


def test_an_empty_environment_gives_the_documented_defaults():
    config = StackConfig.from_environment({})
    assert config.run_dir == REPOSITORY / ".run"
    assert (config.kafka_port, config.clickhouse_port, config.redis_port) == (19090, 19092, 19093)
    assert (config.flink_port, config.grpc_port, config.http_port, config.prometheus_port) == (
        19094,
        19095,
        19096,
        19097,
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT_BASE", "80", "from 1024 to 65505"),
        ("PORT_BASE", "65506", "from 1024 to 65505"),
        ("PORT_BASE", "ninety", "from 1024 to 65505"),
        ("TASKMANAGERS", "0", "from 1 to 18"),
        ("TASKMANAGERS", "2.5", "from 1 to 18"),
        ("CHECKPOINT_SECONDS", "-1", "from 1 to 3600"),
        ("JOB_OPTIONS", "--job-name 'open", "as a shell would split them"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(name, value, allowed):
    with pytest.raises(ConfigError) as caught:
        StackConfig.from_environment({name: value})
    assert name in str(caught.value)
    assert value in str(caught.value)
    assert allowed in str(caught.value)


@given(port_base=ports, taskmanagers=counts)
def test_no_two_servers_share_a_port_and_none_leaves_the_stack_s_range(port_base, taskmanagers):
    config = StackConfig(run_dir=Path("/r"), port_base=port_base, taskmanagers=taskmanagers)
    used = all_ports(config)
    assert len(set(used)) == len(used)
    assert min(used) >= port_base
    assert max(used) < port_base + PORTS_USED


@given(
    port_base=ports,
    taskmanagers=counts,
    option=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")),
)
def test_a_child_process_reads_the_same_settings(port_base, taskmanagers, option):
    config = StackConfig(
        run_dir=Path("/tmp/a b"), port_base=port_base, taskmanagers=taskmanagers, job_options=("--topic-prefix", option)
    )
    assert StackConfig.from_environment(config.to_environment()) == config
