"""What a handler is given, and how services are described to the transports that carry them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

    from serving.access.principal import Principal

# How long one read for a live stream may take: as long as a call without a deadline may.
STREAM_READ_SECONDS = 10.0
# Part of a call's remaining time that reading may take. The rest is for a degraded answer.
SHARE_OF_DEADLINE = 0.8


@dataclass(frozen=True, slots=True)
class Call:
    """One call, after the transport has checked who makes it.

    `tenant_id` is the only tenant that the answer may be about. `principal` is who makes the call: what they may do at
    all was checked; what is kept for one person is theirs. `deadline` is in seconds of `time.monotonic`; a stream has
    none.
    """

    tenant_id: str
    principal: Principal
    deadline: float | None = None
    refresh: bool = False
    """The caller wants what the stores hold now, not an answer that was kept."""

    @property
    def remaining_seconds(self) -> float:
        """Seconds left until the deadline; STREAM_READ_SECONDS for a stream."""
        return STREAM_READ_SECONDS if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def query_seconds(self) -> float:
        """How long reading a store may take, so that time is left for an answer without it."""
        return self.remaining_seconds * SHARE_OF_DEADLINE


# A handler takes a request message and a call and returns the response message, or yields a stream of them. It raises
# `ServingError` for what the client should know. The message types differ by method, which a mapping cannot express.
UnaryHandler = Callable[[Any, Call], Awaitable[Any]]
StreamHandler = Callable[[Any, Call], AsyncGenerator[Any, None]]


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the contract with the handlers of its methods, by name.

    Raises ValueError when a method has no handler, a handler no method, or a request no tenant to check.
    """

    descriptor: ServiceDescriptor
    unary: Mapping[str, UnaryHandler]
    streams: Mapping[str, StreamHandler]

    def __post_init__(self) -> None:
        """Check the handlers against the contract."""
        for method in self.descriptor.methods:
            if method.name not in (self.streams if method.server_streaming else self.unary):
                msg = f"{method.full_name} has no handler"
                raise ValueError(msg)
            if "tenant_id" not in method.input_type.fields_by_name:
                msg = f"{method.input_type.full_name} has no tenant_id"
                raise ValueError(msg)
        unknown = {*self.unary, *self.streams} - {method.name for method in self.descriptor.methods}
        if unknown:
            msg = f"{self.descriptor.full_name} has no {sorted(unknown)}"
            raise ValueError(msg)
