"""Probes the stores and says, per service, whether calls should be sent here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.metrics import ServingMetrics
    from serving.queries.history import History
    from serving.queries.hot_store import HotStore
    from serving.transports.grpc_server import GrpcServer

PROBE_SECONDS = 2.0
# Has answers from either store; the other services need the history.
EITHER_STORE = "tributary.v1.CampaignMetricsService"


@dataclass(slots=True)
class StoreHealth:
    """The outcome of the last probes. `run` probes until cancelled."""

    history: History
    hot_store: HotStore
    metrics: ServingMetrics
    history_up: bool = False
    hot_store_up: bool = False

    @property
    def ready(self) -> bool:
        """True when at least one store answers."""
        return self.history_up or self.hot_store_up

    async def probe(self) -> None:
        """Ask both stores."""
        self.history_up, self.hot_store_up = await asyncio.gather(
            self.history.answers(PROBE_SECONDS), self.hot_store.answers()
        )
        self.metrics.store_up.labels("history").set(self.history_up)
        self.metrics.store_up.labels("hot_store").set(self.hot_store_up)

    async def publish(self, server: GrpcServer) -> None:
        """Set the health of each service of the server from the last probes."""
        await server.set_serving("", serving=self.ready)
        for service in server.service_names:
            await server.set_serving(service, serving=self.ready if service == EITHER_STORE else self.history_up)

    async def run(self, server: GrpcServer) -> None:
        """Probe and publish for ever."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            await self.probe()
            await self.publish(server)
