"""Watermarks across views: a view passes those of its stream on only if it declares a time attribute with
SOURCE_WATERMARK(). What waits for a watermark behind one that does not declare it, waits for ever."""

from __future__ import annotations

from pyflink.table import Schema


def passed_on() -> Schema:
    """Return the schema of a view that passes the watermarks of its stream on and whose rows need no time of their
    own: the watermark that closed them comes after them."""
    return (
        Schema.new_builder()
        .column_by_expression("closed", "TO_TIMESTAMP_LTZ(0, 3)")
        .watermark("closed", "SOURCE_WATERMARK()")
        .build()
    )
