"""Reading requests: every field checked, with an error that names the field and what is allowed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tributary.v1 import campaign_metrics_pb2 as campaign_pb

from serving.errors import invalid
from serving.queries.campaign_metrics import Split, Wanted
from serving.queries.campaign_rows import CHANNELS, FILTER_NAMES, Selection
from serving.queries.filters import read_filter
from serving.queries.tiling import DAY_MS, WINDOW_MS, round_outwards

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.timestamp_pb2 import Timestamp
    from tributary.v1 import freshness_pb2

LONGEST_RANGE_MS = 400 * DAY_MS
# Event times are at most five minutes ahead, so nothing is stored for a later time; a day forgives a caller's time
# zone.
LATEST_AHEAD_MS = DAY_MS
# 2000-01-01, long before the first event that can be stored.
EARLIEST_MS = 946_684_800_000
LONGEST_NAME = 256
MOST_VALUES = 200
CURRENCY_LETTERS = 3

_EARLIER_MS = {
    campaign_pb.COMPARISON_DAY_EARLIER: DAY_MS,
    campaign_pb.COMPARISON_WEEK_EARLIER: 7 * DAY_MS,
    campaign_pb.COMPARISON_FOUR_WEEKS_EARLIER: 28 * DAY_MS,
    campaign_pb.COMPARISON_YEAR_EARLIER: 364 * DAY_MS,
}


def now_ms() -> int:
    """Return the time in UTC milliseconds."""
    return int(time.time() * 1000)


def milliseconds(moment: Timestamp, field: str) -> int:
    """Return a timestamp in UTC milliseconds; raises ServingError naming `field`."""
    if not 0 <= moment.nanos < 1_000_000_000:
        raise invalid(field, "nanos must be 0 to 999999999")
    value = moment.seconds * 1000 + moment.nanos // 1_000_000
    if not EARLIEST_MS <= value <= now_ms() + LATEST_AHEAD_MS:
        raise invalid(field, "must lie between the year 2000 and tomorrow")
    return value


def read_range(wanted: freshness_pb2.TimeRange, field: str = "range") -> tuple[int, int]:
    """Return [start, end) of a requested range in UTC milliseconds; raises ServingError."""
    if wanted.HasField("last"):
        if wanted.HasField("start_time") or wanted.HasField("end_time"):
            raise invalid(field, "give either last, or start_time and end_time")
        length = wanted.last.seconds * 1000 + wanted.last.nanos // 1_000_000
        if not WINDOW_MS <= length <= LONGEST_RANGE_MS:
            raise invalid(f"{field}.last", "must be 5 seconds to 400 days")
        end = now_ms()
        return end - length, end
    if not wanted.HasField("start_time"):
        raise invalid(f"{field}.start_time", "is required (or give last)")
    start = milliseconds(wanted.start_time, f"{field}.start_time")
    end = milliseconds(wanted.end_time, f"{field}.end_time") if wanted.HasField("end_time") else now_ms()
    if start >= end:
        raise invalid(f"{field}.end_time", "must be after start_time")
    if end - start > LONGEST_RANGE_MS:
        raise invalid(field, "must not be longer than 400 days")
    return start, end


def page_size(size: int, default: int, largest: int) -> int:
    """Return the number of entries on a page; raises ServingError."""
    if not 0 <= size <= largest:
        raise invalid("page_size", f"must be 0 to {largest}")
    return size or default


def read_name(value: str, field: str) -> str:
    """Return a required name or id; raises ServingError when it is empty or too long."""
    if not 1 <= len(value) <= LONGEST_NAME:
        raise invalid(field, f"must have 1 to {LONGEST_NAME} characters")
    return value


def names(values: Iterable[str], field: str) -> tuple[str, ...]:
    """Return distinct names in order; raises ServingError when one is empty or too long, or there are too many."""
    found = tuple(sorted(set(values)))
    if len(found) > MOST_VALUES:
        raise invalid(field, f"must not hold more than {MOST_VALUES} values")
    if any(not value or len(value) > LONGEST_NAME for value in found):
        raise invalid(field, f"every value must have 1 to {LONGEST_NAME} characters")
    return found


def read_selection(wanted: campaign_pb.CampaignSelection, condition: str = "") -> Selection:
    """Return which campaigns, channels and currencies count, by a selection and a filter; raises ServingError."""
    channels = names(wanted.channels, "selection.channels")
    if not set(CHANNELS).issuperset(channels):
        raise invalid("selection.channels", f"allowed: {', '.join(sorted(CHANNELS))}")
    currencies = names(wanted.currencies, "selection.currencies")
    if any(len(c) != CURRENCY_LETTERS or not c.isascii() or not c.isalpha() or not c.isupper() for c in currencies):
        raise invalid("selection.currencies", "every value must be three capital letters, such as EUR")
    campaign_ids = names(wanted.campaign_ids, "selection.campaign_ids")
    return Selection(campaign_ids, channels, currencies, read_filter(condition, FILTER_NAMES))


def shift_of(comparison: campaign_pb.Comparison.ValueType, length_ms: int) -> int:
    """Return how much earlier the compared range is than a range of some length, in ms; 0: nothing is compared. Raises
    ServingError."""
    if comparison == campaign_pb.COMPARISON_UNSPECIFIED:
        return 0
    if comparison == campaign_pb.COMPARISON_PRECEDING:
        return length_ms
    if comparison not in _EARLIER_MS:
        raise invalid("comparison", f"allowed: {', '.join(campaign_pb.Comparison.keys())}")
    return _EARLIER_MS[comparison]


def with_comparison(start_ms: int, end_ms: int, comparison: campaign_pb.Comparison.ValueType) -> Wanted:
    """Return a range with the one that it is compared with; raises ServingError."""
    shift = shift_of(comparison, end_ms - start_ms)
    if not shift:
        return Wanted(start_ms, end_ms)
    if start_ms - shift < EARLIEST_MS:
        raise invalid("comparison", "lies before the year 2000")
    return Wanted(start_ms, end_ms, round_outwards(start_ms - shift, end_ms - shift, now_ms()), shift)


def read_split(wanted: Iterable[campaign_pb.Dimension.ValueType]) -> Split:
    """Return what figures are split by; raises ServingError."""
    chosen = set(wanted)
    if not chosen <= {campaign_pb.DIMENSION_CAMPAIGN, campaign_pb.DIMENSION_CHANNEL}:
        raise invalid("group_by", "allowed: DIMENSION_CAMPAIGN, DIMENSION_CHANNEL")
    return Split(campaign=campaign_pb.DIMENSION_CAMPAIGN in chosen, channel=campaign_pb.DIMENSION_CHANNEL in chosen)
