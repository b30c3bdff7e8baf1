"""Service keys, from the command line that makes them to the calls that they open."""

from __future__ import annotations

import json
import time

import pytest
import pytest_asyncio

from serving.access import authentication as authentication_module
from serving.access.__main__ import main
from serving.access.audit import AuditWriter
from serving.access.authentication import Authentication
from serving.access.principal import Kind
from serving.access.settings import AccessSettings
from serving.errors import ServingError
from serving.relational import audit_log, service_keys
from serving.relational.tables import service_keys as table


@pytest.fixture
def run(sqlite_database, tmp_path, capsys):
    """Run a command; returns (status, lines, what was complained about)."""

    def command(*arguments):
        status = main(["--relational-url", f"sqlite:///{tmp_path}/relational.sqlite", *arguments])
        shown = capsys.readouterr()
        return status, [json.loads(line) for line in shown.out.splitlines()], shown.err

    return command


@pytest.fixture
def make_key(run):
    def make(*scopes, tenant="acme", days="30"):
        run("tenants", "add", tenant)
        chosen = [part for scope in scopes or ("view_campaigns",) for part in ("--scope", scope)]
        status, (key,), _ = run("keys", "create", "--tenant", tenant, "--name", "BI", "--days", days, *chosen)
        assert status == 0
        return key

    return make


@pytest_asyncio.fixture
async def authentication(sqlite_database, monkeypatch):
    monkeypatch.setattr(authentication_module, "FRESH_SECONDS", -1.0)
    return Authentication(AccessSettings(service_keys=True), sqlite_database)


def bearer(key):
    return {"authorization": f"Bearer {key}"}


async def reason_of(authentication, key):
    with pytest.raises(ServingError) as refused:
        await authentication.principal(bearer(key))
    return refused.value.reason


def test_a_key_is_shown_once_and_only_its_hash_is_kept(make_key, run, sqlite_database):
    made = make_key("view_campaigns", "export_all")
    assert made["key"].startswith(f"trb_{made['key_id']}_")
    secret = made["key"].rpartition("_")[2]
    assert len(secret) == 64
    with sqlite_database.transaction() as connection:
        assert secret not in repr(connection.execute(table.select()).all())
    status, (listed,), _ = run("keys", "list", "--tenant", "acme")
    assert status == 0
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert listed["scopes"] == ["export_all", "view_campaigns"]
    assert abs(listed["expires_at"] - (time.time() + 30 * 86_400) * 1000) < 60_000
    assert make_key(days="0")["expires_at"] is None


@pytest.mark.asyncio
async def test_a_key_opens_its_tenant_within_its_scopes(make_key, authentication):
    found = await authentication.principal(bearer(make_key("view_campaigns", "export_campaigns")["key"]))
    assert (found.kind, found.tenant_ids) == (Kind.SERVICE, {"acme"})
    assert found.permissions("acme") == {"view_campaigns", "export_campaigns"}
    assert found.permissions("other") == frozenset()
    assert not found.lacks_mfa("acme")


@pytest.mark.asyncio
async def test_wrong_revoked_and_expired_keys_are_refused(make_key, run, authentication, sqlite_database):
    made = make_key()
    key = made["key"]
    assert await authentication.principal(bearer(key))
    for wrong in (
        key[:-1] + ("0" if key[-1] != "0" else "1"),
        key + "0",
        f"trb_{'0' * 20}_{'0' * 64}",
        "trb_",
        key.upper(),
    ):
        assert await reason_of(authentication, wrong) == "CREDENTIALS_INVALID"
    other = make_key(tenant="beta")
    mixed = f"trb_{made['key_id']}_{other['key'].rpartition('_')[2]}"
    assert await reason_of(authentication, mixed) == "CREDENTIALS_INVALID"
    assert run("keys", "revoke", "--tenant", "beta", made["key_id"])[0] == 1
    assert run("keys", "revoke", "--tenant", "acme", made["key_id"])[0] == 0
    assert await reason_of(authentication, key) == "CREDENTIALS_INVALID"
    with sqlite_database.transaction() as connection:
        connection.execute(table.update().where(table.c.key_id == other["key_id"]).values(expires_at=1))
    assert await reason_of(authentication, other["key"]) == "CREDENTIALS_EXPIRED"


