"""Serving: answers over gRPC, with metrics and health over HTTP."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2

from local.component import Component
from local.config import HOST, REPOSITORY

if TYPE_CHECKING:
    from local.config import StackConfig


def component(config: StackConfig) -> Component:
    """Describe the serving process of a stack."""
    address = f"{HOST}:{config.grpc_port}"
    options = {
        "--kafka-bootstrap": f"{HOST}:{config.kafka_port}",
        "--clickhouse-url": f"http://{HOST}:{config.clickhouse_port}",
        "--clickhouse-database": config.clickhouse_database,
        # Custom dashboards, and what was done with them.
        "--relational-url": f"sqlite:///{config.run_dir / 'serving.sqlite'}",
        "--redis-url": f"redis://{HOST}:{config.redis_port}/0",
        "--host": HOST,
        "--grpc-port": str(config.grpc_port),
        "--http-port": str(config.http_port),
    }
    return Component(
        name="serving",
        needs=("kafka", "clickhouse", "redis"),
        ports={"gRPC": config.grpc_port, "HTTP": config.http_port},
        command=lambda: (sys.executable, "-m", "serving", *(part for option in options.items() for part in option)),
        environment={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'serving' / 'gen'}"},
        missing=lambda: _missing(address),
        address=f"{address} (gRPC), http://{HOST}:{config.http_port}",
    )


def _missing(address: str) -> str | None:
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.RpcError as error:
            code = error.code() if isinstance(error, grpc.Call) else "error"
            return f"gRPC health: {code}"
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return f"gRPC health: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"
    return None
