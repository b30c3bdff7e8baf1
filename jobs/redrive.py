"""Re-drive: list, show, repair and re-submit quarantined events.

A re-driven event goes through the whole pipeline like any other, with its own event id: it is deduplicated, and being
late it revises the figures that it belongs to, so that the result equals never having failed. Re-driving it twice is
harmless.

    python -m jobs.redrive counts
    python -m jobs.redrive list --tenant acme --reason invalid_currency
    python -m jobs.redrive show --tenant acme --at 3:1042
    python -m jobs.redrive submit --tenant acme --reason invalid_currency --set conversion.currency=EUR --dry-run
    python -m jobs.redrive discard --tenant acme --at 3:1042
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from kafka.errors import KafkaError

from connectors.clickhouse.arrow_sink import ArrowSink
from connectors.clickhouse.client import ClickHouseAddress
from connectors.clickhouse.quarantine import Refused, count_by_reason, find, mark
from connectors.kafka import clients
from connectors.kafka.codec import DecodeError, EncodeError, EventDecoder, EventEncoder
from connectors.kafka.event_traces import event_headers
from connectors.kafka.settings import KafkaSettings, KafkaSettingsError, add_arguments
from connectors.kafka.topics import Topics
from connectors.schema_registry import SchemaRegistry, open_registry
from udfs.events.privacy import protect_maps, protect_strings
from udfs.events.reasons import Reason
from udfs.events.rules import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafka import KafkaProducer

SEND_TIMEOUT_SECONDS = 30
LARGEST_REQUEST = 24 * 1024 * 1024


class RedriveError(Exception):
    """The message cannot be re-driven as asked; the text says why and what to do."""


def repaired(
    message: Refused, registry: SchemaRegistry, changes: Sequence[str], document: bytes | None
) -> dict[str, Any]:
    """Return the event record of a refused message after its repairs.

    Args:
        message: the refused message.
        registry: schemas to decode it with.
        changes: `path=value` with a dotted path into the record; the value is JSON, or else text.
        document: a whole record as JSON, for bytes that no schema can read.

    Raises:
        RedriveError: the bytes do not decode and there is no document, or a path does not exist.
    """
    if document is not None:
        record = orjson.loads(document)
    else:
        try:
            record = EventDecoder(registry).decode(message.raw).record
        except DecodeError as error:
            text = f"{message.position} does not decode ({error.reason.value}); give the whole event with --record FILE"
            raise RedriveError(text) from None
    envelope = record.get("envelope") or {}
    if not envelope.get("event_id"):
        # Made of the position, so that re-driving it twice gives one event.
        envelope["event_id"] = f"redriven-{message.source_topic}-{message.source_partition}-{message.source_offset}"
    for change in changes:
        path, separator, text = change.partition("=")
        *parents, name = path.split(".")
        at: Any = record
        for parent in parents:
            at = at.get(parent) if isinstance(at, dict) else None
        if not separator or not isinstance(at, dict) or name not in at:
            raise RedriveError(f"--set {path}: there is no such field in this {envelope.get('event_type', 'event')}")
        try:
            at[name] = orjson.loads(text)
        except orjson.JSONDecodeError:
            at[name] = text
    return dict(record)


def encoded(record: dict[str, Any], registry: SchemaRegistry, now_ms: int, owner: str | None = None) -> bytes:
    """Return the framed message of a repaired record; `owner` is the tenant whose it must be, None if that is open.

    Raises:
        RedriveError: it does not fit its schema, or the pipeline would refuse it again, and why.
    """
    try:
        message = EventEncoder(registry).encode(record)
        # Checked as it will be read: with the defaults that encoding filled in.
        read = EventDecoder(registry).decode(message)
    except (EncodeError, DecodeError) as error:
        raise RedriveError(f"the repaired event does not fit its schema: {error}") from None
    reasons = check(read.event_type, read.record, now_ms, owner)
    if reasons:
        raise RedriveError(f"would be refused again: {', '.join(reasons)}; repair it with --set PATH=VALUE")
    return message


def submit(chosen: argparse.Namespace, sink: ArrowSink, registry: SchemaRegistry) -> int:
    """Repair and re-submit the chosen messages; returns how many could not be."""
    document = Path(chosen.record).read_bytes() if chosen.record else None
    messages = _chosen(chosen, sink, status="quarantined")
    if document is not None and len(messages) != 1:
        raise RedriveError("--record gives one event: choose one message with --at PARTITION:OFFSET")
    producer = None if chosen.dry_run else _producer(KafkaSettings.of(chosen))
    topic = Topics(chosen.topic_prefix).events
    done = failed = 0
    for message in messages:
        try:
            record = repaired(message, registry, chosen.set, document)
            # An event that named another tenant than its key stays with the key's: nothing of it may reach the other.
            owner = message.tenant_id if Reason.TENANT_MISMATCH in message.reasons else None
            value = encoded(record, registry, int(time.time() * 1000), owner)
            if producer is not None:
                origin = f"{message.source_topic}/{message.position}".encode()
                key = record["envelope"]["tenant_id"].encode()
                trace = event_headers(record["envelope"]["tenant_id"], record["envelope"]["event_id"])
                headers = [("redriven-from", origin), *trace]
                producer.send(topic, key=key, value=value, headers=headers).get(SEND_TIMEOUT_SECONDS)
                mark(sink, message, "redriven")
            done += 1
        except (RedriveError, KafkaError) as error:
            failed += 1
            print(f"{message.position}: {error}", file=sys.stderr)
    what = "would be re-submitted" if chosen.dry_run else "re-submitted"
    print(f"{done} {what}, {failed} left in quarantine")
    if done and not chosen.dry_run:
        print("They are late events now: figures that they belong to are revised within seconds.")
    return failed


def _producer(kafka: KafkaSettings) -> KafkaProducer:
    return clients.producer(
        kafka,
        acks="all",
        max_request_size=LARGEST_REQUEST,
        request_timeout_ms=SEND_TIMEOUT_SECONDS * 1000,
        max_block_ms=SEND_TIMEOUT_SECONDS * 1000,
    )


def _chosen(chosen: argparse.Namespace, sink: ArrowSink, status: str = "") -> list[Refused]:
    found = find(sink, chosen.tenant, reason=chosen.reason, status=status, positions=chosen.at, limit=chosen.limit)
    if not found:
        raise RedriveError("no quarantined message fits; see `counts` for what there is")
    return found


def _position(text: str) -> tuple[int, int]:
    partition, _, offset = text.partition(":")
    return int(partition), int(offset)


def _show(message: Refused, registry: SchemaRegistry) -> None:
    print(f"{message.position}  {message.status}  {','.join(message.reasons)}  schema {message.schema_id}")
    try:
        # Personal data stays hidden from whoever looks over the operator's shoulder.
        record = EventDecoder(registry).decode(message.raw).record
        protect_maps(record)
        print(orjson.dumps(protect_strings(record), option=orjson.OPT_INDENT_2).decode())
    except DecodeError as error:
        print(f"does not decode ({error.reason.value}); {len(message.raw)} bytes: {message.raw[:64].hex(' ')}")


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m jobs.redrive", description="List, show, repair, re-submit quarantined events."
    )
    made.add_argument("--clickhouse-url", default="http://127.0.0.1:19092", help="(default: the local stack's)")
    made.add_argument("--clickhouse-database", default="tributary", help="(default: tributary)")
    add_arguments(made)
    made.add_argument("--topic-prefix", default="", help="as given to the job")
    made.add_argument(
        "--registry", default=str(Path(__file__).parent.parent / "avro"), help="folder or URL of the schemas"
    )
    commands = made.add_subparsers(dest="command", required=True)
    counts = commands.add_parser("counts", help="how many messages there are, by tenant, reason and status")
    counts.add_argument("--tenant", default="", help="of one tenant only")
    for name, description in (
        ("list", "one line a message"),
        ("show", "whole messages, personal data hashed"),
        ("submit", "repair and re-submit"),
        ("discard", "mark as not worth repairing; the message stays stored"),
    ):
        command = commands.add_parser(name, help=description)
        command.add_argument("--tenant", required=True, help="tenant id; '' for messages whose tenant is unknown")
        command.add_argument("--reason", default="", help="only messages with this reason code")
        command.add_argument("--at", action="append", default=[], type=_position, metavar="PARTITION:OFFSET")
        command.add_argument("--limit", type=int, default=1000, help="at most so many (default: 1000)")
        if name == "submit":
            command.add_argument(
                "--set", action="append", default=[], metavar="PATH=VALUE", help="envelope.tenant_id=acme"
            )
            command.add_argument("--record", help="file with the whole event as JSON, in place of unreadable bytes")
            command.add_argument("--dry-run", action="store_true", help="say what would happen")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0 when everything chosen was done, 1 when something was not, 2 for a wrong call."""
    chosen = _parser().parse_args(arguments)
    address = ClickHouseAddress.parse(chosen.clickhouse_url, chosen.clickhouse_database)
    sink = ArrowSink(replace(address, password=os.environ.get("TRIBUTARY_CLICKHOUSE_PASSWORD", address.password)))
    registry = open_registry(chosen.registry)
    try:
        if chosen.command == "counts":
            for tenant, reason, status, messages, first, last in count_by_reason(sink, chosen.tenant):
                print(
                    f"{messages:8}  {status:12}  {tenant or '(unknown)':24}  {reason:28}  {first:%F %T} to {last:%F %T}"
                )
            return 0
        if chosen.command == "submit":
            return 1 if submit(chosen, sink, registry) else 0
        for message in _chosen(chosen, sink):
            if chosen.command == "show":
                _show(message, registry)
            elif chosen.command == "discard":
                mark(sink, message, "discarded")
            else:
                why = ",".join(message.reasons)
                print(f"{message.position:12}  {message.status:12}  {why}  {message.event_type}  {message.event_id}")
    except KafkaSettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (RedriveError, KafkaError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
