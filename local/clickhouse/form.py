"""Requests sent as multipart forms: clickhouse-connect does so for large parameters and for external tables."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

from local.clickhouse.errors import ClickHouseError, ErrorCode

MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form; `is_file` when it came with a file name."""

    name: str
    content: bytes
    is_file: bool


def form_boundary(content_type: str) -> str | None:
    """Return the boundary that a Content-Type header gives, None when the body is not a multipart form."""
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_type() != MULTIPART:
        return None
    return str(message.get_param("boundary", ""))


def read_parts(body: bytes, boundary: str) -> list[Part]:
    """Split a multipart body.

    Raises:
        ClickHouseError: the body is not a multipart form with that boundary.
    """
    mark = b"\r\n--" + boundary.encode("latin-1", errors="replace")
    pieces = (b"\r\n" + body).split(mark)
    if not boundary or not pieces[-1].startswith(b"--"):
        raise ClickHouseError.of(ErrorCode.BAD_ARGUMENTS, "Bad multipart form: its boundary or its end is missing")
    return [_read_part(piece) for piece in pieces[1:-1]]


def _read_part(piece: bytes) -> Part:
    head, found, content = piece.partition(b"\r\n\r\n")
    part = Message()
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            part["Content-Disposition"] = value.strip().decode("utf-8", errors="replace")
    field_name = part.get_param("name", header="content-disposition")
    if not found or not isinstance(field_name, str):
        raise ClickHouseError.of(ErrorCode.BAD_ARGUMENTS, "Bad multipart form: a part has no name")
    return Part(field_name, content, part.get_filename() is not None)
