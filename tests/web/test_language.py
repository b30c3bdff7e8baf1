"""The page in German: chosen by the browser's locale, changed by hand, and complete."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.web.conftest import SCREENSHOTS, WEB, Dashboard

LANGUAGE = WEB / "src" / "language"
# All that can be read but what alerts say, which the server writes.
TEXT_OF_THE_PAGE = """() => {
  for (const list of document.querySelectorAll(".alerts")) list.style.display = "none";
  return document.body.innerText;
}"""
# A shorter text may be the same in both languages, or a part of a name.
LONG_ENOUGH = 14


def texts(*names: str) -> set[str]:
    """Return the plain texts of a catalogue's files, without what is filled in."""
    source = "".join((LANGUAGE / name).read_text() for name in names)
    return {text for text in re.findall(r': "([^"]*)"', source) if len(text) >= LONG_ENOUGH}


def test_a_german_browser_gets_german_and_no_english_is_left(new_context, serving, world, axe):
    dashboard = Dashboard(new_context(locale="de-DE"), serving.address)
    english = texts("english.ts", "english-widgets.ts") - texts("german.ts", "german-widgets.ts")
    assert len(english) > 100
    for template in ("gallery", "forecasting"):
        dashboard.open(template)
        expect(dashboard.page.locator("html")).to_have_attribute("lang", "de")
        shown = dashboard.page.evaluate(TEXT_OF_THE_PAGE)
        assert sorted(text for text in english if text in shown) == []
    # Numbers as Germans write them: 1.234,56.
    title = dashboard.page.get_by_test_id("kpi-revenue").locator("span").first.get_attribute("title")
    assert re.fullmatch(r"[\d.]+,\d\d\s€", title), title
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    dashboard.page.screenshot(path=SCREENSHOTS / "forecasting-german.png", full_page=True)
    assert dashboard.audit(axe) == []
    assert dashboard.errors == []


def test_the_language_is_changed_by_hand_and_kept(dashboard, world):
    dashboard.open("executive", range="30d")
    page = dashboard.page
    page.get_by_role("button", name=re.compile("^Language")).click()
    page.get_by_role("menuitemradio", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("heading", name="Überblick")).to_be_visible()
    # What was chosen is in the address still.
    expect(page.locator("#range")).to_contain_text("Letzte 30 Tage")
    page.reload()
    expect(page.get_by_role("heading", name="Überblick")).to_be_visible()
