"""Reading the layout of a custom dashboard: every field checked, and written down as JSON."""

from __future__ import annotations

import re
import unicodedata

import orjson
from google.protobuf.json_format import MessageToDict, Parse
from tributary.v1 import dashboards_pb2 as dashboards_pb

from serving.errors import invalid
from serving.handlers.widget_kinds import ADDITIVE_METRICS, METRICS, WIDGET_KINDS

COLUMNS = 12
MOST_WIDGETS = 60
LAST_ROW = 999
# Below two cells in either direction not even a figure and its name can be read; 24 rows are taller than a screen.
SIZES = range(2, COLUMNS + 1)
HEIGHTS = range(2, 25)
MOST_JSON_BYTES = 64 * 1024
LONGEST_TITLE = 100
LONGEST_WIDGET_TITLE = 80
LONGEST_TEXT = 1_000
ROWS_SHOWN = range(3, 21)
REFRESH = frozenset({"", "live", "60", "300", "900", "3600", "off"})
SPLITS = frozenset({"channel"})
_WIDGET_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


def read_title(title: str, field: str = "title") -> str:
    """Return the title of a dashboard without spaces around it; raises ServingError."""
    found = _line(title, field, LONGEST_TITLE)
    if not found:
        raise invalid(field, f"must have 1 to {LONGEST_TITLE} characters")
    return found


def layout_json(layout: dashboards_pb.DashboardLayout, field: str = "layout") -> str:
    """Return a checked layout as JSON with the contract's field names.

    Raises:
        ServingError: naming the first field that is wrong, such as `layout.widgets[3].area.width`.
    """
    if len(layout.widgets) > MOST_WIDGETS:
        raise invalid(f"{field}.widgets", f"must not be more than {MOST_WIDGETS}")
    if layout.refresh not in REFRESH:
        raise invalid(f"{field}.refresh", f"allowed: {', '.join(sorted(REFRESH - {''}))}")
    ids: dict[str, int] = {}
    cells: dict[tuple[int, int], int] = {}
    for position, widget in enumerate(layout.widgets):
        path = f"{field}.widgets[{position}]"
        if not _WIDGET_ID.fullmatch(widget.widget_id):
            raise invalid(f"{path}.widget_id", "must be 1 to 32 of the characters A-Z a-z 0-9 _ -")
        if widget.widget_id in ids:
            raise invalid(f"{path}.widget_id", f"is that of widgets[{ids[widget.widget_id]}] too")
        ids[widget.widget_id] = position
        if widget.kind not in WIDGET_KINDS:
            raise invalid(f"{path}.kind", f"allowed: {', '.join(WIDGET_KINDS)}")
        _line(widget.title, f"{path}.title", LONGEST_WIDGET_TITLE)
        _check_settings(widget, f"{path}.settings")
        _check_area(widget.area, f"{path}.area")
        for cell in _cells(widget.area):
            if cell in cells:
                raise invalid(f"{path}.area", f"overlaps widgets[{cells[cell]}]")
            cells[cell] = position
    written = orjson.dumps(MessageToDict(layout, preserving_proto_field_name=True))
    if len(written) > MOST_JSON_BYTES:
        raise invalid(field, f"must not be larger than {MOST_JSON_BYTES} bytes as JSON")
    return written.decode()


def read_layout(stored: str) -> dashboards_pb.DashboardLayout:
    """Return a layout that was stored; what a newer server wrote and this one does not know is left out."""
    return Parse(stored, dashboards_pb.DashboardLayout(), ignore_unknown_fields=True)


def _line(text: str, field: str, longest: int) -> str:
    if len(text) > longest:
        raise invalid(field, f"must not have more than {longest} characters")
    if any(unicodedata.category(letter) in {"Cc", "Zl", "Zp"} for letter in text):
        raise invalid(field, "must be one line, without control characters")
    return text.strip()


def _check_area(area: dashboards_pb.GridArea, field: str) -> None:
    if area.width not in SIZES:
        raise invalid(f"{field}.width", f"must be {SIZES[0]} to {SIZES[-1]} columns")
    if area.height not in HEIGHTS:
        raise invalid(f"{field}.height", f"must be {HEIGHTS[0]} to {HEIGHTS[-1]} rows")
    if not 0 <= area.column <= COLUMNS - area.width:
        raise invalid(f"{field}.column", f"must be 0 to {COLUMNS - area.width}, as the widget is {area.width} wide")
    if not 0 <= area.row <= LAST_ROW:
        raise invalid(f"{field}.row", f"must be 0 to {LAST_ROW}")


def _cells(area: dashboards_pb.GridArea) -> list[tuple[int, int]]:
    rows = range(area.row, area.row + area.height)
    return [(row, column) for row in rows for column in range(area.column, area.column + area.width)]


def _check_settings(widget: dashboards_pb.DashboardWidget, field: str) -> None:
    takes = WIDGET_KINDS[widget.kind]
    given = {descriptor.name for descriptor, _ in widget.settings.ListFields()}
    for name in sorted(takes.required - given):
        raise invalid(f"{field}.{name}", f"is required for the kind {widget.kind}")
    for name in sorted(given - takes.required - takes.optional):
        raise invalid(f"{field}.{name}", f"is no setting of the kind {widget.kind}")
    settings = widget.settings
    metrics = ADDITIVE_METRICS if takes.adds_up else METRICS
    if settings.metric and settings.metric not in metrics:
        raise invalid(f"{field}.metric", f"allowed: {', '.join(sorted(metrics))}")
    if settings.split and settings.split not in SPLITS:
        raise invalid(f"{field}.split", f"allowed: {', '.join(sorted(SPLITS))}")
    if settings.most and settings.most not in ROWS_SHOWN:
        raise invalid(f"{field}.most", f"must be {ROWS_SHOWN[0]} to {ROWS_SHOWN[-1]}")
    if len(settings.text) > LONGEST_TEXT:
        raise invalid(f"{field}.text", f"must not have more than {LONGEST_TEXT} characters")
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in settings.text):
        raise invalid(f"{field}.text", "must not have control characters but line breaks and tabs")
