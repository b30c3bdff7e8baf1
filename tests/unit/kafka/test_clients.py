"""What is said of brokers that refuse, and what Kafka's own loggers must not say."""

from __future__ import annotations

import logging
import socket
import threading
from dataclasses import replace

import pytest
from kafka.errors import (
    IllegalSaslStateError,
    InvalidReceiveError,
    KafkaConnectionError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)

from connectors.kafka import clients
from connectors.kafka.clients import KafkaRefusedError, closed_text, refusal, told
from connectors.kafka.settings import PASSWORD_VARIABLE, KafkaSettings, KafkaSettingsError

PLAIN = KafkaSettings(kafka_bootstrap="h:9092")
TLS = replace(PLAIN, kafka_security_protocol="SSL", kafka_ca_file="/ca.pem")
USER = replace(PLAIN, kafka_security_protocol="SASL_SSL", kafka_user="reader")


def handshake(reason):
    return KafkaConnectionError(f"Handshake failed: [SSL: {reason.upper().replace(' ', '_')}] {reason} (_ssl.c:1006)")


UNTRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate"
OTHER_NAME = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: IP address mismatch, certificate is not valid"
EXPIRED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)"


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        (
            USER,
            SaslAuthenticationFailedError("…"),
            "--kafka-user is 'reader'; the brokers refuse this user or its",
        ),
        (
            USER,
            UnsupportedSaslMechanismError("…"),
            "--kafka-sasl-mechanism is 'SCRAM-SHA-512'; the brokers do not",
        ),
        (USER, IllegalSaslStateError(), "--kafka-security-protocol is 'SASL_SSL'; the brokers ask for no user"),
        (
            PLAIN,
            InvalidReceiveError("Invalid frame length"),
            "--kafka-security-protocol is 'PLAINTEXT'; what answers",
        ),
        (TLS, KafkaConnectionError(UNTRUSTED), "--kafka-ca-file is '/ca.pem'; the brokers' certificate is signed by"),
        (TLS, KafkaConnectionError(OTHER_NAME), "--kafka-bootstrap is 'h:9092'; the brokers' certificate is for"),
        (TLS, KafkaConnectionError(EXPIRED), "--kafka-ca-file is '/ca.pem'; the brokers' certificate has expired"),
        (TLS, handshake("tlsv13 alert certificate required"), "--kafka-certificate-file is ''; the brokers refuse"),
        (TLS, handshake("wrong version number"), "--kafka-security-protocol is 'SSL'; the brokers do not speak TLS"),
    ],
)
def test_a_refusal_names_the_option(settings, error, said):
    assert refusal(error, settings).startswith(said)


@pytest.mark.parametrize("text", ["socket disconnected", "111 ECONNREFUSED", "Handshake failed: timed out"])
def test_what_may_be_a_fault_is_no_refusal(text):
    assert refusal(KafkaConnectionError(text), USER) is None


def test_only_what_names_an_option_is_said_of_an_error():
    assert told(KafkaTimeoutError("h:9092")) == "KafkaTimeoutError"
    assert told(KafkaRefusedError("--kafka-user is 'a'")) == "--kafka-user is 'a'"
    assert told(KafkaSettingsError("empty")) == "empty"


@pytest.fixture
def closing():
    """The address of a server that closes every connection at once, as a balancer without brokers does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close_all():
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=close_all, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def io_threads():
    return {thread for thread in threading.enumerate() if thread.name.startswith("kafka-io")}


@pytest.mark.parametrize("make", [clients.consumer, clients.producer, clients.admin])
def test_closed_connections_end_in_a_refusal_and_leave_no_thread(closing, make, monkeypatch):
    # Seven, with the pauses between, would be three seconds.
    monkeypatch.setattr(clients, "CLOSED_CONNECTIONS", 3)
    settings = replace(PLAIN, kafka_bootstrap=closing)
    before = io_threads()
    with pytest.raises(KafkaRefusedError) as refused:
        make(settings, bootstrap_timeout_ms=60_000)
    assert str(refused.value) == closed_text(settings)
    assert "--kafka-security-protocol is 'PLAINTEXT'" in str(refused.value)
    assert io_threads() <= before


def test_a_time_out_says_what_was_seen_before_it(monkeypatch):
    def timing_out(kafka_client, **configuration):
        client = kafka_client(**configuration)
        client._manager._judge(KafkaConnectionError("socket disconnected"))
        raise KafkaTimeoutError("no brokers")

    monkeypatch.setattr(clients, "KafkaAdminClient", timing_out)
    with pytest.raises(KafkaRefusedError, match="close every connection"):
        clients.admin(PLAIN)


def test_brokers_that_are_not_there_are_no_refusal():
    with pytest.raises(KafkaTimeoutError):
        clients.producer(replace(PLAIN, kafka_bootstrap="127.0.0.1:1"), bootstrap_timeout_ms=500)


def test_who_is_not_asked_refuses_nobody(monkeypatch):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    assert clients.refused(USER) is None, "the password may be where the job runs, and not here"


def test_secrets_are_in_no_log_at_any_level(caplog):
    caplog.set_level(logging.DEBUG)
    names = ("kafka", "kafka.net.connection", "kafka.protocol.parser", "kafka.admin.client")
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        logging.getLogger("kafka.net.connection").debug("Request %d: %s", 1, "SaslAuthenticate(the password)")
        logging.getLogger("kafka.protocol.parser").debug("Send: %r", b"the password")
        logging.getLogger("kafka.admin.client").debug("with configuration: %s", {"sasl_plain_password": "the password"})
        logging.getLogger("kafka.net.manager").debug("something else")
    finally:
        for name in names:
            logging.getLogger(name).setLevel(logging.NOTSET)
    assert "the password" not in caplog.text
    assert "something else" in caplog.text
