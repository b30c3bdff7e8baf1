"""Where the brokers are and how a client reaches them (TLS, a user and a password), for every Kafka client here.

The password is in no option and in no object: whoever makes a client reads it there and then from the file of
`--kafka-password-file` or from TRIBUTARY_KAFKA_PASSWORD. Flink's clients are Java's, and get a reference that Kafka
resolves in each process (KIP-421), so that the job's graph holds none either. The same goes for the client's key.
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser

PASSWORD_VARIABLE = "TRIBUTARY_KAFKA_PASSWORD"  # noqa: S105 - the name of a variable
# Flink's SQL connector carries Kafka's classes under a package of its own.
FLINK_PACKAGE = "org.apache.flink.kafka.shaded."
LOCAL_BOOTSTRAP = "127.0.0.1:19090"
"""The broker of the local stack on its usual port."""
_BROKERS = re.compile(r"[^\s:,]+:\d{1,5}(,[^\s:,]+:\d{1,5})*")
# User and password stand between quotes in Java's login configuration, which Kafka puts together where these end it.
_ENDS_QUOTES = ('"', "\\", "\n", "\r")
# Java reads no other form of a key, and an encrypted one would need a second password.
_KEY_HEADER = "-----BEGIN PRIVATE KEY-----"


class KafkaSettingsError(ValueError):
    """An option, the password or a file is not as it must be; the text names which, and never holds a secret."""


class SecurityProtocol(StrEnum):
    """What a connection to a broker is, as Kafka names it."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def encrypted(self) -> bool:
        """Whether it is TLS."""
        return self in {SecurityProtocol.SSL, SecurityProtocol.SASL_SSL}

    @property
    def authenticated(self) -> bool:
        """Whether the client names a user."""
        return self in {SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL}


