"""Signing in with a browser: the whole way through the provider, what the cookies are, and what does not work."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from serving.access import authentication as authentication_module
from serving.access import browser_sessions as sessions_module
from serving.access.authentication import Authentication
from serving.access.session_cookie import CookieNames, Seal
from serving.access.settings import AccessSettings
from serving.access.sign_in import SignIn
from serving.relational import users
from tests.serving.access.oidc_client import CLIENT_ID, CLIENT_SECRET
from tests.serving.access.sign_in_site import SECRET, USER, change, session, signed_in, stored

pytestmark = pytest.mark.asyncio


async def test_a_browser_signs_in_and_is_known(site, sqlite_database):
    browser = await signed_in(site)
    status, said = await session(browser)
    assert status == 200
    assert (said["kind"], said["mfa"]) == ("user", True)
    assert said["tenants"]["acme"]["roles"] == ["cmo"]
    assert "export_all" in said["tenants"]["acme"]["permissions"]
    assert said["expires_at"] > time.time()
    assert site.noted == [(said["id"], "auth.login")]
    # Neither the session id nor the refresh token can be read from the database.
    cookie = next(c for c in browser.cookie_jar if c.key == "tributary-session").value
    (row,) = stored(sqlite_database)
    assert cookie.split(".")[1] not in repr(row)
    assert row.refresh_token.count(".") == 4
    assert "ann" not in repr(row)


async def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(site):
    browser = site.browser()
    async with browser.get("/auth/login", allow_redirects=False) as response:
        (state,) = response.headers.getall("set-cookie")
        asked = {k: v[0] for k, v in parse_qs(urlsplit(response.headers["location"]).query).items()}
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(state.split("; "))
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) > 40
    assert len(asked["state"]) > 40
    assert CLIENT_SECRET not in repr(asked)
    assert asked["state"] not in state
    async with browser.get(response.headers["location"], allow_redirects=False) as response:
        back = response.headers["location"]
    async with browser.get(back, allow_redirects=False) as response:
        made, removed = response.headers.getall("set-cookie")
    assert made.startswith("tributary-session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(made.split("; "))
    assert "Max-Age=0" in removed
    # Over https only that host can set them, over https.
    assert CookieNames.of(secure=True).session.startswith("__Host-")


@pytest.mark.parametrize(
    "to", ["https://elsewhere", "//elsewhere", "/\\elsewhere", "javascript:x", "", "/a\nb", "/" + "a" * 600]
)
async def test_nobody_is_sent_elsewhere(site, to):
    browser = site.browser()
    async with browser.get("/auth/login", params={"return_to": to}) as response:
        assert str(response.url) == f"{site.base}/"


async def test_an_answer_to_somebody_elses_sign_in_is_refused(site):
    attacker, victim = site.browser(), site.browser()
    async with attacker.get("/auth/login", allow_redirects=False) as response:
        page = response.headers["location"]
    async with attacker.get(page, allow_redirects=False) as response:
        back = response.headers["location"]
    # Without a sign-in under way, with another one under way, and with a made-up cookie.
    async with victim.get(back, allow_redirects=False) as response:
        assert response.status == 401
    async with victim.get("/auth/login", allow_redirects=False):
        pass
    async with victim.get(back, allow_redirects=False) as response:
        assert response.status == 401
    async with site.browser().get(back, headers={"cookie": "tributary-sign-in=a.b.c.d.e"}) as response:
        assert (response.status, (await response.json())["reason"]) == (401, "CREDENTIALS_INVALID")
    # The code itself was good, once.
    async with attacker.get(back, allow_redirects=False) as response:
        assert response.status == 303
    async with attacker.get(back, allow_redirects=False) as response:
        assert response.status == 401


async def test_a_code_without_the_verifier_of_its_sign_in_is_refused(site, monkeypatch):
    browser = site.browser()
    async with browser.get("/auth/login", allow_redirects=False) as response:
        first = response.headers["location"]
    async with browser.get(first, allow_redirects=False) as response:
        code = parse_qs(urlsplit(response.headers["location"]).query)["code"][0]
    async with browser.get("/auth/login", allow_redirects=False) as response:
        state = parse_qs(urlsplit(response.headers["location"]).query)["state"][0]
    async with browser.get("/auth/callback", params={"code": code, "state": state}) as response:
        assert response.status == 401


async def test_a_provider_that_refuses_or_is_another_one(site):
    for extra in ({"error": "access_denied"}, {"iss": "https://elsewhere", "code": "x"}, {"code": "made up"}, {}):
        browser = site.browser()
        async with browser.get("/auth/login", allow_redirects=False) as response:
            state = parse_qs(urlsplit(response.headers["location"]).query)["state"][0]
        async with browser.get("/auth/callback", params={"state": state, **extra}) as response:
            assert response.status == 401, extra
        assert (await session(browser))[0] == 401


async def test_a_sign_in_that_took_too_long_is_refused(site, monkeypatch):
    monkeypatch.setattr(sessions_module, "SIGN_IN_SECONDS", -1)
    async with site.browser().get("/auth/login") as response:
        assert response.status == 401


async def test_pages_of_other_sites_cannot_use_the_session(site):
    browser = await signed_in(site)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere"},
        {"Origin": "null"},
    ):
        status, said = await session(browser, **headers)
        assert (status, said["reason"]) == (403, "CROSS_SITE")
        async with browser.post("/auth/logout", headers=headers) as response:
            assert response.status == 403
    status, _ = await session(browser, Origin=site.base, **{"Sec-Fetch-Site": "same-origin"})
    assert status == 200


async def test_signing_out_ends_the_session_at_once(site, sqlite_database, oidc):
    browser = await signed_in(site)
    kept = next(c for c in browser.cookie_jar if c.key == "tributary-session").value
    assert (await session(browser))[0] == 200
    async with browser.get("/auth/logout") as response:
        assert response.status == 200  # the page of the web app, not a sign-out: a link must not sign out
    async with browser.post("/auth/logout") as response:
        assert (await response.json())["sign_out_url"].startswith(f"{oidc.issuer}/end?client_id={CLIENT_ID}")
    assert (await session(browser))[1]["reason"] == "CREDENTIALS_MISSING"
    assert stored(sqlite_database) == []
    async with site.browser().get("/auth/session", headers={"cookie": f"tributary-session={kept}"}) as response:
        assert response.status == 401


@pytest.mark.parametrize("cookie", ["x", "a.b.c", "é", "a" * 5000, "eyJhbGciOiJub25lIn0.eA."])
async def test_made_up_session_cookies_are_nobody(site, cookie):
    assert site.authentication.session_of({"cookie": f"tributary-session={cookie}"}) is None
    other = Seal("another secret, of another installation").signed("x")
    assert site.authentication.session_of({"cookie": f"a=1; tributary-session={other}"}) is None
    ours = Seal(SECRET).signed("x")
    assert site.authentication.session_of({"cookie": f"a=1; tributary-session={ours}"}) is not None


async def test_a_session_is_renewed_once_by_many_tabs_and_takes_over_changed_roles(site, sqlite_database, oidc):
    browser = await signed_in(site)
    before = stored(sqlite_database)[0]
    assert (await session(browser))[0] == 200
    assert stored(sqlite_database)[0] == before
    change(sqlite_database, expires_at=int(time.time() * 1000) - 1)
    oidc.tell("set", user=USER | {"roles": ["marketing_analyst"]}, requests={})
    answers = await asyncio.gather(*(session(browser) for _ in range(5)))
    assert [status for status, _ in answers] == [200] * 5
    assert answers[0][1]["tenants"]["acme"]["roles"] == ["marketing_analyst"]
    assert oidc.requests("/token") == 1
    assert stored(sqlite_database)[0].refresh_token != before.refresh_token


async def test_a_session_that_the_provider_ended_is_over(site, sqlite_database, oidc):
    browser = await signed_in(site)
    change(sqlite_database, expires_at=1)
    oidc.tell("set", refresh_tokens={})
    assert (await session(browser))[1]["reason"] == "CREDENTIALS_EXPIRED"
    assert stored(sqlite_database) == []


async def test_a_session_is_not_renewed_as_somebody_else(site, sqlite_database, oidc):
    browser = await signed_in(site)
    change(sqlite_database, expires_at=1)
    oidc.tell("set", user=USER | {"sub": "somebody-else"})
    assert (await session(browser))[1]["reason"] == "CREDENTIALS_EXPIRED"
    assert stored(sqlite_database) == []


async def test_a_provider_that_is_down_does_not_end_sessions(site, sqlite_database, oidc):
    browser = await signed_in(site)
    assert (await session(browser))[0] == 200
    change(sqlite_database, expires_at=1)
    oidc.tell("set", status=503)
    assert (await session(browser))[1]["reason"] == "IDENTITY_UNAVAILABLE"
    async with site.browser().get("/auth/login") as response:
        assert response.status in {200, 503}  # known endpoints are used; the provider's page is down
    oidc.tell("set", status=0)
    change(sqlite_database, renewing_until=0)
    assert (await session(browser))[0] == 200


async def test_a_session_ends_in_the_end(site, sqlite_database):
    browser = await signed_in(site)
    change(sqlite_database, expires_at=1, ends_at=2)
    assert (await session(browser))[1]["reason"] == "CREDENTIALS_EXPIRED"


async def test_a_disabled_user_is_out(site, sqlite_database, monkeypatch):
    monkeypatch.setattr(authentication_module, "FRESH_SECONDS", -1.0)
    browser = await signed_in(site)
    _, said = await session(browser)
    with sqlite_database.transaction() as connection:
        users.disable(connection, said["id"], 1)
    assert (await session(browser))[1]["reason"] == "CREDENTIALS_INVALID"
    async with site.browser().get("/auth/login") as response:
        assert response.status == 401


async def test_a_short_secret_is_refused():
    with pytest.raises(ValueError, match="32"):
        Seal("short")


async def test_without_a_client_there_is_no_sign_in():
    demo = SignIn(Authentication(AccessSettings()), None, None, lambda *_: None)
    paths = {route.path: route for route in demo.routes()}
    assert set(paths) == {"/auth/session", "/auth/login", "/auth/callback", "/auth/logout", "/auth/backchannel-logout"}
