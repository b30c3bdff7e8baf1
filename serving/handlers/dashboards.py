"""Custom dashboards: who sees which, and how they change."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NoReturn, TypeVar

import grpc
from tributary.v1 import dashboards_pb2 as dashboards_pb

from serving.access import audit
from serving.access.roles import GRANTABLE, Permission, Role
from serving.errors import Reason, ServingError, invalid, unavailable
from serving.handlers.dashboard_layouts import LONGEST_TITLE, layout_json, read_layout, read_title
from serving.handlers.requests import now_ms, page_size, read_name
from serving.handlers.tokens import make_token, read_token
from serving.relational import audit_log, dashboards
from serving.relational.audit_log import Action
from serving.relational.dashboards import StoredDashboard, StoredVersion, Viewer
from serving.relational.database import RelationalStoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from serving.handlers.call import Call
    from serving.relational.database import Database

T = TypeVar("T")

SERVICE = "tributary.v1.DashboardService"
DEFAULT_PAGE = 50
LARGEST_PAGE = 200
PAGING = ("page_token", "page_size")
# More than a person can keep in order; what keeps a program from filling the database.
MOST_OWNED = 100
RETRY_SECONDS = 2.0
COPY = " (copy)"


class DashboardHandlers:
    """Answers of the DashboardService. Without a database every call is refused."""

    def __init__(self, database: Database | None) -> None:
        """Keep the database."""
        self._database = database

    async def list_dashboards(
        self, request: dashboards_pb.ListDashboardsRequest, call: Call
    ) -> dashboards_pb.ListDashboardsResponse:
        """The caller's own dashboards and those shared with a role of theirs."""
        size = page_size(request.page_size, DEFAULT_PAGE, LARGEST_PAGE)
        after = None
        if request.page_token:
            updated_at, last_id = read_token(request.page_token, "page_token", request, PAGING, (int, str))
            after = (updated_at, last_id)
        viewer = _viewer(call)
        found = await self._run(lambda connection: dashboards.page(connection, viewer, size + 1, after))
        more, found = len(found) > size, found[:size]
        return dashboards_pb.ListDashboardsResponse(
            dashboards=[_message(each, call) for each in found],
            next_page_token=make_token(request, PAGING, [found[-1].updated_at, found[-1].dashboard_id]) if more else "",
            may_create=_may(call, Permission.EDIT_DASHBOARDS),
        )

    async def get_dashboard(
        self, request: dashboards_pb.GetDashboardRequest, call: Call
    ) -> dashboards_pb.GetDashboardResponse:
        """One dashboard with its layout, or that of an earlier version."""
        if request.version < 0:
            raise invalid("version", "must be 0 (the newest) or a version")

        def read(connection: Connection) -> dashboards_pb.Dashboard:
            held = _find(connection, call, request.dashboard_id)
            wanted = _version(connection, held, request.version or held.version)
            answer = _message(held, call, wanted.layout)
            answer.title, answer.widget_count = wanted.title, wanted.widget_count
            return answer

        return dashboards_pb.GetDashboardResponse(dashboard=await self._run(read))

    async def create_dashboard(
        self, request: dashboards_pb.CreateDashboardRequest, call: Call
    ) -> dashboards_pb.CreateDashboardResponse:
        """Make a private dashboard of the caller."""
        title, layout = read_title(request.title), layout_json(request.layout)
        made = await self._add(call, "CreateDashboard", lambda _: (title, layout, len(request.layout.widgets)))
        return dashboards_pb.CreateDashboardResponse(dashboard=made)

    async def duplicate_dashboard(
        self, request: dashboards_pb.DuplicateDashboardRequest, call: Call
    ) -> dashboards_pb.DuplicateDashboardResponse:
        """Make a private copy for the caller."""
        title = read_title(request.title) if request.title else ""

        def read(connection: Connection) -> tuple[str, str, int]:
            held = _find(connection, call, request.dashboard_id)
            newest = _version(connection, held, held.version)
            return title or newest.title[: LONGEST_TITLE - len(COPY)] + COPY, newest.layout, newest.widget_count

        made = await self._add(call, "DuplicateDashboard", read)
        return dashboards_pb.DuplicateDashboardResponse(dashboard=made)

    async def update_dashboard(
        self, request: dashboards_pb.UpdateDashboardRequest, call: Call
    ) -> dashboards_pb.UpdateDashboardResponse:
        """Replace title and layout."""
        title, layout = read_title(request.title), layout_json(request.layout)
        expected = _expected(request.expected_version)

        def change(connection: Connection) -> dashboards_pb.Dashboard:
            held = _find(connection, call, request.dashboard_id, to_change=True)
            new = _next_version(call, expected, title, layout, len(request.layout.widgets))
            return _replace(connection, call, held, expected, new, "UpdateDashboard")

        return dashboards_pb.UpdateDashboardResponse(dashboard=await self._run(change))

    async def restore_dashboard(
        self, request: dashboards_pb.RestoreDashboardRequest, call: Call
    ) -> dashboards_pb.RestoreDashboardResponse:
        """Make an earlier version the newest one again."""
        expected = _expected(request.expected_version)
        if request.version < 1:
            raise invalid("version", "must be the version to bring back, 1 or higher")

        def change(connection: Connection) -> dashboards_pb.Dashboard:
            held = _find(connection, call, request.dashboard_id, to_change=True)
            old = _version(connection, held, request.version)
            new = _next_version(call, expected, old.title, old.layout, old.widget_count, old.version)
            return _replace(connection, call, held, expected, new, "RestoreDashboard")

        return dashboards_pb.RestoreDashboardResponse(dashboard=await self._run(change))

    async def delete_dashboard(
        self, request: dashboards_pb.DeleteDashboardRequest, call: Call
    ) -> dashboards_pb.DeleteDashboardResponse:
        """Delete a dashboard with all its versions."""
        expected = _expected(request.expected_version)

        def change(connection: Connection) -> None:
            held = _find(connection, call, request.dashboard_id, to_change=True)
            _check_owner(held, call)
            if not dashboards.remove(connection, call.tenant_id, held.dashboard_id, expected):
                _conflict(held)
            _note(connection, call, "DeleteDashboard")

        await self._run(change)
        return dashboards_pb.DeleteDashboardResponse()

    async def list_dashboard_versions(
        self, request: dashboards_pb.ListDashboardVersionsRequest, call: Call
    ) -> dashboards_pb.ListDashboardVersionsResponse:
        """The versions that are kept."""

        def read(connection: Connection) -> list[StoredVersion]:
            held = _find(connection, call, request.dashboard_id)
            return dashboards.history(connection, held.dashboard_id)

        versions = await self._run(read)
        return dashboards_pb.ListDashboardVersionsResponse(versions=[_version_message(each, call) for each in versions])

    async def share_dashboard(
        self, request: dashboards_pb.ShareDashboardRequest, call: Call
    ) -> dashboards_pb.ShareDashboardResponse:
        """Say which roles see a dashboard."""
        roles = sorted({*request.roles})
        if not GRANTABLE.issuperset(roles):
            raise invalid("roles", f"allowed: {', '.join(sorted(GRANTABLE))}")

        def change(connection: Connection) -> dashboards_pb.Dashboard:
            held = _find(connection, call, request.dashboard_id, to_change=True)
            _check_owner(held, call)
            dashboards.share(connection, held.dashboard_id, roles)
            _note(connection, call, "ShareDashboard")
            # Whoever is not the owner may have ended their own view of it.
            shared = _message(held, call)
            shared.shared_with[:] = roles
            return shared

        return dashboards_pb.ShareDashboardResponse(dashboard=await self._run(change))

    async def _add(
        self, call: Call, method: str, content: Callable[[Connection], tuple[str, str, int]]
    ) -> dashboards_pb.Dashboard:
        # Made once: when the store is asked again because its answer was lost, it is the same dashboard.
        dashboard_id, now = uuid.uuid4().hex, now_ms()

        def change(connection: Connection) -> dashboards_pb.Dashboard:
            title, layout, widgets = content(connection)
            caller, viewer = call.principal.id, _viewer(call)
            made = dashboards.find(connection, viewer, dashboard_id)
            if made is None:
                if dashboards.owned(connection, call.tenant_id, caller) >= MOST_OWNED:
                    raise ServingError(
                        grpc.StatusCode.RESOURCE_EXHAUSTED,
                        Reason.TOO_MANY_DASHBOARDS,
                        f"nobody has more than {MOST_OWNED} dashboards: delete one first",
                    )
                made = StoredDashboard(dashboard_id, call.tenant_id, caller, title, 1, widgets, now, now)
                dashboards.add(connection, made, layout)
                _note(connection, call, method)
            return _message(made, call, layout)

        return await self._run(change)

    async def _run(self, work: Callable[[Connection], T]) -> T:
        if self._database is None:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                Reason.RELATIONAL_STORE_MISSING,
                "this server keeps no dashboards: start it with --relational-url",
            )
        try:
            return await self._database.run(work)
        except RelationalStoreUnavailable:
            raise unavailable(
                Reason.RELATIONAL_STORE_UNAVAILABLE, "dashboards cannot be read or kept at the moment", RETRY_SECONDS
            ) from None


