"""The relational database: its schema, what it refuses, and what happens when it does not answer."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError, IntegrityError

from serving.relational import audit_log, service_keys, sessions, users
from serving.relational.audit_log import Action, Entry
from serving.relational.database import Database, RelationalStoreUnavailable
from serving.relational.service_keys import StoredKey
from serving.relational.sessions import Session
from serving.relational.tables import METADATA
from tests.serving.access.postgresql_server import PostgresqlServer, binaries


def entry(at=1000, **changed):
    values = {
        "entry_id": uuid.uuid4().hex,
        "at": at,
        "caller_kind": "user",
        "caller_id": "u1",
        "tenant_id": "acme",
        "action": Action.READ,
        "method": "tributary.v1.AlertService.ListAlerts",
    }
    return Entry(**(values | changed))


def test_migrations_make_the_tables_that_the_code_knows(database):
    with database.transaction() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.migrate()


def test_processes_that_start_together_migrate_once(database_url):
    together = threading.Barrier(3)

    def start():
        database = Database(database_url, timeout_seconds=30)
        together.wait(30)
        database.migrate()
        database.close()

    with ThreadPoolExecutor(3) as pool:
        for started in [pool.submit(start) for _ in range(3)]:
            started.result()


@pytest.mark.parametrize("change", ["UPDATE audit_log SET rows = 1", "DELETE FROM audit_log", "TRUNCATE audit_log"])
def test_the_audit_log_refuses_every_change(database, change):
    written = entry(range_start=1, range_end=2, rows=3, outcome="MFA_REQUIRED")
    with database.transaction() as connection:
        audit_log.append(connection, [written])
    refusal = pytest.raises(DBAPIError, match=r"append-only|TRUNCATE")
    with refusal, database.transaction() as connection:
        connection.execute(sa.text(change))
    with database.transaction() as connection:
        assert audit_log.entries_of(connection, "acme", 0, 2000, 10) == [written]


def test_audit_entries_are_found_by_tenant_and_time_and_written_once(database):
    entries = [entry(at) for at in (1000, 2000, 3000)]
    with database.transaction() as connection:
        audit_log.append(connection, entries[:2])
        audit_log.append(connection, [*entries, entry(2000, tenant_id="other")])
        assert audit_log.entries_of(connection, "acme", 1000, 3000, 10) == [entries[1], entries[0]]
        assert audit_log.entries_of(connection, "acme", 0, 9000, 1) == [entries[2]]


def test_users_and_roles(database):
    with database.transaction() as connection:
        first = users.find_or_add_user(connection, "https://idp", "ann", 5)
        assert users.find_or_add_user(connection, "https://idp", "ann", 6) == first
        assert users.find_or_add_user(connection, "https://other", "ann", 6).user_id != first.user_id
        users.put_tenant(connection, "acme", 5)
        assert users.grant(connection, first.user_id, "acme", "cmo", 7) is True
        assert users.grant(connection, first.user_id, "acme", "cmo", 8) is False
        assert users.user(connection, first.user_id).grants == (("acme", "cmo"),)
        assert users.users_of(connection, "acme") == [(first.user_id, "https://idp", "ann", "cmo", False)]
        assert users.disable(connection, first.user_id, 9)
        assert users.sign_out_everywhere(connection, first.user_id, 10)
        held = users.user(connection, first.user_id)
        assert (held.disabled, held.valid_from) == (True, 10)
        assert users.enable(connection, first.user_id)
        assert users.user(connection, first.user_id).disabled is False
        assert users.withdraw(connection, first.user_id, "acme", "cmo")
        assert not users.withdraw(connection, first.user_id, "acme", "cmo")
        assert users.users_of(connection, "acme") == []
        assert not users.disable(connection, "nobody", 9)
        users.revoke_token(connection, "https://idp", "j1", 9)
        users.revoke_token(connection, "https://idp", "j1", 10)
        assert users.token_revoked(connection, "https://idp", "j1")
        assert not users.token_revoked(connection, "https://other", "j1")
    with pytest.raises(IntegrityError), database.transaction() as connection:
        users.grant(connection, first.user_id, "unknown", "cmo", 7)


def test_tenants_have_limits_of_their_own(database):
    with database.transaction() as connection:
        assert users.tenant(connection, "acme") is None
        users.put_tenant(connection, "acme", 1, 5.5, 10)
        assert users.tenant(connection, "acme") == users.Tenant("acme", 5.5, 10)
        users.put_tenant(connection, "acme", 2)
        assert users.tenant(connection, "acme") == users.Tenant("acme", None, None)


def test_service_keys(database):
    key = StoredKey("k1", "acme", "BI", "0" * 64, ("view_campaigns", "export_all"), 1, 99, None, None)
    with pytest.raises(IntegrityError), database.transaction() as connection:
        service_keys.add_key(connection, key)
    with database.transaction() as connection:
        users.put_tenant(connection, "acme", 1)
        service_keys.add_key(connection, key)
        assert service_keys.find_key(connection, "k1") == key
        assert service_keys.find_key(connection, "k2") is None
        service_keys.note_uses(connection, {"k1": 50, "k2": 60})
        service_keys.note_uses(connection, {"k1": 40})
        assert not service_keys.revoke_key(connection, "other", "k1", 70)
        assert service_keys.revoke_key(connection, "acme", "k1", 70)
        assert not service_keys.revoke_key(connection, "acme", "k1", 80)
        (held,) = service_keys.keys_of(connection, "acme")
        assert (held.last_used_at, held.revoked_at) == (50, 70)


def test_one_at_a_time_renews_a_session(database):
    with database.transaction() as connection:
        owner = users.find_or_add_user(connection, "https://idp", "ann", 5).user_id
        session = Session("h", owner, "{}", mfa=True, created_at=1, expires_at=10, ends_at=100, refresh_token="sealed")
        sessions.add_session(connection, session)
        assert sessions.find_session(connection, "h") == session
        assert sessions.claim_renewal(connection, session, now=5, until=15)
        assert not sessions.claim_renewal(connection, session, now=6, until=16)
        assert sessions.claim_renewal(connection, session, now=16, until=26)
        sessions.renew(connection, "h", grants='{"a":["cmo"]}', mfa=False, expires_at=50, refresh_token=None)
        renewed = sessions.find_session(connection, "h")
        assert (renewed.grants, renewed.mfa, renewed.expires_at, renewed.refresh_token) == (
            '{"a":["cmo"]}', False, 50, None,
        )  # fmt: skip
        # Whoever found it before the renewal holds a refresh token that no longer works.
        assert not sessions.claim_renewal(connection, session, now=20, until=30)
        assert sessions.claim_renewal(connection, renewed, now=20, until=30)
        much_later = 100 + sessions.KEPT_AFTER_END_MS + 1
        other = Session("i", owner, "{}", False, much_later, much_later, much_later, None)
        sessions.add_session(connection, other)
        assert sessions.find_session(connection, "h") is None
        sessions.end_session(connection, "i")
        assert sessions.find_session(connection, "i") is None


@pytest.mark.parametrize(
    "url", ["", "mysql://u@h/db", "sqlite://", "postgresql://u@h:1", "no url", "postgresql+asyncpg://u@h/d"]
)
def test_other_databases_are_refused(url):
    with pytest.raises(ValueError, match="database"):
        Database(url)


def count(connection):
    return connection.scalar(sa.select(sa.func.count()).select_from(sa.table("users")))


def test_a_store_that_is_down_is_said_to_be_unavailable_and_left_alone():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    database = Database(f"postgresql://u@127.0.0.1:{port}/d", "not-to-be-shown")

    async def ask_often():
        for _ in range(5):
            with pytest.raises(RelationalStoreUnavailable) as refused:
                await database.run(count)
            assert "shown" not in str(refused.value)
        with pytest.raises(RelationalStoreUnavailable, match="circuit"):
            await database.run(count)

    asyncio.run(ask_often())
    database.close()


def test_a_store_that_hangs_costs_the_time_limit_and_works_again_afterwards(tmp_path):
    programs = binaries()
    if programs is None:
        pytest.skip("the PostgreSQL server is not installed")
    server = PostgresqlServer(tmp_path, programs)
    database = Database(server.url, timeout_seconds=1.0)
    database.migrate()

    async def freeze_and_thaw():
        assert await database.run(count) == 0
        children = [int(child) for child in _children(server.process.pid)]
        for process in (server.process.pid, *children):
            os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(RelationalStoreUnavailable):
                await database.run(count)
        finally:
            for process in (server.process.pid, *children):
                os.kill(process, signal.SIGCONT)
        async with asyncio.timeout(60):
            while True:
                try:
                    assert await database.run(count) == 0
                except RelationalStoreUnavailable:
                    await asyncio.sleep(0.05)
                else:
                    return

    try:
        asyncio.run(freeze_and_thaw())
    finally:
        database.close()
        server.stop()


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as listed:  # noqa: PTH123 - not a file in a file system
        return listed.read().split()


def test_a_lost_connection_is_replaced(database):
    async def scenario():
        assert await database.run(count) == 0
        failed = []

        def fails_once(connection):
            if not failed:
                failed.append(True)
                raise sa.exc.OperationalError("SELECT 1", {}, Exception("connection lost"))
            return count(connection)

        assert await database.run(fails_once) == 0
        assert failed

    asyncio.run(scenario())
