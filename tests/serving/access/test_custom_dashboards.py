"""Custom dashboards in SQLite and PostgreSQL: who sees and changes which, versions, conflicts, and the audit log."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest
from tributary.v1 import dashboards_pb2 as pb

from serving.access.principal import Kind, Principal
from serving.access.roles import Role
from serving.errors import Reason, ServingError
from serving.handlers import dashboards as handlers_module
from serving.handlers.call import Call
from serving.handlers.dashboards import DashboardHandlers
from serving.relational import audit_log
from serving.relational import dashboards as store
from serving.relational.audit_log import Action
from serving.relational.database import Database

pytestmark = pytest.mark.asyncio

TENANT = "acme"


def calls_of(role, name, tenant=TENANT):
    return Call(tenant, Principal(kind=Kind.USER, id=name, grants={tenant: frozenset({role})}, mfa=True))


ANN, BEN, CARL = (calls_of(Role.MARKETING_ANALYST, name) for name in ("ann", "ben", "carl"))
VIEWER, ADMIN = calls_of(Role.VIEWER, "vera"), calls_of(Role.ADMIN, "adam")
STRANGER = calls_of(Role.ADMIN, "ann", "other")


def layout(*rows, metric="revenue"):
    made = pb.DashboardLayout(refresh="60")
    for row in rows:
        made.widgets.add(
            widget_id=f"w{row}",
            kind="kpi",
            area=pb.GridArea(column=0, row=row, width=3, height=4),
            settings=pb.WidgetSettings(metric=metric),
        )
    return made


@pytest.fixture
def database(database_url):
    # As patient as a machine may be busy.
    made = Database(database_url, timeout_seconds=60)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def asked(database):
    """The handlers, by short names."""
    return Asked(database)


class Asked:
    def __init__(self, database):
        self.handlers = DashboardHandlers(database)

    async def make(self, call=ANN, title="Spring", shown=None):
        request = pb.CreateDashboardRequest(title=title, layout=shown or layout(0, 4))
        return (await self.handlers.create_dashboard(request, call)).dashboard

    async def read(self, made, call=ANN, version=0):
        request = pb.GetDashboardRequest(dashboard_id=made.dashboard_id, version=version)
        return (await self.handlers.get_dashboard(request, call)).dashboard

    async def update(self, made, call=ANN, expected=1, title="Summer", shown=None):
        request = pb.UpdateDashboardRequest(
            dashboard_id=made.dashboard_id, expected_version=expected, title=title, layout=shown or layout(0)
        )
        return (await self.handlers.update_dashboard(request, call)).dashboard

    async def share(self, made, *roles, call=ANN):
        request = pb.ShareDashboardRequest(dashboard_id=made.dashboard_id, roles=roles)
        return (await self.handlers.share_dashboard(request, call)).dashboard

    async def delete(self, made, call=ANN, expected=1):
        request = pb.DeleteDashboardRequest(dashboard_id=made.dashboard_id, expected_version=expected)
        return await self.handlers.delete_dashboard(request, call)

    async def restore(self, made, version, expected, call=ANN):
        request = pb.RestoreDashboardRequest(dashboard_id=made.dashboard_id, version=version, expected_version=expected)
        return (await self.handlers.restore_dashboard(request, call)).dashboard

    async def duplicate(self, made, call=ANN, title=""):
        request = pb.DuplicateDashboardRequest(dashboard_id=made.dashboard_id, title=title)
        return (await self.handlers.duplicate_dashboard(request, call)).dashboard

    async def history(self, made, call=ANN):
        request = pb.ListDashboardVersionsRequest(dashboard_id=made.dashboard_id)
        return (await self.handlers.list_dashboard_versions(request, call)).versions

    async def titles(self, call=ANN):
        answer = await self.handlers.list_dashboards(pb.ListDashboardsRequest(), call)
        return {each.title for each in answer.dashboards}


async def refused(awaitable):
    with pytest.raises(ServingError) as error:
        await awaitable
    return error.value


async def test_a_dashboard_is_kept_as_it_was_made(asked):
    made = await asked.make()
    assert (made.version, made.owned_by_caller, made.may_edit, made.may_share) == (1, True, True, True)
    assert (made.title, made.layout, made.widget_count, list(made.shared_with)) == ("Spring", layout(0, 4), 2, [])
    assert await asked.read(made) == made


async def test_what_is_private_is_seen_by_its_owner_only(asked):
    made = await asked.make()
    assert await asked.titles() == {"Spring"}
    for call in (BEN, VIEWER, ADMIN, STRANGER):
        assert await asked.titles(call) == set()
        for attempt in (
            asked.read(made, call),
            asked.update(made, call),
            asked.delete(made, call),
            asked.share(made, "viewer", call=call),
            asked.duplicate(made, call),
            asked.history(made, call),
            asked.restore(made, 1, 1, call),
        ):
            error = await refused(attempt)
            assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, Reason.DASHBOARD_NOT_FOUND)
    assert await asked.read(made) == made


async def test_a_shared_one_is_seen_by_its_roles_and_changed_by_its_owner(asked):
    made = await asked.make()
    shared = await asked.share(made, "viewer", "cmo", "viewer")
    assert list(shared.shared_with) == ["cmo", "viewer"]
    assert (await asked.read(made)).version == 1
    assert await asked.titles(VIEWER) == {"Spring"}
    assert await asked.titles(BEN) == set()
    seen = await asked.read(made, VIEWER)
    assert (seen.owned_by_caller, seen.may_edit, seen.may_share) == (False, False, False)
    for attempt in (asked.update(made, VIEWER), asked.delete(made, VIEWER), asked.share(made, call=VIEWER)):
        assert (await refused(attempt)).reason is Reason.DASHBOARD_NOT_OWNED
    copy = await asked.duplicate(made, VIEWER)
    assert (copy.title, copy.owned_by_caller, copy.may_edit, copy.may_share) == ("Spring (copy)", True, True, False)
    assert copy.layout == made.layout
    assert list((await asked.share(made)).shared_with) == []
    assert await asked.titles(VIEWER) == {"Spring (copy)"}


async def test_who_manages_access_may_change_what_is_shared(asked):
    made = await asked.make()
    await asked.share(made, "viewer")
    assert (await asked.read(made, ADMIN)).may_edit
    assert (await asked.update(made, ADMIN)).version == 2
    await asked.share(made, call=ADMIN)
    assert (await refused(asked.read(made, ADMIN))).reason is Reason.DASHBOARD_NOT_FOUND


async def test_roles_at_another_tenant_open_nothing(asked):
    made = await asked.make()
    await asked.share(made, *(role for role in Role if role != Role.SERVICE_ACCOUNT))
    assert await asked.titles(STRANGER) == set()
    assert (await refused(asked.read(made, STRANGER))).reason is Reason.DASHBOARD_NOT_FOUND
    assert (await refused(asked.delete(made, STRANGER))).reason is Reason.DASHBOARD_NOT_FOUND
    assert (await refused(asked.share(made, "nobody"))).violations[0][0] == "roles"
    assert (await refused(asked.share(made, "service_account"))).violations[0][0] == "roles"


async def test_a_change_to_an_old_version_is_refused_and_changes_nothing(asked):
    made = await asked.make()
    changed = await asked.update(made, title="Summer")
    assert (changed.version, changed.title, changed.widget_count) == (2, "Summer", 1)
    for attempt in (asked.update(made, title="Autumn"), asked.delete(made), asked.restore(made, 1, 1)):
        error = await refused(attempt)
        assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, Reason.DASHBOARD_CONFLICT)
        assert error.metadata == {"current_version": "2"}
    assert (await refused(asked.update(made, expected=9))).reason is Reason.DASHBOARD_CONFLICT
    assert (await refused(asked.update(made, expected=0))).violations[0][0] == "expected_version"
    assert await asked.read(made) == changed


async def test_the_same_change_sent_twice_is_made_once(asked):
    made = await asked.make()
    assert await asked.update(made) == await asked.update(made)
    assert await asked.restore(made, 1, 2) == await asked.restore(made, 1, 2)
    assert [each.version for each in await asked.history(made)] == [3, 2, 1]


async def test_of_changes_at_the_same_time_one_is_made(asked):
    made = await asked.make()
    changes = [asked.update(made, title=f"Title {number}") for number in range(4)]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    conflicts = [each for each in outcomes if isinstance(each, ServingError)]
    assert [each.reason for each in conflicts] == [Reason.DASHBOARD_CONFLICT] * 3
    (kept,) = [each for each in outcomes if not isinstance(each, ServingError)]
    assert await asked.read(made) == kept


async def test_an_earlier_version_is_seen_and_restored(asked):
    made = await asked.make()
    await asked.update(made)
    old = await asked.read(made, version=1)
    assert (old.title, old.layout, old.widget_count, old.version) == ("Spring", made.layout, 2, 2)
    restored = await asked.restore(made, 1, 2)
    assert (restored.version, restored.title, restored.layout) == (3, "Spring", made.layout)
    history = await asked.history(made)
    assert [(each.version, each.title, each.restored_from, each.changed_by) for each in history] == [
        (3, "Spring", 1, "ann"),
        (2, "Summer", 0, "ann"),
        (1, "Spring", 0, "ann"),
    ]
    assert (await refused(asked.read(made, version=7))).reason is Reason.DASHBOARD_VERSION_NOT_FOUND
    assert (await refused(asked.restore(made, 7, 3))).reason is Reason.DASHBOARD_VERSION_NOT_FOUND


async def test_the_newest_versions_are_kept(asked, monkeypatch):
    monkeypatch.setattr(store, "VERSIONS_KEPT", 3)
    made = await asked.make()
    for version in range(1, 6):
        await asked.update(made, expected=version, title=f"Title {version}")
    assert [each.version for each in await asked.history(made)] == [6, 5, 4]


async def test_deleting_leaves_nothing(asked, database):
    made = await asked.make()
    await asked.share(made, "viewer")
    await asked.delete(made)
    assert (await refused(asked.read(made))).reason is Reason.DASHBOARD_NOT_FOUND
    with database.transaction() as connection:
        for table in (store.dashboards, store.dashboard_versions, store.dashboard_shares):
            assert connection.execute(table.select()).all() == []


async def test_pages_hold_every_dashboard_once(asked, monkeypatch):
    # All in one millisecond, so that the order is by id.
    monkeypatch.setattr(handlers_module, "now_ms", lambda: 1_000)
    made = {(await asked.make(title=f"Board {number}")).dashboard_id for number in range(5)}
    seen, token = [], ""
    while True:
        request = pb.ListDashboardsRequest(page_size=2, page_token=token)
        answer = await asked.handlers.list_dashboards(request, ANN)
        assert all(not each.HasField("layout") for each in answer.dashboards)
        seen += [each.dashboard_id for each in answer.dashboards]
        token = answer.next_page_token
        if not token:
            break
    assert len(seen) == 5
    assert set(seen) == made


async def test_nobody_has_more_than_the_most(asked, monkeypatch):
    monkeypatch.setattr(handlers_module, "MOST_OWNED", 2)
    made = await asked.make()
    await asked.make()
    for attempt in (asked.make(), asked.duplicate(made)):
        error = await refused(attempt)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.TOO_MANY_DASHBOARDS)
    await asked.make(BEN)


async def test_what_permissions_say_is_told(asked):
    for call, may_create in ((ANN, True), (VIEWER, True), (ADMIN, True)):
        answer = await asked.handlers.list_dashboards(pb.ListDashboardsRequest(), call)
        assert answer.may_create is may_create
    program = Principal(
        kind=Kind.SERVICE, id="k1", grants={TENANT: frozenset({Role.SERVICE_ACCOUNT})}, scopes=frozenset()
    )
    answer = await asked.handlers.list_dashboards(pb.ListDashboardsRequest(), Call(TENANT, program))
    assert answer.may_create is False


async def test_every_change_is_in_the_audit_log_and_no_refused_one(asked, database):
    made = await asked.make()
    await asked.update(made)
    await refused(asked.update(made, title="Autumn"))
    await asked.restore(made, 1, 2)
    await asked.share(made, "viewer")
    await asked.duplicate(made, VIEWER)
    await asked.delete(made, expected=3)
    with database.transaction() as connection:
        noted = audit_log.entries_of(connection, TENANT, 0, int(time.time() * 1000) + 60_000, 100)
    assert {each.action for each in noted} == {Action.CHANGE}
    names = [(each.method.rpartition(".")[2], each.caller_id) for each in noted]
    assert sorted(names) == [
        ("CreateDashboard", "ann"),
        ("DeleteDashboard", "ann"),
        ("DuplicateDashboard", "vera"),
        ("RestoreDashboard", "ann"),
        ("ShareDashboard", "ann"),
        ("UpdateDashboard", "ann"),
    ]


@pytest.mark.parametrize("name", ["", "\0", "x" * 257, "'; DROP TABLE dashboards; --", "\U0001f600"])
async def test_strange_ids_are_refused_in_words(asked, name):
    error = await refused(asked.read(pb.Dashboard(dashboard_id=name)))
    assert error.code in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


async def test_a_server_without_a_store_or_with_a_broken_one_says_so(tmp_path):
    error = await refused(Asked(None).make())
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, Reason.RELATIONAL_STORE_MISSING)
    (tmp_path / "folder").mkdir()
    broken = Database(f"sqlite:///{tmp_path}/folder", timeout_seconds=60)
    error = await refused(Asked(broken).make())
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.RELATIONAL_STORE_UNAVAILABLE)
    assert error.retry_after_seconds
    broken.close()
