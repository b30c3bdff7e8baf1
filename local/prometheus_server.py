"""Prometheus: scrapes Flink's reporters and serving. Optional: without the program the stack runs unobserved."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import yaml

from local.component import Component
from local.config import HOST
from local.http_probe import HttpProbeError, get

if TYPE_CHECKING:
    from pathlib import Path

    from local.config import StackConfig

PROGRAM = "prometheus"


def installed() -> bool:
    """Tell whether this machine has Prometheus."""
    return shutil.which(PROGRAM) is not None


def component(config: StackConfig) -> Component:
    """Describe the Prometheus of a stack."""
    folder = config.run_dir / "prometheus"
    settings = folder / "prometheus.yml"
    return Component(
        name="prometheus",
        ports={"HTTP": config.prometheus_port},
        prepare=lambda: _prepare(config, folder, settings),
        command=lambda: (
            PROGRAM,
            f"--config.file={settings}",
            f"--storage.tsdb.path={folder / 'data'}",
            # A local stack is looked at while it runs; two days cover yesterday's test.
            "--storage.tsdb.retention.time=2d",
            f"--web.listen-address={HOST}:{config.prometheus_port}",
        ),
        missing=lambda: _missing(config.prometheus_port),
        address=f"http://{HOST}:{config.prometheus_port}",
    )


def scrape_settings(config: StackConfig) -> dict[str, Any]:
    """Return Prometheus' configuration for a stack."""
    reporters = [config.jobmanager_metrics_port]
    reporters += [config.taskmanager_metrics_port(number) for number in range(1, config.taskmanagers + 1)]
    jobs = {"flink": reporters, "serving": [config.http_port]}
    return {
        "global": {"scrape_interval": "15s", "scrape_timeout": "10s"},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"{HOST}:{port}" for port in ports]}]}
            for name, ports in jobs.items()
        ],
    }


def _prepare(config: StackConfig, folder: Path, settings: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        "# Written by the local stack at every start.\n" + yaml.safe_dump(scrape_settings(config)), encoding="utf-8"
    )


def _missing(port: int) -> str | None:
    try:
        get(port, "/-/ready")
    except HttpProbeError as error:
        return f"/-/ready: {error}"
    return None
