"""Every key of both Flink profiles is an option of this Flink version, with a value that it accepts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pyflink.java_gateway import get_gateway

PROFILES = Path(__file__).resolve().parents[2] / "flink-conf"
OPTION_CLASSES = [
    "org.apache.flink.configuration.JobManagerOptions",
    "org.apache.flink.configuration.TaskManagerOptions",
    "org.apache.flink.configuration.NettyShuffleEnvironmentOptions",
    "org.apache.flink.configuration.CoreOptions",
    "org.apache.flink.configuration.RestOptions",
    "org.apache.flink.configuration.RpcOptions",
    "org.apache.flink.configuration.ExecutionOptions",
    "org.apache.flink.configuration.PipelineOptions",
    "org.apache.flink.configuration.HeartbeatManagerOptions",
    "org.apache.flink.configuration.RestartStrategyOptions",
    "org.apache.flink.configuration.HighAvailabilityOptions",
    "org.apache.flink.configuration.StateBackendOptions",
    "org.apache.flink.configuration.StateRecoveryOptions",
    "org.apache.flink.state.rocksdb.RocksDBConfigurableOptions",
    "org.apache.flink.state.rocksdb.RocksDBOptions",
    "org.apache.flink.configuration.CheckpointingOptions",
    "org.apache.flink.configuration.MetricOptions",
    "org.apache.flink.python.PythonOptions",
    "org.apache.flink.table.api.config.TableConfigOptions",
]
# Options of a named reporter are declared as templates, so these two are not found by their full key.
OF_THE_REPORTER = {"metrics.reporter.prom.factory.class", "metrics.reporter.prom.port"}


@pytest.fixture(scope="module")
def options():
    jvm = get_gateway().jvm
    found = {}
    for name in OPTION_CLASSES:
        for field in jvm.java.lang.Class.forName(name).getFields():
            if field.getType().getSimpleName() == "ConfigOption":
                option = field.get(None)
                found[option.key()] = option
    return found


def load(folder):
    return get_gateway().jvm.org.apache.flink.configuration.GlobalConfiguration.loadConfiguration(str(folder))


@pytest.mark.parametrize("profile", ["local", "production"])
def test_every_key_is_known_and_its_value_accepted(profile, options):
    configuration = load(PROFILES / profile)
    keys = set(configuration.keySet()) - OF_THE_REPORTER
    assert len(keys) > 20
    assert keys - set(options) == set()
    for key in keys:
        configuration.get(options[key])  # raises when the value cannot be read as the option's type


def test_a_wrong_key_and_a_wrong_value_are_noticed(tmp_path, options):
    (tmp_path / "config.yaml").write_text("heartbeat.timout: 10000\nheartbeat.interval: often\n")
    configuration = load(tmp_path)
    assert set(configuration.keySet()) - set(options) == {"heartbeat.timout"}
    with pytest.raises(Exception, match="often"):
        configuration.get(options["heartbeat.interval"])


def test_production_has_the_promised_size():
    settings = yaml.safe_load((PROFILES / "production" / "config.yaml").read_text())
    assert settings["jobmanager"]["memory"]["process"]["size"] == "4096m"
    assert settings["taskmanager"]["memory"]["process"]["size"] == "8192m"
    assert settings["taskmanager"]["numberOfTaskSlots"] == 4
    assert settings["parallelism"]["default"] == 16
    checkpointing = settings["execution"]["checkpointing"]
    assert (checkpointing["mode"], checkpointing["interval"], checkpointing["timeout"]) == (
        "EXACTLY_ONCE",
        "30 s",
        "10 min",
    )


def test_both_profiles_agree_on_what_results_depend_on():
    local, production = (
        yaml.safe_load((PROFILES / name / "config.yaml").read_text()) for name in ("local", "production")
    )
    assert local["execution"]["checkpointing"]["mode"] == production["execution"]["checkpointing"]["mode"]
    for key in ("python", "table"):
        assert local[key] == production[key]
    assert local["env"]["java"]["opts"]["all"] == production["env"]["java"]["opts"]["all"]
