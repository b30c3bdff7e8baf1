"""The serving process: its parts, put together, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from connectors.clickhouse.client import ClickHouseAddress
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics
from serving.access.assembly import Access
from serving.access.certificates import Certificates
from serving.access.settings import settings_of
from serving.handlers.answers import Answers
from serving.handlers.services import make_services
from serving.handlers.watch import Pace
from serving.live.hub import LiveHub
from serving.live.kafka_feed import KafkaFeed
from serving.metrics import ServingMetrics
from serving.observability import tracing
from serving.observability.consumer_lag import ConsumerLag
from serving.observability.pipeline_figures import PipelineFigures
from serving.observability.store_health import StoreHealth
from serving.queries.answer_cache import AnswerCache
from serving.queries.history import History
from serving.queries.hot_store import HotStore
from serving.transports.dispatch import Dispatch
from serving.transports.grpc_server import GrpcServer
from serving.transports.http_application import application
from serving.transports.http_server import HttpServer

if TYPE_CHECKING:
    from serving.options import Options

log = logging.getLogger(__name__)

FORGET_IDLE_SECONDS = 60.0
MIB = 1024 * 1024


class Process:
    """All parts of one serving process. `start`, wait, `stop`."""

    def __init__(self, options: Options) -> None:
        """Put the parts together; nothing is connected and nothing listens yet.

        Raises:
            ValueError: a secret is missing, or the certificate's files are wrong; it says which.
        """
        self.options = options
        self.access = Access(settings_of(options, os.environ))
        self.certificates = (
            Certificates(Path(options.tls_certificate), Path(options.tls_key)) if options.tls_certificate else None
        )
        self._traces = tracing.set_up(options.otlp_endpoint, options.trace_ratio)
        self.metrics = ServingMetrics()
        address = ClickHouseAddress.parse(options.clickhouse_url, options.clickhouse_database)
        self.history = History(
            replace(address, password=os.environ.get("TRIBUTARY_CLICKHOUSE_PASSWORD", "")),
            self.metrics,
            connections=options.clickhouse_connections,
            timeout_seconds=options.clickhouse_timeout_ms / 1000,
        )
        self.hot_store = HotStore(
            options.redis_url,
            os.environ.get("TRIBUTARY_REDIS_PASSWORD"),
            self.metrics,
            timeout_seconds=options.redis_timeout_ms / 1000,
        )
        self.hub = LiveHub(self.metrics)
        topics = Topics(options.topic_prefix)
        kafka = KafkaSettings.of(options)
        # The feed would try for ever without its password or files.
        kafka.for_kafka_python()
        self.feed = KafkaFeed(kafka, topics, self.hub, self.metrics)
        self.lag = ConsumerLag(kafka, topics.events, options.pipeline_group)
        self.figures = PipelineFigures(
            self.history, self.lag, self.hub, tenant_labels=options.tenant_labels, score_series=options.score_series
        )
        self.metrics.registry.register(self.figures)
        self.health = StoreHealth(self.history, self.hot_store, self.metrics)
        pace = Pace(options.update_interval_ms / 1000, options.heartbeat_ms / 1000, options.reread_ms / 1000)
        self.answer_cache = AnswerCache(
            options.redis_url,
            os.environ.get("TRIBUTARY_REDIS_PASSWORD"),
            self.metrics,
            timeout_seconds=options.redis_timeout_ms / 1000,
        )
        answers = Answers(
            self.answer_cache if options.answer_cache else None,
            self.hub.changes,
            self.metrics,
            most_bytes=options.answer_memory_mib * MIB,
        )
        services = make_services(self.history, self.hot_store, self.hub, pace, answers, self.access.database)
        self.dispatch = Dispatch(services, self.access.gate, options, self.metrics)
        self.grpc = GrpcServer(
            options, self.dispatch, self.certificates.grpc_credentials() if self.certificates else None
        )
        self.http: HttpServer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen on both ports; ready when it returns. Raises OSError or RuntimeError when a port is taken."""
        await self.access.start()
        web = application(
            self.dispatch,
            self.access,
            self.metrics.registry,
            self.health,
            self.hub,
            web_folder=Path(self.options.web_folder),
            max_request_bytes=self.options.max_request_bytes,
        )
        tls = self.certificates.http_context if self.certificates else None
        self.http = HttpServer(web, self.options.host, self.options.http_port, self.options.drain_seconds, tls)
        self.feed.start()
        await self.health.probe()
        # Before the port is open: a service whose health was never set would say that it is serving.
        await self.health.publish(self.grpc)
        await self.grpc.start()
        for running in (
            self.http.run_until_stopped(),
            self.health.run(self.grpc),
            self.figures.run(),
            self._forget_idle(),
            self.access.run(),
            *((self.certificates.run(),) if self.certificates else ()),
        ):
            self._tasks.append(asyncio.create_task(running))

    async def stop(self) -> None:
        """Drain: say NOT_SERVING, end the live streams, let calls go on for a while, then close everything."""
        await self.grpc.drain()
        self.hub.close()
        if self.http is not None:
            self.http.should_exit = True
        # Both at the same time, so that draining takes as long as was said, and not twice.
        await asyncio.gather(self.grpc.stop(self.options.drain_seconds), *self._tasks[:1])
        for task in self._tasks[1:]:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.feed.stop()
        await asyncio.to_thread(self.lag.close)
        await self.hot_store.close()
        await self.answer_cache.close()
        await self.history.close()
        await self.access.close()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.shutdown)

    async def _forget_idle(self) -> None:
        while True:
            await asyncio.sleep(FORGET_IDLE_SECONDS)
            self.hub.forget_idle()


async def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT, then drain; returns the exit status. Prints one JSON line with the addresses
    when ready."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        process = Process(options)
    except ValueError as error:
        log.error("%s", error)  # noqa: TRY400 - no stack for a missing secret
        return 2
    try:
        await process.start()
    except (SQLAlchemyError, CommandError) as error:
        log.error("the relational database is not ready: %s", type(error).__name__)  # noqa: TRY400 - it may hold values
        return 1
    except (OSError, RuntimeError) as error:
        log.error("cannot listen on %s, ports %d and %d: %s", options.host, options.grpc_port, options.http_port, error)  # noqa: TRY400 - no stack for a taken port
        return 1
    http_port = process.http.port if process.http else 0
    scheme = "https" if options.tls_certificate else "http"
    addresses = {"grpc": f"{options.host}:{process.grpc.port}", "http": f"{scheme}://{options.host}:{http_port}"}
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    await stopping.wait()
    log.info("stopping")
    await process.stop()
    return 0
