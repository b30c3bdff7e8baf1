"""The page in German: chosen by the browser's locale, changed by hand, and complete."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from serving.errors import Reason
from tests.web.conftest import SCREENSHOTS, WEB, Dashboard
from udfs.alerting.rules import BUDGET, CONVERSION_RATE, COVERAGE, PERFORMANCE, QUARANTINE

SOURCE = WEB / "src"
LANGUAGE = SOURCE / "language"
# All that can be read or is read out.
TEXTS_OF_THE_PAGE = """() => {
  const elements = [...document.body.querySelectorAll("*")];
  const own = (element) => [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  const names = ["aria-label", "placeholder", "title"];
  const said = (element) => names.map((name) => element.getAttribute(name)).filter(Boolean);
  return elements.flatMap((each) => [...own(each).map((node) => node.data.trim()), ...said(each)]);
}"""
# A shorter text may be a part of a name: it counts only where nothing else stands beside it.
LONG_ENOUGH = 14
# The name of the product.
PROPER = {"Tributary"}


def texts(name: str) -> set[str]:
    """Return the plain texts of the files of a catalogue, without those that something is filled into."""
    source = "".join(path.read_text() for path in LANGUAGE.glob(f"{name}*.ts"))
    return set(re.findall(r': "([^"]*)"', source))


def english_on(page) -> list[str]:
    """Return what a German page says in English."""
    english = texts("english") - texts("german")
    assert len(english) > 300
    long = {text for text in english if len(text) >= LONG_ENOUGH}
    return [
        shown for shown in page.evaluate(TEXTS_OF_THE_PAGE) if shown in english or any(text in shown for text in long)
    ]


def test_no_text_is_written_outside_of_the_catalogue():
    written = (
        r'(?:aria-label|title|placeholder|label|note|empty|caption|alt)="([^"]*[a-z]{3}[^"]*)"',
        r"(?:aria-label|title|placeholder|label)=\{`([A-Za-z][^`]*)`\}",
        r"^\s+([A-Z][A-Za-z ,.']+)$",
        r">\s?([^<>{}=;()|&]*[A-Za-z]{3}[^<>{}=;()|&]*)</(?!kbd)",
        r"/>\s*([A-Za-z][A-Za-z ]+)$",
    )
    found = {
        (path.name, text)
        for path in SOURCE.rglob("*.tsx")
        for pattern in written
        for text in re.findall(pattern, path.read_text(), re.MULTILINE)
    }
    assert {(name, text) for name, text in found if text not in PROPER} == set()


def test_a_german_browser_gets_german_and_no_english_is_left(new_context, serving, world, axe):
    dashboard = Dashboard(new_context(locale="de-DE"), serving.address)
    for template in ("gallery", "forecasting"):
        dashboard.open(template)
        expect(dashboard.page.locator("html")).to_have_attribute("lang", "de")
        assert english_on(dashboard.page) == []
    # Numbers as Germans write them: 1.234,56.
    title = dashboard.page.get_by_test_id("kpi-revenue").locator("span").first.get_attribute("title")
    assert re.fullmatch(r"[\d.]+,\d\d\s€", title), title
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    dashboard.page.screenshot(path=SCREENSHOTS / "forecasting-german.png", full_page=True)
    assert dashboard.audit(axe) == []
    assert dashboard.errors == []


def test_what_the_server_says_by_code_has_a_text():
    source = (LANGUAGE / "english-server.ts").read_text()
    refusals, rest = source.split("  rules: {")
    assert set(re.findall(r"^    ([A-Z_]+): ", refusals, re.MULTILINE)) == {reason.value for reason in Reason}
    rules, measures = rest.split("  measures: {")
    known = (PERFORMANCE, BUDGET, CONVERSION_RATE, COVERAGE, QUARANTINE)
    assert set(re.findall(r"^    ([a-z_]+): \{", rules, re.MULTILINE)) == {rule.name for rule in known}
    # The others are metrics of the page, which have names of their own.
    metrics = {rule.metric for rule in known} - {"performance_score", "conversion_rate"}
    assert set(re.findall(r"^    ([a-z_]+): ", measures, re.MULTILINE)) == metrics


def test_alerts_and_refusals_are_german_too(new_context, serving, world):
    dashboard = Dashboard(new_context(locale="de-DE"), serving.address)
    dashboard.open("executive", conversion="nobody-knows-this-one")
    page = dashboard.page
    expect(
        page.get_by_role("alert").filter(has_text="Keine zugerechnete Conversion hat diese Kennung.")
    ).to_be_visible()
    page.keyboard.press("Escape")
    alerts = page.get_by_role("article", name="Meldungen")
    expect(alerts.get_by_text("Leistungswert unter 60").first).to_be_visible()
    expect(alerts.get_by_text(re.compile(r"Mehr als 90,0\s% des Budgets sind ausgegeben")).first).to_be_visible()
    assert english_on(page) == []


def test_custom_dashboards_are_german_too(new_context, serving, world, tmp_path):
    dashboard = Dashboard(new_context(locale="de-DE"), serving.address)
    page = dashboard.page
    page.goto(f"{serving.address}/dashboards?tenant=acme")
    page.get_by_label("Datei eines Dashboards").set_input_files(wrong_file(tmp_path))
    expect(page.get_by_role("alert")).to_contain_text("kein JSON")
    assert english_on(page) == []
    page.get_by_role("button", name="Neues Dashboard").click()
    page.get_by_label("Titel").fill("Übersicht")
    assert english_on(page) == []
    page.get_by_role("button", name="Anlegen").click()
    page.get_by_role("button", name="Die erste Kachel hinzufügen").click()
    kinds = page.get_by_role("dialog", name="Eine Kachel hinzufügen")
    expect(kinds.get_by_role("listitem").first).to_be_visible()
    assert english_on(page) == []
    kinds.get_by_role("button", name=re.compile("^Verlauf")).click()
    expect(page.get_by_role("complementary", name="Einstellungen von Verlauf")).to_be_visible()
    dashboard.filled()
    assert english_on(page) == []
    page.get_by_role("button", name="Speichern", exact=True).click()
    for opens in ("Teilen", "Fassungen", "Löschen"):
        page.get_by_role("toolbar", name="Dashboard").get_by_role("button", name=opens).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert english_on(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert dashboard.errors == []


def wrong_file(folder):
    path = folder / "falsch.json"
    path.write_text("{")
    return path


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
