"""Days of a time zone: which one a request names, and when a day of it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tributary.v1 import campaign_metrics_pb2 as campaign_pb

from serving.errors import invalid

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


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


def day_end(start: Timestamp, zone: ZoneInfo) -> datetime:
    """Return the midnight (UTC) at which the day that began at `start` ends."""
    day = start.ToDatetime(UTC).astimezone(zone)
    midnight = datetime.combine(day.date() + timedelta(days=1), datetime.min.time(), zone)
    return midnight.astimezone(UTC)
