"""The main tasks by keyboard alone: everything is reached with Tab, from where the focus was."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

# More stops than the longest page has.
MOST_STOPS = 250
FOCUSED = "element => element === document.activeElement"


def tab_to(page, locator) -> None:
    """Press Tab until the element has the focus."""
    expect(locator).to_be_visible()
    for _ in range(MOST_STOPS):
        if locator.evaluate(FOCUSED):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{locator} is not reached with Tab")


def test_a_question_is_answered_without_a_pointer(dashboard, world):
    dashboard.open("performance", range="90d")
    page = dashboard.page
    # Past the navigation, straight to the figures.
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    # A goal for a card.
    tab_to(page, page.get_by_role("button", name="Set a goal for CPA"))
    page.keyboard.press("Enter")
    expect(page.get_by_label(re.compile("^Goal for the range"))).to_be_focused()
    page.keyboard.type("20")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("goals=cpa%3A20"))
    # Down from a channel to its campaigns, and back with undo.
    drill = page.get_by_role("article", name="Drill-down")
    tab_to(page, drill.get_by_test_id("drill-search"))
    page.keyboard.press("Enter")
    expect(drill.get_by_test_id("drill-spring-launch")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(drill.get_by_test_id("drill-email")).to_be_visible()
    # A chart as a table.
    tab_to(page, page.get_by_role("button", name="Correlation of metrics as a table"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Correlation of metrics, table")).to_be_visible()
    # Another way of crediting.
    tab_to(page, page.get_by_role("article", name="Attribution compared").get_by_role("button", name=re.compile("^By")))
    page.keyboard.press("Enter")
    expect(page.get_by_role("menu", name="By")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    compared = page.get_by_role("article", name="Attribution compared")
    expect(compared.get_by_role("columnheader", name="Campaign", exact=True)).to_be_visible()
    # One conversion, explained, and closed again.
    listed = page.get_by_role("article", name="Conversions of the range")
    tab_to(page, listed.locator("tbody button").first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Conversion explained")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Conversion explained")).to_have_count(0)
