"""An example of each fault, for people who want to see one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bench.world.faults.catalog import FAULTS, INVALID, POISON
from bench.world.options import OptionError, WorldOptions
from bench.world.plan import make_plan
from bench.world.records import LAP

if TYPE_CHECKING:
    from bench.world.message import Planned
    from connectors.kafka.codec import EventEncoder

# Enough messages for every fault to occur.
_LAP = 400
_SHOWN_BYTES = 48


def print_examples(name: str | None, encoder: EventEncoder) -> None:
    """Print one example of the fault `name`, of all faults when it is None. Raises OptionError for an unknown name."""
    if name is not None and name not in FAULTS:
        raise OptionError(f"name: {name!r} is not allowed; allowed: {', '.join(sorted(FAULTS))}")
    for fault in sorted(FAULTS) if name is None else [name]:
        print(f"{fault}: {outcome(fault)}")
        example = _example(fault, encoder)
        value = example.complete(0, 0, LAP.encode())
        if value is None:
            print("  value: null")
        else:
            more = " ..." if len(value) > _SHOWN_BYTES else ""
            print(f"  value: {len(value)} bytes, {value[:_SHOWN_BYTES].hex(' ')}{more}")
        record = json.loads(b"{" + example.complete_line(0, 0, LAP.encode()))["record"]
        if record:
            print(f"  record: {json.dumps(record, ensure_ascii=False)}")


def outcome(fault: str) -> str:
    """What the data contract says should become of a message with this fault."""
    if fault in POISON:
        return f"quarantined, {POISON[fault]}"
    if fault in INVALID:
        return "quarantined, several reasons" if fault == "several_reasons" else f"quarantined, {fault}"
    if fault.startswith("dup"):
        return "counted as a duplicate"
    return "counted as a duplicate, the first content wins" if fault == "conflict" else "accepted"


def _example(fault: str, encoder: EventEncoder) -> Planned:
    options = WorldOptions(tenants=1, faults={fault: 0.1})
    plan = make_plan(options, _LAP, "x", encoder, with_lines=True)
    return next(message for message in plan.lap if message.label.fault == fault)
