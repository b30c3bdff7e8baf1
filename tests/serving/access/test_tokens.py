"""Tokens of a real provider: good ones, spoilt ones, rotated keys, and a provider that is down, slow or wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from serving.access import authentication as authentication_module
from serving.access import oidc_provider as provider_module
from serving.access.authentication import Authentication
from serving.access.oidc_provider import OidcProvider, ProviderUnavailable
from serving.access.principal import Kind
from serving.access.settings import AccessSettings, OidcSettings
from serving.access.token_claims import ClaimNames, grants_of, joined, used_mfa
from serving.access.tokens import LEEWAY_SECONDS
from serving.errors import ServingError
from serving.relational import users
from tests.serving.access.oidc_client import AUDIENCE

pytestmark = pytest.mark.asyncio

CLAIMS = {"tenant_ids": ["acme", "beta"], "roles": ["cmo", "offline_access"], "amr": ["pwd", "mfa"]}


@pytest_asyncio.fixture
async def provider(oidc):
    made = OidcProvider(oidc.issuer, timeout_seconds=2.0)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def authentication(provider, sqlite_database):
    settings = AccessSettings(oidc=OidcSettings(issuer=provider.issuer, audience=AUDIENCE))
    return Authentication(settings, sqlite_database, provider)


def bearer(token):
    return {"authorization": f"Bearer {token}"}


async def reason_of(authentication, headers):
    with pytest.raises(ServingError) as refused:
        await authentication.principal(headers)
    return refused.value.reason


async def test_a_good_token_names_the_caller(oidc, authentication):
    found = await authentication.principal(bearer(oidc.token(sub="ann@example.com", **CLAIMS)))
    assert found.kind is Kind.USER
    assert found.grants == {"acme": {"cmo"}, "beta": {"cmo"}}
    assert found.mfa
    assert time.time() < found.expires_at <= time.time() + 300 + LEEWAY_SECONDS
    # What is written to the audit log tells nothing about the person, and is the same the next time.
    assert len(found.id) == 32
    assert "ann" not in found.id
    again = await authentication.principal(bearer(oidc.token(sub="ann@example.com")))
    assert again.id == found.id
    assert (again.grants, again.mfa) == ({}, False)


SPOILT = {
    "another issuer": {"iss": "https://elsewhere"},
    "another audience": {"aud": "another-api"},
    "no audience": {"without": ["aud"]},
    "no expiry": {"without": ["exp"]},
    "no subject": {"without": ["sub"]},
    "no time of issue": {"without": ["iat"]},
    "subject not text": {"sub": 5},
    "issued in the future": {"iat": int(time.time()) + 3600},
    "not valid yet": {"nbf": int(time.time()) + 3600},
    "a key of somebody else": {"foreign": True},
    "a key of somebody else under the provider's key id": {"foreign": "same-id"},
    "no roles is no fault, expiry not a number is": {"exp": "soon"},
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT.keys())
async def test_spoilt_tokens_are_refused(oidc, authentication, spoilt):
    assert await reason_of(authentication, bearer(oidc.token(**spoilt))) == "CREDENTIALS_INVALID"


async def test_an_expired_token_is_said_to_be_expired_once_the_leeway_is_over(oidc, authentication):
    now = int(time.time())
    assert await reason_of(authentication, bearer(oidc.token(exp=now - LEEWAY_SECONDS - 5))) == "CREDENTIALS_EXPIRED"
    # Clocks may differ.
    assert await authentication.principal(bearer(oidc.token(exp=now - LEEWAY_SECONDS + 20)))
    assert await authentication.principal(bearer(oidc.token(iat=now + LEEWAY_SECONDS - 10)))


async def test_a_remembered_token_expires_too(oidc, authentication, monkeypatch):
    headers = bearer(oidc.token(**CLAIMS))
    found = await authentication.principal(headers)
    monkeypatch.setattr("serving.access.principal.time.time", lambda: found.expires_at)
    assert await reason_of(authentication, headers) == "CREDENTIALS_EXPIRED"


def encoded(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


async def test_algorithms_without_a_public_key_are_refused(oidc, authentication, provider):
    good = oidc.token(**CLAIMS)
    _, payload, signature = good.split(".")
    keys = await provider.keys(None)
    unsigned = f"{encoded({'alg': 'none'})}.{payload}."
    assert await reason_of(authentication, bearer(unsigned)) == "CREDENTIALS_INVALID"
    # The classic confusion: the public key as the secret of an HMAC.
    head = f"{encoded({'alg': 'HS256', 'kid': keys.keys[0].kid})}.{payload}"
    for secret in (keys.keys[0].as_pem(private=False), json.dumps(keys.keys[0].as_dict(private=False)).encode()):
        forged = base64.urlsafe_b64encode(hmac.new(secret, head.encode(), hashlib.sha256).digest()).rstrip(b"=")
        assert await reason_of(authentication, bearer(f"{head}.{forged.decode()}")) == "CREDENTIALS_INVALID"
    changed = f"{good.split('.')[0]}.{encoded({'iss': oidc.issuer, 'aud': AUDIENCE, 'sub': 'eve'})}.{signature}"
    assert await reason_of(authentication, bearer(changed)) == "CREDENTIALS_INVALID"


@pytest.mark.parametrize(
    "header",
    [
        "Basic abc",
        "Bearer",
        "Bearer ",
        "",
        "Bearer a.b",
        "Bearer ..",
        "Bearer x.y.z",
        f"Bearer {'a' * 20_000}..",
        "Bearer é.é.é",
        "Bearer trb_0_0",
    ],
)
async def test_what_is_no_token_is_refused(authentication, header):
    assert await reason_of(authentication, {"authorization": header}) == "CREDENTIALS_INVALID"


async def test_no_credentials_are_said_to_be_missing(authentication):
    assert await reason_of(authentication, {}) == "CREDENTIALS_MISSING"
    assert (
        await reason_of(authentication, {"cookie": "tributary-session=x", "x-tenant-id": "acme"})
        == "CREDENTIALS_MISSING"
    )


async def test_rotated_keys_are_fetched_when_they_are_met(oidc, authentication):
    old = oidc.token()
    assert await authentication.principal(bearer(old))
    oidc.tell("rotate")
    assert await authentication.principal(bearer(oidc.token()))
    # Both keys are published for a while, and nothing is fetched for a key that is known.
    assert await authentication.principal(bearer(old))
    assert await authentication.principal(bearer(oidc.token()))
    assert oidc.requests("/keys") == 2


async def test_a_withdrawn_key_is_refused(oidc, authentication, monkeypatch):
    monkeypatch.setattr(provider_module, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(authentication_module, "FRESH_SECONDS", -1.0)
    old = oidc.token()
    assert await authentication.principal(bearer(old))
    oidc.tell("rotate", withdraw=True)
    assert await authentication.principal(bearer(oidc.token()))
    assert await reason_of(authentication, bearer(old)) == "CREDENTIALS_INVALID"


async def test_made_up_key_ids_do_not_load_the_provider(oidc, authentication):
    assert await authentication.principal(bearer(oidc.token()))
    for number in range(5):
        token = oidc.token(foreign=True, header={"kid": f"made-up-{number}"})
        assert await reason_of(authentication, bearer(token)) == "CREDENTIALS_INVALID"
    assert oidc.requests("/keys") == 2


async def test_a_provider_that_is_down_at_first_is_waited_for(oidc, authentication):
    token = oidc.token(**CLAIMS)
    # A restart makes new keys: the token is only to be looked at, not good.
    oidc.stop()
    assert await reason_of(authentication, bearer(token)) == "IDENTITY_UNAVAILABLE"
    oidc.start()
    token = oidc.token(**CLAIMS)
    # Until the circuit closes again.
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(ServingError):
                found = await authentication.principal(bearer(token))
                break
            await asyncio.sleep(0.05)
    assert found.tenant_ids == {"acme", "beta"}


async def test_keys_that_are_known_outlive_a_provider_that_is_down(oidc, authentication, monkeypatch):
    tokens = [oidc.token(**CLAIMS), oidc.token(sub="bob", **CLAIMS)]
    assert await authentication.principal(bearer(tokens[0]))
    monkeypatch.setattr(provider_module, "REFRESH_SECONDS", -1.0)
    oidc.tell("set", status=500)
    assert await authentication.principal(bearer(tokens[1]))
    monkeypatch.setattr(provider_module, "USABLE_SECONDS", -1.0)
    monkeypatch.setattr(authentication_module, "FRESH_SECONDS", -1.0)
    assert await reason_of(authentication, bearer(tokens[1])) == "IDENTITY_UNAVAILABLE"


async def test_a_slow_provider_costs_the_time_limit(oidc):
    provider = OidcProvider(oidc.issuer, timeout_seconds=0.2)
    oidc.tell("set", delay_seconds=5.0)
    with pytest.raises(ProviderUnavailable):
        async with asyncio.timeout(4.0):
            await provider.keys(None)
    await provider.close()


WRONG = {
    "an error": (503, ""),
    "no JSON": (200, "<html>"),
    "no object": (200, "[]"),
    "another issuer": (200, json.dumps({"issuer": "https://elsewhere"})),
    "nothing": (200, "{}"),
    "too much": (200, json.dumps({"issuer": "x" * (600 * 1024)})),
    "not found": (404, "{}"),
    "a redirect": (302, "{}"),
}


@pytest.mark.parametrize(("status", "body"), WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_provider_is_not_believed(oidc, provider, status, body):
    oidc.tell("set", status=status, body=body)
    with pytest.raises(ProviderUnavailable):
        await provider.keys(None)
    oidc.tell("set", status=0)
    assert await provider.keys(None)


async def test_endpoints_without_https_are_refused_unless_on_loopback(oidc, provider):
    for url in ("http://idp.example", "ftp://127.0.0.1", "", "https://"):
        with pytest.raises(ValueError, match="https"):
            OidcProvider(url)
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    document = {"issuer": oidc.issuer} | dict.fromkeys(names, "http://idp.example/keys")
    oidc.tell("set", status=200, body=json.dumps(document))
    with pytest.raises(ProviderUnavailable, match="endpoint"):
        await provider.endpoints()


async def test_disabled_users_revoked_tokens_and_sign_out_everywhere(
    oidc, authentication, sqlite_database, monkeypatch
):
    monkeypatch.setattr(authentication_module, "FRESH_SECONDS", -1.0)
    token = oidc.token(jti="j1", iat=int(time.time()) - 60, **CLAIMS)
    found = await authentication.principal(bearer(token))

    def change(work, *arguments):
        with sqlite_database.transaction() as connection:
            work(connection, *arguments)

    change(users.disable, found.id, 1)
    assert await reason_of(authentication, bearer(token)) == "CREDENTIALS_INVALID"
    change(users.enable, found.id)
    assert await authentication.principal(bearer(token))
    change(users.revoke_token, oidc.issuer, "j1", 1)
    assert await reason_of(authentication, bearer(token)) == "CREDENTIALS_INVALID"
    other = oidc.token(jti="j2", iat=int(time.time()) - 60)
    assert await authentication.principal(bearer(other))
    change(users.sign_out_everywhere, found.id, int(time.time() * 1000) - 30_000)
    assert await reason_of(authentication, bearer(other)) == "CREDENTIALS_INVALID"
    assert await authentication.principal(bearer(oidc.token(jti="j3")))


async def test_stored_roles_add_to_those_of_the_claims(oidc, authentication, sqlite_database, monkeypatch):
    monkeypatch.setattr(authentication_module, "FRESH_SECONDS", -1.0)
    found = await authentication.principal(bearer(oidc.token(**CLAIMS)))
    with sqlite_database.transaction() as connection:
        for tenant in ("acme", "gamma"):
            users.put_tenant(connection, tenant, 1)
            users.grant(connection, found.id, tenant, "marketing_analyst", 1)
    found = await authentication.principal(bearer(oidc.token(**CLAIMS)))
    assert found.grants == {
        "acme": {"cmo", "marketing_analyst"}, "beta": {"cmo"}, "gamma": {"marketing_analyst"},
    }  # fmt: skip


async def test_a_relational_store_that_is_down_is_outlived_for_a_while(
    oidc, authentication, sqlite_database, monkeypatch
):
    known, new = oidc.token(**CLAIMS), oidc.token(sub="bob")
    assert await authentication.principal(bearer(known))
    monkeypatch.setattr(authentication_module, "FRESH_SECONDS", -1.0)
    for _ in range(5):
        sqlite_database.breaker.failed()
    assert (await authentication.principal(bearer(known))).tenant_ids == {"acme", "beta"}
    assert await reason_of(authentication, bearer(new)) == "IDENTITY_UNAVAILABLE"
    monkeypatch.setattr(authentication_module, "STALE_SECONDS", -1.0)
    assert await reason_of(authentication, bearer(known)) == "IDENTITY_UNAVAILABLE"


async def test_claims_are_found_by_name_and_by_path():
    claims = {
        "https://acme.example/tenant": "acme",
        "realm_access": {"roles": ["marketing_director", "default-roles"]},
        "acr": "gold",
        "service": ["service_account"],
        "deep": {"a": 1},
    }
    names = ClaimNames(
        tenants="https://acme.example/tenant", roles="realm_access.roles", mfa_levels=frozenset({"gold"})
    )
    assert grants_of(claims, names) == {"acme": {"marketing_director"}}
    assert used_mfa(claims, names)
    assert not used_mfa(claims, ClaimNames())
    # A person is no program; a tenant without a role grants nothing.
    assert grants_of(claims, ClaimNames(tenants="https://acme.example/tenant", roles="service")) == {}
    for missing in ("", "deep.a.b", "realm_access", "nothing", "deep.a"):
        assert grants_of(claims, ClaimNames(tenants=missing, roles="realm_access.roles")) == {}
    assert joined({}, [("acme", "service_account"), ("acme", "viewer"), ("acme", "gone")]) == {"acme": {"viewer"}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "roles"]), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from(["tenant_ids", "roles", "amr", "acr", "a"]), json_values))
async def test_any_claims_are_read_without_a_fault(claims):
    for names in (ClaimNames(), ClaimNames(tenants="a.b", roles="a.roles")):
        assert all(tenant and roles for tenant, roles in grants_of(claims, names).items())
        assert used_mfa(claims, names) in {True, False}
