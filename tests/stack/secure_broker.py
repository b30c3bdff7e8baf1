"""A broker that wants a user and a password, over TLS or not, started as the local stack starts its own."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from connectors.kafka import clients
from connectors.kafka.settings import KafkaSettings
from local.config import REPOSITORY
from tests.certificate_authority import Authority
from tests.conftest import free_port_base

if TYPE_CHECKING:
    from pathlib import Path

JARS = REPOSITORY / ".cache" / "jars" / "kafka"
USER, PASSWORD, WRONG = "measurement", "right-word-7f3a", "wrong-word-91cc"
CLUSTER = "dGVzdC1jbHVzdGVyLTAwMQ"
PORTS = ("plain", "sasl", "tls", "mutual", "controller")
START_SECONDS = 300.0
LOGIN = "org.apache.kafka.common.security"
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},SASL_SSL://127.0.0.1:{tls},\
  SSL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,\
  SASL_SSL:SASL_SSL,SSL:SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_plaintext.plain.sasl.jaas.config={plain_login}
listener.name.sasl_ssl.plain.sasl.jaas.config={plain_login}
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={scram_login}
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram_login}
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={ca_file}
listener.name.ssl.ssl.client.auth=required
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""
LOGGING = """\
status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


@dataclass(frozen=True, slots=True)
class SecureBroker:
    """A running broker: an address for each kind of connection, the folder of its files, and its process.

    `mutual` wants a client certificate, which is client.pem with client.key; ca.pem is who signed it and the broker's.
    """

    plain: str
    sasl: str
    tls: str
    mutual: str
    folder: Path
    process: subprocess.Popen[bytes]

    def said(self) -> str:
        """The end of its log."""
        return (self.folder / "broker.log").read_text()[-3000:]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(30)


def start(folder: Path) -> SecureBroker:
    """Start a broker in a folder of its own and wait until it answers."""
    base = free_port_base()
    ports = dict(zip(PORTS, range(base, base + len(PORTS)), strict=True))
    settings = folder / "server.properties"
    authority = Authority()
    ca_file, keystore = folder / "ca.pem", folder / "keystore.pem"
    ca_file.write_bytes(authority.pem)
    certificate, key, _ = authority.issue(folder, "broker")
    keystore.write_bytes(key.read_bytes() + certificate.read_bytes())
    authority.issue(folder, "client")
    settings.write_text(
        SETTINGS.format(
            **ports,
            data=folder / "data",
            keystore=keystore,
            ca_file=ca_file,
            plain_login=f'{LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
            scram_login=f"{LOGIN}.scram.ScramLoginModule required;",
        ),
        encoding="utf-8",
    )
    logging = folder / "log4j2.properties"
    logging.write_text(LOGGING, encoding="utf-8")
    java = ("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    java += (f"-Dlog4j2.configurationFile={logging}", "-cp", f"{JARS}/*")
    scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    tool = (*java, "kafka.tools.StorageTool", "format", f"--cluster-id={CLUSTER}", "-c", str(settings))
    formatted = subprocess.run(
        (*tool, "--add-scram", scram), capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    with (folder / "broker.log").open("wb") as out:
        process = subprocess.Popen((*java, "kafka.Kafka", str(settings)), stdout=out, stderr=subprocess.STDOUT)
    broker = SecureBroker(*(f"127.0.0.1:{ports[name]}" for name in PORTS[:-1]), folder, process)
    try:
        wait_until_it_answers(broker)
    except BaseException:
        broker.stop()
        raise
    return broker


def wait_until_it_answers(broker: SecureBroker) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            clients.admin(KafkaSettings(kafka_bootstrap=broker.plain), bootstrap_timeout_ms=2_000).close()
        except KafkaError:
            assert broker.process.poll() is None, broker.said()
            assert time.monotonic() < deadline, broker.said()
        else:
            return
