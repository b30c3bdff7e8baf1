"""What derived credits are about to replace: read from the store and kept in `credit_revisions`.

The stream knows what it credited before and sends it along (`credits.py`). Credits that are derived from scratch do not
know; what readers see until now is in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connectors.clickhouse.statement_pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.clickhouse.arrow_sink import ArrowSink

# Ids are some forty characters.
CONVERSIONS_PER_STATEMENT = 200

_OF_CONVERSIONS = """
tenant_id = {tenant:String} AND (conversion_time, conversion_id) IN (
    SELECT fromUnixTimestamp64Milli(key.1, 'UTC'), key.2
    FROM (SELECT arrayJoin({conversions:Array(Tuple(Int64, String))}) AS key)
)
"""
_CURRENT = f"""
SELECT conversion_id, toString(model), value_micros, touches.touchpoint_id, touches.credited_micros
FROM attribution_credits FINAL WHERE {_OF_CONVERSIONS}
"""  # noqa: S608 - built from constants; values are bound
_KEEP = f"""
INSERT INTO credit_revisions
SELECT tenant_id, conversion_time, conversion_id, model, revision, model_version, settings_version, customer_id,
       value_micros, touches.touchpoint_id, touches.channel, touches.campaign_id, touches.time, touches.weight,
       touches.credited_micros, fromUnixTimestamp64Milli({{at:Int64}}, 'UTC') AS replaced_at,
       bitNot(toUInt64({{at:Int64}})) AS version
FROM attribution_credits FINAL WHERE {_OF_CONVERSIONS}
"""  # noqa: S608 - built from constants; values are bound


class _Conversion(NamedTuple):
    """A conversion as the tables' keys name it: time in UTC ms."""

    time_ms: int
    conversion_id: str


def keep_replaced(sink: ArrowSink, attributions: Sequence[dict[str, Any]], replaced_at_ms: int) -> None:
    """Keep the credits in force of the conversions that `attributions` credit otherwise (UTC ms: when that was).

    Derivation credits all conversions of a person again; those that come out the same leave nothing behind. To be
    called before the new credits are written; called again, it keeps the same rows. Blocks and raises as
    `ArrowSink.rows`.
    """
    by_tenant: dict[str, dict[_Conversion, dict[str, Any]]] = {}
    for attribution in attributions:
        key = _Conversion(attribution["conversion_time"], attribution["conversion_id"])
        by_tenant.setdefault(attribution["tenant_id"], {})[key] = attribution
    for tenant_id, derived in by_tenant.items():
        for piece in pieces(list(derived), CONVERSIONS_PER_STATEMENT):
            parameters: dict[str, Any] = {"tenant": tenant_id, "conversions": [tuple(key) for key in piece]}
            new = {key.conversion_id: derived[key] for key in piece}
            changed = {
                row[0]
                for row in sink.rows(_CURRENT, parameters, "reading of credits to replace")
                if _differs(new[row[0]], *row[1:])
            }
            if changed:
                kept = [tuple(key) for key in piece if key.conversion_id in changed]
                parameters |= {"conversions": kept, "at": replaced_at_ms}
                sink.command(_KEEP, parameters, "insert into credit_revisions")


def _differs(
    attribution: dict[str, Any], model: str, value_micros: int, touches: Sequence[str], micros: Sequence[int]
) -> bool:
    """Tell whether an attribution credits by a model otherwise than a stored row, to the micro."""
    credited = attribution["models"].get(model)
    return credited is not None and (
        attribution["value_micros"] != value_micros
        or [touch[0] for touch in attribution["touches"]] != list(touches)
        or credited["credited_micros"] != list(micros)
    )
