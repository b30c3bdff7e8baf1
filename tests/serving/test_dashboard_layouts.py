"""The layout of a custom dashboard: what is kept as it came, and what is refused, with the field that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from tributary.v1 import dashboards_pb2

from serving.errors import ServingError
from serving.handlers.dashboard_layouts import COLUMNS, MOST_WIDGETS, layout_json, read_layout, read_title
from serving.handlers.widget_kinds import ADDITIVE_METRICS, METRICS, WIDGET_KINDS, Takes

WEB = Path(__file__).parents[2] / "serving" / "web" / "src"
KINDS_FILE = WEB / "dashboards" / "widget-kinds.tsx"
ANY_SETTING = {"metric": "revenue", "split": "channel", "most": 5, "text": "Read this first"}


def widget(number=0, kind="kpi", area=None, **changed):
    takes = WIDGET_KINDS.get(kind)
    values = {
        "widget_id": f"w{number}",
        "kind": kind,
        "area": {"column": 0, "row": 4 * number, "width": 3, "height": 4} | (area or {}),
        "settings": {name: ANY_SETTING[name] for name in takes.required} if takes else {},
    }
    return values | changed


def layout(*widgets, **changed):
    return ParseDict({"widgets": list(widgets), **changed}, dashboards_pb2.DashboardLayout())


def field_of(refused):
    return refused.value.violations[0][0]


def test_every_kind_is_kept_with_all_its_settings():
    widgets = []
    for number, (kind, takes) in enumerate(WIDGET_KINDS.items()):
        settings = {name: ANY_SETTING[name] for name in takes.required | takes.optional}
        widgets.append(widget(number, kind, settings=settings, title=f"Title {number}"))
    made = layout(*widgets, refresh="live")
    assert read_layout(layout_json(made)) == made


def test_the_web_app_shows_every_kind_with_the_same_settings_and_no_other():
    text = KINDS_FILE.read_text()
    kinds = re.findall(r"^  ([a-z_]+): \{\n((?:    .*\n)+?)  \},$", text, re.MULTILINE)
    settings = {
        kind: Takes(*(names(body, which) for which in ("required", "optional")), "addsUp: true" in body)
        for kind, body in kinds
    }
    assert settings == dict(WIDGET_KINDS)


def names(body, which):
    return frozenset(re.findall(r'"(\w+)"', re.search(rf"{which}: \[(.*)\]", body)[1]))


def test_whatever_the_templates_show_can_be_put_on_a_custom_dashboard():
    shown = {
        name
        for page in (WEB / "templates").glob("*.tsx")
        for name in re.findall(r"^ +<([A-Z]\w+) ", page.read_text(), re.MULTILINE)
    }
    assert len(shown) > 25
    # What does not exist yet is said on the template that one would look for it on, and is no widget.
    assert shown - {"NotYet"} <= set(re.findall(r"=> <([A-Z]\w+) ", KINDS_FILE.read_text()))


def test_the_metrics_are_those_of_the_web_app():
    metrics = (WEB / "figures" / "metrics.ts").read_text()
    listed = re.search(r"export type MetricId =([^;]+);", metrics)[1]
    assert set(re.findall(r'"(\w+)"', listed)) == METRICS
    assert set(re.findall(r'metric\("(\w+)", .*, true\)', metrics)) == ADDITIVE_METRICS


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"kind": "script"}, "kind"),
        ({"kind": ""}, "kind"),
        ({"widget_id": ""}, "widget_id"),
        ({"widget_id": "a b"}, "widget_id"),
        ({"widget_id": "x" * 33}, "widget_id"),
        ({"widget_id": "w0"}, "widget_id"),
        ({"title": "x" * 81}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"title": "a\u2028b"}, "title"),
        ({"settings": {}}, "settings.metric"),
        ({"settings": {"metric": "profit"}}, "settings.metric"),
        ({"settings": {"metric": "revenue", "text": "x"}}, "settings.text"),
        ({"kind": "funnel", "settings": {"metric": "revenue"}}, "settings.metric"),
        ({"kind": "forecast_line", "settings": {"metric": "roas"}}, "settings.metric"),
        ({"kind": "trend", "settings": {"split": "campaign"}}, "settings.split"),
        ({"kind": "top_campaigns", "settings": {"metric": "roas", "most": 2}}, "settings.most"),
        ({"kind": "top_campaigns", "settings": {"metric": "roas", "most": 21}}, "settings.most"),
        ({"kind": "note", "settings": {"text": "x" * 1001}}, "settings.text"),
        ({"kind": "note", "settings": {"text": "a\0b"}}, "settings.text"),
        ({"kind": "note", "settings": {}}, "settings.text"),
    ],
)
def test_a_wrong_widget_is_refused_by_the_name_of_its_field(changed, field):
    with pytest.raises(ServingError) as refused:
        layout_json(layout(widget(0), widget(1, **changed)))
    assert field_of(refused) == f"layout.widgets[1].{field}"


@pytest.mark.parametrize(
    ("area", "field"),
    [
        ({"width": 1}, "width"),
        ({"width": 13}, "width"),
        ({"height": 1}, "height"),
        ({"height": 25}, "height"),
        ({"column": -1}, "column"),
        ({"column": 10}, "column"),
        ({"row": -1}, "row"),
        ({"row": 1000}, "row"),
        ({"column": 2, "row": 3}, ""),
    ],
)
def test_a_widget_outside_of_the_grid_or_on_another_is_refused(area, field):
    with pytest.raises(ServingError) as refused:
        layout_json(layout(widget(0), widget(1, area=area)))
    assert field_of(refused) == f"layout.widgets[1].area{field and '.'}{field}"


def test_a_layout_has_a_size():
    assert layout_json(layout(*map(widget, range(MOST_WIDGETS))))
    for made, field in (
        (layout(*map(widget, range(MOST_WIDGETS + 1))), "layout.widgets"),
        (layout(refresh="7"), "layout.refresh"),
        (layout(*(widget(i, "note", settings={"text": "\u00e9\u20ac" * 500}) for i in range(60))), "layout"),
    ):
        with pytest.raises(ServingError) as refused:
            layout_json(made)
        assert field_of(refused) == field


@pytest.mark.parametrize("title", ["", "   ", "x" * 101, "a\tb", "a\0"])
def test_a_dashboard_needs_a_title_of_one_line(title):
    with pytest.raises(ServingError) as refused:
        read_title(title)
    assert field_of(refused) == "title"
    assert read_title("  Spring  ") == "Spring"


SIDES = st.integers(2, COLUMNS)


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 12), SIDES, SIDES), max_size=5))
def test_widgets_that_do_not_meet_are_kept_and_others_refused(areas):
    """Held against the plain rule for two rectangles."""
    names = ("column", "row", "width", "height")
    made = layout(*(widget(i, area=dict(zip(names, area, strict=True))) for i, area in enumerate(areas)))
    inside = all(column + width <= COLUMNS for column, _, width, _ in areas)
    apart = all(
        a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]
        for i, a in enumerate(areas)
        for b in areas[:i]
    )
    if inside and apart:
        assert len(read_layout(layout_json(made)).widgets) == len(areas)
    else:
        with pytest.raises(ServingError):
            layout_json(made)
