"""Every kind of Kafka client against a real broker that wants a user or a certificate: what opens, and what is said
when the brokers refuse."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest

from connectors.kafka import clients, clock, control, identity_commands
from connectors.kafka.clock import Clock
from connectors.kafka.control import ControlTopic, ControlTopicError
from connectors.kafka.create_topics import main as create_topics
from connectors.kafka.identity_commands import CommandNotSentError, send_command
from connectors.kafka.settings import PASSWORD_VARIABLE, KafkaSettings
from connectors.kafka.topics import Topics
from local.config import REPOSITORY
from serving.live.hub import LiveHub
from serving.live.kafka_feed import KafkaFeed
from serving.metrics import ServingMetrics
from serving.observability import consumer_lag
from serving.observability.consumer_lag import ConsumerLag
from tests.conftest import free_port_base
from tests.serving.local_stores import wait_until
from tests.stack.secure_broker import PASSWORD, USER, WRONG, start

pytestmark = pytest.mark.timeout(900)
TOPICS = Topics("secure.")
OURS = ("connectors.kafka.clock", "serving.observability.consumer_lag", "serving.live.kafka_feed")
NO_TLS = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ca_file": ""}
NO_USER = {"kafka_security_protocol": "PLAINTEXT", "kafka_user": ""}
TLS_ALONE = {"kafka_security_protocol": "SSL", "kafka_user": ""}
NO_CERTIFICATE = {"kafka_certificate_file": "", "kafka_key_file": ""}
PLAIN = {"kafka_security_protocol": "PLAINTEXT", "kafka_user": "", "kafka_ca_file": ""}
STORES = ("--clickhouse-url", "http://h:8123", "--redis-url", "redis://h:6379/0")
SECONDS = 300.0
# What Flink's web interface is made of, as far as it tells of a job's settings.
PAGES = ("/config", "/jobmanager/config", "/jobmanager/environment", "/jobs/{job}", "/jobs/{job}/plan")
PAGES += ("/jobs/{job}/config", "/jobs/{job}/exceptions", "/jobs/{job}/checkpoints/config", "/jobs/{job}/accumulators")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    running = start(tmp_path_factory.mktemp("secure-broker"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """What is refused is said in a second or so, but not on every machine: nothing here must end in a time-out."""
    for module, name in (
        (clients, "ASKING_MS"),
        (clock, "REQUEST_TIMEOUT_MS"),
        (control, "REQUEST_TIMEOUT_MS"),
        (identity_commands, "REQUEST_TIMEOUT_MS"),
        (consumer_lag, "REQUEST_MS"),
    ):
        monkeypatch.setattr(module, name, 120_000)


def settings(broker, kind):
    """The settings that fit a kind of port."""
    ca_file = str(broker.folder / "ca.pem")
    client = {"kafka_certificate_file": str(broker.folder / "client.pem")}
    client["kafka_key_file"] = str(broker.folder / "client.key")
    chosen = {
        "plain": {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_user": USER, "kafka_sasl_mechanism": "PLAIN"},
        "scram": {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_user": USER},
        "tls": {"kafka_security_protocol": "SASL_SSL", "kafka_user": USER, "kafka_ca_file": ca_file},
        "mutual": {"kafka_security_protocol": "SSL", "kafka_ca_file": ca_file, **client},
    }[kind]
    address = {"tls": broker.tls, "mutual": broker.mutual}.get(kind, broker.sasl)
    return KafkaSettings.of(KafkaSettings(kafka_bootstrap=address, **chosen))


def messages(records):
    """What our own loggers said."""
    return [record.getMessage() for record in records if record.name in OURS]


def options(chosen):
    """The settings as they stand on a command line."""
    names = [item.name for item in fields(KafkaSettings)]
    given = [(f"--{name.replace('_', '-')}", str(getattr(chosen, name))) for name in names]
    return [word for option in given for word in option]


def with_feed(kafka, topics, wait):
    """What `wait` returns of a live feed, which runs in a loop of its own: browsers of tests before these have left one
    running in this thread."""

    async def run():
        metrics = ServingMetrics()
        feed = KafkaFeed(kafka, topics, LiveHub(metrics), metrics)
        feed.start()
        try:
            return await asyncio.wait_for(wait(feed), SECONDS)
        finally:
            await feed.stop()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()


@pytest.fixture(scope="module")
def topics(broker):
    """The topics, made by the program over TLS with the password in a file."""
    file = broker.folder / "password"
    file.write_text(PASSWORD)
    arguments = [*options(settings(broker, "tls")), "--topic-prefix", TOPICS.prefix, "--partitions", "1"]
    assert create_topics([*arguments, "--kafka-password-file", str(file)]) == 0
    return TOPICS


@pytest.mark.parametrize("kind", ["plain", "scram", "tls", "mutual"])
def test_every_client_gets_in(broker, topics, monkeypatch, caplog, kind):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    kafka = settings(broker, kind)
    settings_topic = ControlTopic(kafka, topics.control)
    settings_topic.put(kind, b"1")
    assert settings_topic.read()[kind] == [b"1"]
    assert not settings_topic.create()
    send_command(kafka, topics.identity_commands, "acme", "{}")
    with closing(Clock(kafka, topics.events)) as ticking:
        ticking.tick()
        assert ticking.tick() == 1, "the second look knows that the only partition is quiet"
    with closing(ConsumerLag(kafka, topics.events, "nobody")) as lag:
        # The coordinator of groups may still be making its topic.
        wait_until(lag.read, "the lag", SECONDS)
    with_feed(kafka, topics, lambda feed: feed.listening.wait())
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("kind", ["tls", "plain"])
def test_every_client_says_that_a_password_is_refused(broker, topics, monkeypatch, caplog, capsys, kind):
    caplog.set_level(logging.DEBUG)
    # Seven, with the pauses between, would be three seconds for each client.
    monkeypatch.setattr(clients, "CLOSED_CONNECTIONS", 3)
    monkeypatch.setenv(PASSWORD_VARIABLE, WRONG)
    kafka = settings(broker, kind)
    said = []
    settings_topic = ControlTopic(kafka, topics.control)
    for call in (settings_topic.create, settings_topic.read, lambda: settings_topic.put("acme", b"1")):
        with pytest.raises(ControlTopicError) as refused:
            call()
        said.append(str(refused.value))
    with pytest.raises(CommandNotSentError) as unsent:
        send_command(kafka, topics.identity_commands, "acme", "{}")
    said.append(str(unsent.value))
    assert create_topics(options(kafka)) == 1
    said.append(capsys.readouterr().err)
    for client in (Clock(kafka, topics.events).tick, ConsumerLag(kafka, topics.events, "nobody").read):
        before = len(caplog.records)
        assert not client()
        said.append(" ".join(messages(caplog.records[before:])))
    before = len(caplog.records)

    async def feed_says(_feed):
        # It tries for ever, and may run into a time-out of its own first.
        while not (texts := [text for text in messages(caplog.records[before:]) if "--kafka-" in text]):
            await asyncio.sleep(0.05)
        return texts[0]

    said.append(with_feed(kafka, topics, feed_says))
    for text in said:
        assert f"--kafka-user is '{USER}'" in text
        assert PASSWORD_VARIABLE in text
    for text in (*said, caplog.text, repr(kafka)):
        assert WRONG not in text


@pytest.mark.parametrize(
    ("kind", "changed", "said"),
    [
        ("scram", {"kafka_sasl_mechanism": "SCRAM-SHA-256"}, "--kafka-sasl-mechanism is 'SCRAM-SHA-256'"),
        ("scram", NO_USER, "--kafka-security-protocol is 'PLAINTEXT'"),
        ("scram", {"kafka_security_protocol": "SASL_SSL"}, "--kafka-security-protocol is 'SASL_SSL'"),
        ("tls", {"kafka_ca_file": ""}, "--kafka-ca-file is ''; the brokers' certificate is signed by none"),
        ("tls", {"kafka_bootstrap": "localhost:{port}"}, "; the brokers' certificate is for another name"),
        ("tls", NO_TLS, "--kafka-security-protocol is 'SASL_PLAINTEXT'"),
        ("tls", PLAIN, "--kafka-security-protocol is 'PLAINTEXT'"),
        ("tls", TLS_ALONE, "--kafka-security-protocol is 'SSL'"),
        ("mutual", NO_CERTIFICATE, "--kafka-certificate-file is ''"),
    ],
)
def test_a_setting_that_does_not_fit_the_brokers_is_named(broker, monkeypatch, kind, changed, said):
    monkeypatch.setattr(clients, "CLOSED_CONNECTIONS", 3)
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    fitting = settings(broker, kind)
    port = fitting.kafka_bootstrap.partition(":")[2]
    wrong = replace(fitting, **{name: value.format(port=port) for name, value in changed.items()})
    assert clients.refused(fitting) is None
    assert said in clients.refused(wrong)


def program(*arguments, password, folder):
    """A program of the jobs' environment, with the password in its environment alone."""
    return subprocess.Popen(
        (str(REPOSITORY / ".venv" / "jobs" / "bin" / "python"), *arguments),
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), PASSWORD_VARIABLE: password, "FLINK_LOG_DIR": str(folder)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_job_is_not_submitted_with_a_password_that_is_refused(broker, tmp_path):
    arguments = [*options(settings(broker, "tls")), *STORES]
    job = program("-m", "jobs.measurement", *arguments, password=WRONG, folder=tmp_path)
    said, _ = job.communicate(timeout=600)
    assert job.returncode == 1
    assert "error: --kafka-" in said
    assert f"--kafka-user is '{USER}'" in said
    assert WRONG not in said


