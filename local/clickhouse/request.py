"""What an HTTP request asks for, read the way ClickHouse's HTTP interface reads it."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from local.clickhouse.errors import ClickHouseError, ErrorCode
from local.clickhouse.form import form_boundary
from local.clickhouse.sessions import DEFAULT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

DEFAULT_FORMAT = "TabSeparated"
USER = "default"
PARAMETER = "param_"
# Arguments that belong to the HTTP interface. `param_*` are query parameters, and all others are settings.
_INTERFACE = (
    "query database default_format user password quota_key role query_id session_id session_timeout session_check"
    " close_session wait_end_of_query buffer_size compress decompress client_protocol_version stacktrace"
)
# Settings about this interface: it acts on them, or has no need to, and the engine has no use for them.
_INTERFACE_SETTINGS = (
    "enable_http_compression http_zlib_compression_level send_progress_in_http_headers http_wait_end_of_query"
    " http_headers_progress_interval_ms http_response_buffer_size cancel_http_readonly_queries_on_client_close"
)
# `log_comment` carries the query id to the engine (see Engine.kill).
_NOT_FOR_THE_ENGINE = frozenset([*_INTERFACE.split(), *_INTERFACE_SETTINGS.split(), "log_comment"])


@dataclass(frozen=True, slots=True)
class Request:
    """One request for a statement, without its body."""

    query: bytes
    """The statement's text from the address; the body follows it."""
    query_id: str
    database: str | None
    default_format: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    """Bound parameters by name, values in the engine's escaped form."""
    session_id: str | None
    session_timeout_seconds: int
    close_session: bool
    reads_only: bool
    """A GET, which may not change anything."""
    wait_end: bool
    """Hold the answer back until the statement has ended, so that a late error has its own status."""
    accept_encoding: str
    """Empty when the client does not want a compressed answer."""
    content_encoding: str
    boundary: str | None
    """Of the multipart form that the body is, None when it is not one."""
    cancel_on_disconnect: bool

    @classmethod
    def read(cls, method: str, target: str, headers: Message) -> Request:
        """Read the request line and the headers.

        Raises:
            ClickHouseError: a user other than `default`, or a request that needs what this front does not have.
        """
        arguments = _arguments(urlsplit(target).query)
        _check_user(arguments, headers)
        if _flag(arguments, "compress") or _flag(arguments, "decompress"):
            reason = "compress=1 and decompress=1 are not supported; use Accept-Encoding and Content-Encoding"
            raise ClickHouseError.of(ErrorCode.NOT_IMPLEMENTED, reason)
        return cls(
            query=arguments.get("query", "").encode("utf-8", errors="surrogateescape"),
            query_id=arguments.get("query_id") or str(uuid.uuid4()),
            database=arguments.get("database") or headers.get("X-ClickHouse-Database"),
            default_format=arguments.get("default_format") or headers.get("X-ClickHouse-Format") or DEFAULT_FORMAT,
            settings={
                name: value
                for name, value in arguments.items()
                if name not in _NOT_FOR_THE_ENGINE and not name.startswith(PARAMETER)
            },
            parameters={
                name.removeprefix(PARAMETER): parameter_value(value.encode("utf-8", errors="surrogateescape"))
                for name, value in arguments.items()
                if name.startswith(PARAMETER)
            },
            session_id=arguments.get("session_id") or None,
            session_timeout_seconds=_seconds(arguments.get("session_timeout", str(DEFAULT_TIMEOUT_SECONDS))),
            close_session=_flag(arguments, "close_session"),
            reads_only=method == "GET",
            wait_end=_flag(arguments, "wait_end_of_query") or _flag(arguments, "http_wait_end_of_query"),
            accept_encoding=headers.get("Accept-Encoding", "") if _flag(arguments, "enable_http_compression") else "",
            content_encoding=headers.get("Content-Encoding", ""),
            boundary=form_boundary(headers.get("Content-Type", "")),
            # The server's default is 0. Here a dashboard that is closed should not keep two cores busy.
            cancel_on_disconnect=arguments.get("cancel_http_readonly_queries_on_client_close", "1") != "0",
        )


def parameter_value(value: bytes) -> str:
    r"""Read a parameter's value; other bytes than UTF-8 become `\xNN`, which the engine turns back: chDB takes text."""
    return value.decode("utf-8", errors="backslashreplace").replace("\x00", "\\0")


def _arguments(text: str) -> dict[str, str]:
    """Decode a query string; the last argument of a name holds, and bytes that are not UTF-8 become surrogates."""
    return dict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))


def _flag(arguments: Mapping[str, str], name: str) -> bool:
    return arguments.get(name, "0").lower() in {"1", "true"}


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ClickHouseError.of(ErrorCode.INVALID_SESSION_TIMEOUT, f"Invalid session timeout: {text!r}")
    return int(text)


def _check_user(arguments: Mapping[str, str], headers: Message) -> None:
    """Take the user `default` with any password: the engine has no users, and the front listens on loopback."""
    user = arguments.get("user") or headers.get("X-ClickHouse-User")
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if user is None and scheme.lower() == "basic":
        try:
            user = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")[0]
        except (binascii.Error, UnicodeDecodeError) as error:
            reason = "Invalid Basic authentication header"
            raise ClickHouseError.of(ErrorCode.AUTHENTICATION_FAILED, reason) from error
    if user not in {None, "", USER}:
        reason = f"{user}: Authentication failed: this front knows the user {USER!r} only"
        raise ClickHouseError.of(ErrorCode.AUTHENTICATION_FAILED, reason)
