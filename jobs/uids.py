"""Uids of the operators that the SQL planner makes: by stage, so that a change in one stage leaves the others' alone.

The planner numbers what it makes in the order of planning (`table.exec.uid.format`, `<id>`), and with ALWAYS those
numbers are the uids: one operator more at the start, or a stage left out, shifts all that come after it, and a
savepoint of the release before does not find its state. Here each uid says its stage, the kind of the transformation
and its place among those of that kind in that stage. A savepoint then restores as long as a stage keeps the order of
its operators of one kind, whatever happens in other stages.
"""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyflink.table import StreamTableEnvironment

FORMAT = "table.exec.uid.format"
# What FORMAT makes of `<id>_<transformation>` under a stage; a transformation's name has no slash.
_PLANNED = re.compile(r"(?P<stage>[a-z_]+)/(?P<number>\d+)_(?P<kind>.+)")


@contextmanager
def stage(t_env: StreamTableEnvironment, name: str) -> Iterator[None]:
    """Give what is planned inside uids of this stage. A conversion to DataStream plans at once; INSERTs at the end."""
    config = t_env.get_config()
    before = config.get(FORMAT, "<id>_<transformation>")
    config.set(FORMAT, f"{name}/<id>_<transformation>")
    try:
        yield
    finally:
        config.set(FORMAT, before)


def renumbered(uids: list[str]) -> dict[str, str]:
    """Return the final uid of each planned one: stage, kind and place in order of planning. Others are left out."""
    found = [match for uid in uids if (match := _PLANNED.fullmatch(uid))]
    places: dict[tuple[str, str], int] = defaultdict(int)
    made = {}
    for match in sorted(found, key=lambda one: int(one["number"])):
        places[match["stage"], match["kind"]] += 1
        made[match.string] = f"{match['stage']}/{match['kind']}-{places[match['stage'], match['kind']]}"
    return made


def planned(t_env: StreamTableEnvironment) -> Iterator[Any]:
    """Return Flink's transformations that are planned so far; one that several others follow comes several times."""
    # PyFlink has no call for the transformations of an environment.
    for root in t_env._j_tenv.execEnv().getTransformations():  # noqa: SLF001
        yield from root.getTransitivePredecessors()


def settle(t_env: StreamTableEnvironment) -> None:
    """Put the final uids in place of the planner's numbers, once everything is planned and before the job is sent."""
    by_uid = {uid: one for one in planned(t_env) if (uid := one.getUid()) is not None}
    for uid, final in renumbered(list(by_uid)).items():
        by_uid[uid].setUid(final)
