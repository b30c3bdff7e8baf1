"""What an HTTP request asks for, read the way ClickHouse's HTTP interface reads it."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

DEFAULT_FORMAT = "TabSeparated"
USER = "default"
# Query arguments that belong to the HTTP interface; `param_*` are query parameters, and all others are settings.
_INTERFACE_ARGUMENTS = frozenset(
    {
        "query", "database", "default_format", "user", "password", "quota_key", "role", "query_id", "session_id", "session_timeout",
        "session_check", "close_session", "wait_end_of_query", "buffer_size", "compress", "decompress", "client_protocol_version", "stacktrace",
        # These are settings, and this interface is what they are about: the engine has no use for them.
        "enable_http_compression", "http_zlib_compression_level", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close", "http_wait_end_of_query", "http_response_buffer_size", "log_comment",
    }
)  # fmt: skip
_PARAMETER = "param_"


@dataclass(frozen=True, slots=True)
class Request:
    """One request for a statement, without its body."""

    query: bytes
    """The statement's text from the address; the body follows it."""
    query_id: str
    database: str | None
    default_format: str
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    session_id: str | None = None
    read_only: bool = False
    wait_end: bool = False
    """Hold the answer back until the statement has ended, so that a late error has its own status."""
    accept_encoding: str = ""
    """Empty when the client does not want a compressed answer."""
    cancel_on_disconnect: bool = True

    @classmethod
    def read(cls, method: str, target: str, headers: Message) -> Request:
        """Read the request line and the headers.

        Raises:
            ClickHouseError: a user other than `default`, or a request that needs what this front does not have.
        """
        arguments = query_arguments(urlsplit(target).query)
        _check_user(arguments, headers)
        if _flag(arguments, "compress") or _flag(arguments, "decompress"):
            raise ClickHouseError.of(
                ErrorCode.NOT_IMPLEMENTED,
                "compress=1 and decompress=1 (native blocks) are not supported; use Accept-Encoding and Content-Encoding",
            )
        return cls(
            query=arguments.get("query", "").encode("utf-8", errors="surrogateescape"),
            query_id=arguments.get("query_id") or str(uuid.uuid4()),
            database=arguments.get("database") or headers.get("X-ClickHouse-Database"),
            default_format=arguments.get("default_format") or headers.get("X-ClickHouse-Format") or DEFAULT_FORMAT,
            settings={
                name: value
                for name, value in arguments.items()
                if name not in _INTERFACE_ARGUMENTS and not name.startswith(_PARAMETER)
            },
            parameters=query_parameters(arguments),
            session_id=arguments.get("session_id"),
            read_only=method == "GET",
            wait_end=_flag(arguments, "wait_end_of_query") or _flag(arguments, "http_wait_end_of_query"),
            accept_encoding=headers.get("Accept-Encoding", "") if _flag(arguments, "enable_http_compression") else "",
            cancel_on_disconnect=arguments.get("cancel_http_readonly_queries_on_client_close", "1") != "0",
        )


def query_arguments(text: str) -> dict[str, str]:
    """Decode a query string or form; of arguments with the same name the last one holds. Bytes that are not UTF-8 are kept as surrogates."""
    return dict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))


def query_parameters(arguments: Mapping[str, str]) -> dict[str, str]:
    """Pick the bound parameters; their values are in the engine's escaped form already."""
    return {
        name.removeprefix(_PARAMETER): _without_surrogates(value)
        for name, value in arguments.items()
        if name.startswith(_PARAMETER)
    }


def _without_surrogates(value: str) -> str:
    """Write bytes that are not UTF-8 as `\\xNN`, which the engine reads back: its Python binding takes valid text only."""
    return "".join(f"\\x{ord(char) - 0xDC00:02X}" if "\udc80" <= char <= "\udcff" else char for char in value)


def _flag(arguments: Mapping[str, str], name: str) -> bool:
    return arguments.get(name, "0").lower() in {"1", "true"}


def _check_user(arguments: Mapping[str, str], headers: Message) -> None:
    """Take the user `default` with any password: the engine has no users, and the front listens on this machine only."""
    user = arguments.get("user") or headers.get("X-ClickHouse-User")
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if user is None and scheme.lower() == "basic":
        try:
            user = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")[0]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ClickHouseError.of(ErrorCode.AUTHENTICATION_FAILED, "Invalid Basic authentication header") from error
    if user not in {None, "", USER}:
        raise ClickHouseError.of(
            ErrorCode.AUTHENTICATION_FAILED, f"{user}: Authentication failed: this front knows the user '{USER}' only"
        )
