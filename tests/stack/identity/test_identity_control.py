"""The command line of identity against a real ClickHouse; the brokers are played by nobody."""

from __future__ import annotations

import socket

from jobs.identity_control import main
from tests.stack.identity.stored_journey import StoredTenant


def arguments(store, command, tenant, *more):
    address = store._address
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{unused.getsockname()[1]}"
    return [
        *("--kafka-bootstrap", nobody, "--clickhouse-url", f"http://{address.host}:{address.port}"),
        *("--clickhouse-database", address.database, command, "--tenant", tenant, "--customer", "ann", *more),
    ]


def test_show_names_the_person_and_the_links(store, tenant, capsys):
    acme = StoredTenant(store, tenant)
    device = {"device_id": "dev-7"}
    acme.happen(acme.touch("abe", "t1", 0, identifiers=device), acme.touch("ann", "t2", 1, identifiers=device))
    assert main(arguments(store, "show", tenant)) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "person abe"
    assert [line.split("  ")[:3] for line in said[1:]] == [["abe", "device_id", "dev-7"], ["ann", "device_id", "dev-7"]]


def test_without_brokers_nothing_is_erased_and_the_error_says_so(store, tenant, capsys):
    acme = StoredTenant(store, tenant)
    acme.happen(acme.touch("ann", "t1", 0))
    assert main(arguments(store, "erase", tenant)) == 1
    said = capsys.readouterr().err
    assert "identity-commands" in said
    assert "ann" not in said
    count = "SELECT count() FROM events WHERE tenant_id = {tenant:String}"
    assert store.rows(count, {"tenant": tenant}, "check") == [(1,)]
