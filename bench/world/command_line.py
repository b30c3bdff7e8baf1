"""The commands: send the world to Kafka, write it to a file, state its truth, show its faults."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.world import record_file
from bench.world.arguments import parse
from bench.world.clock import Clock, FixedClock, LiveClock
from bench.world.fault_examples import print_examples
from bench.world.options import OptionError, WorldOptions, lap_length, parse_faults
from bench.world.plan import Plan, make_plan
from bench.world.probes import Probes
from bench.world.producer import KafkaSender, ProduceError, Sending, Stop, produce
from bench.world.stream import Stream
from connectors.kafka.codec import EventEncoder
from connectors.schema_registry import RegistryError, open_registry

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from bench.world.message import Label

_DAY_SECONDS = 86_400
# A world that starts earlier has touches, dated up to 45 days back, that validation refuses as older than 90 days.
_OLDEST_START_DAYS = 44
_DEFAULT_RATE = 1000.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code: 0 done, 1 messages lost or no broker, 2 an option is wrong."""
    asked = parse(arguments)
    commands = {"produce": _produce, "write": _write, "truth": _truth, "faults": _faults}
    try:
        return commands[asked.command](asked)
    except (OptionError, RegistryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (ProduceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _produce(asked: argparse.Namespace) -> int:
    stop = Stop()
    with stop.on_signals():
        if asked.source:
            return _produce_file(asked, stop)
        count = _count(asked)
        sender = KafkaSender(
            asked.bootstrap, asked.topic, compression=asked.compression, timeout_seconds=asked.connect_timeout
        )
        run = _run_name(asked, int(time.time() * 1000))
        plan, probes = _plan(asked, count, run, with_lines=asked.record is not None)
        # The plan is done: only now does time begin, so that the first message is not late already.
        stream = Stream(plan, _clock(asked, int(time.time() * 1000), count), probes)
        sending = produce(stream, sender, count, stop)
    report = _report(stream.counts(sending.numbers), sending)
    if asked.record:
        record_file.write_sent(stream, sending.log, asked.record)
    _write_truth(asked.truth, stream)
    report |= {"run": run, "record": str(asked.record) if asked.record else None}
    print(json.dumps(report), flush=True)
    return 1 if sending.failed else 0


def _produce_file(asked: argparse.Namespace, stop: Stop) -> int:
    sender = KafkaSender(
        asked.bootstrap, asked.topic, compression=asked.compression, timeout_seconds=asked.connect_timeout
    )
    started, cpu_started = time.monotonic(), time.process_time()
    sent = record_file.send_file(asked.source, sender, asked.rate, stop, asked.record)
    sending = Sending(
        sent=sender.sent,
        failed=sender.failed,
        seconds=time.monotonic() - started,
        cpu_seconds=time.process_time() - cpu_started,
    )
    print(json.dumps(_report(sent, sending) | {"from": str(asked.source)}), flush=True)
    return 1 if sending.failed else 0


def _write(asked: argparse.Namespace) -> int:
    count = _count(asked)
    if count is None:
        raise OptionError("count: None is not allowed; allowed: --count or --seconds, a file must end")
    # In a file nothing has a time but the stream's own: sending and happening coincide.
    start_ms = _start_ms(asked) if asked.clock == "fixed" else int(time.time() * 1000)
    speed = asked.speed if asked.clock == "fixed" else 1.0
    plan, probes = _plan(asked, count, _run_name(asked, start_ms), with_lines=True)
    stream = Stream(plan, LiveClock(start_ms, _rate(asked) / speed, _seasonal(asked)), probes)
    written = record_file.write_planned(stream, count, asked.out)
    _write_truth(asked.truth, stream)
    print(json.dumps({"written": written, "file": str(asked.out)} | _by_kind(stream.counts(count))), flush=True)
    return 0


def _truth(asked: argparse.Namespace) -> int:
    plan, _ = _plan(asked, _count(asked), "t", with_lines=False)
    print(json.dumps(plan.truth.statement(), indent=2))
    return 0


def _faults(asked: argparse.Namespace) -> int:
    print_examples(asked.name, EventEncoder(open_registry(asked.schemas)))
    return 0


def _plan(asked: argparse.Namespace, count: int | None, run: str, *, with_lines: bool) -> tuple[Plan, Probes | None]:
    options = WorldOptions(
        seed=asked.seed,
        tenants=int(asked.tenants) if asked.tenants.isdigit() else tuple(asked.tenants.split(",")),
        zipf=asked.zipf,
        top_share=asked.top_share,
        campaigns=asked.campaigns,
        mix=_mix(asked.mix),
        report_share=asked.report_share,
        edge_share=asked.edge_share,
        v2_share=asked.v2_share,
        anonymous_share=asked.anonymous_share,
        signed_out_share=asked.signed_out_share,
        opt_out_share=asked.opt_out_share,
        disorder_ms=asked.disorder_ms,
        too_large_bytes=asked.too_large_bytes,
        faults=parse_faults(asked.faults),
    )
    encoder = EventEncoder(open_registry(asked.schemas))
    length = lap_length(count, _rate(asked), asked.lap)
    plan = make_plan(options, length, run, encoder, with_lines=with_lines)
    gc.freeze()  # the plan stays for good: the collector need not look at it again
    probes = None
    if asked.probe_every:
        every = max(1, round(asked.probe_every * _rate(asked) / 1000))
        probes = Probes(plan.prologue[0].label.tenant, run, every, encoder, with_lines=with_lines)
    return plan, probes


def _clock(asked: argparse.Namespace, start_ms: int, count: int | None) -> Clock:
    if asked.clock == "live":
        return LiveClock(start_ms, _rate(asked), _seasonal(asked))
    clock = FixedClock(start_ms, _rate(asked), _start_ms(asked), asked.speed, _seasonal(asked))
    oldest_ms = start_ms - _OLDEST_START_DAYS * _DAY_SECONDS * 1000
    if not asked.any_time and clock.event_start_ms < oldest_ms:
        raise OptionError(
            f"start: {asked.start!r} is not allowed; allowed: at most {_OLDEST_START_DAYS} days ago, or --any-time, "
            "because older events are refused"
        )
    if not asked.any_time and count and clock.event_ms(count) > clock.created_ms(count):
        raise OptionError(
            f"speed: {asked.speed:g} is not allowed; allowed: a run that ends before the present, or --any-time, "
            "because events in the future are refused"
        )
    return clock


def _count(asked: argparse.Namespace) -> int | None:
    """Number of messages to send, None without an end; probes come on top."""
    if asked.count is not None:
        if asked.count < 1:
            raise OptionError(f"count: {asked.count} is not allowed; allowed: 1 or more")
        return int(asked.count)
    if asked.seconds is None:
        return None
    if asked.seconds <= 0:
        raise OptionError(f"seconds: {asked.seconds:g} is not allowed; allowed: above 0")
    return max(1, int(_rate(asked) * asked.seconds))


def _rate(asked: argparse.Namespace) -> float:
    rate = _DEFAULT_RATE if asked.rate is None else float(asked.rate)
    if not 0.01 <= rate <= 1_000_000:
        raise OptionError(f"rate: {rate:g} is not allowed; allowed: 0.01 to 1000000 messages a second")
    return rate


def _seasonal(asked: argparse.Namespace) -> bool:
    return bool(asked.clock == "fixed" if asked.seasonal is None else asked.seasonal)


def _start_ms(asked: argparse.Namespace) -> int:
    if asked.start is None:
        raise OptionError("start: nothing is not allowed with --clock fixed; allowed: an ISO 8601 time")
    try:
        moment = datetime.fromisoformat(asked.start)
    except ValueError:
        raise OptionError(f"start: {asked.start!r} is not allowed; allowed: an ISO 8601 time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _mix(text: str) -> tuple[float, float, float]:
    try:
        campaign, journey, personalization = (float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(
            f"mix: {text!r} is not allowed; allowed: campaign,journey,personalization as weights"
        ) from None
    return campaign, journey, personalization


def _run_name(asked: argparse.Namespace, start_ms: int) -> str:
    """What makes the ids of this run its own: given, else the start in base 36 (live), else nothing but `f` (fixed)."""
    if asked.run:
        if not asked.run.isalnum() or not asked.run.isascii() or len(asked.run) > 16:
            raise OptionError(f"run: {asked.run!r} is not allowed; allowed: 1 to 16 letters and digits")
        return str(asked.run)
    if asked.clock == "fixed":
        return "f"
    digits = ""
    rest = start_ms
    while rest:
        rest, digit = divmod(rest, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _report(counts: Counter[Label], sending: Sending) -> dict[str, Any]:
    return {
        "produced": sending.sent,
        "failed": sending.failed,
        "seconds": round(sending.seconds, 3),
        "rate": round(sending.sent / sending.seconds, 1) if sending.seconds else None,
        "largest_delay_ms": round(sending.largest_delay_ms, 1),
        "cpu_us_per_message": round(sending.cpu_seconds / sending.sent * 1e6, 2) if sending.sent else None,
    } | _by_kind(counts)


def _by_kind(counts: Counter[Label]) -> dict[str, Any]:
    by_type: Counter[str] = Counter()
    by_fault: Counter[str] = Counter()
    by_tenant: Counter[str] = Counter()
    for label, number in counts.items():
        by_type[label.event_type or "undecodable"] += number
        by_tenant[label.tenant] += number
        if label.fault:
            by_fault[label.fault] += number
    return {"by_type": dict(by_type), "by_fault": dict(by_fault), "by_tenant": dict(by_tenant)}


def _write_truth(path: Path | None, stream: Stream) -> None:
    if path:
        path.write_text(json.dumps(stream.plan.truth.statement(), indent=2) + "\n", encoding="utf-8")
