"""States of the pages beside the usual one, opened and audited: what opens above a page, what failed, and what is the
last known."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import expect
from tributary.v1 import campaign_metrics_pb2 as campaign_pb
from tributary.v1 import freshness_pb2

from tests.web.conftest import PREFERENCES, SCREENSHOTS, Dashboard

TOTALS = "**/tributary.v1.CampaignMetricsService/GetCampaignMetrics"


@pytest.fixture
def looked_at(new_context, serving, axe):
    """A page, and a function that audits what it shows in every theme and takes a picture."""
    dashboard = Dashboard(new_context(**PREFERENCES["light"]), serving.address)

    def look(name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for theme in PREFERENCES:
            dashboard.prefer(theme)
            dashboard.page.screenshot(path=SCREENSHOTS / f"state-{name}-{theme}.png")
            assert dashboard.audit(axe, colours=theme != "light") == [], f"{name}, {theme}"
        dashboard.prefer("light")

    yield dashboard, look
    assert dashboard.errors == []


def degraded(route) -> None:
    """Answer with what the server says, as it says it while its history is down."""
    answer = route.fetch()
    message = campaign_pb.GetCampaignMetricsResponse.FromString(answer.body())
    message.freshness.source = freshness_pb2.SOURCE_LAST_KNOWN
    message.freshness.degraded = True
    message.freshness.degraded_reason = "HISTORY_UNAVAILABLE"
    message.freshness.age.FromSeconds(240)
    route.fulfill(status=200, headers={"content-type": "application/proto"}, body=message.SerializeToString())


def test_last_known_figures_say_their_age(looked_at, world):
    dashboard, look = looked_at
    dashboard.page.route(TOTALS, degraded)
    dashboard.open("executive")
    expect(dashboard.page.get_by_text(re.compile("4 min")).first).to_be_visible()
    look("degraded")


def test_figures_that_fail_say_why_and_are_asked_for_again(looked_at, world):
    dashboard, look = looked_at
    refusal = {"code": "unavailable", "message": "the store of past figures does not answer, try again"}
    dashboard.page.route(TOTALS, lambda route: route.fulfill(status=503, json=refusal))
    dashboard.page.goto(f"{dashboard.address}/performance?tenant=acme")
    table = dashboard.page.get_by_role("article", name="Campaigns", exact=True)
    expect(table.get_by_role("alert")).to_contain_text("The server does not answer")
    dashboard.filled()
    # What can be read is shown.
    expect(dashboard.page.get_by_role("article", name="Revenue by channel").get_by_text("Search")).to_be_visible()
    look("failed")
    dashboard.page.unroute(TOTALS)
    table.get_by_role("button", name="Ask again").click()
    expect(table.get_by_role("button", name="brand-always-on")).to_be_visible()


def test_what_opens_above_a_page_is_accessible(looked_at, world):
    dashboard, look = looked_at
    dashboard.open("executive")
    page = dashboard.page
    # A calendar, several of a list, one of a list.
    for opens in ("Last 7 days", "Channel", "Theme"):
        page.get_by_role("button", name=re.compile(f"{opens}")).first.click()
        expect(page.locator(".popover")).to_be_visible()
        look(f"open-{opens.split()[0].lower()}")
        page.keyboard.press("Escape")
        expect(page.locator(".popover")).to_have_count(0)


def test_dialogs_and_settings_of_custom_dashboards_are_accessible(looked_at, world):
    dashboard, look = looked_at
    page = dashboard.page
    page.goto(f"{dashboard.address}/dashboards?tenant=acme")
    page.get_by_role("button", name="New dashboard").click()
    page.get_by_label("Title").fill(f"Looked at {uuid.uuid4().hex[:8]}")
    look("new-dashboard")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Add the first widget").click()
    kinds = page.get_by_role("dialog", name="Add a widget")
    expect(kinds.get_by_role("listitem").first).to_be_visible()
    look("add-widget")
    kinds.get_by_role("button", name=re.compile("^Key figure")).click()
    expect(page.get_by_role("complementary", name="Settings of Key figure")).to_be_visible()
    dashboard.filled()
    look("settings")
    page.get_by_role("button", name="Save", exact=True).click()
    toolbar = page.get_by_role("toolbar", name="Dashboard")
    for opens in ("Versions", "Delete"):
        toolbar.get_by_role("button", name=opens).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        look(opens.lower())
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_address_without_a_page_says_so(looked_at, world):
    dashboard, look = looked_at
    dashboard.page.goto(f"{dashboard.address}/nowhere?tenant=acme")
    expect(dashboard.page.get_by_text("There is no page at this address.")).to_be_visible()
    look("no-page")


@pytest.mark.parametrize("template", ["performance", "automation", "platform", "forecasting"])
def test_each_template_fits_a_phone(template, new_context, serving, world, axe):
    dashboard = Dashboard(new_context(viewport={"width": 390, "height": 844}, has_touch=True), serving.address)
    dashboard.open(template)
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert dashboard.page.evaluate(sideways) == 0
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    dashboard.page.screenshot(path=SCREENSHOTS / f"{template}-phone.png", full_page=True)
    assert dashboard.audit(axe) == []
    assert dashboard.errors == []