class SaslMechanism(StrEnum):
    """How a user proves the password. With SCRAM it does not travel; with PLAIN it does."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


def _option(description: str, default: Any = "") -> Any:
    return field(default=default, metadata={"help": description})


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Options of the connection, named as on every command line of the project. Holds no secret.

    The options of a program may inherit from this, and `of` returns the part that clients are made from.
    """

    kafka_bootstrap: str = _option("Kafka brokers, host:port[,host:port…]", MISSING)
    kafka_security_protocol: str = _option(
        f"connection to the brokers: {', '.join(SecurityProtocol)}", SecurityProtocol.PLAINTEXT.value
    )
    kafka_sasl_mechanism: str = _option(
        f"how the Kafka user proves the password: {', '.join(SaslMechanism)}", SaslMechanism.SCRAM_SHA_512.value
    )
    kafka_user: str = _option("user of a SASL connection")
    kafka_password_file: str = _option(
        f"file with that user's password and nothing else, not even a line end; empty: {PASSWORD_VARIABLE}"
    )
    kafka_ca_file: str = _option(
        "PEM file of the authorities that sign the brokers' certificates; empty: those of the system"
    )
    kafka_certificate_file: str = _option("PEM file of the client's certificate and what signed it, where brokers ask")
    kafka_key_file: str = _option("PEM file of that certificate's key: PKCS#8, not encrypted")

    @classmethod
    def of(cls, options: Any) -> KafkaSettings:
        """Return the settings of an object with fields of these names, checked. Raises KafkaSettingsError."""
        settings = KafkaSettings(**{item.name: getattr(options, item.name) for item in fields(KafkaSettings)})
        if found := settings.kafka_problem():
            name, value, allowed = found
            raise KafkaSettingsError(f"{flag(name)} is {value!r}; allowed: {allowed}")
        return settings

    def kafka_problem(self) -> tuple[str, str, str] | None:
        """Return (field, value, what is allowed) of the first field that is wrong, if any.

        Reads no file: jobs are submitted from machines without them.
        """
        if not _BROKERS.fullmatch(self.kafka_bootstrap):
            return "kafka_bootstrap", self.kafka_bootstrap, "host:port[,host:port…]"
        if self.kafka_security_protocol not in set(SecurityProtocol):
            return "kafka_security_protocol", self.kafka_security_protocol, ", ".join(SecurityProtocol)
        if self.kafka_sasl_mechanism not in set(SaslMechanism):
            return "kafka_sasl_mechanism", self.kafka_sasl_mechanism, ", ".join(SaslMechanism)
        return self._user_problem() or self._file_problem()

    def _user_problem(self) -> tuple[str, str, str] | None:
        protocol = self.protocol
        if protocol.authenticated and not self.kafka_user:
            return "kafka_user", "", f"a user name, with {protocol}"
        if any(one in self.kafka_user for one in (*_ENDS_QUOTES, "${")):
            return "kafka_user", self.kafka_user, "a name without quote, backslash, line end and ${"
        for name in ("kafka_user", "kafka_password_file"):
            if getattr(self, name) and not protocol.authenticated:
                return name, getattr(self, name), f"only with SASL_PLAINTEXT or SASL_SSL, not {protocol}"
        return None

    def _file_problem(self) -> tuple[str, str, str] | None:
        for name in ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file"):
            if getattr(self, name) and not self.protocol.encrypted:
                return name, getattr(self, name), f"only with SSL or SASL_SSL, not {self.protocol}"
        for name, other in (
            ("kafka_certificate_file", "kafka_key_file"),
            ("kafka_key_file", "kafka_certificate_file"),
        ):
            if getattr(self, other) and not getattr(self, name):
                return name, "", f"a file, with {flag(other)}"
        for name in ("kafka_password_file", "kafka_ca_file", "kafka_certificate_file", "kafka_key_file"):
            path = getattr(self, name)
            if path and (not path.startswith("/") or ":" in path or "}" in path):
                return name, path, "an absolute path without colon and brace"
        return None

    @property
    def protocol(self) -> SecurityProtocol:
        """The connection's kind."""
        return SecurityProtocol(self.kafka_security_protocol)

    @property
    def password_source(self) -> str:
        """Where the password comes from, for messages."""
        return flag("kafka_password_file") if self.kafka_password_file else PASSWORD_VARIABLE

    def password(self) -> str:
        """Read the password. Raises KafkaSettingsError when there is none, or one that Java's clients cannot take."""
        if self.kafka_password_file:
            where = f"the file {self.kafka_password_file} of {self.password_source}"
            found = _content("kafka_password_file", self.kafka_password_file)
        else:
            where = self.password_source
            found = os.environ.get(PASSWORD_VARIABLE, "")
        if not found:
            raise KafkaSettingsError(f"{where} is empty; it must hold the password of the Kafka user")
        if any(one in found for one in _ENDS_QUOTES):
            raise KafkaSettingsError(f"{where} holds a quote, a backslash or a line end; a password has none of them")
        return found

    def tls(self) -> ssl.SSLContext | None:
        """Return what Python's clients check the brokers with, None without TLS. Raises KafkaSettingsError."""
        if not self.protocol.encrypted:
            return None
        authorities = _content("kafka_ca_file", self.kafka_ca_file) if self.kafka_ca_file else None
        try:
            context = ssl.create_default_context(cadata=authorities)
        except (ssl.SSLError, ValueError):
            raise _unreadable("kafka_ca_file", self.kafka_ca_file, "no PEM certificate in it") from None
        if self.kafka_certificate_file:
            _content("kafka_certificate_file", self.kafka_certificate_file)
            # Looked at before OpenSSL is: for an encrypted key that would ask the terminal for its password.
            if not _content("kafka_key_file", self.kafka_key_file).lstrip().startswith(_KEY_HEADER):
                raise _unreadable("kafka_key_file", self.kafka_key_file, f"it does not begin with {_KEY_HEADER}")
            try:
                context.load_cert_chain(self.kafka_certificate_file, self.kafka_key_file)
            except (ssl.SSLError, OSError):
                why = f"it does not fit the certificate of {flag('kafka_certificate_file')}"
                raise _unreadable("kafka_key_file", self.kafka_key_file, why) from None
        return context

    def for_kafka_python(self) -> dict[str, Any]:
        """Return arguments of a kafka-python client. Raises KafkaSettingsError."""
        made: dict[str, Any] = {
            "bootstrap_servers": self.kafka_bootstrap.split(","),
            "security_protocol": self.protocol.value,
            "ssl_context": self.tls(),
        }
        if self.protocol.authenticated:
            made["sasl_mechanism"] = self.kafka_sasl_mechanism
            made["sasl_plain_username"] = self.kafka_user
            made["sasl_plain_password"] = self.password()
        return made

    def for_java(self, package: str = "") -> dict[str, str]:
        """Return settings of a Java client, which reads the secrets itself; `package` stands before Kafka's classes.

        No more than the addresses for a plain connection, so that such a job is what it always was.
        """
        made = {"bootstrap.servers": self.kafka_bootstrap}
        if self.protocol is SecurityProtocol.PLAINTEXT:
            return made
        made["security.protocol"] = self.protocol.value
        for provider, name in (("env", "EnvVarConfigProvider"), ("directory", "DirectoryConfigProvider")):
            made[f"config.providers.{provider}.class"] = f"{package}org.apache.kafka.common.config.provider.{name}"
        made["config.providers"] = "env,directory"
        if self.kafka_ca_file:
            made["ssl.truststore.type"] = "PEM"
            made["ssl.truststore.location"] = self.kafka_ca_file
        if self.kafka_certificate_file:
            made["ssl.keystore.type"] = "PEM"
            made["ssl.keystore.certificate.chain"] = _file_reference(self.kafka_certificate_file)
            made["ssl.keystore.key"] = _file_reference(self.kafka_key_file)
        if self.protocol.authenticated:
            plain = self.kafka_sasl_mechanism == SaslMechanism.PLAIN
            login = "plain.PlainLoginModule" if plain else "scram.ScramLoginModule"
            password = f"${{env:{PASSWORD_VARIABLE}}}"
            if self.kafka_password_file:
                password = _file_reference(self.kafka_password_file)
            made["sasl.mechanism"] = self.kafka_sasl_mechanism
            made["sasl.jaas.config"] = (
                f"{package}org.apache.kafka.common.security.{login} required "
                f'username="{self.kafka_user}" password="{password}";'
            )
        return made


def flag(name: str) -> str:
    """Return the option of a field, as it stands on a command line."""
    return f"--{name.replace('_', '-')}"


def _file_reference(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"${{directory:{folder or '/'}:{name}}}"


def _unreadable(name: str, path: str, why: str) -> KafkaSettingsError:
    return KafkaSettingsError(f"the file {path} of {flag(name)} cannot be used: {why}")


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(name, path, type(error).__name__) from None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options to a command line, the local stack's broker by default.

    Each may also be set as TRIBUTARY_<NAME>; an environment variable that is empty is as one that is not set.
    """
    for item in fields(KafkaSettings):
        default = LOCAL_BOOTSTRAP if item.default is MISSING else item.default
        default = os.environ.get(f"TRIBUTARY_{item.name.upper()}") or default
        described = f"{item.metadata['help']} (default: {default or 'none'})"
        parser.add_argument(flag(item.name), default=default, help=described)
