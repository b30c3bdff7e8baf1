"""The serving process: its parts, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from typing import TYPE_CHECKING

from serving.metrics import ServingMetrics
from serving.transports.grpc_server import GrpcServer

if TYPE_CHECKING:
    from serving.options import Options

log = logging.getLogger(__name__)


async def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT, then drain. Prints one JSON line with the addresses when ready."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    metrics = ServingMetrics()
    server = GrpcServer(options, (), metrics)
    try:
        await server.start()
    except RuntimeError:
        log.error("cannot listen on %s:%d: is the port taken?", options.host, options.grpc_port)  # noqa: TRY400 - no stack for a taken port
        return 1
    await server.set_serving("", serving=True)
    sys.stdout.write(json.dumps({"grpc": f"{options.host}:{server.port}"}) + "\n")
    sys.stdout.flush()
    await stopping.wait()
    await server.drain()
    await server.stop(options.drain_seconds)
    return 0
