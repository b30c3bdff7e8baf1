"""What each role permits, held against a table written apart from the code, for every role, permission and method."""

from __future__ import annotations

import itertools

import grpc
import pytest
from tributary.v1 import alerts_pb2, attribution_pb2, campaign_metrics_pb2, journeys_pb2, quality_pb2

from serving.access.authorization import NEEDED, authorize
from serving.access.principal import Kind, Principal
from serving.access.roles import GRANTABLE, NEEDS_MFA, PERMISSIONS, Permission, Role, permissions_of
from serving.errors import Reason, ServingError
from tests.serving.test_tenant_isolation import METHODS

# Requirement F4: cmo: executive, full export; marketing_director: operational, campaign data export; marketing_analyst:
# detail and attribution, full data export. J1: a second factor for admins and executives.
EXPECTED = """
                   admin cmo marketing_director marketing_analyst viewer service_account
view_executive     x     x   .                  .                 .      .
view_campaigns     x     x   x                  x                 x      x
view_operations    x     .   x                  x                 .      x
view_attribution   x     x   .                  x                 .      x
view_detail        x     .   .                  x                 .      x
export_campaigns   x     x   x                  x                 .      x
export_all         x     x   .                  x                 .      x
edit_dashboards    x     x   x                  x                 x      x
share_dashboards   x     x   x                  x                 .      x
read_audit         x     .   .                  .                 .      x
manage_access      x     .   .                  .                 .      .
"""
HEAD, *ROWS = (line.split() for line in EXPECTED.strip().splitlines())
TABLE = {(role, row[0]): row[1 + i] == "x" for row in ROWS for i, role in enumerate(HEAD)}
FILES = (campaign_metrics_pb2, attribution_pb2, journeys_pb2, alerts_pb2, quality_pb2)
EVERYTHING = frozenset(Permission)


def user(role, *, mfa=True, **changed):
    values = {"kind": Kind.USER, "id": "u1", "grants": {"acme": frozenset({role})}, "mfa": mfa}
    return Principal(**(values | changed))


def reason_of(*arguments, **options):
    try:
        authorize(*arguments, **options)
    except ServingError as error:
        return error.reason
    return None


def test_the_expected_table_names_every_role_and_permission():
    assert set(TABLE) == set(itertools.product(Role, Permission))
    assert set(PERMISSIONS) == set(Role)


@pytest.mark.parametrize(("role", "permission"), list(TABLE), ids=str)
def test_each_role_permits_what_it_should(role, permission):
    assert (Permission(permission) in user(Role(role)).permissions("acme")) is TABLE[role, permission]


@pytest.mark.parametrize("role", Role)
def test_a_role_permits_nothing_at_another_tenant(role):
    assert user(role).permissions("other") == frozenset()
    for method in NEEDED:
        assert reason_of(user(role), "other", method) is Reason.TENANT_MISMATCH


def test_several_roles_permit_what_any_of_them_does():
    for first, second in itertools.combinations(Role, 2):
        assert permissions_of(frozenset({first, second})) == PERMISSIONS[first] | PERMISSIONS[second]
    assert permissions_of(frozenset()) == frozenset()


def test_scopes_bound_a_key_and_add_nothing():
    for role, scope in itertools.product(Role, Permission):
        held = user(role, kind=Kind.SERVICE, scopes=frozenset({scope})).permissions("acme")
        assert held == PERMISSIONS[role] & {scope}
    assert user(Role.SERVICE_ACCOUNT, scopes=EVERYTHING).permissions("acme") == EVERYTHING - {
        "manage_access",
        "view_executive",
    }


def test_what_no_method_needs_is_about_something_else():
    """A page, files of what other permissions show, and what `python -m serving.access` does."""
    elsewhere = {"view_executive", "export_campaigns", "export_all", "read_audit", "manage_access"}
    assert set(Permission) - set(NEEDED.values()) == elsewhere


def test_every_method_of_the_contract_says_what_it_needs():
    assert set(NEEDED) == {method.full_name for method in METHODS}


@pytest.mark.parametrize(("role", "method"), list(itertools.product(Role, NEEDED)), ids=lambda v: v.rpartition(".")[2])
def test_each_method_is_open_to_the_roles_that_permit_it_and_to_no_other(role, method):
    allowed = TABLE[role, NEEDED[method]]
    assert reason_of(user(role), "acme", method) is (None if allowed else Reason.PERMISSION_MISSING)
    exported = allowed and (
        TABLE[role, "export_all"] or (NEEDED[method] == "view_campaigns" and TABLE[role, "export_campaigns"])
    )
    assert reason_of(user(role), "acme", method, export=True) is (None if exported else Reason.PERMISSION_MISSING)


def test_a_method_without_a_line_is_refused_to_every_role():
    for role in Role:
        assert reason_of(user(role), "acme", "tributary.v1.NewService.Get") is Reason.PERMISSION_MISSING
    assert reason_of(Principal(kind=Kind.DEMO, id="demo"), "acme", "tributary.v1.NewService.Get") is None


@pytest.mark.parametrize("role", sorted(GRANTABLE))
def test_admins_and_executives_need_a_second_factor(role):
    method = "tributary.v1.CampaignMetricsService.GetCampaignMetrics"
    needs = role in {"admin", "cmo"}
    assert (role in NEEDS_MFA) is needs
    assert reason_of(user(role, mfa=False), "acme", method) is (Reason.MFA_REQUIRED if needs else None)
    assert reason_of(user(role, mfa=True), "acme", method) is None
    both = user(role, mfa=False, grants={"acme": frozenset({role, Role.VIEWER}), "other": frozenset({Role.VIEWER})})
    assert reason_of(both, "acme", method) is (Reason.MFA_REQUIRED if needs else None)
    assert reason_of(both, "other", method) is None


def test_expired_credentials_and_malformed_tenants_are_refused():
    method = "tributary.v1.CampaignMetricsService.GetCampaignMetrics"
    assert reason_of(user(Role.VIEWER, expires_at=1.0), "acme", method) is Reason.CREDENTIALS_EXPIRED
    for tenant in ("", "*", "a b", "a" * 65, "acme\n"):
        with pytest.raises(ServingError) as refused:
            authorize(user(Role.ADMIN), tenant, method)
        assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
