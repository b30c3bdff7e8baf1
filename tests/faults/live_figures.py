"""When serving shows live figures: windows of events that were sent a moment ago."""

from __future__ import annotations

import time
from dataclasses import dataclass

import grpc

import serving  # noqa: F401 - puts the generated messages on the path
from tests.faults.rig import FaultError

# A window is shown about three seconds after its end when all is well; a busy machine may double that.
LIVE_WITHIN_MS = 10_000
_ASK_SECONDS = 5.0
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """The newest windows of one tenant as serving shows them."""

    address: str
    tenant: str

    def newest_end(self) -> int:
        """Return the end of the newest window that serving shows, UTC ms; 0 when there is none or no answer."""
        from tributary.v1 import campaign_metrics_pb2 as messages
        from tributary.v1 import campaign_metrics_pb2_grpc as services

        request = messages.GetCurrentCampaignMetricsRequest(tenant_id=self.tenant)
        # A channel of its own for each call: one that was made before serving was killed waits ever longer.
        with grpc.insecure_channel(self.address) as channel:
            stub = services.CampaignMetricsServiceStub(channel)
            try:
                windows = stub.GetCurrentCampaignMetrics(request, timeout=_ASK_SECONDS).windows
            except grpc.RpcError:
                return 0
        return max((window.window_end.ToMilliseconds() for window in windows), default=0)

    def wait_live(self, since_ms: int, seconds: float) -> float:
        """Wait until a window that ended after `since_ms` (UTC) is shown while it is new; return seconds since then.

        Raises:
            FaultError: none was shown in time.
        """
        deadline = time.monotonic() + seconds
        newest = 0
        while time.monotonic() < deadline:
            newest = self.newest_end()
            now = int(time.time() * 1000)
            if newest >= since_ms and now - newest <= LIVE_WITHIN_MS:
                return (now - since_ms) / 1000
            time.sleep(_POLL_SECONDS)
        behind = f"{time.time() - newest / 1000:.1f} s ago" if newest else "unknown"
        raise FaultError(f"no live figures within {seconds:g} s; the newest window shown ended {behind}")
