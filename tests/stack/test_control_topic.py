"""The control topic against a real broker: made compacted, written, and read to its end in the order of writing."""

from __future__ import annotations

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from connectors.kafka.control import ControlTopic
from connectors.kafka.settings import KafkaSettings
from jobs.attribution_control import put_settings, read_all
from local.config import StackConfig
from local.stack import Stack
from tests.conftest import free_port_base


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory):
    stack = Stack(StackConfig(run_dir=tmp_path_factory.mktemp("kafka"), port_base=free_port_base()), report=print)
    stack.up(only=["kafka"], supervise=False)
    yield f"127.0.0.1:{stack.config.kafka_port}"
    stack.down()


def test_records_come_back_by_key_in_the_order_of_writing(bootstrap):
    topic = ControlTopic(KafkaSettings(kafka_bootstrap=bootstrap), "blue.measurement-control")
    assert topic.read() == {}
    assert topic.create()
    assert not topic.create()
    for number in range(3):
        topic.put("acme", b"%d" % number)
        topic.put("globex", b"%d" % number)
    assert topic.read() == {"acme": [b"0", b"1", b"2"], "globex": [b"0", b"1", b"2"]}
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.topic)])
    assert "compact" in str(found)


def test_settings_are_put_with_growing_versions(bootstrap):
    topic = ControlTopic(KafkaSettings(kafka_bootstrap=bootstrap), "green.measurement-control")
    topic.create()
    assert [put_settings(topic, "acme", {"lookback_days": days}).version for days in (1, 2)] == [1, 2]
    (record,) = read_all(topic).values()
    assert (record.version, record.document) == (2, {"lookback_days": 2})
