"""What the newer widgets show equals what is stored: credit in several ways, stages, quality, and the way down to one
journey's events."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from playwright.sync_api import expect

from tests.web.journeys_of_world import UNCONVERTED, WEEKS, converted, creative_of, unconverted

LINEAR, LAST_TOUCH = "linear", "last_touch"


def credit(world, model: str) -> dict[str, int]:
    """Add up the stored credit of a model by channel."""
    sums: dict[str, int] = defaultdict(int)
    for row in world.credits:
        if row["model"] == model:
            for touch in row["touches"]:
                sums[touch[1]] += touch[5]
    return sums


def test_credit_stages_quality_and_key_figures_are_those_of_the_store(dashboard, world):
    dashboard.open("gallery", range="90d", views="linear,last_touch,linear:7d")
    table = dashboard.page.get_by_test_id("comparison")
    columns = [
        [int(cell.get_attribute("data-raw")) for cell in table.locator(f"tbody td:nth-child({column})").all()]
        for column in (2, 3, 4)
    ]
    for shown, model in zip(columns, (LINEAR, LAST_TOUCH), strict=False):
        assert sorted(value for value in shown if value) == sorted(
            value for value in credit(world, model).values() if value
        )
    # Another window moves credit, and none of it gets lost.
    assert sum(columns[2]) == sum(columns[0])
    assert columns[2] != columns[0]
    stored = sum(number // 5 for _, number in UNCONVERTED) * WEEKS
    conversions = sum(row["model"] == LINEAR for row in world.credits)
    funnel = dashboard.page.get_by_role("article", name="Journey funnel")
    expect(funnel.get_by_test_id("stage-1")).to_have_text(str(stored + conversions))
    expect(funnel.get_by_test_id("stage-4")).to_have_text(str(conversions))
    # Every stored conversion has a touch.
    assert dashboard.raw("quality-coverage") == 1
    now = dashboard.page.get_by_test_id("key-revenue")
    assert float(now.get_attribute("data-raw")) > 0


def test_views_are_chosen_and_kept_in_the_address(dashboard, world):
    dashboard.open("performance", range="30d")
    page = dashboard.page
    widget = page.get_by_role("article", name="Attribution compared")
    widget.get_by_role("button", name=re.compile("^Views")).click()
    page.get_by_role("menuitemcheckbox", name="First touch, 14 days").click()
    expect(page).to_have_url(re.compile(r"views=linear,last_touch,linear%3A7d,first_touch%3A14d"))
    page.keyboard.press("Escape")
    expect(widget.get_by_role("columnheader", name="First touch 14 days")).to_be_visible()


def test_down_from_a_channel_to_the_events_of_one_journey(dashboard, world, axe):
    dashboard.open("performance", range="90d")
    page = dashboard.page
    drill = page.get_by_role("article", name="Drill-down")
    spend = sum(e.sums[3] for e in world.events if e.key[2:] == ("search", "EUR"))
    search = drill.get_by_test_id("drill-search")
    assert int(search.get_attribute("data-raw")) == spend
    search.click()
    drill.get_by_test_id("drill-spring-launch").click()
    creatives = {
        creative_of(touch[2], position)
        for row in world.credits
        if row["model"] == LINEAR
        for position, touch in enumerate(row["touches"])
        if touch[2] == "spring-launch"
    }
    # The creative of the newest conversions of the campaign.
    newest = max(
        (
            row
            for row in world.credits
            if row["model"] == LINEAR and any(t[2] == "spring-launch" for t in row["touches"])
        ),
        key=lambda row: row["conversion_time"],
    )
    position = next(n for n, touch in enumerate(newest["touches"]) if touch[2] == "spring-launch")
    creative = creative_of("spring-launch", position)
    assert creative in creatives
    drill.get_by_test_id(f"drill-{creative}").click()
    drill.get_by_role("button", name=newest["journey_id"], exact=True).click()
    events = drill.locator(".journey-events li")
    # Its start, its touches and its conversion.
    expect(events).to_have_count(len(newest["touches"]) + 2)
    expect(events.last).to_contain_text("Conversion")
    assert "drill=search" in page.url
    assert dashboard.audit(axe) == []
    # Undo is a step back up; a crumb leads to any level.
    page.keyboard.press("Control+z")
    expect(drill.get_by_role("button", name=newest["journey_id"], exact=True)).to_be_visible()
    drill.get_by_role("navigation").get_by_role("button", name="All channels").click()
    expect(drill.get_by_test_id("drill-search")).to_be_visible()


def test_a_goal_is_set_on_a_card_and_kept_in_the_address(dashboard, world, axe):
    dashboard.open("executive")
    page = dashboard.page
    page.get_by_role("button", name="Set a goal for ROAS").click()
    field = page.get_by_label("Goal for the range")
    field.fill("nothing")
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="A number above 0.")).to_be_visible()
    assert dashboard.audit(axe) == []
    field.fill("2")
    field.press("Enter")
    expect(page).to_have_url(re.compile(r"goals=roas%3A2"))
    share = dashboard.raw("kpi-roas") / 2
    expect(page.get_by_test_id("goal-roas").get_by_role("meter")).to_have_attribute(
        "aria-valuenow", str(round(min(1, share) * 100))
    )


def test_conversions_of_the_range_come_page_by_page(dashboard, world):
    dashboard.open("performance", range="90d")
    widget = dashboard.page.get_by_role("article", name="Conversions of the range")
    status = widget.get_by_role("status")
    expect(status).to_contain_text("of 50")
    widget.get_by_role("button", name="Load more").click()
    expect(status).to_contain_text("of 100")


def test_places_add_up_to_the_journeys_that_began(dashboard, world, axe):
    starts = [event for _, events in (converted(world), unconverted(world)) for event in events]
    places = Counter(
        event["payload"]["context"]["location"] for event in starts if event["event_type"] == "journey_start"
    )
    dashboard.open("performance", range="90d")
    widget = dashboard.page.get_by_role("article", name="Where journeys begin")
    countries = Counter()
    for place, number in places.items():
        countries[place.partition("-")[0]] += number
    for country, number in countries.items():
        expect(widget.get_by_test_id(f"place-{country}")).to_have_text(str(number))
    expect(widget.get_by_text("Germany", exact=True)).to_be_visible()
    expect(widget.get_by_text("Not known", exact=True)).to_be_visible()
    most = max((country for country in countries if country), key=countries.__getitem__)
    outline = widget.locator(f'path[data-country="{most}"]')
    # Its outlines are loaded when it is nearly in sight.
    widget.scroll_into_view_if_needed()
    expect(outline).to_have_attribute("style", re.compile(r"--heat-high\) 100%"))
    assert widget.locator('path[data-country="AQ"], path[data-country="GL"][style*="heat"]').count() == 0
    outline.hover()
    expect(widget.get_by_text(re.compile(rf": {countries[most]}$"))).to_be_visible()
    widget.get_by_role("button", name="as a table").click()
    expect(widget.get_by_role("row", name=f"Germany (DE-BE) {places['DE-BE']}")).to_be_visible()
    expect(widget.get_by_role("row")).to_have_count(1 + len(places))
    assert dashboard.audit(axe) == []
