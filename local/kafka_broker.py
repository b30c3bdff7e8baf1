"""Kafka: one broker that is its own controller (KRaft), and the topics of the data contract."""

from __future__ import annotations

import subprocess
import uuid
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from connectors.kafka.create_topics import LARGEST_MESSAGE, create_missing
from connectors.kafka.topics import Topics
from local.component import Component, StackError
from local.config import HOST, REPOSITORY
from local.ports import accepts

if TYPE_CHECKING:
    from pathlib import Path

    from local.config import StackConfig

_JARS = REPOSITORY / ".cache" / "jars" / "kafka"
# Enough to spread tenants over the largest local job; the number cannot change later without breaking the order of a
# key.
_PARTITIONS = 8

_BROKER = """\
# Written by the local stack at every start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
message.max.bytes={largest}
replica.fetch.max.bytes={largest}
socket.request.max.bytes=104857600
auto.create.topics.enable=false
# One broker holds the only copy of everything.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# The defaults of 50 partitions each only cost start-up time here.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
# A single consumer must not wait for others to join its group.
group.initial.rebalance.delay.ms=0
"""

_LOGGING = """\
# Written by the local stack at every start.
status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""


def component(config: StackConfig) -> Component:
    """Describe the broker of a stack."""
    folder = config.run_dir / "kafka"
    address = f"{HOST}:{config.kafka_port}"
    return Component(
        name="kafka",
        ports={"clients": config.kafka_port, "controller": config.controller_port},
        prepare=lambda: _prepare(config, folder),
        # The broker serves from the page cache; its heap only holds requests in flight.
        command=lambda: (
            *_java(folder, "-Xms256m", "-Xmx512m", "-XX:+UseG1GC"),
            "kafka.Kafka",
            str(folder / "server.properties"),
        ),
        missing=lambda: _missing(config),
        finish=lambda: create_topics(address),
        address=address,
    )


def _java(folder: Path, *options: str) -> tuple[str, ...]:
    return ("java", *options, f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}", "-cp", f"{_JARS}/*")


def create_topics(bootstrap: str) -> list[str]:
    """Create the topics that the broker does not have yet, wait until they have leaders, and return their names.

    Raises:
        KafkaError: the broker does not answer in time, or refuses.
    """
    admin = _admin(bootstrap)
    try:
        return create_missing(
            admin, Topics(), partitions=_PARTITIONS, replication_factor=1, control_partitions=_PARTITIONS
        )
    finally:
        admin.close()


def _admin(bootstrap: str) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=2_000, request_timeout_ms=15_000)


def _prepare(config: StackConfig, folder: Path) -> None:
    if not any(_JARS.glob("kafka_2.13-*.jar")):
        raise StackError("Kafka's jars are missing from .cache/jars/kafka: run `make jars`")
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    settings = folder / "server.properties"
    settings.write_text(
        _BROKER.format(
            host=HOST, port=config.kafka_port, controller=config.controller_port, data=data, largest=LARGEST_MESSAGE
        ),
        encoding="utf-8",
    )
    if not (data / "meta.properties").exists():
        _format_storage(settings)


def _format_storage(settings: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # Short-lived JVM: compiling less and one collector thread halve its time on a small machine.
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    tool = (
        *_java(settings.parent, *quick),
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster}",
        "-c",
        str(settings),
    )
    try:
        done = subprocess.run(tool, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired as error:
        raise StackError(
            "kafka: formatting the storage took more than 60 s; try again when the machine is less busy"
        ) from error
    if done.returncode:
        raise StackError(f"kafka: the storage could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")


def _missing(config: StackConfig) -> str | None:
    if not accepts(config.kafka_port):
        return "does not accept connections"
    try:
        _admin(f"{HOST}:{config.kafka_port}").close()
    except KafkaError as error:
        return f"gives no metadata ({type(error).__name__})"
    return None
