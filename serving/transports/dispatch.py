"""What every call passes, whichever transport brings it: the caller is decided, limits and the deadline are set, errors
become what a client may see, and the call is counted.

A transport reads a request, hands it over with the headers of the call, and sends what comes back. It adds nothing to
what a caller may see: the gate is the one place of all transports where that is decided.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc

from serving.access.audit import rows_of
from serving.access.authorization import changes
from serving.errors import Reason, ServingError
from serving.handlers.call import Call
from serving.observability import tracing
from serving.relational.audit_log import Action

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from google.protobuf.descriptor import MethodDescriptor

    from serving.access.gate import Admission, Gate
    from serving.handlers.call import Service
    from serving.metrics import ServingMetrics
    from serving.options import Options

log = logging.getLogger(__name__)

# What a client whose call was refused for load should wait: longer than a query takes, shorter than a person notices.
BUSY_RETRY_SECONDS = 0.5


class Dispatch:
    """Hands the calls of all transports to the handlers. Used from one event loop."""

    def __init__(self, services: Iterable[Service], gate: Gate, options: Options, metrics: ServingMetrics) -> None:
        """Keep the handlers, the gate and the limits, which all transports share."""
        self._gate = gate
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
        self,
        method: MethodDescriptor,
        request: Any,
        headers: Mapping[str, str],
        remaining_seconds: float | None,
        *,
        export: bool = False,
    ) -> Any:
        """Return the response to a unary call; `remaining_seconds` is what its client allows (None: not said).

        With `export` it is handed out as a file: that needs a permission of its own, and is in the audit log before.

        Raises:
            ServingError: nothing else, so that nothing else can reach a client.
        """
        began = time.monotonic()
        code, outcome = grpc.StatusCode.CANCELLED, "CANCELLED"
        admission: Admission | None = None
        self._calls += 1
        span = tracing.call_span(method.full_name, headers)
        try:
            _admit(self._calls, self._options.max_calls, Reason.TOO_MANY_CALLS)
            allowed = self._allowed_seconds(remaining_seconds)
            with tracing.within(span):
                async with asyncio.timeout(allowed):
                    action = _action(method.full_name, export=export)
                    admission = await self._gate.admit(headers, method.full_name, request.tenant_id, action)
                    for name in tracing.EVENT_FIELDS.intersection(method.input_type.fields_by_name):
                        tracing.link_event(span, admission.tenant_id, getattr(request, name))
                    call = Call(
                        admission.tenant_id, admission.principal, began + allowed, refresh=wants_refresh(headers)
                    )
                    response = await self._unary[method.full_name](request, call)
                    await self._gate.note(admission, request, response)
        except Exception as error:  # noqa: BLE001 - the border: whatever it is, the client gets a code and not a stack
            translated = translate(error, method.full_name)
            code, outcome = translated.code, translated.reason
            if admission is not None:
                await self._gate.note(admission, request, outcome=translated.reason)
            raise translated from None
        else:
            code, outcome = grpc.StatusCode.OK, "OK"
            return response
        finally:
            self._calls -= 1
            tracing.end_call(span, admission.tenant_id if admission else "", outcome)
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
        admission: Admission | None = None
        rows, outcome = 0, "CANCELLED"
        names = (method.containing_service.full_name, method.name)
        self._streams += 1
        self._metrics.streams.labels(*names).inc()
        span = tracing.call_span(method.full_name, headers)
        try:
            _admit(self._streams, self._options.max_streams, Reason.TOO_MANY_STREAMS)
            admission = await self._gate.admit(headers, method.full_name, request.tenant_id, Action.STREAM)
            # Noted when it begins too: its end may be hours away.
            await self._gate.note(admission, request, outcome="OPENED")
            handler = self._streaming[method.full_name]
            async with (
                aclosing(handler(request, Call(admission.tenant_id, admission.principal))) as responses,
                aclosing(self._gate.guarded(responses, admission)) as allowed,
                aclosing(tracing.each_within(span, allowed)) as traced,
            ):
                async for response in traced:
                    rows += rows_of(response)
                    yield response
            code, outcome = grpc.StatusCode.OK, "OK"
        except Exception as error:  # noqa: BLE001 - the border, as above
            translated = translate(error, method.full_name)
            code, outcome = translated.code, translated.reason
            raise translated from None
        finally:
            if admission is not None:
                self._gate.note_end(admission, rows, outcome)
            tracing.end_call(span, admission.tenant_id if admission else "", outcome)
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


def _action(method: str, *, export: bool) -> Action:
    if changes(method):
        return Action.CHANGE
    return Action.EXPORT if export else Action.READ


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


def wants_refresh(headers: Mapping[str, str]) -> bool:
    """Tell whether a call asks to pass over kept answers, as HTTP says it (gRPC: metadata)."""
    return "no-cache" in headers.get("cache-control", "")


def unreadable(kind: str) -> ServingError:
    """Return the error for bytes that are no request of a kind."""
    return ServingError(
        grpc.StatusCode.INVALID_ARGUMENT,
        Reason.INVALID_ARGUMENT,
        f"the request is not a {kind}, or not encoded as its headers say",
    )


def deadline_exceeded() -> ServingError:
    """Return the error for an answer that was not ready in time."""
    return ServingError(
        grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED, "the answer was not ready at the deadline"
    )