def test_flink_reads_and_writes_and_shows_no_password(broker, topics, tmp_path, monkeypatch):
    """Reading with a user, writing with a certificate; then a wrong password in a file."""
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    kafka = settings(broker, "tls")
    sent = {b"record %d" % number for number in range(3)}
    with closing(clients.producer(kafka)) as producer:
        for value in sent:
            producer.send(topics.late, key=b"acme", value=value).get(60)
    wrong_file = tmp_path / "wrong"
    wrong_file.write_text(WRONG)
    ports = free_port_base()
    prefix = ("--topic-prefix", topics.prefix)
    chosen = {
        "read": [*options(kafka), *STORES, *prefix],
        "write": [*options(settings(broker, "mutual")), *STORES, *prefix],
        "wrong_file": str(wrong_file),
        "rest_ports": f"{ports}-{ports + 5}",
    }
    script = Path(__file__).with_name("copy_late_events.py")
    job = program(str(script), json.dumps(chosen), password=PASSWORD, folder=tmp_path)
    try:
        first = job.stdout.readline()
        assert first.startswith("late_events: "), first + job.stdout.read()
        job_id = first.split()[1]
        alerts = ControlTopic(settings(broker, "mutual"), topics.alerts)
        wait_until(lambda: set(alerts.read().get("acme", ())) == sent, "the copies", SECONDS)
        flink = f"http://127.0.0.1:{ports}"
        shown = {page: get(f"{flink}{page.format(job=job_id)}") for page in PAGES}
        urllib.request.urlopen(urllib.request.Request(f"{flink}/jobs/{job_id}?mode=cancel", method="PATCH"), timeout=60)
        said, _ = job.communicate(timeout=600)
    finally:
        job.kill()
        job.wait(60)
    logged = "".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert "SaslAuthenticationException" in said, "why the wrong password ended the second copy"
    assert "sasl.jaas.config = [hidden]" in logged, "the settings of the clients are in the log"
    key = (broker.folder / "client.key").read_text().split("\n")[1]
    for secret in (PASSWORD, WRONG, key):
        for where, text in (*shown.items(), ("output", said), ("log", logged)):
            assert secret not in text, where


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()
