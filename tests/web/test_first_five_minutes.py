"""The steps of docs/first-five-minutes.md, in their order and by the names that it gives."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def test_a_marketer_gets_from_the_first_page_to_a_shared_dashboard(dashboard, world):
    page = dashboard.page

    def widget(name):
        return page.get_by_role("article", name=name, exact=True)

    def press(name, within=page):
        within.get_by_role("button", name=name, exact=True).click()

    def go(name):
        page.get_by_role("navigation", name="Dashboards").get_by_role("link", name=name).click()

    # 1: the first page
    dashboard.open("")
    expect(page.get_by_role("heading", name="Executive", exact=True)).to_be_visible()
    for name in ("Revenue", "Spend", "ROAS", "Conversions"):
        expect(widget(name).first).to_be_visible()
    expect(page.get_by_text("Figures through").first).to_be_visible()
    # 2: another range
    page.locator("#range").click()
    page.get_by_role("option", name="Last 30 days").click()
    expect(page).to_have_url(re.compile("range=30d"))
    dashboard.filled()
    # 3 and 4: one channel, and all of them again
    whole = dashboard.raw("kpi-revenue")
    widget("Revenue by channel").get_by_role("button", name="Email").click()
    expect(page).to_have_url(re.compile("channel=email"))
    dashboard.filled()
    assert dashboard.raw("kpi-revenue") < whole
    press("Undo")
    expect(page).not_to_have_url(re.compile("channel="))
    # 5: another model
    press("First touch", widget("Attribution: models side by side"))
    expect(page.get_by_text("First touch: all credit to the first touch.")).to_be_visible()
    # 6: from a channel to journeys
    go("Performance")
    drill = widget("Drill-down")
    drill.get_by_test_id("drill-search").click()
    drill.get_by_test_id("drill-spring-launch").click()
    drill.get_by_test_id(re.compile("^drill-spring-launch-creative")).first.click()
    expect(drill.locator("tbody tr").or_(drill.get_by_text("None of the newest conversions")).first).to_be_visible()
    # 7: one conversion
    widget("Conversions of the range").locator("tbody button").first.click()
    explained = page.get_by_role("dialog", name="Conversion explained")
    expect(explained.locator(".touch").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(explained).to_have_count(0)
    # 8: a goal
    press("Set a goal for ROAS")
    page.get_by_label("Goal for the range").fill("8")
    press("Set goal")
    expect(page.get_by_test_id("goal-roas").get_by_role("meter")).to_be_visible()
    # 9: a file
    with page.expect_download() as download:
        press("Save Campaigns as CSV")
    assert download.value.suggested_filename.endswith(".csv")
    # 10 to 12: a dashboard of one's own, shared
    go("Custom dashboards")
    press("New dashboard")
    page.get_by_label("Title").fill("My morning")
    press("Create")
    for opens, kind in (("Add the first widget", "Key figure"), ("Add widget", "Projection")):
        press(opens)
        page.get_by_role("dialog", name="Add a widget").get_by_role("button", name=re.compile(f"^{kind}")).click()
    expect(page.get_by_role("group", name="Projection", exact=True)).to_be_visible()
    press("Width: less")
    press("Save")
    expect(widget("Revenue, projected")).to_be_visible()
    press("Share")
    sharing = page.get_by_role("dialog", name="Share My morning")
    sharing.get_by_label("Viewers").check()
    press("Share", sharing)
    expect(page.get_by_text("Shared with viewers")).to_be_visible()
    # 13: what happens now
    page.keyboard.press("Control+k")
    page.get_by_role("searchbox", name="Search the commands").fill("automation")
    page.keyboard.press("Enter")
    expect(widget("Active now")).to_be_visible()
    expect(widget("Alerts")).to_contain_text("raised now")