def _viewer(call: Call) -> Viewer:
    roles = call.principal.roles(call.tenant_id) - {Role.SERVICE_ACCOUNT}
    manages = _may(call, Permission.MANAGE_ACCESS)
    return Viewer(call.tenant_id, call.principal.id, frozenset(map(str, roles)), manages)


def _may(call: Call, permission: Permission) -> bool:
    return permission in call.principal.permissions(call.tenant_id)


def _owns(held: StoredDashboard, call: Call) -> bool:
    """Tell whether the caller may change a dashboard that they see: their own, or as who manages access any."""
    return held.owner_id == call.principal.id or _may(call, Permission.MANAGE_ACCESS)


def _find(connection: Connection, call: Call, dashboard_id: str, *, to_change: bool = False) -> StoredDashboard:
    read_name(dashboard_id, "dashboard_id")
    # PostgreSQL refuses text with NUL, and no id has one.
    known = "\0" not in dashboard_id
    held = dashboards.find(connection, _viewer(call), dashboard_id, to_change=to_change) if known else None
    if held is None:
        raise ServingError(
            grpc.StatusCode.NOT_FOUND,
            Reason.DASHBOARD_NOT_FOUND,
            "there is no such dashboard, or it is not shared with a role of the caller",
        )
    return held


def _version(connection: Connection, held: StoredDashboard, number: int) -> StoredVersion:
    found = dashboards.version(connection, held.dashboard_id, number)
    if found is None:
        raise ServingError(
            grpc.StatusCode.NOT_FOUND,
            Reason.DASHBOARD_VERSION_NOT_FOUND,
            f"version {number} is not kept; the newest {dashboards.VERSIONS_KEPT} are",
        )
    return found


