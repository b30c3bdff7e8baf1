"""The options of the command line, with their help texts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench.world.faults.catalog import FAULT_GROUPS, FAULTS
from connectors.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMAS = str(Path(__file__).resolve().parents[2] / "avro")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; ends the process with code 2 and a message when it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m bench.world", description="A marketing world that sends events.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    world = _world()

    produce = commands.add_parser("produce", parents=[world], help="send events to Kafka at a steady rate")
    produce.add_argument("--bootstrap", required=True, help="Kafka brokers, host:port[,host:port]")
    produce.add_argument("--topic", default=Topics().events)
    produce.add_argument("--record", type=Path, metavar="FILE", help="write what was sent, for the oracle")
    produce.add_argument("--truth", type=Path, metavar="FILE", help="write what truly caused the conversions of a lap")
    produce.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="send a record file instead, unchanged"
    )
    produce.add_argument("--compression", default="lz4", choices=("none", "lz4", "zstd", "snappy", "gzip"))
    produce.add_argument("--connect-timeout", type=float, default=30.0, metavar="S", help="wait so long for a broker")

    write = commands.add_parser("write", parents=[world], help="write the same stream to a record file, without Kafka")
    write.add_argument("--out", type=Path, required=True, metavar="FILE")
    write.add_argument("--truth", type=Path, metavar="FILE", help="write what truly caused the conversions of a lap")

    commands.add_parser("truth", parents=[world], help="print what truly causes the conversions of a lap")

    faults = commands.add_parser("faults", help="show an example of each fault and what should become of it")
    faults.add_argument("name", nargs="?", help="only this fault")
    faults.add_argument("--schemas", default=_SCHEMAS, help="folder or http(s) address of the schema registry")
    return parser.parse_args(arguments)


def _world() -> argparse.ArgumentParser:
    """The options that shape the world and its pace."""
    parser = argparse.ArgumentParser(add_help=False)
    pace = parser.add_argument_group("pace")
    pace.add_argument("--rate", type=float, metavar="R", help="messages a second (1000; a file: as fast as it goes)")
    pace.add_argument(
        "--seconds", type=float, metavar="S", help="length of the run; without it and --count: until stopped"
    )
    pace.add_argument("--count", type=int, metavar="N", help="number of messages, probes not counted")
    pace.add_argument("--clock", choices=("live", "fixed"), default="live", help="event times: now, or a virtual time")
    pace.add_argument("--start", metavar="ISO", help="where the virtual time starts, UTC unless it says otherwise")
    pace.add_argument("--speed", type=float, default=1.0, metavar="X", help="virtual seconds a second (1)")
    pace.add_argument(
        "--seasonal",
        action=argparse.BooleanOptionalAction,
        help="busy hours and days (default: with --clock fixed only, so that a live rate is steady)",
    )
    pace.add_argument("--any-time", action="store_true", help="allow a virtual time whose events validation refuses")
    pace.add_argument("--probe-every", type=float, metavar="MS", help="send tagged events for timing, every so often")

    world = parser.add_argument_group("world")
    world.add_argument("--seed", type=int, default=1)
    world.add_argument(
        "--run", metavar="NAME", help="part of all ids (default: the start of a live run, so that runs differ)"
    )
    world.add_argument(
        "--tenants", default="10", metavar="N|NAMES", help="how many, or their names with commas between"
    )
    world.add_argument(
        "--zipf", type=float, default=1.1, metavar="X", help="tenant k has a share of k^-X (1.1; 0: equal)"
    )
    world.add_argument("--top-share", type=float, metavar="P", help="share of the first tenant, for example 0.9")
    world.add_argument("--campaigns", type=int, default=12, metavar="N", help="campaigns of the largest tenant (12)")
    world.add_argument(
        "--mix", default="0.5,0.4,0.1", metavar="C,J,P", help="campaign, journey, personalization weights"
    )
    world.add_argument("--report-share", type=float, default=0.2, metavar="P", help="reports among campaign events")
    world.add_argument("--edge-share", type=float, default=0.01, metavar="P", help="edge cases among journeys")
    world.add_argument("--v2-share", type=float, default=0.5, metavar="P", help="schema version 2 among touchpoints")
    world.add_argument(
        "--anonymous-share", type=float, default=0.0, metavar="P", help="touchpoints under a device's id"
    )
    world.add_argument(
        "--signed-out-share", type=float, default=0.0, metavar="P", help="further devices that never name the customer"
    )
    world.add_argument(
        "--opt-out-share", type=float, default=0.01, metavar="P", help="journeys that end with consent taken back"
    )
    world.add_argument(
        "--lap", type=int, metavar="N", help="messages planned before the world starts over with new people"
    )
    world.add_argument("--schemas", default=_SCHEMAS, help="folder or http(s) address of the schema registry")

    faults = parser.add_argument_group("faults")
    faults.add_argument(
        "--faults",
        default="",
        metavar="NAME=P,...",
        help=f"share of the messages by fault. Groups: {', '.join(FAULT_GROUPS)}. Faults: {', '.join(sorted(FAULTS))}",
    )
    faults.add_argument(
        "--disorder-ms", type=int, default=2000, metavar="MS", help="most that out_of_order is late (2000)"
    )
    faults.add_argument(
        "--too-large-bytes", type=int, default=1_100_000, metavar="N", help="size of too_large messages"
    )
    return parser
