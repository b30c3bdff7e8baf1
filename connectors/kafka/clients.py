"""Makes the Kafka clients of the project's Python, and says clearly why brokers refuse one.

kafka-python tries again until its time-out and then says no more than that there was none: a wrong password looks like
a broker that is down. Here each refusal is judged, and after a few in a row the client's constructor raises
KafkaRefusedError, which names the option to look at.

Its loggers write passwords at DEBUG; importing this module ends that.
"""

from __future__ import annotations

import logging
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    IllegalSaslStateError,
    InvalidReceiveError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from connectors.kafka.settings import KafkaSettings, KafkaSettingsError, flag

log = logging.getLogger(__name__)

# The client's own pauses between attempts are 50 ms, 100 ms, 200 ms… with jitter. A refusal whose reason is known is
# final after about half a second; one that is only a closed connection may be a broker or balancer that is starting,
# and is final after about three.
CLEAR_REFUSALS = 3
CLOSED_CONNECTIONS = 7
ASKING_MS = 10_000
_CLOSED = ("socket disconnected", "ECONNRESET", "reset by peer")
# At DEBUG two write the bytes of requests, a password of the mechanism PLAIN among them, and one its configuration.
_LOGGERS_OF_SECRETS = ("kafka.net.connection", "kafka.protocol.parser", "kafka.admin.client")


class KafkaRefusedError(KafkaError):  # type: ignore[misc] # kafka-python has no types
    """The brokers were reached, and refuse this client; the text names the option to look at, and no secret."""

    def __str__(self) -> str:
        """The text alone."""
        return str(self.args[0])


def consumer(settings: KafkaSettings, **configuration: Any) -> KafkaConsumer:
    """Return a connected consumer. Raises KafkaSettingsError, KafkaError."""
    return _connected(KafkaConsumer, settings, configuration)


def producer(settings: KafkaSettings, **configuration: Any) -> KafkaProducer:
    """Return a connected producer. Raises KafkaSettingsError, KafkaError."""
    return _connected(KafkaProducer, settings, configuration)


def admin(settings: KafkaSettings, **configuration: Any) -> KafkaAdminClient:
    """Return a connected admin client. Raises KafkaSettingsError, KafkaError."""
    return _connected(KafkaAdminClient, settings, configuration)


def refused(settings: KafkaSettings) -> str | None:
    """Return why the brokers refuse this client, None when they take it, or cannot be asked with what is here."""
    try:
        admin(settings, bootstrap_timeout_ms=ASKING_MS, request_timeout_ms=ASKING_MS).close()
    except KafkaRefusedError as error:
        return str(error)
    except (KafkaError, KafkaSettingsError) as error:
        log.warning("the brokers were not asked whether they take this client: %s", told(error))
    return None


def partitions(settings: KafkaSettings, topic: str) -> int:
    """Return how many partitions a topic has; 0 when it does not exist, or the brokers cannot be asked from here."""
    try:
        with closing(consumer(settings, bootstrap_timeout_ms=ASKING_MS, request_timeout_ms=ASKING_MS)) as asking:
            return len(asking.partitions_for_topic(topic) or ())
    except (KafkaError, KafkaSettingsError) as error:
        log.warning("the brokers were not asked for the partitions of %s: %s", topic, told(error))
        return 0


def told(error: Exception) -> str:
    """Return what a message says of an error: the text where it names an option, else its kind.

    The brokers' addresses are in the configuration; the kind is enough to tell one that is down from a refused request.
    """
    return str(error) if isinstance(error, (KafkaRefusedError, KafkaSettingsError)) else type(error).__name__


def _connected(client: type, settings: KafkaSettings, configuration: dict[str, Any]) -> Any:
    connecting = _Connecting(settings)
    try:
        return client(**settings.for_kafka_python(), **configuration, kafka_client=connecting)
    except BaseException as error:
        connecting.end()
        if isinstance(error, KafkaTimeoutError) and (found := connecting.refused()):
            raise found from None
        raise


