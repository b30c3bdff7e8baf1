"""Live changes reach the page; it comes back after serving was killed; without a network it shows what it knew."""

from __future__ import annotations

import random
import re
import time

import pytest
from playwright.sync_api import expect

from tests.serving.signals import alert_record, window_signal
from tests.web.conftest import Dashboard
from tests.web.live_signals import conversion


def clicks(tenant: str, number: int, campaign: str = "spring-launch") -> dict:
    return window_signal(tenant, campaign, int(time.time()) * 1000 + 1_000, channel="search", clicks=number)


def expect_live(page) -> None:
    expect(page.get_by_test_id("connection")).to_have_text("Live")


def test_live_windows_conversions_and_alerts_reach_the_page(dashboard, serving, world):
    dashboard.open("automation", tenant="live-one")
    page = dashboard.page
    expect_live(page)
    expect(page.get_by_text("No campaign of the selection was active")).to_be_visible()
    serving.publish(clicks("live-one", 4711))
    cell = page.get_by_test_id("clicks-spring-launch")
    expect(cell).to_have_text("4,711")
    serving.publish({**clicks("live-one", 4712), "revision": 9})
    expect(cell).to_have_text("4,712")
    serving.publish(conversion("live-one", "order-live", random.Random(5)))
    expect(page.get_by_role("region", name="Conversions", exact=True).locator("tbody tr")).to_have_count(1)
    now = int(time.time() * 1000)
    serving.publish(alert_record("live-one", "a1", updated_ms=now), topic="alerts")
    expect(page.get_by_role("link", name="Automation 1 raised alert")).to_be_visible()
    expect(page.get_by_text("Performance score below 60").first).to_be_visible()
    serving.publish(alert_record("live-one", "a1", state="cleared", updated_ms=now + 1), topic="alerts")
    expect(page.get_by_role("link", name="Automation", exact=True)).to_be_visible()
    # Another tenant's signals are not for this page.
    # Of the same window still, if all this took less than a second: the revision must be the newer one.
    serving.publish(clicks("live-two", 1, campaign="not-yours"), {**clicks("live-one", 4713), "revision": 10})
    expect(cell).to_have_text("4,713")
    expect(page.get_by_text("not-yours")).to_have_count(0)


def test_the_page_comes_back_after_serving_was_killed(dashboard, serving, world):
    dashboard.open("automation")
    page = dashboard.page
    expect_live(page)
    revenue = page.get_by_test_id("kpi-clicks").inner_text()
    serving.kill()
    try:
        expect(page.get_by_text("The server does not answer; the page keeps asking.")).to_be_visible()
        expect(page.get_by_text(re.compile(r"last known ones, \d+ (s|min) old"))).to_be_visible()
        # What was known stays.
        expect(page.get_by_test_id("kpi-clicks")).to_have_text(revenue)
    finally:
        serving.start()
    expect_live(page)
    expect(page.locator(".banner")).to_have_count(0)
    serving.publish(clicks("acme", 815))
    expect(page.get_by_test_id("clicks-spring-launch")).to_have_text("815")


def test_while_streams_are_held_back_events_bring_the_figures(new_context, serving, world):
    context = new_context()
    context.route("**/*Service/Watch*", lambda route: route.abort())
    dashboard = Dashboard(context, serving.address)
    dashboard.open("automation", tenant="events-only")
    page = dashboard.page
    expect(page.get_by_test_id("connection")).to_have_text("Live, by events")
    expect(page.get_by_text("No campaign of the selection was active")).to_be_visible()
    serving.publish(clicks("events-only", 4711))
    expect(page.get_by_test_id("clicks-spring-launch")).to_have_text("4,711")
    serving.publish({**clicks("events-only", 4712), "revision": 9})
    expect(page.get_by_test_id("clicks-spring-launch")).to_have_text("4,712")
    # Each stream falls back by itself, and one that is only on its way back does not hear of the conversion.
    conversions = page.get_by_role("article").filter(has_text="The newest 100 of the last day")
    expect(conversions).to_contain_text("Live by server-sent events")
    serving.publish(conversion("events-only", "order-by-event", random.Random(6)))
    expect(conversions.locator("tbody tr")).to_have_count(1)


def test_while_events_are_held_back_too_the_page_asks_and_says_so(new_context, serving, world):
    context = new_context()
    context.route("**/*Service/Watch*", lambda route: route.abort())
    context.route("**/realtime/**", lambda route: route.abort())
    dashboard = Dashboard(context, serving.address)
    dashboard.open("automation", tenant="asked-only")
    page = dashboard.page
    expect(page.get_by_test_id("connection")).to_have_text("Streams fail, asking every 5 s")
    expect(page.get_by_text("No campaign of the selection was active")).to_be_visible()
    expect(page.get_by_text(re.compile("Asked every 5 s, as streams fail")).first).to_be_visible()


@pytest.fixture
def offline_capable(new_context, serving, world):
    """A page whose files the service worker has kept."""
    context = new_context(service_workers="allow")
    dashboard = Dashboard(context, serving.address)
    dashboard.open("executive")
    assert dashboard.page.evaluate(READY), "the service worker was not installed"
    return context, dashboard


def test_without_a_network_the_last_known_figures_stay(offline_capable, axe):
    context, dashboard = offline_capable
    page = dashboard.page
    known = dashboard.raw("kpi-revenue")
    # What was read is written to the browser's database a second later.
    assert page.evaluate(KEPT), "the figures were not kept"
    context.set_offline(True)
    expect(page.get_by_text("You are offline.")).to_be_visible()
    assert dashboard.audit(axe) == []
    page.reload()
    dashboard.filled()
    assert dashboard.raw("kpi-revenue") == known
    expect(page.get_by_text("You are offline.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Offline\. Last known figures, \d+ (s|min) old")).first).to_be_visible()
    context.set_offline(False)
    expect_live(page)
    expect(page.locator(".banner")).to_have_count(0)


# True when the service worker has kept its files, false after a minute.
READY = """() => Promise.race([
  navigator.serviceWorker.ready.then(() => true),
  new Promise((resolve) => setTimeout(() => resolve(false), 60_000)),
])"""

# True when the totals are in the browser's database, false after a minute.
KEPT = """async () => {
  const read = () => new Promise((resolve, reject) => {
    const open = indexedDB.open("keyval-store");
    open.onerror = reject;
    open.onsuccess = () => {
      const get = open.result.transaction("keyval").objectStore("keyval").get("tributary.last-known");
      get.onsuccess = () => { open.result.close(); resolve(get.result); };
      get.onerror = reject;
    };
  });
  for (let tries = 0; tries < 600; tries += 1) {
    const kept = await read().catch(() => undefined);
    if (kept?.clientState.queries.some(({ queryKey }) => queryKey[0] === "totals")) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}"""
