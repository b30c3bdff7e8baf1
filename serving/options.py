"""Options of the serving process: one typed object, read once from command line and environment, validated before
anything starts."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.kafka.settings import KafkaSettings
from serving.access.settings import problem as access_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_PREFIX = "TRIBUTARY_"


class OptionError(ValueError):
    """An option has a value that is not allowed; the message names the option, the value and what is allowed."""


def _option(description: str, default: Any = MISSING) -> Any:
    if default is MISSING:
        return field(metadata={"help": description})
    return field(default=default, metadata={"help": description})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(KafkaSettings):
    """Options of `python -m serving`. `parse` reads them, `check` validates them.

    Each is a long option, or the environment variable TRIBUTARY_<NAME> (the command line wins). Passwords are not
    options, because a process list shows them: they are read from the environment, see the epilog of `--help`.
    """

    clickhouse_url: str = _option("ClickHouse over HTTP, http(s)://[user@]host:port")
    redis_url: str = _option("Redis, redis(s)://host:port/db")
    clickhouse_database: str = _option("ClickHouse database, made by the migrations", "tributary")
    topic_prefix: str = _option("put before every topic name", "")
    pipeline_group: str = _option("consumer group of the measurement job, whose lag is shown", "tributary-measurement")
    host: str = _option("address to listen on", "127.0.0.1")
    grpc_port: int = _option("port of the gRPC server; 0: any free one", 50051)
    http_port: int = _option(
        "port of Connect, gRPC-Web, REST, the web app, /metrics, /healthz and /readyz; 0: any free one", 8080
    )
    web_folder: str = _option("folder of the built web app", str(Path(__file__).parent / "web" / "dist"))
    default_deadline_ms: int = _option("deadline of a call whose client set none, ms", 10_000)
    max_deadline_ms: int = _option("longest deadline of a call that is not a stream, ms", 60_000)
    max_calls: int = _option("calls answered at the same time; more are refused", 256)
    max_streams: int = _option("live streams open at the same time; more are refused", 2_000)
    max_request_bytes: int = _option("largest request", 256 * 1024)
    clickhouse_connections: int = _option("queries that run in ClickHouse at the same time", 16)
    clickhouse_timeout_ms: int = _option("a query that runs longer is stopped, ms", 8_000)
    redis_timeout_ms: int = _option("a Redis read that takes longer is given up, ms", 500)
    answer_cache: bool = _option("keep answers in Redis: half a second, or until the figures of the past change", True)
    answer_memory_mib: int = _option("answers that are kept in this process too, MiB; 0: none", 32)
    heartbeat_ms: int = _option("a live stream with no change sends a heartbeat this often, ms", 10_000)
    update_interval_ms: int = _option("a live stream sends changes at most this often, ms", 200)
    reread_ms: int = _option("a live stream of an answer reads it anew at most this often, ms", 2_000)
    drain_seconds: float = _option("how long calls may go on after a stop signal, s", 10.0)
    tenant_labels: bool = _option("put tenant_id on the Prometheus counters (one series per tenant)", False)
    score_series: int = _option("most campaigns that campaign_performance_score shows", 1_000)
    log_level: str = _option("debug, info, warning or error", "info")
    demo_user: str = _option("sign everybody in as this user, without set-up; only on loopback", "")
    oidc_issuer: str = _option("OpenID provider whose tokens are accepted, https://…; its discovery says the rest", "")
    oidc_audience: str = _option("`aud` of the access tokens that are for this server", "")
    oidc_client_id: str = _option("client by which browsers sign in; empty: they cannot", "")
    oidc_scopes: str = _option("scopes that a browser's sign-in asks for", "openid")
    oidc_tenants_claim: str = _option("claim with the user's tenant ids, by name or path", "tenant_ids")
    oidc_roles_claim: str = _option("claim with the user's roles, such as realm_access.roles", "roles")
    oidc_mfa_methods: str = _option("values of `amr`, by spaces, that tell of a second factor", "mfa")
    oidc_mfa_levels: str = _option("values of `acr`, by spaces, that do", "")
    public_url: str = _option("where browsers reach this server, https://…; needed with --oidc-client-id", "")
    session_hours: float = _option("how long after a sign-in a browser must sign in again, hours", 12.0)
    service_keys: bool = _option("accept the keys of service accounts (python -m serving.access keys)", False)
    relational_url: str = _option(
        "users, keys and audit log: sqlite:///file or postgresql://user@host:port/database; "
        "empty: sqlite:///tributary.sqlite when callers are authenticated, none otherwise",
        "",
    )
    tenant_calls_per_second: float = _option("calls of a tenant that this server answers in the long run", 1_000.0)
    tenant_burst: int = _option("calls of a tenant that may come at once", 2_000)
    otlp_endpoint: str = _option(
        "where spans are sent, OTLP over HTTP, http(s)://host:4318/v1/traces; empty: nowhere", ""
    )
    trace_ratio: float = _option("share of the calls without a traceparent whose spans are sent", 1.0)
    tls_certificate: str = _option("PEM file with the certificate chain of both ports; read again when it changes", "")
    tls_key: str = _option("PEM file with its private key", "")


# Inclusive bounds of the numbers; the reason for a bound stands beside it.
_BOUNDS: dict[str, tuple[float, float]] = {
    "grpc_port": (0, 65_535),
    "http_port": (0, 65_535),
    "default_deadline_ms": (100, 600_000),
    "max_deadline_ms": (100, 600_000),
    "max_calls": (1, 100_000),
    "max_streams": (1, 100_000),
    "max_request_bytes": (4_096, 16 * 1024 * 1024),
    "clickhouse_connections": (1, 1_000),
    "clickhouse_timeout_ms": (100, 600_000),
    "redis_timeout_ms": (10, 60_000),
    "answer_memory_mib": (0, 4_096),
    "heartbeat_ms": (100, 600_000),
    "update_interval_ms": (0, 60_000),
    # Every reading may cost a query.
    "reread_ms": (50, 60_000),
    "drain_seconds": (0, 600),
    "score_series": (0, 100_000),
    "trace_ratio": (0, 1),
    "session_hours": (0.1, 24 * 30),
    "tenant_calls_per_second": (0.1, 1_000_000),
    "tenant_burst": (1, 1_000_000),
}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_TOPIC_PART = re.compile(r"[A-Za-z0-9._-]{0,100}")
_LOG_LEVELS = ("debug", "info", "warning", "error")
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _refuse(name: str, value: object, allowed: str) -> OptionError:
    return OptionError(f"{_flag(name)} is {value!r}; allowed: {allowed}")


def check(options: Options) -> Options:  # noqa: C901 - one plain rule after the other
    """Return `options` if every value is allowed.

    Raises:
        OptionError: naming the first option that is not.
    """
    if wrong := options.kafka_problem():
        raise _refuse(*wrong)
    addresses = [("clickhouse_url", {"http", "https"}), ("redis_url", {"redis", "rediss"})]
    if options.otlp_endpoint:
        addresses.append(("otlp_endpoint", {"http", "https"}))
    for name, schemes in addresses:
        parts = urlsplit(getattr(options, name))
        if parts.scheme not in schemes or not parts.hostname:
            raise _refuse(name, getattr(options, name), f"{' or '.join(sorted(schemes))}://host:port")
        if parts.password:
            raise _refuse(name, "(hidden)", "no password in the URL; set it in the environment")
    if not _IDENTIFIER.fullmatch(options.clickhouse_database):
        raise _refuse(
            "clickhouse_database", options.clickhouse_database, "letters, digits and underscores, no digit first"
        )
    for name in ("topic_prefix", "pipeline_group"):
        if not _TOPIC_PART.fullmatch(getattr(options, name)):
            raise _refuse(name, getattr(options, name), "letters, digits, dot, underscore, hyphen; 100 at most")
    if not options.host:
        raise _refuse("host", options.host, "an address such as 127.0.0.1")
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(options, name) <= high:
            raise _refuse(name, getattr(options, name), f"{low:g} to {high:g}")
    if options.default_deadline_ms > options.max_deadline_ms:
        raise _refuse(
            "default_deadline_ms", options.default_deadline_ms, f"at most --max-deadline-ms ({options.max_deadline_ms})"
        )
    if found := access_problem(options):
        raise _refuse(*found)
    if options.log_level not in _LOG_LEVELS:
        raise _refuse("log_level", options.log_level, ", ".join(_LOG_LEVELS))
    return options


def _read(name: str, kind: str, text: str) -> int | float | bool | str:
    """Read one option of the given type; raises OptionError."""
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        raise _refuse(name, text, "a number") from None
    if kind == "bool":
        if text.lower() not in _TRUE + _FALSE:
            raise _refuse(name, text, "true or false")
        return text.lower() in _TRUE
    return text


def parser() -> argparse.ArgumentParser:
    """Build the command line; every field of `Options` is one long option."""
    made = argparse.ArgumentParser(
        prog="python -m serving",
        description="Tributary's serving process: answers over gRPC, live and from the stores.",
        epilog=f"Each option may also be set as {ENVIRONMENT_PREFIX}<NAME>, for example {ENVIRONMENT_PREFIX}GRPC_PORT. "
        "Passwords and secrets are read from TRIBUTARY_KAFKA_PASSWORD, TRIBUTARY_CLICKHOUSE_PASSWORD, "
        "TRIBUTARY_REDIS_PASSWORD, TRIBUTARY_RELATIONAL_PASSWORD, TRIBUTARY_OIDC_CLIENT_SECRET, "
        "TRIBUTARY_SESSION_SECRET (of browsers' sessions) and TRIBUTARY_OPERATOR_TOKEN (for /metrics where callers are "
        "authenticated).",
        allow_abbrev=False,
    )
    for item in fields(Options):
        default = "required" if item.default is MISSING else f"default: {item.default}"
        made.add_argument(
            _flag(item.name),
            dest=item.name,
            help=f"{item.metadata['help']} ({default})",
            metavar=str(item.type).upper(),
        )
    return made


def parse(arguments: list[str] | None = None, environment: Mapping[str, str] = os.environ) -> Options:
    """Read and check options; exits with a message on a wrong one, as command lines do."""
    made = parser()
    given = vars(made.parse_args(arguments))
    try:
        values: dict[str, Any] = {}
        for item in fields(Options):
            text = given[item.name]
            if text is None:
                text = environment.get(f"{ENVIRONMENT_PREFIX}{item.name.upper()}")
            if text is not None:
                values[item.name] = _read(item.name, str(item.type), text)
            elif item.default is MISSING:
                made.error(f"{_flag(item.name)} is required (or {ENVIRONMENT_PREFIX}{item.name.upper()})")
        return check(Options(**values))
    except OptionError as error:
        made.error(str(error))
