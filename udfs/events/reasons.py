"""Why an event is refused. The codes are stable: they are stored, counted, alerted on and searched for."""

from collections.abc import Iterable
from enum import StrEnum


class Reason(StrEnum):
    """Reason codes, in the order in which a list of them is written."""

    # Against the framing; each stands alone.
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    BAD_MAGIC = "bad_magic"
    UNKNOWN_SCHEMA_ID = "unknown_schema_id"
    UNDECODABLE = "undecodable"
    # Against the rules; an event carries every one that it breaks.
    MISSING_EVENT_ID = "missing_event_id"
    MISSING_TENANT_ID = "missing_tenant_id"
    INVALID_TENANT_ID = "invalid_tenant_id"
    TENANT_MISMATCH = "tenant_mismatch"
    MISSING_EVENT_TYPE = "missing_event_type"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    MISSING_EVENT_TIME = "missing_event_time"
    EVENT_TIME_IN_FUTURE = "event_time_in_future"
    EVENT_TIME_TOO_OLD = "event_time_too_old"
    MISSING_CUSTOMER_ID = "missing_customer_id"
    MISSING_CAMPAIGN_ID = "missing_campaign_id"
    MISSING_CHANNEL = "missing_channel"
    INVALID_CURRENCY = "invalid_currency"
    NEGATIVE_METRIC = "negative_metric"
    METRIC_OUT_OF_RANGE = "metric_out_of_range"
    CLICKS_EXCEED_IMPRESSIONS = "clicks_exceed_impressions"
    CONVERSIONS_EXCEED_CLICKS = "conversions_exceed_clicks"
    NEGATIVE_VALUE = "negative_value"
    MISSING_ORIGINAL_EVENT_ID = "missing_original_event_id"


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each reason once, in the order of the enum, so that equal sets are written alike."""
    found = frozenset(reasons)
    return tuple(reason for reason in Reason if reason in found)
