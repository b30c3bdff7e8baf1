"""Journeys as paths, read from the stored events in slices of customers, so that memory stays bounded.

A journey is what has one journey id of one customer. Its path is its touches up to its first conversion, no older than
the look-back before it; of a journey without a conversion, no older than the look-back before its newest touch. A
journey that touched nothing is left out. Touches and conversions without a journey id are left out too, and those up to
the customer's newest refusal: what may not be attributed may not train what attributes (`udfs/attribution/consent.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from connectors.clickhouse.client import with_retries
from connectors.clickhouse.identity import JOURNEY_EVENTS
from udfs.attribution.consent import Consent
from udfs.attribution.paths import PathCount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from connectors.clickhouse.arrow_sink import ArrowSink
    from udfs.attribution.settings import TouchFilter

# Events in a slice: their columns take about 60 bytes each, here and in the server.
SLICE_EVENTS = 500_000
# Each slice looks through all events of the time. A batch can wait for a store that is busy with the stream, so a
# read that timed out is tried again for longer than the stream would.
RETRY_FOR_SECONDS = 300.0

_SELECTION = """
    tenant_id = {tenant:String} AND event_time >= fromUnixTimestamp64Milli({since:Int64})
    AND event_time < fromUnixTimestamp64Milli({until:Int64})
    AND event_type IN ('touchpoint_interaction', 'conversion_event') AND journey_id != ''
"""
_COUNT = f"SELECT count() FROM events WHERE {_SELECTION}"  # noqa: S608 - constants
# Refusals are journey events of any kind, with a journey id or without.
_SLICE = f"""
    WITH refusing AS (
        SELECT customer_id AS refuser, maxIf(event_time, NOT allowed) AS refused,
               minIf(event_time, allowed) AS consented
        FROM (
            SELECT customer_id, event_time, JSONExtractBool(payload, 'envelope', 'consent', 'analytics') AS allowed
            FROM events FINAL
            WHERE tenant_id = {{tenant:String}} AND cityHash64(customer_id) % {{slices:UInt32}} = {{slice:UInt32}}
              AND event_type IN ({", ".join(f"'{kind}'" for kind in JOURNEY_EVENTS)})
        )
        GROUP BY customer_id
        HAVING countIf(NOT allowed) > 0
           AND ({{consent:String}} = 'required' OR countIf(allowed) > 0 AND consented <= refused)
    )
    SELECT cityHash64(customer_id, journey_id) AS journey,
           cityHash64(customer_id, 'held out') % 1000 < {{held_out:UInt32}} AS held_out,
           toUnixTimestamp64Milli(event_time) AS time,
           event_type = 'conversion_event' AS conversion,
           if(event_type = 'conversion_event', '', toString(channel)) AS met,
           value_micros
    FROM events FINAL LEFT JOIN refusing ON refuser = customer_id
    WHERE {_SELECTION} AND event_time > refused AND cityHash64(customer_id) % {{slices:UInt32}} = {{slice:UInt32}}
      AND if(event_type = 'conversion_event',
             kind = 'conversion' AND ({{conversion_type:String}} = '' OR
                 JSONExtractString(payload, 'conversion', 'conversion_type') = {{conversion_type:String}}),
             channel NOT IN {{without_channels:Array(String)}} AND
                 (campaign_id = '' OR campaign_id NOT IN {{without_campaigns:Array(String)}}) AND
                 (empty({{interactions:Array(String)}}) OR has({{interactions:Array(String)}},
                     JSONExtractString(payload, 'touchpoint', 'interaction_type'))))
    ORDER BY journey, time, conversion, event_id
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class JourneyQuery:
    """Which journeys are read: events of a tenant in [since_ms, until_ms), UTC.

    `held_out` is the share of customers, 0 to 1, whose journeys are for validation: always the same customers.
    """

    tenant_id: str
    since_ms: int
    until_ms: int
    lookback_ms: int
    touch_filter: TouchFilter
    conversion_type: str = ""
    held_out: float = 0.2
    consent: str = Consent.REQUIRED.value


@dataclass(frozen=True, slots=True)
class JourneyPath:
    """One journey: its path with one outcome, and whether it is held out."""

    path: PathCount
    held_out: bool


def read_journeys(sink: ArrowSink, query: JourneyQuery, progress: Callable[[int, int], None]) -> Iterator[JourneyPath]:
    """Yield the journeys. `progress` is told events read and events there are, after each slice.

    Blocks while a slice is read; transient faults are tried again, and the last error is raised.
    """
    parameters = {
        "tenant": query.tenant_id,
        "since": query.since_ms,
        "until": query.until_ms,
        "held_out": round(query.held_out * 1000),
        "conversion_type": query.conversion_type,
        "consent": query.consent,
        "without_channels": list(query.touch_filter.exclude_channels),
        "without_campaigns": list(query.touch_filter.exclude_campaigns),
        "interactions": list(query.touch_filter.interaction_types),
    }
    total = int(sink.rows(_COUNT, parameters, "count of journey events")[0][0])
    slices = max(1, -(-total // SLICE_EVENTS))
    seen = 0
    for number in range(slices):
        table = _table(sink, parameters | {"slices": slices, "slice": number})
        seen += table.num_rows
        yield from journeys_of(table, query.lookback_ms)
        progress(seen, total)


def _table(sink: ArrowSink, parameters: dict[str, Any]) -> pa.Table:
    return with_retries(
        lambda: sink.client().query_arrow(_SLICE, parameters=parameters), "read of journeys", seconds=RETRY_FOR_SECONDS
    )


def journeys_of(table: pa.Table, lookback_ms: int) -> Iterator[JourneyPath]:
    """Yield the journeys of whole slices: rows of a journey together, in the order of time, touches first."""
    if not table.num_rows:
        return
    journey = table["journey"].to_numpy()
    time = table["time"].to_numpy()
    conversion = table["conversion"].to_numpy().astype(bool)
    held_out = table["held_out"].to_numpy().astype(bool)
    value = table["value_micros"].to_numpy()
    channel = table["met"].to_pylist()
    starts = np.flatnonzero(np.concatenate(([True], journey[1:] != journey[:-1])))
    ends = np.append(starts[1:], journey.size)
    # The first conversion at or after each row; the end of the table where there is none.
    sold = np.append(np.flatnonzero(conversion), journey.size)
    first_sale = np.minimum(sold[np.searchsorted(sold[:-1], starts)], ends)
    converted = first_sale < ends
    newest = time[np.where(converted, first_sale, ends - 1)]
    for start, stop, won, at, apart in zip(
        starts.tolist(),
        first_sale.tolist(),
        converted.tolist(),
        newest.tolist(),
        held_out[starts].tolist(),
        strict=True,
    ):
        oldest = start + int(np.searchsorted(time[start:stop], at - lookback_ms)) if stop > start else start
        if oldest < stop:
            micros = float(value[stop]) if won else 0.0
            yield JourneyPath(PathCount(tuple(channel[oldest:stop]), float(won), micros, float(not won)), apart)
