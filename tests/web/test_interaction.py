"""Filtering by click, going down to one conversion, undo, and all of it by keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.web.marketing_world import CONVERSIONS, MICROS


def test_a_click_filters_everything_and_undo_takes_it_back(dashboard, world):
    dashboard.open("executive")
    page = dashboard.page
    before = dashboard.raw("kpi-revenue")
    page.get_by_role("article", name="Revenue by channel").get_by_role("button", name="Email").click()
    expect(page).to_have_url(re.compile(r"channel=email"))
    dashboard.filled()
    filtered = dashboard.raw("kpi-revenue")
    assert 0 < filtered < before
    page.get_by_role("article", name="Top campaigns by revenue").get_by_role("button", name="win-back-90d").click()
    expect(page).to_have_url(re.compile(r"campaign=win-back-90d"))
    dashboard.filled()
    assert 0 < dashboard.raw("kpi-revenue") < filtered
    page.keyboard.press("Control+z")
    expect(page).not_to_have_url(re.compile(r"campaign="))
    page.get_by_role("button", name="Undo").click()
    expect(page).not_to_have_url(re.compile(r"channel="))
    dashboard.filled()
    assert dashboard.raw("kpi-revenue") >= before


def test_from_channel_to_campaign_to_one_conversion_touch_by_touch(dashboard, world, axe):
    dashboard.open("performance", range="30d", model="position_based")
    page = dashboard.page
    table = page.get_by_role("article", name="Campaigns", exact=True)
    table.get_by_role("button", name="Search").first.click()
    expect(page).to_have_url(re.compile(r"channel=search"))
    table.get_by_role("button", name="spring-launch").click()
    expect(page).to_have_url(re.compile(r"campaign=spring-launch"))
    conversions = page.get_by_role("region", name="Conversions", exact=True)
    first = conversions.locator("tbody tr").first
    expect(first).to_contain_text("Search")
    first.get_by_role("button").click()
    panel = page.get_by_role("dialog", name="Conversion explained")
    expect(panel.locator(".touch").first).to_be_visible()
    identity = re.search(r"conversion=([^&]+)", page.url).group(1)
    shares = [float(text.rstrip("%")) for text in panel.locator(".touch-credit small").all_inner_texts()]
    assert abs(sum(shares) - 100) < 0.1
    stored = [row for row in world.credits if (row["conversion_id"], row["model"]) == (identity, "position_based")]
    value = sum(touch[5] for touch in stored[0]["touches"])
    expect(panel.locator(".facts")).to_contain_text(f"€{value / MICROS:,.2f}")
    assert dashboard.audit(axe) == []
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    assert len(world.credits) == CONVERSIONS * 6


def test_everything_can_be_done_by_keyboard(dashboard, world, axe):
    dashboard.open("executive")
    page = dashboard.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    # The commands: a range, then another template.
    page.keyboard.press("Control+k")
    search = page.get_by_role("searchbox", name="Search the commands")
    expect(search).to_be_focused()
    page.keyboard.type("last 30")
    assert dashboard.audit(axe) == []
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"range=30d"))
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="Performance", exact=True)).to_be_visible()
    dashboard.filled()
    # A filter, opened, chosen and closed.
    page.get_by_role("toolbar", name="Filters").get_by_role("button", name=re.compile("^Channel")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menu", name="Channel")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"channel=social"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu", name="Channel")).to_have_count(0)
    # The table: sorted by a column head.
    head = page.get_by_role("button", name="Spend", exact=True)
    head.focus()
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=descending]", has_text="Spend")).to_be_visible()
    # The range, by the calendar's own keys.
    page.locator("#range").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("listbox", name="Presets")).to_be_visible()
    expect(page.get_by_role("grid")).to_be_visible()
    assert dashboard.audit(axe) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox", name="Presets")).to_have_count(0)


def test_the_theme_is_kept(dashboard, world):
    dashboard.open("forecasting")
    page = dashboard.page
    for theme, name in (("dark", "dark"), ("contrast", "high contrast")):
        page.get_by_role("button", name=re.compile("^Theme")).click()
        page.get_by_role("menuitemradio", name=name, exact=True).click()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
