"""The demo producer of `make run`: the simulated marketing world at a small rate, with some of all that goes wrong."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from local.component import Component
from local.config import HOST, REPOSITORY

if TYPE_CHECKING:
    from local.config import StackConfig

# Enough that each kind shows up within a minute, too little to hide the healthy events.
_FAULTS = "dup=0.01,late=0.005,invalid=0.005,poison=0.002,out_of_order=0.02"


def component(config: StackConfig) -> Component:
    """Describe the demo producer of a stack."""
    options = {"--bootstrap": f"{HOST}:{config.kafka_port}", "--rate": str(config.demo_rate), "--faults": _FAULTS}
    return Component(
        name="simulator",
        needs=("kafka", "job"),
        command=lambda: (
            sys.executable,
            "-m",
            "bench.world",
            "produce",
            *(part for option in options.items() for part in option),
        ),
        environment={"PYTHONPATH": str(REPOSITORY)},
        missing=lambda: None,
        address=f"{config.demo_rate} events/s",
    )
