"""Answers as CSV: one line a row, nested fields with dots in their names."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

TIMESTAMP, DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
# (Descriptors of messages have two types, of which the stubs know one: they are Any here.)
# A cell that begins so is a formula to a spreadsheet, whoever wrote it.
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


def rows_field(descriptor: Any) -> FieldDescriptor | None:
    """Return the field of a response that holds its rows: the first repeated message; None when there is none."""
    return next((field for field in descriptor.fields if field.is_repeated and field.message_type is not None), None)


def csv_text(response: Message) -> str:
    """Return a response as CSV with a header; a response without rows is one row. An absent figure is an empty cell."""
    field = rows_field(response.DESCRIPTOR)
    descriptor = response.DESCRIPTOR if field is None else field.message_type
    rows = [response] if field is None else getattr(response, field.name)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(name for name, _ in _columns(descriptor))
    for row in rows:
        writer.writerow(_cells(row, descriptor))
    return text.getvalue()


def _columns(descriptor: Any) -> Iterator[tuple[str, FieldDescriptor]]:
    for field in descriptor.fields:
        if field.name in {"freshness", "next_page_token"}:
            continue
        kind = field.message_type
        if kind is None or field.is_repeated or kind.full_name in {TIMESTAMP, DURATION}:
            yield field.name, field
        else:
            for name, inner in _columns(kind):
                yield f"{field.name}.{name}", inner


def _cells(message: Message, descriptor: Any) -> Iterator[str]:
    for name, field in _columns(descriptor):
        holder = message
        *path, last = name.split(".")
        absent = False
        for part in path:
            absent = absent or not holder.HasField(part)
            holder = getattr(holder, part)
        if absent or (field.has_presence and not holder.HasField(last)):
            yield ""
        else:
            yield _cell(getattr(holder, last), field)


def _cell(value: object, field: FieldDescriptor) -> str:
    if field.is_repeated:
        # What is nested deeper, such as the touches of a conversion, is for JSON; here is how many there are.
        return str(len(value))  # type: ignore[arg-type] # a repeated field
    if field.message_type is not None:
        return str(value.ToJsonString())  # type: ignore[attr-defined] # a timestamp or a duration
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[int(str(value))].name)
    text = str(value)
    if field.type == FieldDescriptor.TYPE_STRING and text.startswith(FORMULA_BEGINS):
        return f"'{text}"
    return text
