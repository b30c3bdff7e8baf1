"""The connection of the command line: plain or TLS, with the caller's credentials on every call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class _CallDetails(NamedTuple):
    """What gRPC is told of a call, as its interceptors have it."""

    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str], ...]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _WithCredentials(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Adds a token or service key to calls."""

    def __init__(self, credentials: str) -> None:
        self._metadata = (("authorization", f"Bearer {credentials}"),)

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._added(details), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._added(details), request)

    def _added(self, details: Any) -> _CallDetails:
        return _CallDetails(
            details.method,
            details.timeout,
            (*(details.metadata or ()), *self._metadata),
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )


def connect(address: str, *, tls: bool, authority: Path | None, credentials: str) -> grpc.Channel:
    """Return a channel. `authority` is a PEM file to trust instead of the system's; `credentials`, if not empty, are a
    token or service key.

    Raises:
        OSError: the file cannot be read.
    """
    if tls or authority is not None:
        trusted = authority.read_bytes() if authority is not None else None
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(trusted))
    else:
        channel = grpc.insecure_channel(address)
    return grpc.intercept_channel(channel, _WithCredentials(credentials)) if credentials else channel
