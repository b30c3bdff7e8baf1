"""A server with nothing but the sign-in, and browsers to visit it."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serving.access.authentication import Authentication
from serving.access.browser_sessions import BrowserSessions
from serving.access.oidc_provider import OidcProvider
from serving.access.session_cookie import Seal
from serving.access.settings import AccessSettings, OidcSettings
from serving.access.sign_in import SignIn
from serving.relational.tables import sessions as sessions_table
from tests.serving.access.oidc_client import AUDIENCE, CLIENT_ID, CLIENT_SECRET
from tests.serving.local_stores import free_port

SECRET = "of the tests, and of no use elsewhere"
USER = {"sub": "ann@example.com", "tenant_ids": ["acme"], "roles": ["cmo"], "amr": ["mfa"]}


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


class Site:
    """A server with the sign-in, and browsers to visit it."""

    def __init__(self, base, authentication):
        self.base = base
        self.authentication = authentication
        self.noted = []
        self.browsers = []

    def browser(self):
        made = aiohttp.ClientSession(self.base, cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.browsers.append(made)
        return made


@pytest_asyncio.fixture
async def site(oidc, sqlite_database):
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    oidc.tell("set", redirect_uris=[f"{base}/auth/callback"], user=USER)
    settings = OidcSettings(
        issuer=oidc.issuer,
        audience=AUDIENCE,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        session_secret=SECRET,
        public_url=base,
    )
    provider = OidcProvider(oidc.issuer, timeout_seconds=2.0)
    seal = Seal(SECRET)
    authentication = Authentication(AccessSettings(oidc=settings), sqlite_database, provider, seal)
    browser_sessions = BrowserSessions(settings, sqlite_database, provider, seal, authentication)
    made = Site(base, authentication)
    sign_in = SignIn(authentication, browser_sessions, settings, lambda *what: made.noted.append(what))

    async def page(request):
        return PlainTextResponse(f"page {request.url.path}")

    app = Starlette(routes=[*sign_in.routes(), Route("/{path:path}", page)])
    server = Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    yield made
    for browser in made.browsers:
        await browser.close()
    server.should_exit = True
    await running
    await provider.close()


async def signed_in(site, return_to="/reports?x=1"):
    browser = site.browser()
    async with browser.get("/auth/login", params={"return_to": return_to}) as response:
        assert response.status == 200, await response.text()
        assert str(response.url) == f"{site.base}{return_to}"
    return browser


async def session(browser, **headers):
    async with browser.get("/auth/session", headers=headers) as response:
        return response.status, await response.json()


def stored(sqlite_database):
    with sqlite_database.transaction() as connection:
        return connection.execute(sessions_table.select()).all()


def change(sqlite_database, **values):
    with sqlite_database.transaction() as connection:
        connection.execute(sessions_table.update().values(**values))
