"""Command line of the local stack: `python -m local --help`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING

from local import endpoints
from local.component import StackError
from local.config import ConfigError, StackConfig
from local.demonstration import demonstrate
from local.stack import Stack
from local.supervisor import supervise

if TYPE_CHECKING:
    from collections.abc import Callable


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="The local stack: Kafka, ClickHouse, Redis, Flink with the measurement job, serving, Prometheus.",
        epilog="Environment: RUN_DIR (data, logs, records; default .run), PORT_BASE (first of 30 ports; "
        "default 19090), TASKMANAGERS, TASKMANAGER_MEMORY_MB, JOBMANAGER_MEMORY_MB, CHECKPOINT_SECONDS, "
        "START_TIMEOUT_SECONDS, CLICKHOUSE_DATABASE, JOB_OPTIONS, DEMO_RATE. local/config.py describes each.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("up", "start what does not run, return when all is ready"),
        ("run", "up, with a demo producer, until Ctrl-C"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--only",
            type=_names,
            action="extend",
            default=[],
            metavar="A,B",
            help="start these components alone (flink: all of Flink)",
        )
        command.add_argument(
            "--without", type=_names, action="extend", default=[], metavar="A,B", help="leave these components out"
        )
    commands.add_parser("down", help="stop everything; data stays in RUN_DIR")
    commands.add_parser("status", help="print the state of every component")
    commands.add_parser("restart", help="stop one component cleanly and start it again").add_argument("component")
    commands.add_parser("kill", help="kill one component as a crash would").add_argument("component")
    submit = commands.add_parser("submit", help="submit the measurement job in place of the running one")
    submit.add_argument("--fresh", action="store_true", help="forget its state and read its topic from the start")
    commands.add_parser("supervise", help="started by up: start again what dies")
    return parser


def _reporter() -> Callable[[str], None]:
    began = time.monotonic()
    return lambda line: print(f"[{time.monotonic() - began:6.1f}s] {line}", flush=True)


def _show(found: dict[str, str | None]) -> None:
    for name, address in found.items():
        print(f"  {name:<16} {address or '-'}")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    chosen = _parser().parse_args(arguments)
    # A stop signal ends a command as Ctrl-C does: what it has started is stopped again.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        config = StackConfig.from_environment()
        return _run(chosen, config, _reporter())
    except (ConfigError, StackError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(chosen: argparse.Namespace, config: StackConfig, report: Callable[[str], None]) -> int:
    stack = Stack(config, report)
    match chosen.command:
        case "up":
            _show(stack.up(chosen.only, chosen.without))
        case "run":
            demonstrate(stack, chosen.only, chosen.without, report)
        case "down":
            stack.down()
        case "status":
            return _status(stack)
        case "restart":
            stack.restart(chosen.component)
        case "kill":
            print(f"killed process {stack.kill(chosen.component)}")
        case "submit":
            stack.submit(fresh=chosen.fresh)
        case "supervise":
            logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
            supervise(stack.config)
    return 0


def _status(stack: Stack) -> int:
    """Print the state of the stack; returns 0 if all is ready, 1 if something is not, 3 if nothing was started."""
    found = stack.status()
    for one in found:
        print(f"{one.name:<14} pid {one.pid:<8} {one.state}")
    if not found:
        print(f"nothing runs in {stack.config.run_dir}")
        return 3
    _show(endpoints.of(stack.config, stack.records.names()))
    return 0 if all(one.state == "ready" for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
