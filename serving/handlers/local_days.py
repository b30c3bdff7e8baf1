"""Days of a time zone: which one a request names, and when a day of it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tributary.v1 import campaign_metrics_pb2 as campaign_pb

from serving.errors import invalid
from serving.queries.tiling import SECOND_MS


def read_time_zone(request: campaign_pb.ListTimeSeriesRequest) -> ZoneInfo | None:
    """Return the zone whose days are asked for, None for those of UTC; raises ServingError when there is no such zone,
    or days are not what is asked for."""
    if not request.time_zone:
        return None
    if request.grain != campaign_pb.GRAIN_DAY or request.comparison:
        raise invalid("time_zone", "is possible with days only, and without a comparison")
    try:
        return ZoneInfo(request.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # What is no name, such as a path out of the database or a folder of it, is not found in other ways.
        raise invalid("time_zone", "must be a zone of the IANA database, such as Europe/Berlin") from None


def day_end(start_ms: int, zone: ZoneInfo) -> int:
    """Return the midnight at which the day of the zone ends that began at `start_ms`, both UTC ms."""
    day = datetime.fromtimestamp(start_ms / SECOND_MS, UTC).astimezone(zone).date()
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)
    return round(midnight.timestamp() * SECOND_MS)