def _check_owner(held: StoredDashboard, call: Call) -> None:
    if not _owns(held, call):
        raise ServingError(
            grpc.StatusCode.PERMISSION_DENIED,
            Reason.DASHBOARD_NOT_OWNED,
            "only its owner may change this dashboard: make a copy",
        )


def _conflict(held: StoredDashboard) -> NoReturn:
    raise ServingError(
        grpc.StatusCode.ABORTED,
        Reason.DASHBOARD_CONFLICT,
        f"the dashboard was changed meanwhile: its version is {held.version}",
        metadata={"current_version": str(held.version)},
    )


def _expected(version: int) -> int:
    if version < 1:
        raise invalid("expected_version", "must be the version that the change is made to, 1 or higher")
    return version


def _next_version(
    call: Call, expected: int, title: str, layout: str, widgets: int, restored_from: int = 0
) -> StoredVersion:
    return StoredVersion(expected + 1, title, layout, widgets, now_ms(), call.principal.id, restored_from)


def _same(new: StoredVersion, held: StoredVersion) -> bool:
    return (new.title, new.layout, new.changed_by, new.restored_from) == (
        held.title, held.layout, held.changed_by, held.restored_from,
    )  # fmt: skip


def _replace(
    connection: Connection, call: Call, held: StoredDashboard, expected: int, new: StoredVersion, method: str
) -> dashboards_pb.Dashboard:
    if held.version == expected + 1 and _same(new, _version(connection, held, held.version)):
        # The same change once more, because its first answer was lost.
        return _message(held, call, new.layout)
    _check_owner(held, call)
    if held.version != expected or not dashboards.replace(connection, call.tenant_id, held.dashboard_id, expected, new):
        _conflict(held)
    _note(connection, call, method)
    return _message(_find(connection, call, held.dashboard_id), call, new.layout)


def _note(connection: Connection, call: Call, method: str) -> None:
    """Write the change into the audit log, in the transaction that makes it."""
    noted = audit.entry(call.principal, call.tenant_id, Action.CHANGE, f"{SERVICE}.{method}", rows=1)
    audit_log.append(connection, [noted])


def _message(held: StoredDashboard, call: Call, layout: str | None = None) -> dashboards_pb.Dashboard:
    owns = _owns(held, call)
    made = dashboards_pb.Dashboard(
        dashboard_id=held.dashboard_id,
        title=held.title,
        layout=None if layout is None else read_layout(layout),
        version=held.version,
        owner_id=held.owner_id,
        owned_by_caller=held.owner_id == call.principal.id,
        shared_with=held.shared_with,
        widget_count=held.widget_count,
        may_edit=owns and _may(call, Permission.EDIT_DASHBOARDS),
        may_share=owns and _may(call, Permission.SHARE_DASHBOARDS),
    )
    made.created_at.FromMilliseconds(held.created_at)
    made.updated_at.FromMilliseconds(held.updated_at)
    return made


def _version_message(held: StoredVersion, call: Call) -> dashboards_pb.DashboardVersion:
    made = dashboards_pb.DashboardVersion(
        version=held.version,
        title=held.title,
        changed_by=held.changed_by,
        changed_by_caller=held.changed_by == call.principal.id,
        restored_from=held.restored_from,
        widget_count=held.widget_count,
    )
    made.changed_at.FromMilliseconds(held.changed_at)
    return made
