"""Makes the topics of the data contract where they are missing, and refuses those that cannot work.

    python -m connectors.kafka.create_topics --kafka-bootstrap kafka:9092 --partitions 8 --replication-factor 3

Topics that exist are left as they are. Returns 1 when one of them has a setting that the pipeline's results rest on,
and has it wrong, or when the brokers refuse. Safe to run at any time, by several at once.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from connectors.kafka import clients
from connectors.kafka.control import CONFIGURATION, PARTITIONS
from connectors.kafka.settings import KafkaSettings, KafkaSettingsError, add_arguments
from connectors.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafka.admin import KafkaAdminClient

DAY_MS = 24 * 3600 * 1000
# The largest record that the pipeline must survive is 10 MB; it goes to the quarantine, so the broker has to let it in.
LARGEST_MESSAGE = 16 * 1024 * 1024
TIMEOUT_MS = 30_000
# Without these figures would be wrong or settings lost; everything else is a matter of room and time.
NEEDED = ("message.timestamp.type", "cleanup.policy")


def topic_settings(topics: Topics) -> dict[str, dict[str, str]]:
    """Return the topics of the data contract and their configuration."""
    ninety_days = str(90 * DAY_MS)
    wanted = {
        # The broker's append time is the time that watermarks and the age rules rest on.
        topics.events: {"retention.ms": ninety_days, "message.timestamp.type": "LogAppendTime"},
        topics.quarantine: {"retention.ms": ninety_days},
        topics.late: {"retention.ms": ninety_days},
        # A replay of the events must find the erasures too.
        topics.identity_commands: {"retention.ms": ninety_days},
        # The newest record of each tenant is kept for ever.
        topics.control: dict(CONFIGURATION),
        # Signals and alerts are copies of stored rows, for those who listen now.
        topics.signals: {"retention.ms": str(DAY_MS)},
        topics.alerts: {"retention.ms": str(7 * DAY_MS)},
    }
    return {name: settings | {"max.message.bytes": str(LARGEST_MESSAGE)} for name, settings in wanted.items()}


def create_missing(
    admin: KafkaAdminClient,
    topics: Topics,
    *,
    partitions: int,
    replication_factor: int,
    control_partitions: int = PARTITIONS,
) -> list[str]:
    """Make the topics that the brokers do not have yet, wait until they have leaders, and return their names.

    `replication_factor` -1: the brokers' default. Raises KafkaError when they do not answer in time, or refuse.
    """
    existing = set(admin.list_topics())
    new = {
        name: {
            "num_partitions": control_partitions if name == topics.control else partitions,
            "replication_factor": replication_factor,
            "configs": settings,
        }
        for name, settings in topic_settings(topics).items()
        if name not in existing
    }
    if new:
        admin.create_topics(new, timeout_ms=TIMEOUT_MS, wait_for_metadata=True)
    return list(new)


def unfit(topics: Topics, found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what is wrong with existing topics, a line each; `found` is their configuration by name."""
    return [
        f"{name}: {key} is {found[name].get(key)!r}; needed: {settings[key]}"
        for name, settings in topic_settings(topics).items()
        for key in NEEDED
        if key in settings and name in found and found[name].get(key) != settings[key]
    ]


def configurations(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the configuration of topics by name. Raises KafkaError."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    # All, not only what differs from the brokers' defaults: a default may be what is needed.
    (described,) = admin.describe_configs(asked, config_filter="all").values()
    return {name: {key: str(entry["value"]) for key, entry in entries.items()} for name, entries in described.items()}


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m connectors.kafka.create_topics", description=__doc__)
    add_arguments(made)
    made.add_argument("--topic-prefix", default="", help="as given to the job")
    made.add_argument("--partitions", type=int, default=8, help="of each topic but the control topic (default: 8)")
    made.add_argument("--replication-factor", type=int, default=-1, help="-1: the brokers' default (default: -1)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0: all topics are there and fit, 1: they are not, 2: a wrong call."""
    chosen = _parser().parse_args(arguments)
    topics = Topics(chosen.topic_prefix)
    try:
        kafka = KafkaSettings.of(chosen)
        with closing(clients.admin(kafka, bootstrap_timeout_ms=TIMEOUT_MS, request_timeout_ms=TIMEOUT_MS)) as admin:
            made = create_missing(
                admin, topics, partitions=chosen.partitions, replication_factor=chosen.replication_factor
            )
            for name in made:
                print(f"made {name}")
            problems = unfit(topics, configurations(admin, list(topic_settings(topics))))
    except KafkaSettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KafkaError as error:
        print(f"error: the brokers at {chosen.kafka_bootstrap}: {clients.told(error)}", file=sys.stderr)
        return 1
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
