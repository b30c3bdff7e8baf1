"""What every call passes, whichever transport brings it: the caller is decided, limits and the deadline are set, errors
become what a client may see, and the call is counted.

A transport reads a request, hands it over with the headers of the call, and sends what comes back. It adds nothing to
what a caller may see: `decide_tenant` is the one place of all transports where that is decided.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc

from serving.access.tenancy import tenant_of_call
from serving.errors import Reason, ServingError
from serving.handlers.call import Call

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from google.protobuf.descriptor import MethodDescriptor

    from serving.handlers.call import Service
    from serving.metrics import ServingMetrics
    from serving.options import Options

log = logging.getLogger(__name__)

# What a client whose call was refused for load should wait: longer than a query takes, shorter than a person notices.
BUSY_RETRY_SECONDS = 0.5


async def decide_tenant(headers: Mapping[str, str], method: MethodDescriptor, requested: str) -> str:  # noqa: ARG001 - what a role may call depends on the method
    """Return the tenant that a call is answered for; `headers` (gRPC: metadata) have lower-case names.

    Raises:
        ServingError: the caller is not known, or may not see what the request asks for.
    """
    return tenant_of_call(requested, headers)


class Dispatch:
    """Hands the calls of all transports to the handlers. Used from one event loop."""

    def __init__(self, services: Iterable[Service], options: Options, metrics: ServingMetrics) -> None:
        """Keep the handlers and the limits, which all transports share."""
        self.services = tuple(services)
        self._options = options
        self._metrics = metrics
        self._unary = {
            f"{service.descriptor.full_name}.{name}": handler
            for service in self.services
            for name, handler in service.unary.items()
        }
        self._streaming = {
            f"{service.descriptor.full_name}.{name}": handler
            for service in self.services
            for name, handler in service.streams.items()
        }
        # Calls and streams that are being answered now.
        self._calls = 0
        self._streams = 0

    async def answer(
        self, method: MethodDescriptor, request: Any, headers: Mapping[str, str], remaining_seconds: float | None
    ) -> Any:
        """Return the response to a unary call; `remaining_seconds` is what its client allows (None: not said).

        Raises:
            ServingError: nothing else, so that nothing else can reach a client.
        """
        began = time.monotonic()
        code = grpc.StatusCode.CANCELLED
        self._calls += 1
        try:
            _admit(self._calls, self._options.max_calls, Reason.TOO_MANY_CALLS)
            tenant_id = await decide_tenant(headers, method, request.tenant_id)
            call = Call(tenant_id, began + self._allowed_seconds(remaining_seconds))
            async with asyncio.timeout(call.remaining_seconds):
                response = await self._unary[method.full_name](request, call)
        except Exception as error:  # noqa: BLE001 - the border: whatever it is, the client gets a code and not a stack
            translated = translate(error, method.full_name)
            code = translated.code
            raise translated from None
        else:
            code = grpc.StatusCode.OK
            return response
        finally:
            self._calls -= 1
            names = (method.containing_service.full_name, method.name)
            self._metrics.calls.labels(*names, code.name).inc()
            self._metrics.call_seconds.labels(*names).observe(time.monotonic() - began)

    async def stream(
        self, method: MethodDescriptor, request: Any, headers: Mapping[str, str]
    ) -> AsyncGenerator[Any, None]:
        """Yield the responses of a streaming call; the next one is made only when it is asked for.

        Raises:
            ServingError: nothing else, as above.
        """
        code = grpc.StatusCode.CANCELLED
        names = (method.containing_service.full_name, method.name)
        self._streams += 1
        self._metrics.streams.labels(*names).inc()
        try:
            _admit(self._streams, self._options.max_streams, Reason.TOO_MANY_STREAMS)
            tenant_id = await decide_tenant(headers, method, request.tenant_id)
            async with aclosing(self._streaming[method.full_name](request, Call(tenant_id))) as responses:
                async for response in responses:
                    yield response
            code = grpc.StatusCode.OK
        except Exception as error:  # noqa: BLE001 - the border, as above
            translated = translate(error, method.full_name)
            code = translated.code
            raise translated from None
        finally:
            self._streams -= 1
            self._metrics.streams.labels(*names).dec()
            self._metrics.calls.labels(*names, code.name).inc()

    def _allowed_seconds(self, remaining_seconds: float | None) -> float:
        seconds = self._options.default_deadline_ms / 1000 if remaining_seconds is None else remaining_seconds
        return min(seconds, self._options.max_deadline_ms / 1000)


def _admit(present: int, most: int, reason: Reason) -> None:
    """Raise ServingError when this call is one too many."""
    if present > most:
        raise ServingError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            reason,
            f"the server answers {most} at the same time and no more",
            retry_after_seconds=BUSY_RETRY_SECONDS,
        )


def translate(error: Exception, method: str) -> ServingError:
    """Return what the client is told. What was not meant for it is logged with an identifier, which is all that it
    gets."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, TimeoutError):
        return deadline_exceeded()
    incident = uuid.uuid4().hex[:12]
    log.error("%s failed, incident %s", method, incident, exc_info=error)
    return ServingError(grpc.StatusCode.INTERNAL, Reason.INTERNAL, "internal error", metadata={"incident": incident})


def deadline_exceeded() -> ServingError:
    """Return the error for an answer that was not ready in time."""
    return ServingError(
        grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED, "the answer was not ready at the deadline"
    )
