"""The provider ends sessions (OpenID Connect Back-Channel Logout 1.0): which it ends, and which tokens end nothing."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from serving.access.logout_token import EVENT
from serving.access.open_streams import OpenStreams
from serving.relational import sessions
from serving.relational.database import RelationalStoreUnavailable
from tests.serving.access.sign_in_site import USER, session, signed_in, stored

pytestmark = pytest.mark.asyncio

SUBJECT = USER["sub"]


async def at_provider(oidc, **user):
    """From now on whoever signs in is this one at the provider."""
    await asyncio.to_thread(oidc.tell, "set", user=USER | user)


async def log_out(site, oidc, **spoilt):
    """Returns the status that the provider got, and the logout token."""
    return await asyncio.to_thread(oidc.log_out, site.base, **spoilt)


async def posted(site, token, **changed):
    form = {"data": {"logout_token": token}} | changed
    async with (
        aiohttp.ClientSession(site.base) as provider,
        provider.post("/auth/backchannel-logout", **form) as response,
    ):
        return response.status, response.headers.get("cache-control"), await response.read()


async def known(browser):
    return (await session(browser))[0] == 200


async def test_a_session_of_the_provider_ends_and_no_other(site, sqlite_database, oidc):
    browsers = {}
    for name, user in (("s1", {}), ("s2", {}), ("s3", {"sub": "bob"})):
        await at_provider(oidc, sid=name, **user)
        browsers[name] = await signed_in(site)
        assert await known(browsers[name])
    assert (await log_out(site, oidc, sid="s1", sub=SUBJECT))[0] == 200
    assert [await known(browser) for browser in browsers.values()] == [False, True, True]
    # A token may leave the person out.
    assert (await log_out(site, oidc, sid="s3"))[0] == 200
    assert [await known(browser) for browser in browsers.values()] == [False, True, False]
    assert [what for _, what in site.noted].count("auth.backchannel_logout") == 2
    assert "s2" not in repr(stored(sqlite_database))


async def test_all_sessions_of_a_person_end_when_no_session_is_named(site, oidc):
    await at_provider(oidc, sid="s1")
    first = await signed_in(site)
    await at_provider(oidc)
    second = await signed_in(site)
    await at_provider(oidc, sub="bob")
    other = await signed_in(site)
    assert (await log_out(site, oidc, sub=SUBJECT))[0] == 200
    assert [await known(browser) for browser in (first, second, other)] == [False, False, True]


async def test_a_session_whose_name_was_never_told_ends_with_its_person(site, oidc):
    """A provider that names its sessions in logout tokens but not in ID tokens."""
    browser = await signed_in(site)
    assert (await log_out(site, oidc, sid="s9", sub="somebody-else"))[0] == 200
    assert (await log_out(site, oidc, sid="s9"))[0] == 200
    assert await known(browser)
    assert (await log_out(site, oidc, sid="s9", sub=SUBJECT))[0] == 200
    assert not await known(browser)


async def test_the_name_of_a_session_of_another_person_ends_nothing(site, oidc):
    await at_provider(oidc, sid="s1")
    browser = await signed_in(site)
    await at_provider(oidc, sub="bob", sid="s2")
    await signed_in(site)
    assert (await log_out(site, oidc, sid="s1", sub="bob"))[0] == 200
    assert await known(browser)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"foreign": True},
        {"aud": "another-client"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"iat": 4_000_000_000},
        {"nonce": "n"},
        {"nonce": None},
        {"events": {}},
        {"events": []},
        {"events": EVENT},
        {"events": {EVENT: "yes"}},
        {"events": {"http://schemas.openid.net/event/another": {}}},
        {"sid": 7},
        {"sub": ""},
        {"jti": ""},
        {"jti": 7},
        {"typ": "at+jwt"},
        *({"without": [name]} for name in ("iss", "aud", "iat", "exp", "jti", "events", "sub")),
    ],
    ids=repr,
)
async def test_a_token_that_is_not_a_good_logout_token_ends_nothing(site, oidc, spoilt):
    await at_provider(oidc, sid="s1")
    browser = await signed_in(site)
    assert (await log_out(site, oidc, **({"sub": SUBJECT} | spoilt)))[0] == 400
    assert await known(browser)


async def test_a_token_is_accepted_once(site, oidc):
    await at_provider(oidc, sid="s1")
    await signed_in(site)
    status, token = await log_out(site, oidc, sub=SUBJECT)
    assert status == 200
    browser = await signed_in(site)
    status, cached, body = await posted(site, token)
    assert (status, cached) == (400, "no-store")
    assert b"invalid_request" in body
    assert await known(browser)


@pytest.mark.parametrize(
    "form",
    [
        {"data": b"logout_token="},
        {"data": {"other": "x"}},
        {"data": {"logout_token": "a.b.c"}},
        {"data": b"logout_token=a&logout_token=b", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"data": b"\xff\xfe", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"data": {"logout_token": "x" * 40_000}},
        {"json": {"logout_token": "x"}},
    ],
    ids=lambda form: repr(form)[:40],
)
async def test_what_is_no_form_with_a_token_is_refused(site, form):
    status, cached, body = await posted(site, "", **({"data": None} | form))
    assert (status, cached, body) == (400, "no-store", b'{"error":"invalid_request"}')


async def test_it_is_no_link_and_needs_no_cookie(site):
    async with site.browser().get("/auth/backchannel-logout") as response:
        assert await response.text() == "page /auth/backchannel-logout"


async def test_a_logout_token_signs_nobody_in(site, oidc):
    """Also one that names the audience of access tokens beside the client."""
    _, token = await log_out(site, oidc, sub=SUBJECT, aud=["tributary-web", "tributary-api"])
    async with site.browser().get("/auth/session", headers={"authorization": f"Bearer {token}"}) as response:
        assert (response.status, (await response.json())["reason"]) == (401, "CREDENTIALS_INVALID")


async def test_a_store_that_does_not_answer_is_not_a_logout(site, oidc, sqlite_database, monkeypatch):
    browser = await signed_in(site)
    _, token = await log_out(site, oidc, sub="bob")

    async def down(_):
        raise RelationalStoreUnavailable("it is down")

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_database, "run", down)
        assert (await posted(site, token))[::2] == (400, b'{"error":"temporarily_unavailable"}')
        assert (await log_out(site, oidc, sub=SUBJECT))[0] == 400
    assert await known(browser)
    assert (await log_out(site, oidc, sub=SUBJECT))[0] == 200
    assert not await known(browser)


async def test_expired_tokens_are_forgotten_and_sessions_of_nobody_are_none(sqlite_database):
    with sqlite_database.transaction() as connection:
        sessions.use_logout_token(connection, "a", 1, 10)
        sessions.use_logout_token(connection, "b", 11, 20)
        sessions.use_logout_token(connection, "a", 12, 20)
        assert sessions.end_provider_sessions(connection, None, None) == []


async def test_streams_of_a_session_end_while_they_wait_and_while_they_do_not():
    streams = OpenStreams()
    with streams.opened("s1") as waits, streams.opened("s1") as sends, streams.opened("s2") as other:

        async def wait():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as waits.limit:
                    await asyncio.Event().wait()

        waiting = asyncio.create_task(wait())
        while waits.limit is None:
            await asyncio.sleep(0)
        for _ in range(3):
            # Also when the wait is ending already.
            streams.end("s1")
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await waiting
        assert (waits.ended, sends.ended, other.ended) == (True, True, False)
    with streams.opened(None) as nobodys:
        streams.end("s1")
        assert not nobodys.ended
    assert not streams._by_session
