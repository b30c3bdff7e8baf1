"""Custom dashboards in the browser: made, arranged by keyboard and pointer, saved, shared, restored, out and in as a
file."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.web.conftest import PREFERENCES, SCREENSHOTS, Dashboard


def make(dashboard, title):
    """Make an empty dashboard by its dialog; leaves the editor open."""
    page = dashboard.page
    page.goto(f"{dashboard.address}/dashboards?tenant=acme")
    page.get_by_role("button", name="New dashboard").click()
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile(r"/dashboards/[0-9a-f]{32}/edit"))
    expect(page.get_by_role("button", name="Add the first widget")).to_be_visible()


def add(page, kind):
    page.get_by_role("button", name=re.compile("^Add (the first )?widget")).first.click()
    dialog = page.get_by_role("dialog", name="Add a widget")
    dialog.get_by_role("button", name=re.compile(f"^{kind}")).click()
    expect(dialog).to_have_count(0)


def save(page):
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile(r"/dashboards/[0-9a-f]{32}\?"))
    expect(page.get_by_role("toolbar", name="Dashboard")).to_be_visible()


def place(page, name):
    """Column, row, width and height of a widget in the editor, as the grid lines that its element has."""
    style = page.get_by_role("group", name=name, exact=True).get_attribute("style")
    row, height, column, width = re.search(r"grid-area: (\d+) / (\d+) / span (\d+) / span (\d+)", style).group(
        1, 3, 2, 4
    )
    return int(column), int(row), int(width), int(height)


@pytest.fixture
def title():
    return f"Board {uuid.uuid4().hex[:8]}"


def test_a_dashboard_is_made_arranged_by_keyboard_and_saved(dashboard, world, title):
    make(dashboard, title)
    page = dashboard.page
    add(page, "Key figure")
    add(page, "Funnel")
    expect(page.get_by_role("group", name="Funnel", exact=True)).to_be_visible()
    assert place(page, "Key figure") == (1, 1, 3, 4)
    assert place(page, "Funnel") == (4, 1, 4, 8)
    page.get_by_role("button", name="Move Funnel with the arrow keys").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("status").filter(has_text="Funnel: column 5")).to_have_count(1)
    page.get_by_role("button", name="Resize Funnel with the arrow keys").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("status").filter(has_text="5 wide, 9 high")).to_have_count(1)
    assert place(page, "Funnel") == (5, 1, 5, 9)
    # Without dragging or keys: the buttons of the settings (WCAG 2.2, 2.5.7).
    page.get_by_role("button", name="Settings of Key figure").click()
    settings = page.get_by_role("complementary", name="Settings of Key figure")
    settings.get_by_role("button", name="Width: more").click()
    settings.get_by_label("Metric").select_option("roas")
    settings.get_by_role("textbox", name="Title").fill("Return")
    assert place(page, "Return") == (1, 1, 4, 4)
    page.get_by_role("button", name="Undo the last change").click()
    expect(page.get_by_role("group", name="Key figure", exact=True)).to_be_visible()
    page.get_by_role("button", name="Make the change again").click()
    page.get_by_role("button", name="Duplicate Return").click()
    expect(page.get_by_role("group", name="Return", exact=True)).to_have_count(2)
    page.get_by_role("button", name="Remove Return").last.click()
    expect(page.get_by_role("group", name="Return", exact=True)).to_have_count(1)
    save(page)
    page.reload()
    dashboard.filled()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.get_by_role("article", name="Return")).to_be_visible()
    assert dashboard.raw("kpi-roas") > 0


def test_a_widget_is_dragged_and_dropped(dashboard, world, title):
    make(dashboard, title)
    page = dashboard.page
    add(page, "Note")
    assert place(page, "Note") == (1, 1, 4, 4)
    handle = page.get_by_role("button", name="Move Note with the arrow keys")
    box = handle.bounding_box()
    column = (page.locator(".board").bounding_box()["width"] + 16) / 12
    page.mouse.move(box["x"] + 20, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 20 + column, box["y"] + 8, steps=4)
    page.mouse.move(box["x"] + 20 + 3 * column, box["y"] + 8, steps=4)
    page.mouse.up()
    expect(page.get_by_role("status").filter(has_text="Note: column 4, row 1")).to_have_count(1)
    assert place(page, "Note") == (4, 1, 4, 4)


HEIGHT_OF_THE_CHART = "(document.querySelector('.chart canvas')?.clientHeight ?? 0)"
ROW_PX = 56


def test_a_chart_fills_its_cell_and_grows_with_it(dashboard, world, title):
    make(dashboard, title)
    page = dashboard.page
    add(page, "Projection")
    dashboard.until(f"{HEIGHT_OF_THE_CHART} > 0")
    before = page.evaluate(HEIGHT_OF_THE_CHART)
    settings = page.get_by_role("complementary", name="Settings of Projection")
    # A ratio has no parts that could be projected by adding up days.
    expect(settings.get_by_label("Metric").locator("option")).to_have_count(5)
    settings.get_by_label("Metric").select_option("clicks")
    for _ in range(4):
        settings.get_by_role("button", name="Height: more").click()
    expect(settings.get_by_role("group", name="Height").locator("output")).to_have_text("12")
    dashboard.until(f"{HEIGHT_OF_THE_CHART} >= {before + 4 * ROW_PX - 1}")
    save(page)
    expect(page.get_by_role("article", name="Clicks, projected")).to_be_visible()
    # Nothing is left to scroll, and the chart is the greater part of its cell.
    cell = "document.querySelector('.board-cell')"
    dashboard.until(f"{cell}.scrollHeight <= {cell}.clientHeight + 1")
    dashboard.until(f"{HEIGHT_OF_THE_CHART} > {cell}.clientHeight / 2")


def test_two_who_save_the_same_dashboard_do_not_overwrite_each_other(dashboard, new_context, serving, world, title):
    make(dashboard, title)
    page = dashboard.page
    other = Dashboard(new_context(), serving.address)
    other.page.goto(page.url)
    add(other.page, "Funnel")
    save(other.page)
    add(page, "Note")
    page.get_by_role("button", name="Save", exact=True).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Somebody else has saved this dashboard")
    expect(page.get_by_role("group", name="Note", exact=True)).to_be_visible()
    alert.get_by_role("button", name="Save as a copy").click()
    expect(page.get_by_role("heading", name=f"{title} (mine)")).to_be_visible()
    expect(page.get_by_role("article", name="Note")).to_be_visible()
    assert other.errors == []


def test_a_dashboard_is_shared_and_an_earlier_version_restored(dashboard, world, title, axe):
    make(dashboard, title)
    page = dashboard.page
    add(page, "Note")
    save(page)
    page.get_by_role("button", name="Share", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Share {title}")
    dialog.get_by_label("Viewers").check()
    assert dashboard.audit(axe) == []
    dialog.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_text("Shared with viewers")).to_be_visible()
    page.get_by_role("button", name="Versions").click()
    dialog = page.get_by_role("dialog", name="Versions")
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    dialog.get_by_role("button", name="Restore version 1").click()
    expect(page.get_by_text("This dashboard has no widgets yet.")).to_be_visible()
    expect(page.get_by_text("Version 3.")).to_be_visible()


def test_a_file_goes_out_and_comes_in_and_a_wrong_one_is_refused_in_words(dashboard, world, title, tmp_path):
    make(dashboard, title)
    page = dashboard.page
    add(page, "Note")
    save(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    saved = tmp_path / "saved.json"
    download.value.save_as(saved)
    content = json.loads(saved.read_text())
    assert (content["format"], content["title"]) == ("tributary.dashboard", title)
    page.goto(f"{dashboard.address}/dashboards?tenant=acme")
    chooser = page.get_by_label("Dashboard file")
    wrong = tmp_path / "wrong.json"
    for change, words in (
        ("not json", "is not JSON"),
        (json.dumps(content | {"format": "other"}), "format: must be"),
        (json.dumps(content | {"layout": {"widgets": [{"kind": "script"}]}}), 'kind: "script" is not known'),
        (json.dumps(content | {"layout": {"widgets": "none"}}), "layout: "),
    ):
        wrong.write_text(change)
        chooser.set_input_files(wrong)
        expect(page.get_by_role("alert")).to_contain_text(words)
    content["title"] = f"{title} again"
    saved.write_text(json.dumps(content))
    chooser.set_input_files(saved)
    expect(page.get_by_role("heading", name=f"{title} again")).to_be_visible()
    expect(page.get_by_role("article", name="Note")).to_be_visible()


def test_every_page_of_it_is_accessible(new_context, serving, world, title, axe):
    dashboard = Dashboard(new_context(**PREFERENCES["light"]), serving.address)
    page = dashboard.page

    def look(name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for theme in ("light", "dark"):
            dashboard.prefer(theme)
            page.screenshot(path=SCREENSHOTS / f"custom-{name}-{theme}.png", full_page=True)
            assert dashboard.audit(axe, colours=theme != "light") == []
        dashboard.prefer("light")

    make(dashboard, title)
    for kind in ("Key figure", "Trend", "Funnel", "Note"):
        add(page, kind)
    dashboard.filled()
    look("editor")
    save(page)
    dashboard.filled()
    look("board")
    page.get_by_role("link", name="Custom dashboards").click()
    expect(page.get_by_role("link", name=title)).to_be_visible()
    look("list")
    assert dashboard.errors == []
