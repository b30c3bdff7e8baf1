"""Every fault by name, and what the contract says should become of the message."""

from __future__ import annotations

# Faults of the stream: the event is good, its arrival is not. Accepted, or counted as a duplicate.
DUPLICATES = ("dup_near", "dup_far", "conflict")
DELAYS = ("out_of_order", "late_minutes", "late_hours", "late_days")

# Faults of the message, with the reason code that each must get.
POISON = {
    "null_value": "empty",
    "empty_value": "empty",
    "random_bytes": "bad_magic",
    "json_text": "bad_magic",
    "unknown_schema": "unknown_schema_id",
    "truncated": "undecodable",
    "trailing_bytes": "undecodable",
    "garbage_body": "undecodable",
    "length_bomb": "undecodable",
    "header_only": "undecodable",
    "too_large": "too_large",
}

# Faults of the record: each breaks the rule it is named after; `several_reasons` breaks more than one.
INVALID = (
    "missing_event_id",
    "missing_tenant_id",
    "invalid_tenant_id",
    "tenant_mismatch",
    "missing_event_type",
    "unknown_event_type",
    "missing_event_time",
    "event_time_in_future",
    "event_time_too_old",
    "missing_customer_id",
    "missing_campaign_id",
    "missing_channel",
    "invalid_currency",
    "negative_metric",
    "metric_out_of_range",
    "clicks_exceed_impressions",
    "conversions_exceed_clicks",
    "negative_value",
    "missing_original_event_id",
    "several_reasons",
)

FAULTS = frozenset((*DUPLICATES, *DELAYS, *POISON, *INVALID))

# `too_large` is in no group: a megabyte a message has to be asked for.
FAULT_GROUPS = {
    "dup": ("dup_near", "dup_far"),
    "late": ("late_minutes", "late_hours"),
    "poison": tuple(name for name in POISON if name != "too_large"),
    "invalid": INVALID,
}
