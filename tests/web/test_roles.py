"""Who sees and saves what, with people who really sign in: an OpenID provider, its page, the callback, the session."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.serving.access.oidc_client import CLIENT_SECRET, OidcServer
from tests.web.conftest import Dashboard, Serving

# Role: the page that it opens first, the dashboards it lists, whether campaigns and whether attribution may be saved.
ROLES = {
    "cmo": ("executive", ["Executive", "Performance", "Automation", "Forecasting"], True, True),
    "marketing_director": ("automation", ["Performance", "Automation", "Platform health", "Forecasting"], True, False),
    "marketing_analyst": ("performance", ["Performance", "Automation", "Platform health", "Forecasting"], True, True),
    "viewer": ("performance", ["Performance", "Automation", "Forecasting"], False, False),
}
RANGE = "tenant_id=acme&last=7d&format=csv"


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    server = OidcServer(tmp_path_factory.mktemp("provider"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded(provider, stores, world, built, tmp_path_factory):
    """Serving that asks who is calling."""
    path = tmp_path_factory.mktemp("people") / "relational.sqlite"
    process = Serving(
        stores[0].port,
        stores[1].port,
        built,
        more=("--oidc-issuer", provider.issuer, "--relational-url", f"sqlite:///{path}"),
        environment={
            "TRIBUTARY_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "TRIBUTARY_SESSION_SECRET": "of the tests, and of no use elsewhere",
        },
    )
    process.start()
    provider.tell("set", redirect_uris=[f"{process.address}/auth/callback"])
    yield process
    process.kill()


@pytest.fixture
def signs_in(provider, guarded, new_context):
    """Let somebody sign in with a browser of their own, through the provider's page; returns where they arrive."""

    def sign_in(*roles: str, tenants=("acme",), path="/?tenant=acme", amr=("mfa",), expires_in=3_600, sub="ann"):
        user = {"sub": f"{sub}-{'-'.join(roles)}", "tenant_ids": list(tenants), "roles": list(roles), "amr": list(amr)}
        provider.tell("set", user=user, expires_in=expires_in)
        dashboard = Dashboard(new_context(), guarded.address)
        dashboard.page.goto(f"{guarded.address}{path}")
        dashboard.page.get_by_role("button", name="Sign in").click()
        return dashboard

    return sign_in


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_page_and_saves_what_it_may(role, signs_in, guarded, axe):
    first, listed, saves_campaigns, saves_attribution = ROLES[role]
    dashboard = signs_in(role)
    page = dashboard.page
    expect(page).to_have_url(re.compile(rf"/{first}\?tenant=acme"))
    dashboard.filled()
    names = page.get_by_role("navigation", name="Dashboards").locator(".nav-name")
    expect(names).to_have_text([*listed, "Custom dashboards"])
    dashboard.page.goto(f"{guarded.address}/performance?tenant=acme")
    dashboard.filled()
    save = page.get_by_role("button", name=re.compile("(Save Campaigns as CSV|Your role may not save Campaigns)"))
    assert save.is_enabled() == saves_campaigns
    sees_attribution = role in {"cmo", "marketing_analyst"}
    models = page.get_by_role("article", name="Attribution: models side by side")
    expect(models.get_by_text("Not part of your role")).to_have_count(int(not sees_attribution))
    # The page only says what the server enforces.
    asked = {
        f"metrics?{RANGE}": saves_campaigns,
        f"attribution?{RANGE}&model=linear": saves_attribution,
    }
    for path, allowed in asked.items():
        answer = page.request.get(f"{guarded.address}/api/v1/dashboard/charts/{path}")
        assert answer.status == (200 if allowed else 403), answer.text()
    detail = page.request.get(f"{guarded.address}/api/v1/dashboard/charts/conversions?tenant_id=acme&last=7d")
    assert detail.status == (200 if role == "marketing_analyst" else 403)
    assert dashboard.audit(axe) == []
    assert dashboard.errors == []


def test_nothing_that_the_role_lacks_is_asked_for(signs_in):
    dashboard = signs_in("viewer", path="/performance?tenant=acme")
    expect(dashboard.page.get_by_role("article", name="Attribution compared")).to_be_visible()
    dashboard.filled()
    refused = ("AttributionService", "JourneyService", "GetQuality", "GetCounts")
    assert [url for url in dashboard.requests if any(name in url for name in refused)] == []


def test_a_page_that_is_not_part_of_the_role_leads_to_one_that_is(signs_in):
    dashboard = signs_in("marketing_director", path="/executive?tenant=acme")
    page = dashboard.page
    expect(page.get_by_text("This dashboard is not part of your role.")).to_be_visible()
    page.get_by_role("link", name="Go to Automation").click()
    dashboard.filled()
    expect(page).to_have_url(re.compile("/automation"))


def test_a_second_factor_is_asked_for_where_the_role_needs_it(signs_in):
    dashboard = signs_in("cmo", amr=("pwd",))
    expect(dashboard.page.get_by_role("heading", name="A second factor is needed")).to_be_visible()


def test_a_session_that_ends_takes_the_figures_with_it_and_leads_back(signs_in, provider):
    # It ends within the page's next question: the provider does not know the person any more who asks for renewal.
    dashboard = signs_in("marketing_analyst", path="/performance?tenant=acme&range=30d", expires_in=60)
    page = dashboard.page
    expect(page.get_by_test_id("kpi-ctr")).to_be_visible()
    provider.tell("set", user={"sub": "somebody-else", "tenant_ids": [], "roles": []}, expires_in=3_600)
    expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
    expect(page.locator(".widget")).to_have_count(0)
    back = {"sub": "ann-marketing_analyst", "tenant_ids": ["acme"], "roles": ["marketing_analyst"], "amr": []}
    provider.tell("set", user=back)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/performance\?tenant=acme&range=30d"))
    dashboard.filled()


def test_switching_to_another_tenant_shows_only_its_figures(signs_in):
    dashboard = signs_in("marketing_analyst", tenants=("acme", "globex"), path="/performance?tenant=acme")
    page = dashboard.page
    expect(page.get_by_role("button", name="spring-launch").first).to_be_visible()
    page.get_by_role("button", name="Tenant acme. Change it").click()
    page.get_by_role("button", name="globex").click()
    expect(page).to_have_url(re.compile("tenant=globex"))
    dashboard.filled()
    expect(page.get_by_text("No campaign in this range, or the filters leave none.")).to_be_visible()
    expect(page.get_by_role("button", name="spring-launch")).to_have_count(0)
