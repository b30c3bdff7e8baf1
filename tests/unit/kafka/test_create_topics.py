"""Which topics are made, and which existing ones are refused."""

from __future__ import annotations

from connectors.kafka.control import PARTITIONS
from connectors.kafka.create_topics import create_missing, main, topic_settings, unfit
from connectors.kafka.topics import Topics

TOPICS = Topics("blue.")


class Admin:
    """Stands for the admin client: knows some topics, notes what is made."""

    def __init__(self, *existing):
        self.existing = existing
        self.made = {}

    def list_topics(self):
        return list(self.existing)

    def create_topics(self, new, **_):
        self.made = new


def test_every_topic_of_the_contract_is_made_once():
    names = {getattr(TOPICS, name) for name in dir(Topics) if isinstance(getattr(Topics, name), property)}
    assert set(topic_settings(TOPICS)) == names
    admin = Admin(TOPICS.events)
    assert set(create_missing(admin, TOPICS, partitions=12, replication_factor=3)) == names - {TOPICS.events}
    assert admin.made[TOPICS.signals]["num_partitions"] == 12
    assert admin.made[TOPICS.control]["num_partitions"] == PARTITIONS
    assert admin.made[TOPICS.control]["configs"]["cleanup.policy"] == "compact"
    assert {one["replication_factor"] for one in admin.made.values()} == {3}
    assert create_missing(Admin(*names), TOPICS, partitions=12, replication_factor=3) == []


def test_a_topic_that_would_make_figures_wrong_is_refused():
    found = {name: dict(settings) for name, settings in topic_settings(TOPICS).items()}
    assert unfit(TOPICS, found) == []
    found[TOPICS.events]["message.timestamp.type"] = "CreateTime"
    found[TOPICS.control]["cleanup.policy"] = "delete"
    found[TOPICS.signals]["retention.ms"] = "1"
    assert unfit(TOPICS, found) == [
        "blue.marketing-events: message.timestamp.type is 'CreateTime'; needed: LogAppendTime",
        "blue.measurement-control: cleanup.policy is 'delete'; needed: compact",
    ]


def test_a_wrong_call_and_a_missing_broker_are_told_apart(capsys):
    nowhere = ["--kafka-bootstrap", "127.0.0.1:1"]
    assert main([*nowhere, "--kafka-security-protocol", "SASL_SSL"]) == 2
    assert "--kafka-user is ''" in capsys.readouterr().err
