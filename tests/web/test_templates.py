"""Each template opens with stored figures, in every theme, without a violation of accessibility and without a request
to anybody else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.web.conftest import PREFERENCES, SCREENSHOTS, Dashboard

# Compressed, of the page that is opened first, charts included.
MOST_SCRIPT_BYTES = 350_000
# Template, a widget that must be there, and one of its figures.
TEMPLATES = {
    "executive": ("Attribution: models side by side", "Position based"),
    "performance": ("Campaigns", "brand-always-on"),
    "automation": ("Active now", None),
    "platform": ("Records", "Quarantined"),
    "forecasting": ("Revenue, projected", "Where four of five days fell"),
    "gallery": ("Attribution compared", "Last touch"),
}


# All that moved after it was shown, as browsers sum it up: the worst burst of at most five seconds (web.dev/cls).
LAYOUT_SHIFT = """() => new Promise((resolve) => {
  let [worst, sum, first, last] = [0, 0, 0, 0];
  new PerformanceObserver((list, observer) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      if (entry.startTime - last > 1000 || entry.startTime - first > 5000) { sum = 0; first = entry.startTime; }
      sum += entry.value;
      last = entry.startTime;
      worst = Math.max(worst, sum);
    }
  }).observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => setTimeout(() => resolve(worst), 0));
})"""
MOST_LAYOUT_SHIFT = 0.05


def look(dashboard, template, axe) -> None:
    """Look at an opened template in every theme: a picture, and what axe-core finds."""
    title, text = TEMPLATES[template]
    widget = dashboard.page.get_by_role("article", name=title, exact=True)
    expect(widget).to_be_visible()
    if text:
        expect(widget.get_by_text(text).first).to_be_visible()
    expect(dashboard.page.locator(".widget [role=alert]")).to_have_count(0)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for theme in PREFERENCES:
        dashboard.prefer(theme)
        dashboard.page.screenshot(path=SCREENSHOTS / f"{template}-{theme}.png", full_page=True)
        # Themes differ in colours and in nothing else: the other rules are asked once.
        assert dashboard.audit(axe, colours=theme != "light") == []


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name != "gallery"])
def test_a_template_opens_with_figures_and_is_accessible_in_every_theme(template, new_context, serving, world, axe):
    dashboard = Dashboard(new_context(**PREFERENCES["light"]), serving.address)
    dashboard.open(template)
    look(dashboard, template, axe)
    assert {urlsplit(url).netloc for url in dashboard.requests} == {urlsplit(serving.address).netloc}
    assert dashboard.errors == []


def test_thirty_widgets_load_without_moving_and_follow_what_the_system_forces(new_context, serving, world, axe):
    dashboard = Dashboard(new_context(**PREFERENCES["light"]), serving.address)
    dashboard.open("gallery")
    expect(dashboard.page.locator(".widget")).to_have_count(30)
    assert dashboard.page.evaluate(LAYOUT_SHIFT) < MOST_LAYOUT_SHIFT
    look(dashboard, "gallery", axe)
    dashboard.page.emulate_media(contrast="no-preference", forced_colors="active", reduced_motion="reduce")
    expect(dashboard.page.locator("html")).to_have_attribute("data-theme", "light")
    dashboard.page.screenshot(path=SCREENSHOTS / "gallery-forced.png", full_page=True)
    assert dashboard.audit(axe) == []
    assert dashboard.page.evaluate("document.getAnimations().length") == 0
    assert dashboard.errors == []


def test_the_first_load_fetches_little_script(dashboard, world, built):
    dashboard.open("executive")
    scripts = {urlsplit(url).path for url in dashboard.requests if url.endswith(".js") and "service-worker" not in url}
    compressed = {path: Path(f"{built}{path}.br").stat().st_size for path in scripts}
    assert any("echarts" in path for path in compressed)
    assert sum(compressed.values()) <= MOST_SCRIPT_BYTES, compressed


# Elements that make the page wider than the screen.
SIDEWAYS = """() => {
  const { clientWidth, scrollWidth } = document.documentElement;
  if (scrollWidth === clientWidth) return [];
  const wide = (element) => element.getBoundingClientRect().right > clientWidth + 1;
  const name = (element) => `${element.tagName} ${element.className}`;
  return [...document.querySelectorAll("body *")].filter(wide).map(name);
}"""


def test_a_phone_shows_every_widget_without_scrolling_sideways(new_context, serving, world, axe):
    dashboard = Dashboard(new_context(viewport={"width": 390, "height": 844}, has_touch=True), serving.address)
    dashboard.open("executive")
    assert dashboard.page.evaluate(SIDEWAYS) == []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    dashboard.page.screenshot(path=SCREENSHOTS / "executive-phone.png", full_page=True)
    assert dashboard.audit(axe) == []


def test_a_tenant_without_figures_is_told_so(dashboard, world, axe):
    dashboard.open("executive", tenant="nobody")
    expect(dashboard.page.get_by_text("Nothing happened in this range").first).to_be_visible()
    expect(dashboard.page.get_by_text("No alert in this range.")).to_be_visible()
    assert dashboard.audit(axe) == []


def test_whoever_names_no_tenant_is_asked_for_one(dashboard, world, axe):
    dashboard.page.goto(f"{dashboard.address}/performance")
    name = dashboard.page.get_by_label("Tenant")
    name.fill("not a tenant!")
    name.press("Enter")
    expect(dashboard.page.get_by_role("alert")).to_contain_text("1 to 64 letters")
    assert dashboard.audit(axe) == []
    name.fill("acme")
    name.press("Enter")
    dashboard.filled()
    assert "tenant=acme" in dashboard.page.url


def test_whoever_is_signed_out_is_led_to_the_sign_in_page_and_back(new_context, serving, axe):
    context = new_context()
    dashboard = Dashboard(context, serving.address)
    context.route("**/auth/session", lambda route: route.fulfill(status=401, json={"reason": "UNAUTHENTICATED"}))
    context.route("**/auth/login?*", lambda route: route.fulfill(body="the provider"))
    dashboard.page.goto(f"{serving.address}/executive?tenant=acme")
    button = dashboard.page.get_by_role("button", name="Sign in")
    expect(button).to_be_visible()
    assert dashboard.audit(axe) == []
    button.click()
    expect(dashboard.page).to_have_url(f"{serving.address}/auth/login?return_to=%2Fexecutive%3Ftenant%3Dacme")


def test_whoever_is_signed_in_chooses_among_their_own_tenants(new_context, serving, world):
    context = new_context()
    dashboard = Dashboard(context, serving.address)
    access = {"roles": ["viewer"], "permissions": ["view_campaigns"], "mfa_required": False}
    session = {"kind": "user", "id": "u1", "all_tenants": False, "tenants": {"acme": access, "globex": access}}
    context.route("**/auth/session", lambda route: route.fulfill(json=session))
    dashboard.page.goto(f"{serving.address}/performance?tenant=stranger")
    dashboard.page.get_by_role("button", name="acme").click()
    dashboard.filled()
    expect(dashboard.page.get_by_role("button", name="Sign out")).to_be_visible()
