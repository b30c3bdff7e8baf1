"""The demo producer of `make run`: the simulated marketing world at a small, steady rate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from local.component import Component
from local.config import HOST, REPOSITORY

if TYPE_CHECKING:
    from local.config import StackConfig


def component(config: StackConfig) -> Component:
    """Describe the demo producer of a stack."""
    return Component(
        name="simulator",
        needs=("kafka", "job"),
        command=(
            sys.executable,
            "-m",
            "bench.world",
            "produce",
            "--kafka",
            f"{HOST}:{config.kafka_port}",
            "--rate",
            str(config.demo_rate),
        ),
        environment={"PYTHONPATH": str(REPOSITORY)},
        missing=lambda: None,
        address=f"{config.demo_rate} events/s",
    )