class _Connecting:
    """Makes the network part of one client."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._selector: NetworkSelector | None = None
        self._manager: _JudgingManager | None = None

    def __call__(self, **configuration: Any) -> KafkaNetClient:
        self._selector = NetworkSelector(**configuration)
        self._manager = _JudgingManager(self._settings, self._selector, **configuration)
        return KafkaNetClient(self._selector, self._manager, **configuration)

    def refused(self) -> KafkaRefusedError | None:
        """Return what was found out before the time-out, None when the brokers were not reached."""
        return self._manager.judgement(clear=1, closed=1) if self._manager is not None else None

    def end(self) -> None:
        """Stop the thread that a constructor leaves running when it fails."""
        if self._selector is not None:
            self._selector.close()


class _JudgingManager(KafkaConnectionManager):  # type: ignore[misc] # kafka-python has no types
    """Judges failed connections until the first one has answered; what fails later is tried again as ever."""

    def __init__(self, settings: KafkaSettings, selector: NetworkSelector, /, **configuration: Any) -> None:
        super().__init__(selector, **configuration)
        self._settings = settings
        self._answered = False
        self._clear: list[str] = []
        self._closed = 0
        self._newest: Any = None

    def get_connection(self, node_id: str | int, **options: Any) -> Any:
        self._answered = self._answered or self.bootstrapped
        found = self.judgement(clear=CLEAR_REFUSALS, closed=CLOSED_CONNECTIONS)
        if found is not None and not self._answered:
            raise found
        connection = super().get_connection(node_id, **options)
        if connection is not self._newest:
            self._newest = connection
            connection.close_future.add_errback(self._judge)
        return connection

    def judgement(self, *, clear: int, closed: int) -> KafkaRefusedError | None:
        """Return what so many failures say, None when there were fewer."""
        if self._clear and len(self._clear) + self._closed >= clear:
            return KafkaRefusedError(self._clear[-1])
        return KafkaRefusedError(closed_text(self._settings)) if self._closed >= closed else None

    def _judge(self, error: Exception) -> None:
        if reason := refusal(error, self._settings):
            self._clear.append(reason)
        # A broker that is down refuses the connection itself, which says nothing of the options.
        elif any(sign in str(error) for sign in _CLOSED):
            self._closed += 1


def refusal(error: Exception, settings: KafkaSettings) -> str | None:
    """Return what a failed connection says of the settings, None when it says nothing for certain."""
    text = str(error)
    found = None
    if isinstance(error, SaslAuthenticationFailedError):
        user = f"{flag('kafka_user')} is {settings.kafka_user!r}"
        found = f"{user}; the brokers refuse this user or its password (from {settings.password_source})"
    elif isinstance(error, UnsupportedSaslMechanismError):
        found = f"{flag('kafka_sasl_mechanism')} is {settings.kafka_sasl_mechanism!r}; the brokers do not offer it"
    elif isinstance(error, IllegalSaslStateError):
        found = f"{_protocol(settings)}; the brokers ask for no user on this port"
    elif isinstance(error, InvalidReceiveError) and not settings.protocol.encrypted:
        found = f"{_protocol(settings)}; what answers is no plain Kafka: it speaks TLS, or is something else"
    elif "CERTIFICATE_VERIFY_FAILED" in text:
        found = _distrust(text, settings)
    elif "alert" in text and ("certificate" in text or "unknown ca" in text):
        given = f"{flag('kafka_certificate_file')} is {settings.kafka_certificate_file!r}"
        found = f"{given}; the brokers refuse this client's certificate, or ask for one"
    elif "[SSL" in text:
        found = f"{_protocol(settings)}; the brokers do not speak TLS on this port, or no version of ours"
    return found


def closed_text(settings: KafkaSettings) -> str:
    """Return what connections that are closed without a word may mean."""
    options = [_protocol(settings)]
    if settings.protocol.authenticated:
        options.append(f"{flag('kafka_sasl_mechanism')} is {settings.kafka_sasl_mechanism!r}")
        options.append(f"{flag('kafka_user')} is {settings.kafka_user!r} (password from {settings.password_source})")
    if settings.protocol.encrypted:
        options.append(f"{flag('kafka_certificate_file')} is {settings.kafka_certificate_file!r}")
    return f"{', '.join(options)}; the brokers close every connection, so one of these is not what they ask for"


def _protocol(settings: KafkaSettings) -> str:
    return f"{flag('kafka_security_protocol')} is {settings.protocol.value!r}"


def _distrust(text: str, settings: KafkaSettings) -> str:
    if "mismatch" in text or "not valid for" in text:
        given = f"{flag('kafka_bootstrap')} is {settings.kafka_bootstrap!r}"
        return f"{given}; the brokers' certificate is for another name"
    given = f"{flag('kafka_ca_file')} is {settings.kafka_ca_file!r}"
    why = "has expired" if "expired" in text else "is signed by none of these authorities"
    return f"{given}; the brokers' certificate {why}"


def _is_not_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


# A filter, not a level: a level can be set to DEBUG again by whoever configures logging.
for _name in _LOGGERS_OF_SECRETS:
    logging.getLogger(_name).addFilter(_is_not_debug)
