"""Questions that serving is asked all the time, so that faults meet it under load."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import grpc

import serving  # noqa: F401 - puts the generated messages on the path
from tests.faults.rig import FaultError

if TYPE_CHECKING:
    from types import TracebackType

_ASK_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
# What a server may say while something behind it is broken, and what a client says of a server that is gone.
_ALLOWED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})


class SteadyQuestions:
    """Asks for a tenant's last ten minutes, over and over, as long as the context is open.

    Leaving the context raises FaultError if an answer was an error that no client can do anything about.
    """

    def __init__(self, address: str, tenant: str) -> None:
        """Nothing is asked yet."""
        self.answered = 0
        self.refused = 0
        self._address = address
        self._tenant = tenant
        self._wrong: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True, name="steady-questions")

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop asking; raises FaultError for a wrong kind of error, unless one is on its way already."""
        self._stopping.set()
        self._thread.join(3 * _ASK_SECONDS)
        if self._wrong and error is None:
            raise FaultError(f"serving answered with {len(self._wrong)} errors: {self._wrong[0]}")

    def _ask(self) -> None:
        from tributary.v1 import campaign_metrics_pb2 as messages
        from tributary.v1 import campaign_metrics_pb2_grpc as services

        request = messages.GetCampaignMetricsRequest(tenant_id=self._tenant)
        request.range.last.FromSeconds(600)
        options = [("grpc.max_reconnect_backoff_ms", 1000)]
        with grpc.insecure_channel(self._address, options=options) as channel:
            stub = services.CampaignMetricsServiceStub(channel)
            while not self._stopping.wait(_PAUSE_SECONDS):
                try:
                    stub.GetCampaignMetrics(request, timeout=_ASK_SECONDS)
                    self.answered += 1
                except grpc.RpcError as error:
                    if error.code() in _ALLOWED:
                        self.refused += 1
                    else:
                        self._wrong.append(f"{error.code()}: {error.details()}")
