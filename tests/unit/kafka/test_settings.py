"""Options of the connection to the brokers: what is refused, what each client gets, and where secrets are not."""

from __future__ import annotations

import argparse
import pickle
import ssl
from dataclasses import replace

import pytest

from connectors.kafka.settings import (
    FLINK_PACKAGE,
    LOCAL_BOOTSTRAP,
    PASSWORD_VARIABLE,
    KafkaSettings,
    KafkaSettingsError,
    add_arguments,
)
from jobs.options import parse
from serving.options import parse as parse_serving
from serving.process import Process
from tests.certificate_authority import Authority

SECRET = "kept-3f9b"
PLAIN = KafkaSettings(kafka_bootstrap="h:9092")
USER = replace(PLAIN, kafka_security_protocol="SASL_SSL", kafka_user="measurement", kafka_ca_file="/etc/ca.pem")
ADDRESSES = ["--kafka-bootstrap", "h:9092", "--clickhouse-url", "http://h:8123", "--redis-url", "redis://h:6379/0"]


@pytest.fixture
def files(tmp_path):
    """A folder with an authority and a client's certificate that it signed: ca.pem, client.pem, client.key."""
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    authority.issue(tmp_path, "client")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kafka_bootstrap": "h"}, "--kafka-bootstrap is 'h'; allowed: host:port"),
        ({"kafka_security_protocol": "TLS"}, "--kafka-security-protocol is 'TLS'; allowed: PLAINTEXT, SSL"),
        ({"kafka_sasl_mechanism": "GSSAPI"}, "--kafka-sasl-mechanism is 'GSSAPI'; allowed: PLAIN, SCRAM-SHA-256"),
        ({"kafka_user": ""}, "--kafka-user is ''; allowed: a user name, with SASL_SSL"),
        ({"kafka_user": 'a" b="c'}, "--kafka-user is"),
        ({"kafka_user": "${env:HOME}"}, "--kafka-user is"),
        ({"kafka_security_protocol": "SSL"}, "--kafka-user is 'measurement'; allowed: only with SASL_"),
        ({"kafka_security_protocol": "SASL_PLAINTEXT"}, "--kafka-ca-file is '/etc/ca.pem'; allowed: only with SSL"),
        ({"kafka_password_file": "relative"}, "--kafka-password-file is 'relative'; allowed: an absolute path"),
        ({"kafka_certificate_file": "/c.pem"}, "--kafka-key-file is ''; allowed: a file, with --kafka-certificate"),
        ({"kafka_key_file": "/k.pem"}, "--kafka-certificate-file is ''; allowed: a file, with --kafka-key-file"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(given, said):
    with pytest.raises(KafkaSettingsError) as refused:
        KafkaSettings.of(replace(USER, **given))
    assert said in str(refused.value)


def test_the_job_refuses_a_wrong_option_before_flink_is_asked(capsys):
    with pytest.raises(SystemExit):
        parse([*ADDRESSES, "--kafka-security-protocol", "SASL_SSL"])
    assert "--kafka-user is ''; allowed: a user name, with SASL_SSL" in capsys.readouterr().err
    assert KafkaSettings.of(parse(ADDRESSES)) == PLAIN


def test_serving_does_not_start_without_the_password(monkeypatch):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    given = {"TRIBUTARY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "TRIBUTARY_KAFKA_USER": "reader"}
    with pytest.raises(KafkaSettingsError, match=f"{PASSWORD_VARIABLE} is empty"):
        Process(parse_serving(ADDRESSES, given))


def test_no_client_of_a_plain_connection_is_configured_differently():
    assert PLAIN.for_java(FLINK_PACKAGE) == {"bootstrap.servers": "h:9092"}
    assert PLAIN.for_kafka_python() == {
        "bootstrap_servers": ["h:9092"],
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_the_password_is_read_from_the_environment_when_a_client_is_made(monkeypatch, files):
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    user = replace(USER, kafka_ca_file=str(files / "ca.pem"))
    made = user.for_kafka_python()
    assert made.pop("ssl_context").verify_mode is ssl.CERT_REQUIRED
    assert made == {
        "bootstrap_servers": ["h:9092"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "measurement",
        "sasl_plain_password": SECRET,
    }
    monkeypatch.delenv(PASSWORD_VARIABLE)
    with pytest.raises(KafkaSettingsError, match=f"{PASSWORD_VARIABLE} is empty"):
        user.for_kafka_python()


@pytest.mark.parametrize("content", [f"{SECRET}\n", f'{SECRET}"', f"{SECRET}\\", ""])
def test_a_password_that_java_cannot_take_is_refused_without_being_shown(tmp_path, content):
    file = tmp_path / "password"
    file.write_text(content)
    with pytest.raises(KafkaSettingsError) as refused:
        replace(USER, kafka_password_file=str(file)).password()
    assert f"{file} of --kafka-password-file" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_file_goes_before_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv(PASSWORD_VARIABLE, "other")
    file = tmp_path / "password"
    file.write_text(SECRET)
    assert replace(USER, kafka_password_file=str(file)).password() == SECRET
    with pytest.raises(KafkaSettingsError, match="of --kafka-password-file cannot be used: FileNotFoundError"):
        replace(USER, kafka_password_file=str(tmp_path / "none")).password()


def test_files_of_tls_are_read_before_a_broker_is_asked(files, tmp_path):
    good = KafkaSettings(
        kafka_bootstrap="h:9092",
        kafka_security_protocol="SSL",
        kafka_ca_file=str(files / "ca.pem"),
        kafka_certificate_file=str(files / "client.pem"),
        kafka_key_file=str(files / "client.key"),
    )
    assert len(good.tls().get_ca_certs()) == 1, "only the authorities of the file are trusted"
    (tmp_path / "text").write_text("no certificate")
    _, other, _ = Authority().issue(tmp_path, "other")
    old = tmp_path / "encrypted.pem"
    old.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    for name, path, why in (
        ("kafka_ca_file", tmp_path / "none", "FileNotFoundError"),
        ("kafka_ca_file", tmp_path / "text", "no PEM certificate in it"),
        ("kafka_certificate_file", tmp_path / "none", "FileNotFoundError"),
        ("kafka_key_file", other, "it does not fit the certificate of --kafka-certificate-file"),
        ("kafka_key_file", old, "it does not begin with -----BEGIN PRIVATE KEY-----"),
    ):
        with pytest.raises(KafkaSettingsError) as refused:
            replace(good, **{name: str(path)}).tls()
        option = f"--{name.replace('_', '-')}"
        assert str(refused.value) == f"the file {path} of {option} cannot be used: {why}"


@pytest.mark.parametrize("file", ["", "/run/secrets/kafka"])
def test_what_flink_keeps_of_a_job_holds_no_secret(monkeypatch, file):
    """The tables' options and the functions' fields are part of the job's graph."""
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    user = replace(USER, kafka_password_file=file, kafka_certificate_file="/tls/tls.crt", kafka_key_file="/tls/tls.key")
    options = user.for_java(FLINK_PACKAGE)
    assert SECRET not in str(options)
    assert SECRET.encode() not in pickle.dumps(user)
    reference = "${directory:/run/secrets:kafka}" if file else f"${{env:{PASSWORD_VARIABLE}}}"
    assert f'password="{reference}"' in options["sasl.jaas.config"]
    assert all(value.startswith(FLINK_PACKAGE) for name, value in options.items() if name.endswith(".class"))
    assert options["sasl.jaas.config"].startswith(FLINK_PACKAGE)
    assert options["ssl.truststore.location"] == "/etc/ca.pem"
    assert options["ssl.keystore.key"] == "${directory:/tls:tls.key}"


def test_command_lines_take_the_options_and_no_password(monkeypatch):
    monkeypatch.setenv("TRIBUTARY_KAFKA_USER", "from-environment")
    monkeypatch.setenv("TRIBUTARY_KAFKA_BOOTSTRAP", "")
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    chosen = KafkaSettings.of(parser.parse_args(["--kafka-security-protocol", "SASL_PLAINTEXT"]))
    assert (chosen.kafka_user, chosen.kafka_bootstrap) == ("from-environment", LOCAL_BOOTSTRAP)
    assert SECRET not in parser.format_help()
    assert "--kafka-password " not in parser.format_help()
