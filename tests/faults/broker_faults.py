"""Faults of the broker and of serving."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from tests.faults.rig import Rig


def broker_killed(rig: Rig, random: Random) -> str:
    """Kill -9 the broker: it recovers its log at the start."""
    time.sleep(random.uniform(0, 2))
    return f"pid {rig.stack.kill('kafka')}"


def broker_restarted(rig: Rig, random: Random) -> str:
    """Stop the broker in order and start it again."""
    time.sleep(random.uniform(0, 2))
    rig.in_turn(lambda: rig.stack.restart("kafka"))
    return ""


def broker_frozen(rig: Rig, random: Random) -> str:
    """Freeze the broker: connections stay open and nothing comes."""
    return rig.freeze("kafka", random.uniform(2, 25))


def serving_killed(rig: Rig, random: Random) -> str:
    """Kill -9 serving while it is asked."""
    time.sleep(random.uniform(0, 2))
    return f"pid {rig.stack.kill('serving')}"


def serving_frozen(rig: Rig, random: Random) -> str:
    """Freeze serving while it is asked."""
    return rig.freeze("serving", random.uniform(2, 10))