@pytest.mark.asyncio
async def test_keys_are_refused_where_they_are_not_allowed(make_key, sqlite_database):
    without = Authentication(AccessSettings(), sqlite_database)
    assert (await without.principal(bearer(make_key()["key"]))).kind is Kind.DEMO


@pytest.mark.asyncio
async def test_the_last_use_is_written_down(make_key, authentication, sqlite_database):
    made = make_key()
    await authentication.principal(bearer(made["key"]))
    assert await AuditWriter(sqlite_database, authentication.used_keys).flush()
    with sqlite_database.transaction() as connection:
        used = service_keys.find_key(connection, made["key_id"]).last_used_at
    assert abs(used - time.time() * 1000) < 60_000
    assert authentication.used_keys == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "create", "--tenant", "acme", "--name", "x", "--scope", "manage_access"), "invalid choice"),
        (("keys", "create", "--tenant", "acme", "--name", "x"), "--scope"),
        (("keys", "create", "--tenant", "a b", "--name", "x", "--scope", "view_campaigns"), "characters"),
        (("tenants", "add", "acme", "--calls-per-second", "0"), "above 0"),
        (("roles", "grant", "--tenant", "acme", "service_account", "u"), "invalid choice"),
        ((), "TOPIC"),
    ],
)
def test_wrong_arguments_are_named(run, capsys, arguments, said):
    with pytest.raises(SystemExit):
        run(*arguments)
    assert said in capsys.readouterr().err


def test_what_does_not_exist_is_said(run, capsys):
    scope = ("--scope", "view_campaigns")
    assert "tenants add" in run("keys", "create", "--tenant", "nobody", "--name", "x", *scope)[2]
    assert "no user u" in run("users", "disable", "u")[2]
    assert "no user u" in run("roles", "grant", "--tenant", "nobody", "cmo", "u")[2]
    assert main(["--relational-url", "mysql://u:secret@h/d", "roles", "list"]) == 2
    assert "secret" not in capsys.readouterr().err


def test_users_and_roles_from_the_command_line(run, sqlite_database):
    run("tenants", "add", "acme", "--calls-per-second", "5", "--burst", "10")
    _, (user,), _ = run("users", "add", "--issuer", "https://idp", "--subject", "ann")
    assert run("roles", "grant", "--tenant", "acme", "cmo", user["user_id"])[0] == 0
    _, (listed,), _ = run("users", "list", "--tenant", "acme")
    assert listed == user | {"issuer": "https://idp", "subject": "ann", "role": "cmo", "disabled": False}
    for command in ("disable", "enable", "sign-out"):
        assert run("users", command, user["user_id"])[0] == 0
    assert run("tokens", "revoke", "--issuer", "https://idp", "j1")[0] == 0
    assert run("roles", "withdraw", "--tenant", "acme", "cmo", user["user_id"])[0] == 0
    assert run("roles", "withdraw", "--tenant", "acme", "cmo", user["user_id"])[0] == 1
    assert len(run("roles", "list")[1]) == 6
    # Every change is in the log, and none of it names the person.
    _, entries, _ = run("audit", "--tenant", "acme")
    done = {entry["method"].split(" " + user["user_id"])[0] for entry in entries}
    assert done == {
        "tenants add",
        "roles grant cmo",
        "users disable",
        "users enable",
        "users sign-out",
        "roles withdraw cmo",
    }
    assert "ann" not in repr(entries)
    assert {entry["action"] for entry in entries} == {audit_log.Action.MANAGE}
